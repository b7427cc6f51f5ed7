// A real etcd for a test: its own ports, directory and log, gone at the end of the block.
//
//   await using etcd = await startEtcd();
import { join } from "node:path";
import { ChildProcess } from "../../src/lib/child-process.ts";
import { freePort } from "./ports.ts";
import { started, TestProgram } from "./program.ts";

const START_TIMEOUT_MS = 20_000;

export async function startEtcd(): Promise<Etcd> {
  return await started(new Etcd());
}

export class Etcd extends TestProgram {
  readonly name = "etcd";
  readonly #peerPort = freePort();

  constructor() {
    super("etcd");
  }

  async start(): Promise<void> {
    const [client, peer] = [`http://${this.address}`, `http://127.0.0.1:${this.#peerPort}`];
    const child = new ChildProcess({
      command: [
        ...["etcd", "--name", "one", "--data-dir", join(this.dir, "data")],
        ...["--listen-client-urls", client, "--advertise-client-urls", client],
        ...["--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer],
        ...["--initial-cluster", `one=${peer}`, "--enable-v2", "--logger", "zap"],
        ...["--log-level", "warn"],
      ],
      logFile: join(this.dir, "etcd.log"),
      env: { PATH: process.env.PATH },
    });
    await this.runs(child).ready(() => this.#isHealthy(), START_TIMEOUT_MS);
  }

  /** A call of its JSON interface, for what the coordinator does not do. */
  async post(path: string, body: unknown): Promise<unknown> {
    const response = await fetch(`http://${this.address}${path}`, {
      method: "POST",
      body: JSON.stringify(body),
    });
    if (response.ok) return response.json();
    throw new Error(`${path} answered ${response.status}: ${await response.text()}`);
  }

  async #isHealthy(): Promise<boolean> {
    try {
      const response = await fetch(`http://${this.address}/health`, {
        signal: AbortSignal.timeout(1000),
      });
      return response.ok;
    } catch {
      return false;
    }
  }
}
