// A redis-server behind a network of its own that can be cut in one direction: what it sends to one
// address is lost, while everything else arrives. By network namespaces, which only root may make;
// elsewhere the tests that need it are skipped.
import { ChildProcess } from "../../src/lib/child-process.ts";
import { freePort } from "../harness/ports.ts";
import { connect } from "../harness/resp-client.ts";
import { tempDir } from "../harness/temp-dir.ts";
import { until } from "../harness/until.ts";

const NAME = `codis${process.pid % 10_000}`;
const NETWORK = `10.213.${process.pid % 250}`;

/** Ours, and where the target listens: a second address, so that only it can be cut off. */
export const TARGET_HOST = `10.214.${process.pid % 250}.1`;
const OWN_HOST = `${NETWORK}.1`;
export const SOURCE_HOST = `${NETWORK}.2`;

/** FIN_WAIT1, FIN_WAIT2, LAST_ACK, CLOSING, as /proc/net/tcp has them. */
const GIVEN_UP = ["04", "05", "09", "0B"];

function ip(...args: string[]): boolean {
  return Bun.spawnSync(["ip", ...args], { stdout: "ignore", stderr: "ignore" }).success;
}

export function canSplitNetworks(): boolean {
  if (process.getuid?.() !== 0 || Bun.which("ip") === null) return false;
  const isNamed = ip("netns", "add", `${NAME}x`);
  const isMade = isNamed && ip("-n", `${NAME}x`, "link", "add", "hole", "type", "veth");
  ip("netns", "del", `${NAME}x`);
  return isMade;
}

export class SplitServer implements AsyncDisposable {
  readonly port = freePort();
  readonly address = `${SOURCE_HOST}:${this.port}`;
  readonly #dir = tempDir();
  #child: ChildProcess | null = null;

  static async start(): Promise<SplitServer> {
    const server = new SplitServer();
    const [ours, theirs] = [`${NAME}a`, `${NAME}b`];
    ip("netns", "add", NAME);
    ip("link", "add", ours, "type", "veth", "peer", "name", theirs, "netns", NAME);
    ip("addr", "add", `${OWN_HOST}/24`, "dev", ours);
    ip("addr", "add", `${TARGET_HOST}/32`, "dev", ours);
    ip("link", "set", ours, "up");
    ip("-n", NAME, "addr", "add", `${SOURCE_HOST}/24`, "dev", theirs);
    ip("-n", NAME, "link", "set", theirs, "up");
    ip("-n", NAME, "route", "add", "default", "via", OWN_HOST);
    // At its end nobody knows the target. A route that refuses would let the kernel know.
    ip("netns", "add", `${NAME}x`);
    ip(
      "-n",
      NAME,
      "link",
      "add",
      "hole",
      "type",
      "veth",
      "peer",
      "name",
      "end",
      "netns",
      `${NAME}x`,
    );
    ip("-n", NAME, "link", "set", "hole", "up");
    ip("-n", `${NAME}x`, "link", "set", "end", "up");
    ip("-n", NAME, "neigh", "add", TARGET_HOST, "lladdr", "02:00:00:00:00:01", "dev", "hole");
    server.#child = new ChildProcess({
      command: [
        ...["ip", "netns", "exec", NAME, "redis-server", "--port", String(server.port)],
        ...["--bind", "0.0.0.0", "--protected-mode", "no", "--save", "", "--dir", server.#dir.path],
      ],
      logFile: `${server.#dir.path}/redis.log`,
    });
    await until(() => server.call("PING"));
    return server;
  }

  async call(...args: (string | number)[]): Promise<unknown> {
    using client = await connect(this.port, { hostname: SOURCE_HOST });
    return await client.call(...args);
  }

  /** From now on nothing that the server sends to the target's address arrives. */
  cut(): void {
    ip("-n", NAME, "route", "add", `${TARGET_HOST}/32`, "dev", "hole");
  }

  heal(): void {
    ip("-n", NAME, "route", "del", `${TARGET_HOST}/32`, "dev", "hole");
  }

  /**
   * Connections that the server has given up while the kernel still sends what was written to them;
   * how often each has been sent again.
   */
  orphans(port: number): number[] {
    const { stdout } = Bun.spawnSync(["ip", "netns", "exec", NAME, "cat", "/proc/net/tcp"]);
    const remote = port.toString(16).toUpperCase().padStart(4, "0");
    return stdout
      .toString()
      .split("\n")
      .slice(1)
      .map((line) => line.trim().split(/\s+/))
      .filter(([, , peer = "", state]) => peer.endsWith(`:${remote}`) && GIVEN_UP.includes(state))
      .map((columns) => parseInt(columns[6], 16));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#child?.stop("SIGKILL");
    ip("netns", "del", NAME);
    ip("netns", "del", `${NAME}x`);
    ip("link", "del", `${NAME}a`);
    this.#dir[Symbol.dispose]();
  }
}
