// A real redis-server for a test: its own port, directory and log, gone at the end of the block.
//
//   await using redis = await startRedis();
//   await redis.call("SET", "key", "value");
import type { ExitStatus } from "../../src/lib/child-process.ts";
import type { Reply } from "../../src/resp/value.ts";
import { startRedisServer } from "../../src/demo/redis-server.ts";
import { started, TestProgram } from "./program.ts";
import { connect, type RespClient } from "./resp-client.ts";

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
  return await started(new Redis(options));
}

export class Redis extends TestProgram {
  readonly #args: readonly string[];
  readonly #configFile: string | undefined;
  #client: RespClient | null = null;

  constructor(options: RedisOptions) {
    super("redis-server", options.port);
    this.#args = [...(options.durable ? DURABLE : VOLATILE), ...(options.args ?? [])];
    this.#configFile = options.configFile;
  }

  async start(): Promise<void> {
    const { port, dir } = this;
    this.runs(
      await startRedisServer({ port, dir, args: this.#args, configFile: this.#configFile }),
    );
  }

  override async stop(signal?: NodeJS.Signals): Promise<ExitStatus> {
    this.#client?.close();
    this.#client = null;
    return await super.stop(signal);
  }

  /** A command over a connection that is opened at the first call and again after a restart. */
  async call(...args: (string | Uint8Array | number)[]): Promise<Reply> {
    if (this.#client === null || !this.#client.isOpen) this.#client = await connect(this.port);
    return this.#client.call(...args);
  }
}
