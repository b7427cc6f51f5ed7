// A real redis-sentinel for a test: its own port, directory, configuration and log, gone at the end
// of the block.
//
//   await using sentinels = await startSentinels(3);
//   await sentinels.all[0].call("SENTINEL", "masters");
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { answersPing } from "../../src/demo/redis-server.ts";
import { ChildProcess, type ExitStatus } from "../../src/lib/child-process.ts";
import type { Reply } from "../../src/resp/value.ts";
import { owning } from "./owning.ts";
import { started, TestProgram } from "./program.ts";
import { connect, type RespClient } from "./resp-client.ts";

const START_TIMEOUT_MS = 20_000;

export interface Sentinels extends AsyncDisposable {
  readonly all: readonly Sentinel[];
  readonly addresses: readonly string[];
}

/** With a password they ask everybody for it, and give it to each other. */
export async function startSentinels(count: number, password = ""): Promise<Sentinels> {
  return await owning(async (stack) => {
    const all = await Promise.all(
      Array.from({ length: count }, async () => stack.use(await started(new Sentinel(password)))),
    );
    return { all, addresses: all.map((sentinel) => sentinel.address) };
  });
}

export class Sentinel extends TestProgram {
  #client: RespClient | null = null;

  constructor(private readonly password: string) {
    super("redis-sentinel");
    const lines = [`port ${this.port}`, "bind 127.0.0.1", `dir ${this.dir}`];
    if (password !== "") lines.push(`requirepass ${password}`);
    writeFileSync(this.#configFile, `${lines.join("\n")}\n`);
  }

  get #configFile(): string {
    return join(this.dir, "sentinel.conf");
  }

  /** Started again it has what it remembers. */
  async start(): Promise<void> {
    const child = new ChildProcess({
      command: ["redis-server", this.#configFile, "--sentinel"],
      logFile: join(this.dir, "sentinel.log"),
      cwd: this.dir,
    });
    await this.runs(child).ready(() => answersPing(this.port), START_TIMEOUT_MS);
  }

  override async stop(signal?: NodeJS.Signals): Promise<ExitStatus> {
    this.#client?.close();
    this.#client = null;
    return await super.stop(signal);
  }

  async call(...args: (string | number)[]): Promise<Reply> {
    if (this.#client === null || !this.#client.isOpen) {
      this.#client = await connect(this.port);
      if (this.password !== "") await this.#client.call("AUTH", this.password);
    }
    return this.#client.call(...args);
  }

  /** host:port of the master of that name, or "" when it is not monitored. */
  async masterOf(name: string): Promise<string> {
    const reply = await this.call("SENTINEL", "get-master-addr-by-name", name);
    return Array.isArray(reply) ? reply.join(":") : "";
  }
}
