// `codis demo` as a newcomer runs it: through the command in bin/, on ports of the test's own.
import { expect } from "bun:test";
import { join } from "node:path";
import { ChildProcess } from "../../src/lib/child-process.ts";
import { adminOk } from "../harness/admin.ts";
import { freePort } from "../harness/ports.ts";
import { connect } from "../harness/resp-client.ts";
import { keepLog, systemTest } from "../harness/system-test.ts";
import { tempDir } from "../harness/temp-dir.ts";
import { until } from "../harness/until.ts";

const test = systemTest("redis-server", "node");

const CODIS = new URL("../../bin/codis", import.meta.url).pathname;

/** The demo puts its second proxy and its servers there, seen from its own port. */
const OFFSETS = [1, 110, 111, 120, 121, 130, 131];

interface Ports {
  readonly port: number;
  readonly admin: number;
  readonly dashboard: number;
}

function freePorts(): Ports {
  return { port: freePort(...OFFSETS), admin: freePort(1), dashboard: freePort() };
}

/** Each has a log of its own. */
let started = 0;

class Demo implements AsyncDisposable {
  readonly port: number;
  readonly dashboard: string;
  readonly child: ChildProcess;
  #freezeLog: () => void;

  constructor(dir: string, ports: Ports, ...args: string[]) {
    this.port = ports.port;
    this.dashboard = `127.0.0.1:${ports.dashboard}`;
    const flags = ["--dir", join(dir, "demo"), "--port", String(ports.port)];
    flags.push("--admin-port", String(ports.admin), "--dashboard-port", String(ports.dashboard));
    this.child = new ChildProcess({
      command: ["node", CODIS, "demo", "--ncpu", "1", ...flags, ...args],
      logFile: join(dir, `demo-${++started}.log`),
      cwd: dir,
    });
    this.#freezeLog = keepLog("codis demo", () => this.child.log());
  }

  async serves(): Promise<void> {
    await this.child.ready(async () => this.child.log().includes("Ctrl-C stops"), 30_000);
  }

  async status(): Promise<string> {
    return adminOk("status", `--dashboard=${this.dashboard}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.child.stop("SIGTERM", 20_000);
    this.#freezeLog();
  }
}

test("the demo is a whole product that stops on SIGINT and starts again as it was", async () => {
  using dir = tempDir();
  const ports = freePorts();
  const { port } = ports;
  {
    await using demo = new Demo(dir.path, ports);
    await demo.serves();
    using client = await connect(port);
    expect(await client.call("MSET", "a", "1", "b", "2", "c", "3")).toBe("OK");
    using other = await connect(port + 1);
    expect(await other.call("MGET", "a", "b", "c")).toEqual(["1", "2", "3"]);
    await until(async () => (await demo.status()).includes("Nothing is wrong."), {
      timeoutMs: 30_000,
    });
    const at = `--dashboard=${demo.dashboard}`;
    await adminOk("migrate", "0-9", "2", "--yes", "--watch", at);
    expect((await demo.child.stop("SIGINT", 20_000)).code).toBe(0);
    for (const offset of [0, 1, ...OFFSETS]) await expect(connect(port + offset)).rejects.toThrow();
  }
  await using demo = new Demo(dir.path, ports);
  await demo.serves();
  using client = await connect(port);
  expect(await client.call("MGET", "a", "b", "c")).toEqual(["1", "2", "3"]);
  expect(demo.child.log()).toContain("522 slots");
  await until(async () => (await demo.status()).includes("Nothing is wrong."), {
    timeoutMs: 30_000,
  });
}, 90_000);

test("with --rebalance a group is added and slots move while answers are checked", async () => {
  using dir = tempDir();
  const ports = freePorts();
  {
    await using demo = new Demo(dir.path, ports, "--rebalance");
    await demo.child.ready(async () => demo.child.log().includes("goes on serving"), 90_000);
    expect(demo.child.log()).toMatch(/Group 3 has 341 of 1024 slots after .* 0 wrong, 0 refused/);
    expect((await demo.child.stop("SIGINT", 20_000)).code).toBe(0);
  }
  // The third group is part of the product from then on.
  await using demo = new Demo(dir.path, ports);
  await demo.serves();
  expect(demo.child.log()).toMatch(/group 3 .* 341 slots/);
}, 180_000);

test("a demo whose port is taken says by whom and ends with status 1", async () => {
  using dir = tempDir();
  using taken = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } });
  await using demo = new Demo(dir.path, { ...freePorts(), port: taken.port });
  expect((await demo.child.exited).code).toBe(1);
  expect(demo.child.log()).toContain(`port ${taken.port} is taken by bun`);
  expect(demo.child.log()).toContain(`(process ${process.pid})`);
});

test("a demo takes more groups than it had, but neither fewer nor other ports", async () => {
  using dir = tempDir();
  const ports = freePorts();
  {
    await using first = new Demo(dir.path, ports, "--groups", "1");
    await first.serves();
  }
  {
    await using second = new Demo(dir.path, ports, "--groups", "2");
    await second.serves();
    expect(second.child.log()).toMatch(/group 1 .* 1,024 slots\n {2}group 2 .* 0 slots/);
  }
  await using fewer = new Demo(dir.path, ports, "--groups", "1");
  expect((await fewer.child.exited).code).toBe(1);
  expect(fewer.child.log()).toContain("holds the data of 2 groups, not 1");
  await using elsewhere = new Demo(dir.path, { ...ports, admin: freePort(1) });
  expect((await elsewhere.child.exited).code).toBe(1);
  expect(elsewhere.child.log()).toContain(`holds a product with --admin-port ${ports.admin}`);
});

test("a second demo in the same directory is refused while the first one runs", async () => {
  using dir = tempDir();
  await using first = new Demo(dir.path, freePorts());
  await first.serves();
  await using second = new Demo(dir.path, freePorts());
  expect((await second.child.exited).code).toBe(1);
  expect(second.child.log()).toContain("is in use by another demo");
});

test("a redis-server that dies at once again ends the demo with the end of its log", async () => {
  using dir = tempDir();
  await using demo = new Demo(dir.path, freePorts());
  await demo.serves();
  const server = await serverPid(demo.port + 110);
  process.kill(server, "SIGKILL");
  expect((await demo.child.exited).code).toBe(1);
  expect(demo.child.log()).toContain(
    `The server 127.0.0.1:${demo.port + 110} of group 1 ended with signal SIGKILL`,
  );
  await until(() =>
    connect(demo.port).then(
      () => false,
      () => true,
    ),
  );
});

async function serverPid(port: number): Promise<number> {
  using client = await connect(port);
  const info = String(await client.call("INFO", "server"));
  return Number(/process_id:(\d+)/.exec(info)?.[1]);
}
