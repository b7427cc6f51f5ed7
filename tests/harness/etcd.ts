// A real etcd for a test: its own ports, directory and log, gone at the end of the block.
//
//   await using etcd = await startEtcd();
import { join } from "node:path";
import { ChildProcess } from "../../src/lib/child-process.ts";
import { freePort } from "./ports.ts";
import { keepLog } from "./system-test.ts";
import { tempDir } from "./temp-dir.ts";

const START_TIMEOUT_MS = 20_000;

export async function startEtcd(): Promise<Etcd> {
  const etcd = new Etcd();
  try {
    await etcd.start();
  } catch (error) {
    await etcd[Symbol.asyncDispose]();
    throw error;
  }
  return etcd;
}

export class Etcd implements AsyncDisposable {
  readonly name = "etcd";
  readonly port = freePort();
  readonly address = `127.0.0.1:${this.port}`;
  readonly #peerPort = freePort();
  readonly #dir = tempDir();
  readonly #freezeLog = keepLog(`etcd ${this.address}`, () => this.#child?.log() ?? "");
  #child: ChildProcess | null = null;

  /** Starts it, again on the same port and data after kill(). */
  async start(): Promise<void> {
    const [client, peer] = [`http://${this.address}`, `http://127.0.0.1:${this.#peerPort}`];
    this.#child = new ChildProcess({
      command: [
        ...["etcd", "--name", "one", "--data-dir", join(this.#dir.path, "data")],
        ...["--listen-client-urls", client, "--advertise-client-urls", client],
        ...["--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer],
        ...["--initial-cluster", `one=${peer}`, "--enable-v2", "--logger", "zap"],
        ...["--log-level", "warn"],
      ],
      logFile: join(this.#dir.path, "etcd.log"),
      env: { PATH: process.env.PATH },
    });
    await this.#child.ready(() => this.#isHealthy(), START_TIMEOUT_MS);
  }

  async kill(): Promise<void> {
    this.resume();
    await this.#child?.stop("SIGKILL");
  }

  /** It stands still with its sockets open. */
  pause(): void {
    this.#child?.signal("SIGSTOP");
  }

  resume(): void {
    this.#child?.signal("SIGCONT");
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

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
    this.#freezeLog();
    this.#dir[Symbol.dispose]();
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
