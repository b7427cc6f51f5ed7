// How many clients there may be, how long they may be silent, and what they must say first.
import { expect } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { ownCommand } from "../../src/lib/own-command.ts";
import { ReplyError } from "../../src/resp/value.ts";
import { startFaultyBackend } from "../harness/faulty-backend.ts";
import { counters, rssBytes, workers } from "../harness/figures.ts";
import { ALL_SLOTS, startProduct, startProxy } from "../harness/proxy.ts";
import { freePort } from "../harness/ports.ts";
import { connect, encode, type RespClient } from "../harness/resp-client.ts";
import { connectMany } from "../harness/sessions.ts";
import { systemTest } from "../harness/system-test.ts";
import { tempDir } from "../harness/temp-dir.ts";
import { until } from "../harness/until.ts";

const test = systemTest("redis-server");

test("proxy_max_clients holds over all workers; a client that leaves makes room", async () => {
  const config = { proxy_max_clients: 30 };
  await using product = await startProduct({ ncpu: 2, config });
  const { proxy } = product;
  using sessions = await connectMany(proxy.port, 30);
  for (const client of sessions.clients) expect(await client.call("PING")).toBe("PONG");
  expect((await workers(proxy)).every((worker) => worker.sessions_alive > 0)).toBe(true);
  for (let i = 0; i < 10; i++) {
    using refused = await connect(proxy.port);
    expect(await refused.readToEnd()).toBe("-ERR max number of clients reached\r\n");
  }
  expect((await counters(proxy)).rejectedMaxClients).toBe(10);
  const { sessions: figures, ops } = await proxy.stats();
  expect(figures).toEqual({ total: 40, alive: 30 });
  expect(ops.fails).toBe(10);
  sessions.clients[0].close();
  await until(async () => (await proxy.stats()).sessions.alive === 29);
  using next = await connect(proxy.port);
  expect(await next.call("PING")).toBe("PONG");
});

test("a client that is silent for session_recv_timeout is disconnected; no other is", async () => {
  await using slow = startFaultyBackend();
  await using proxy = await startProxy({
    config: { session_recv_timeout: "1s" },
    slots: [{ addr: slow.address, ...ALL_SLOTS }],
  });
  using silent = await connect(proxy.port);
  using talking = await connect(proxy.port);
  using waiting = await connect(proxy.port);
  waiting.send(encode("GET", "key"));
  const begun = performance.now();
  await until(async () => {
    await talking.call("PING");
    return silent.hasEnded;
  });
  const elapsedMs = performance.now() - begun;
  expect(elapsedMs).toBeGreaterThan(900);
  expect(elapsedMs).toBeLessThan(3500);
  expect(silent.unreadBytes).toBe(0);
  expect((await counters(proxy)).closedIdle).toBe(1);
  // Who waits for a reply is not idle, however long the server takes.
  expect(waiting.hasEnded).toBe(false);
  slow.connections[0].send("+late\r\n");
  expect(await waiting.read()).toBe("late");
  expect(await talking.call("PING")).toBe("PONG");
});

test("session_auth is asked of every client before anything else", async () => {
  const config = { session_auth: "open sesame" };
  await using product = await startProduct({ config });
  const { proxy } = product;
  using client = await connect(proxy.port);
  const demand = new ReplyError("NOAUTH Authentication required.");
  const wrong = new ReplyError("WRONGPASS invalid username-password pair or user is disabled.");
  const replies = await client.pipeline([
    ["GET", "key"],
    ["SET", "key", "value"],
    ["PING"],
    ["MGET", "a", "b"],
    ["AUTH", "wrong"],
    ["GET", "key"],
    ["AUTH", "open sesame"],
    ["SET", "key", "value"],
    ["AUTH", "default", "open sesame"],
    ["AUTH", "somebody", "open sesame"],
    ["GET", "key"],
  ]);
  expect(replies).toEqual([
    ...[demand, demand, demand, demand, wrong, demand],
    ...["OK", "OK", "OK", wrong, "value"],
  ]);
  using second = await connect(proxy.port);
  const hello = await second.call("HELLO", 3, "AUTH", "default", "open sesame");
  expect(hello).toBeInstanceOf(Map);
  expect(await second.call("GET", "key")).toBe("value");
  expect(proxy.log()).not.toContain("open sesame");
});

test("session_break_on_failure ends the connection after an error of the proxy's own", async () => {
  const config = { session_break_on_failure: true };
  await using server = startFaultyBackend(([name]) =>
    name === "GET" ? "-WRONGTYPE not a failure of the proxy\r\n" : undefined,
  );
  await using proxy = await startProxy({
    config,
    slots: [{ addr: server.address, from: 0, to: 511 }],
  });
  using client = await connect(proxy.port);
  // "foo" is in slot 289, "a" in slot 579, which is offline.
  const requests = [
    encode("GET", "foo"),
    encode("NOSUCH"),
    encode("SUNION", "a", "b"),
    encode("PING"),
    encode("GET", "a"),
    encode("PING"),
  ];
  client.send(Buffer.concat(requests));
  const text = await client.readToEnd();
  expect(text.split("\r\n")).toEqual([
    "-WRONGTYPE not a failure of the proxy",
    "-ERR unknown command 'NOSUCH', with args beginning with: ",
    "-CROSSSLOT Keys in request don't hash to the same slot",
    "+PONG",
    "-ERR handle request, slot is not ready, may be offline",
    "",
  ]);
});

test("without session_break_on_failure the connection stays after such errors", async () => {
  await using proxy = await startProxy();
  using client = await connect(proxy.port);
  const [failed, pong] = await client.pipeline([["GET", "a"], ["PING"]]);
  expect(failed).toBeInstanceOf(ReplyError);
  expect(pong).toBe("PONG");
});

test("ten thousand idle sessions cost little memory and are as good as new ones", async () => {
  await using product = await startProduct();
  const { proxy } = product;
  const [worker] = await proxy.workerPids();
  using client = await connect(proxy.port);
  await client.call("SET", "key", "value");
  const before = rssBytes(worker);
  const count = 10_000;
  using idle = await openIdle(proxy.port, count);
  await until(async () => (await proxy.stats()).sessions.alive === count + 1);
  expect((rssBytes(worker) - before) / count).toBeLessThan(8 * 1024);
  for (let i = 0; i < 1000; i++) expect(await client.call("GET", "key")).toBe("value");
  expect(await idle.pingAll()).toBe(count);
  idle.closeAll();
  await until(async () => (await proxy.stats()).sessions.alive === 1);
});

test("clients beyond the descriptor limit are refused, and the proxy stays well", async () => {
  using dir = tempDir();
  const port = freePort();
  const config = join(dir.path, "proxy.toml");
  const slots = join(dir.path, "slots.json");
  writeFileSync(
    config,
    `proxy_addr = "127.0.0.1:${port}"\nadmin_addr = "127.0.0.1:${freePort()}"\n`,
  );
  writeFileSync(slots, "[]");
  const limit = 600;
  const program = [...ownCommand(), "proxy", "--config", config, "--fillslots", slots];
  const child = Bun.spawn(
    ["sh", "-c", `ulimit -n ${limit}; exec "$@"`, "sh", ...program, "--ncpu", "1"],
    { stdio: ["ignore", "ignore", "ignore"] },
  );
  await using _ = {
    [Symbol.asyncDispose]: async () => {
      child.kill("SIGTERM");
      await child.exited;
    },
  };
  const isServing = (): Promise<boolean> => connect(port).then(isServed, () => false);
  await until(isServing);
  using sessions = await connectMany(port, limit);
  for (const client of sessions.clients) client.send("PING\r\n");
  const first = await Promise.all(sessions.clients.map((client) => client.read()));
  const served = first.filter((reply) => reply === "PONG").length;
  expect(served).toBeGreaterThan(limit / 2);
  expect(served).toBeLessThan(limit - 200);
  const refused = first.filter((reply) => reply instanceof ReplyError);
  expect(refused.length).toBe(limit - served);
  expect(refused[0]).toEqual(new ReplyError("ERR max number of clients reached"));
  for (const client of sessions.clients.slice(0, 10)) client.reset();
  await until(isServing);
});

/** Asks one question and leaves. */
async function isServed(client: RespClient): Promise<boolean> {
  using _ = client;
  return (await client.call("PING")) === "PONG";
}

interface IdleSessions extends Disposable {
  /** Sends PING on all and says how many answered. */
  pingAll(): Promise<number>;
  closeAll(): void;
}

/** Bare sockets: ten thousand test clients would cost more than the sessions that are measured. */
async function openIdle(port: number, count: number): Promise<IdleSessions> {
  let pongs = 0;
  const sockets: Bun.Socket[] = [];
  const socket = {
    data(_peer: Bun.Socket, chunk: Buffer) {
      if (chunk.toString() === "+PONG\r\n") pongs++;
    },
  };
  const BATCH = 250;
  while (sockets.length < count) {
    const batch = Array.from({ length: BATCH }, () =>
      Bun.connect({ hostname: "127.0.0.1", port, socket }),
    );
    sockets.push(...(await Promise.all(batch)));
  }
  const closeAll = (): void => {
    for (const each of sockets) each.terminate();
  };
  return {
    async pingAll() {
      for (const each of sockets) each.write("PING\r\n");
      await until(() => pongs === sockets.length, { what: () => `all answer, ${pongs} did` });
      return pongs;
    },
    closeAll,
    [Symbol.dispose]: closeAll,
  };
}
