// How the program starts, what it says when it cannot, and how it ends.
import { expect, test } from "bun:test";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { join } from "node:path";
import { ChildProcess } from "../../src/lib/child-process.ts";
import { ownCommand } from "../../src/lib/own-command.ts";
import { xauthOf } from "../../src/model/xauth.ts";
import { startFaultyBackend } from "../harness/faulty-backend.ts";
import { freePort } from "../harness/ports.ts";
import { ALL_SLOTS, startProxy } from "../harness/proxy.ts";
import { connect, isRefused } from "../harness/resp-client.ts";
import { tempDir } from "../harness/temp-dir.ts";
import { until } from "../harness/until.ts";

/** Runs the program until it ends by itself; its exit status and what it printed. */
async function runToEnd(args: string[]): Promise<{ code: number | null; log: string }> {
  using dir = tempDir();
  const config = join(dir.path, "proxy.toml");
  writeFileSync(
    config,
    `proxy_addr = "127.0.0.1:${freePort()}"\nadmin_addr = "127.0.0.1:${freePort()}"\n`,
  );
  const child = new ChildProcess({
    command: [...ownCommand(), "proxy", "--config", config, "--ncpu", "1", ...args],
    logFile: join(dir.path, "log"),
  });
  const { code } = await child.exited;
  return { code, log: child.log() };
}

test("a port that is taken ends the program with a sentence that names who holds it", async () => {
  await using proxy = await startProxy();
  using dir = tempDir();
  for (const [setting, port] of [
    ["proxy_addr", proxy.port],
    ["admin_addr", proxy.adminPort],
  ] as const) {
    const config = join(dir.path, `${setting}.toml`);
    const other = setting === "proxy_addr" ? "admin_addr" : "proxy_addr";
    const free = `${other} = "127.0.0.1:${freePort()}"\n`;
    writeFileSync(config, `${setting} = "127.0.0.1:${port}"\n${free}`);
    const { code, log } = await runToEnd(["--config", config]);
    expect(code).toBe(1);
    expect(log).toMatch(new RegExp(`port ${port} is already in use by .*main.ts`));
    expect(log).not.toContain("    at ");
  }
});

test("slots that cannot be loaded end the program with a sentence", async () => {
  using dir = tempDir();
  const file = join(dir.path, "slots.json");
  const missing = await runToEnd(["--fillslots", file]);
  expect(missing.code).toBe(1);
  expect(missing.log).toContain(`cannot load the slots of ${file}: `);
  writeFileSync(file, '[{"id": 1}, {"id": 2000}]');
  const malformed = await runToEnd(["--fillslots", file]);
  expect(malformed.code).toBe(1);
  expect(malformed.log).toContain('field "id" of element 1 of the slots must be an integer');
});

test("a limit on open files that is too low ends the program with a sentence", async () => {
  const { code, log } = await runToEnd(["--ulimit", "2000000000"]);
  expect(code).toBe(1);
  expect(log).toContain("--ulimit demands 2000000000");
});

test("SIGTERM lets a request in flight finish, then the program ends with status 0", async () => {
  let answer = (): void => {};
  await using backend = startFaultyBackend(([name], connection) => {
    if (name === "GET") answer = () => connection.send("$4\r\nlate\r\n");
    return undefined;
  });
  await using proxy = await startProxy({
    ncpu: 2,
    slots: [{ addr: backend.address, ...ALL_SLOTS }],
    args: ["--pidfile", "proxy.pid"],
  });
  const pidFile = join(proxy.dir, "proxy.pid");
  expect(readFileSync(pidFile, "utf8")).toBe(`${proxy.pid}\n`);
  using idle = await connect(proxy.port);
  await idle.call("PING");
  using busy = await connect(proxy.port);
  const reply = busy.call("GET", "a");
  await until(() => backend.requests.some(([name]) => name === "GET"));
  const exited = proxy.stop();
  await idle.waitForEnd();
  await until(() => proxy.log().includes("closes because it got SIGTERM"));
  // Each worker lets go of its own socket, the one of the idle client perhaps first.
  await until(() => isRefused(proxy.port));
  const ready = await fetch(proxy.url("/readyz"));
  expect([ready.status, await ready.text()]).toEqual([503, "the proxy is closing\n"]);
  expect(proxy.isRunning).toBe(true);
  answer();
  expect(await reply).toBe("late");
  expect(await exited).toEqual({ code: 0, signal: null });
  expect(existsSync(pidFile)).toBe(false);
});

test("a request that does not finish ends with shutdown_timeout", async () => {
  await using backend = startFaultyBackend();
  await using proxy = await startProxy({
    slots: [{ addr: backend.address, ...ALL_SLOTS }],
    config: { shutdown_timeout: "300ms" },
  });
  using client = await connect(proxy.port);
  const reply = client.call("GET", "a").catch(String);
  await until(() => backend.requests.some(([name]) => name === "GET"));
  const startedMs = performance.now();
  expect(await proxy.stop()).toEqual({ code: 0, signal: null });
  expect(performance.now() - startedMs).toBeGreaterThan(250);
  expect(await reply).toContain("the connection ended");
});

test("a second signal ends the program at once", async () => {
  await using backend = startFaultyBackend();
  await using proxy = await startProxy({
    slots: [{ addr: backend.address, ...ALL_SLOTS }],
    config: { shutdown_timeout: "1h" },
  });
  using client = await connect(proxy.port);
  void client.call("GET", "a").catch(() => {});
  await until(() => backend.requests.some(([name]) => name === "GET"));
  proxy.signal("SIGTERM");
  await until(() => proxy.log().includes("closes because it got SIGTERM"));
  expect(await proxy.stop("SIGINT")).toEqual({ code: 0, signal: null });
});

test("the admin API can end the program, which refuses further calls", async () => {
  await using backend = startFaultyBackend();
  await using proxy = await startProxy({
    slots: [{ addr: backend.address, ...ALL_SLOTS }],
    config: { shutdown_timeout: "1h" },
  });
  using client = await connect(proxy.port);
  void client.call("GET", "a").catch(() => {});
  await until(() => backend.requests.some(([name]) => name === "GET"));
  await proxy.put("shutdown");
  await until(() => proxy.log().includes("closes because the admin API ordered it"));
  await expect(proxy.put("start")).rejects.toThrow("use of closed proxy");
  expect(await proxy.get<object>("/proxy/stats")).toMatchObject({ online: false, closed: true });
  client.reset();
  expect(await proxy.exited).toEqual({ code: 0, signal: null });
});

test("clients are refused as long as the proxy is not online", async () => {
  await using proxy = await startProxy({ online: false });
  using early = await connect(proxy.port);
  expect(await early.readToEnd()).toBe("-ERR router is not online\r\n");
  expect(proxy.log()).toContain("waits for a dashboard");
  await proxy.put("start");
  using client = await connect(proxy.port);
  expect(await client.call("PING")).toBe("PONG");
});

test("a proxy registers at its dashboard, which puts it online", async () => {
  const calls: string[] = [];
  let online: (() => Promise<unknown>) | null = null;
  const topom = createServer(async (request, response) => {
    calls.push(`${request.method} ${decodeURIComponent(request.url ?? "")}`);
    if (request.method === "GET") return response.end('{"product_name": "test"}');
    await online?.();
    return response.end('"OK"');
  });
  await new Promise<void>((resolve) => topom.listen(0, "127.0.0.1", resolve));
  const address = topom.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  const started = Promise.withResolvers<void>();
  online = () => started.promise;
  await using proxy = await startProxy({
    online: false,
    args: ["--dashboard", `127.0.0.1:${port}`],
  });
  await proxy.put("start");
  started.resolve();
  await until(() => proxy.log().includes("registered at the dashboard"));
  const own = `127.0.0.1:${proxy.adminPort}`;
  expect(calls).toEqual([
    "GET /api/topom/model",
    `PUT /api/topom/proxy/online/${xauthOf("test")}/${own}`,
  ]);
  expect(proxy.log()).not.toContain(xauthOf("test"));
  topom.close();
});

test("clients can connect by a unix socket", async () => {
  using dir = tempDir();
  const path = join(dir.path, "proxy.sock");
  await using proxy = await startProxy({
    ncpu: 2,
    config: { proto_type: "unix", proxy_addr: path },
  });
  const { promise, resolve } = Promise.withResolvers<string>();
  await Bun.connect({
    unix: path,
    socket: {
      open: (socket) => void socket.write("PING\r\n"),
      data: (_, chunk) => resolve(chunk.toString()),
    },
  });
  expect(await promise).toBe("+PONG\r\n");
  expect(await proxy.get<object>("/proxy/model")).toMatchObject({ proxy_addr: path });
  await proxy.stop();
  expect(existsSync(path)).toBe(false);
});
