// Who is measured: our proxy, twemproxy when it is installed, one redis-server without any proxy,
// and whatever was named with --peer. All proxies stand in front of the same two redis-servers.
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ChildProcess } from "../src/lib/child-process.ts";
import { spreadSlots, startProxyProcess } from "../src/demo/proxy-process.ts";
import { answersPing, startRedisServer } from "../src/demo/redis-server.ts";
import { freePort } from "../tests/harness/ports.ts";

export interface Peer {
  readonly name: string;
  readonly port: number;
  /** Where its CPU time and memory are read; 0 when that says nothing about a proxy. */
  readonly pid: number;
}

export const OURS = "codis";
export const TWEMPROXY = "twemproxy";
export const DIRECT = "redis alone";

const START_TIMEOUT_MS = 10_000;

/** Everything started for one run; stopped together. */
export class Machinery implements AsyncDisposable {
  readonly peers: Peer[] = [];
  #dir: string;
  #children: ChildProcess[] = [];
  #twemproxy: ChildProcess | null = null;

  constructor(dir: string) {
    this.#dir = dir;
  }

  /** `servers`: the ports of the two redis-servers. */
  async startAll(servers: readonly number[], added: readonly Peer[]): Promise<void> {
    for (const port of servers) await this.#startServer(port);
    await this.#startOurs(servers);
    if (findNutcracker() !== null) await this.#startTwemproxy(servers);
    this.peers.push(...added, { name: DIRECT, port: servers[0], pid: 0 });
  }

  /**
   * A new twemproxy on the same port, for every workload: it gets slower by what it did before,
   * pipelines above all, and the order of the workloads should not be a part of its figures.
   */
  async renewTwemproxy(): Promise<void> {
    const index = this.peers.findIndex((peer) => peer.name === TWEMPROXY);
    if (index < 0) return;
    await this.#twemproxy?.stop();
    this.peers[index] = await this.#runTwemproxy(this.peers[index].port);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#twemproxy?.stop();
    // Proxies first: they would only complain about their servers.
    for (const child of this.#children.reverse()) await child.stop();
  }

  async #startServer(port: number): Promise<void> {
    const args = ["--save", "", "--appendonly", "no"];
    const child = await startRedisServer({ port, dir: this.#subfolder(`redis-${port}`), args });
    this.#children.push(child);
  }

  async #startOurs(servers: readonly number[]): Promise<void> {
    const port = freePort();
    const adminPort = freePort();
    const child = await startProxyProcess({
      dir: this.#subfolder(OURS),
      adminPort,
      ncpu: 1,
      settings: {
        product_name: "bench",
        proxy_addr: `127.0.0.1:${port}`,
        admin_addr: `127.0.0.1:${adminPort}`,
      },
      slots: spreadSlots(servers.map((server) => `127.0.0.1:${server}`)),
    });
    this.#children.push(child);
    this.peers.push({ name: OURS, port, pid: child.pid });
  }

  async #startTwemproxy(servers: readonly number[]): Promise<void> {
    const port = freePort();
    writeFileSync(this.#twemproxyFile(), twemproxyConfig(port, servers));
    this.peers.push(await this.#runTwemproxy(port));
  }

  async #runTwemproxy(port: number): Promise<Peer> {
    const dir = this.#subfolder(TWEMPROXY);
    const stats = ["-a", "127.0.0.1", "-s", String(freePort())];
    const child = new ChildProcess({
      command: [findNutcracker() ?? "", "-c", this.#twemproxyFile(), ...stats],
      logFile: join(dir, "nutcracker.log"),
      cwd: dir,
    });
    this.#twemproxy = child;
    await child.ready(() => answersPing(port), START_TIMEOUT_MS);
    return { name: TWEMPROXY, port, pid: child.pid };
  }

  #twemproxyFile(): string {
    return join(this.#subfolder(TWEMPROXY), "nutcracker.yml");
  }

  #subfolder(name: string): string {
    const path = join(this.#dir, name);
    mkdirSync(path, { recursive: true });
    return path;
  }
}

function findNutcracker(): string | null {
  return Bun.which("nutcracker", { PATH: `${process.env.PATH}:/usr/local/sbin:/usr/sbin` });
}

function twemproxyConfig(port: number, servers: readonly number[]): string {
  const settings = [
    `listen: 127.0.0.1:${port}`,
    "redis: true",
    "hash: crc32a",
    "distribution: ketama",
    "preconnect: true",
    "server_connections: 1",
    "backlog: 1024",
    "auto_eject_hosts: false",
    "servers:",
    ...servers.map((server, i) => ` - 127.0.0.1:${server}:1 group-${i + 1}`),
  ];
  return ["bench:", ...settings.map((line) => `  ${line}`), ""].join("\n");
}

/** The programs' own words about their versions, for the record. */
export function versions(): string[] {
  const nutcracker = findNutcracker();
  const asked = [
    ["redis-server", "--version"],
    ...(nutcracker === null ? [] : [[nutcracker, "--version"]]),
  ];
  const texts = asked.map((command) => {
    const { stdout, stderr } = Bun.spawnSync(command, { stdin: "ignore" });
    return `${stdout}${stderr}`.trim().split("\n")[0];
  });
  return [...texts, `Bun ${Bun.version}`];
}
