// A real redis-sentinel for a test: its own port, directory, configuration and log, gone at the end
// of the block.
//
//   await using sentinels = await startSentinels(3);
//   await sentinels.all[0].call("SENTINEL", "masters");
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { answersPing } from "../../src/demo/redis-server.ts";
import { ChildProcess } from "../../src/lib/child-process.ts";
import type { Reply } from "../../src/resp/value.ts";
import { freePort } from "./ports.ts";
import { connect, type RespClient } from "./resp-client.ts";
import { keepLog } from "./system-test.ts";
import { tempDir, type TempDir } from "./temp-dir.ts";

const START_TIMEOUT_MS = 20_000;

export interface Sentinels extends AsyncDisposable {
  readonly all: readonly Sentinel[];
  readonly addresses: readonly string[];
}

export async function startSentinels(count: number): Promise<Sentinels> {
  await using stack = new AsyncDisposableStack();
  const all = await Promise.all(
    Array.from({ length: count }, async () => {
      const sentinel = stack.use(new Sentinel());
      await sentinel.start();
      return sentinel;
    }),
  );
  const owned = stack.move();
  return {
    all,
    addresses: all.map((sentinel) => sentinel.address),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

export class Sentinel implements AsyncDisposable {
  readonly port = freePort();
  readonly address = `127.0.0.1:${this.port}`;
  #dir: TempDir = tempDir();
  #child: ChildProcess | null = null;
  #client: RespClient | null = null;
  #freezeLog: () => void;

  constructor() {
    this.#freezeLog = keepLog(`redis-sentinel ${this.address}`, () => this.log());
    const lines = [`port ${this.port}`, "bind 127.0.0.1", `dir ${this.#dir.path}`];
    writeFileSync(this.#configFile, `${lines.join("\n")}\n`);
  }

  get #configFile(): string {
    return join(this.#dir.path, "sentinel.conf");
  }

  get isRunning(): boolean {
    return this.#child?.isRunning ?? false;
  }

  log(): string {
    return this.#child?.log() ?? "";
  }

  /** Starts it, or starts it again with what it remembers. */
  async start(): Promise<void> {
    this.#child = new ChildProcess({
      command: ["redis-server", this.#configFile, "--sentinel"],
      logFile: join(this.#dir.path, "sentinel.log"),
      cwd: this.#dir.path,
    });
    await this.#child.ready(() => answersPing(this.port), START_TIMEOUT_MS);
  }

  async kill(): Promise<void> {
    this.#client?.close();
    this.#client = null;
    await this.#child?.stop("SIGKILL");
  }

  pause(): void {
    this.#child?.signal("SIGSTOP");
  }

  resume(): void {
    this.#child?.signal("SIGCONT");
  }

  async call(...args: (string | number)[]): Promise<Reply> {
    if (this.#client === null || !this.#client.isOpen) this.#client = await connect(this.port);
    return this.#client.call(...args);
  }

  /** host:port of the master of that name, or "" when it is not monitored. */
  async masterOf(name: string): Promise<string> {
    const reply = await this.call("SENTINEL", "get-master-addr-by-name", name);
    return Array.isArray(reply) ? reply.join(":") : "";
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
    this.#freezeLog();
    this.#dir[Symbol.dispose]();
  }
}
