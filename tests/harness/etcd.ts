// A real etcd for a test: its own ports, directory and log, gone at the end of the block.
//
//   await using etcd = await startEtcd();
import { join } from "node:path";
import { readTls, type TlsFiles } from "../../src/coordinator/tls.ts";
import { ChildProcess } from "../../src/lib/child-process.ts";
import { freePort } from "./ports.ts";
import { started, TestProgram } from "./program.ts";

const START_TIMEOUT_MS = 20_000;

/** With files for TLS it asks clients for a certificate that `ca` has signed. */
export async function startEtcd(tls: TlsFiles | null = null): Promise<Etcd> {
  return await started(new Etcd(tls));
}

export class Etcd extends TestProgram {
  readonly name = "etcd";
  readonly #peerPort = freePort();

  constructor(private readonly tls: TlsFiles | null) {
    super("etcd");
  }

  get #url(): string {
    return `${this.tls === null ? "http" : "https"}://${this.address}`;
  }

  async start(): Promise<void> {
    const [client, peer] = [this.#url, `http://127.0.0.1:${this.#peerPort}`];
    const child = new ChildProcess({
      command: [
        ...["etcd", "--name", "one", "--data-dir", join(this.dir, "data")],
        ...["--listen-client-urls", client, "--advertise-client-urls", client],
        ...["--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer],
        ...["--initial-cluster", `one=${peer}`, "--enable-v2", "--logger", "zap"],
        ...["--log-level", "warn"],
        ...(this.tls === null ? [] : tlsArguments(this.tls)),
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
      const response = await fetch(`${this.#url}/health`, {
        signal: AbortSignal.timeout(1000),
        ...(this.tls === null ? {} : { tls: readTls(this.tls) }),
      });
      return response.ok;
    } catch {
      return false;
    }
  }
}

function tlsArguments({ ca, cert, key }: TlsFiles): string[] {
  return [
    ...["--cert-file", cert, "--key-file", key],
    ...["--client-cert-auth", "--trusted-ca-file", ca],
  ];
}
