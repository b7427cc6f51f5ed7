// `codis demo` as a newcomer runs it: through the command in bin/, on ports of the test's own.
import { expect } from "bun:test";
import { join } from "node:path";
import { ChildProcess } from "../../src/lib/child-process.ts";
import { freePort } from "../harness/ports.ts";
import { connect } from "../harness/resp-client.ts";
import { keepLog, systemTest } from "../harness/system-test.ts";
import { tempDir } from "../harness/temp-dir.ts";
import { until } from "../harness/until.ts";

const test = systemTest("redis-server", "node");

const CODIS = new URL("../../bin/codis", import.meta.url).pathname;

/** The demo puts its servers there, seen from its own port. */
const SERVER_OFFSETS = [101, 102, 103];

class Demo implements AsyncDisposable {
  readonly port: number;
  readonly child: ChildProcess;
  #freezeLog: () => void;

  constructor(dir: string, port: number, ...args: string[]) {
    this.port = port;
    const adminPort = String(freePort());
    const flags = ["--port", String(port), "--admin-port", adminPort, "--dir", join(dir, "demo")];
    this.child = new ChildProcess({
      command: ["node", CODIS, "demo", "--ncpu", "1", ...flags, ...args],
      logFile: join(dir, `demo-${adminPort}.log`),
      cwd: dir,
    });
    this.#freezeLog = keepLog("codis demo", () => this.child.log());
  }

  async serves(): Promise<void> {
    await this.child.ready(async () => this.child.log().includes("Ctrl-C stops"), 20_000);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.child.stop("SIGTERM", 20_000);
    this.#freezeLog();
  }
}

test("the demo stops everything on SIGINT and has its data after the next start", async () => {
  using dir = tempDir();
  const port = freePort(...SERVER_OFFSETS);
  {
    await using demo = new Demo(dir.path, port);
    await demo.serves();
    using client = await connect(port);
    expect(await client.call("MSET", "a", "1", "b", "2", "c", "3")).toBe("OK");
    const status = await demo.child.stop("SIGINT", 20_000);
    expect(status.code).toBe(0);
    await expect(connect(port)).rejects.toThrow();
    await expect(connect(port + 101)).rejects.toThrow();
  }
  await using demo = new Demo(dir.path, port);
  await demo.serves();
  using client = await connect(port);
  expect(await client.call("MGET", "a", "b", "c")).toEqual(["1", "2", "3"]);
});

test("a demo whose port is taken says by whom and ends with status 1", async () => {
  using dir = tempDir();
  using taken = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } });
  await using demo = new Demo(dir.path, taken.port);
  expect((await demo.child.exited).code).toBe(1);
  expect(demo.child.log()).toContain(`port ${taken.port} is taken by bun`);
  expect(demo.child.log()).toContain(`(process ${process.pid})`);
});

test("a demo refuses another number of groups than its data is spread over", async () => {
  using dir = tempDir();
  {
    await using first = new Demo(dir.path, freePort(...SERVER_OFFSETS), "--groups", "3");
    await first.serves();
  }
  await using second = new Demo(dir.path, freePort(...SERVER_OFFSETS), "--groups", "2");
  expect((await second.child.exited).code).toBe(1);
  expect(second.child.log()).toContain("holds the data of 3 groups, not 2");
});

test("a second demo in the same directory is refused while the first one runs", async () => {
  using dir = tempDir();
  await using first = new Demo(dir.path, freePort(...SERVER_OFFSETS));
  await first.serves();
  await using second = new Demo(dir.path, freePort(...SERVER_OFFSETS));
  expect((await second.child.exited).code).toBe(1);
  expect(second.child.log()).toContain("is in use by another demo");
});

test("a redis-server that dies at once again ends the demo with the end of its log", async () => {
  using dir = tempDir();
  await using demo = new Demo(dir.path, freePort(...SERVER_OFFSETS));
  await demo.serves();
  const server = await serverPid(demo.port + 101);
  process.kill(server, "SIGKILL");
  expect((await demo.child.exited).code).toBe(1);
  expect(demo.child.log()).toContain("The server of group 1 ended with signal SIGKILL");
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
