// A real redis-server for a test: its own port, directory and log, gone at the end of the block.
//
//   await using redis = await startRedis();
//   await redis.call("SET", "key", "value");
import type { ChildProcess } from "../../src/lib/child-process.ts";
import type { Reply } from "../../src/resp/value.ts";
import { startRedisServer } from "../../src/demo/redis-server.ts";
import { freePort } from "./ports.ts";
import { connect, type RespClient } from "./resp-client.ts";
import { keepLog } from "./system-test.ts";
import { tempDir, type TempDir } from "./temp-dir.ts";

export interface RedisOptions {
  /** Settings as on the command line, for example ["--maxmemory", "10mb"]. */
  readonly args?: readonly string[];
  /** With a file of its own, which it may rewrite. */
  readonly configFile?: string;
  readonly port?: number;
  /** Keep the data over restart(): an append-only file, written at every command. */
  readonly durable?: boolean;
}

const VOLATILE = ["--save", "", "--appendonly", "no"];
const DURABLE = ["--save", "", "--appendonly", "yes", "--appendfsync", "always"];

export async function startRedis(options: RedisOptions = {}): Promise<Redis> {
  const redis = new Redis(options);
  try {
    await redis.start();
  } catch (error) {
    await redis[Symbol.asyncDispose]();
    throw error;
  }
  return redis;
}

export class Redis implements AsyncDisposable {
  readonly port: number;
  readonly address: string;
  #args: readonly string[];
  readonly #configFile: string | undefined;
  #dir: TempDir;
  #child: ChildProcess | null = null;
  #client: RespClient | null = null;
  #freezeLog: () => void;

  constructor(options: RedisOptions) {
    this.port = options.port ?? freePort();
    this.address = `127.0.0.1:${this.port}`;
    this.#args = [...(options.durable ? DURABLE : VOLATILE), ...(options.args ?? [])];
    this.#configFile = options.configFile;
    this.#dir = tempDir();
    this.#freezeLog = keepLog(`redis-server ${this.address}`, () => this.log());
  }

  get pid(): number {
    return this.#child?.pid ?? 0;
  }

  get dir(): string {
    return this.#dir.path;
  }

  get isRunning(): boolean {
    return this.#child?.isRunning ?? false;
  }

  log(): string {
    return this.#child?.log() ?? "";
  }

  /** Starts it again on the same port and directory after kill() or stop(). */
  async start(): Promise<void> {
    this.#child = await startRedisServer({
      port: this.port,
      dir: this.#dir.path,
      args: this.#args,
      configFile: this.#configFile,
    });
  }

  /** kill -9: the end that no program can prepare for. */
  async kill(): Promise<void> {
    await this.#end("SIGKILL");
  }

  async stop(): Promise<void> {
    await this.#end("SIGTERM");
  }

  async restart(): Promise<void> {
    await this.kill();
    await this.start();
  }

  /** The process stands still, its sockets stay open: what a hung server looks like. */
  pause(): void {
    this.#child?.signal("SIGSTOP");
  }

  resume(): void {
    this.#child?.signal("SIGCONT");
  }

  /** A command over a connection that is opened at the first call and again after a restart. */
  async call(...args: (string | Uint8Array | number)[]): Promise<Reply> {
    if (this.#client === null || !this.#client.isOpen) this.#client = await connect(this.port);
    return this.#client.call(...args);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
    this.#freezeLog();
    this.#dir[Symbol.dispose]();
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    this.#client?.close();
    this.#client = null;
    // A stopped process takes SIGKILL but keeps any other signal until it goes on.
    this.resume();
    await this.#child?.stop(signal);
  }
}
