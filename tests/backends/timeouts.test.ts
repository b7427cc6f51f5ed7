// Servers that hang: stopped by a signal, with their sockets open. Deadlines bound what a client
// waits, and nobody else waits at all.
import { expect } from "bun:test";
import { ReplyError } from "../../src/resp/value.ts";
import { startFaultyBackend } from "../harness/faulty-backend.ts";
import { backends, counters } from "../harness/figures.ts";
import { keyOf } from "../harness/keys.ts";
import { ALL_SLOTS, startProxy, type Proxy } from "../harness/proxy.ts";
import { startRedis } from "../harness/redis.ts";
import { connect, encode, type RespClient } from "../harness/resp-client.ts";
import { systemTest } from "../harness/system-test.ts";
import { until } from "../harness/until.ts";

const test = systemTest("redis-server");

const HUNG = { from: 0, to: 511 };
const WELL = { from: 512, to: 1023 };

interface Address {
  readonly address: string;
}

function startOverTwo(hung: Address, well: Address, config = {}): Promise<Proxy> {
  const slots = [
    { addr: hung.address, ...HUNG },
    { addr: well.address, ...WELL },
  ];
  return startProxy({ config, slots });
}

/** Sends requests one after the other until stopped; says how many were answered well. */
function keepAsking(client: RespClient, key: string): () => Promise<number> {
  let isOver = false;
  const asking = (async () => {
    let answers = 0;
    for (; !isOver; answers++) expect(await client.call("GET", key)).toBeNull();
    return answers;
  })();
  return () => {
    isOver = true;
    return asking;
  };
}

test("requests to a server that hangs fail after backend_recv_timeout; others go on", async () => {
  await using hung = await startRedis();
  await using well = await startRedis();
  await using proxy = await startOverTwo(hung, well, { backend_recv_timeout: "1s" });
  using client = await connect(proxy.port);
  using other = await connect(proxy.port);
  await client.pipeline([
    ["SET", keyOf(HUNG.from), 1],
    ["SET", keyOf(WELL.from), 2],
  ]);
  hung.pause();
  const stopAsking = keepAsking(other, keyOf(WELL.to));
  const begun = performance.now();
  const key = keyOf(HUNG.from);
  const replies = await client.pipeline([
    ["GET", key],
    ["GET", keyOf(WELL.from)],
    ["MGET", keyOf(WELL.from), key],
  ]);
  const elapsedMs = performance.now() - begun;
  const failure = new ReplyError(
    `ERR handle response, backend conn failure, read timeout (${hung.address})`,
  );
  expect(replies).toEqual([failure, "2", failure]);
  expect(elapsedMs).toBeGreaterThan(900);
  expect(elapsedMs).toBeLessThan(2500);
  expect(await stopAsking()).toBeGreaterThan(100);
  expect((await counters(proxy)).backendTimeouts).toBe(1);
  hung.resume();
  await until(async () => (await client.call("GET", key)) === "1");
});

test("a server that hangs for less than the deadline answers everything in the end", async () => {
  await using hung = await startRedis();
  await using well = await startRedis();
  await using proxy = await startOverTwo(hung, well, { backend_recv_timeout: "20s" });
  using client = await connect(proxy.port);
  const key = keyOf(HUNG.from);
  await client.call("SET", key, 0);
  hung.pause();
  const count = 5000;
  for (let i = 0; i < count; i++) client.send(encode("INCR", key));
  await until(async () => (await backends(proxy)).some((each) => each.inflight === count));
  hung.resume();
  for (let i = 1; i <= count; i++) expect(await client.read()).toBe(i);
});

test("a server that takes no more bytes fails after backend_send_timeout", async () => {
  await using hung = await startRedis();
  await using well = await startRedis();
  const config = { backend_send_timeout: "1s", backend_recv_timeout: "0" };
  await using proxy = await startOverTwo(hung, well, config);
  using client = await connect(proxy.port);
  const key = keyOf(HUNG.from);
  await client.call("SET", key, 0);
  hung.pause();
  const value = Buffer.alloc(512 * 1024, "x");
  const count = 40;
  for (let i = 0; i < count; i++) client.send(encode("SET", key, value));
  const first = (await client.read()) as ReplyError;
  expect(first.message).toBe(
    `ERR handle response, backend conn failure, write timeout (${hung.address})`,
  );
  // What was not written goes to the next connection, which the kernel of the hung server accepts.
  hung.resume();
  const replies = [first.message];
  while (replies.length < count) {
    const reply = await client.read();
    replies.push(reply instanceof ReplyError ? reply.message : String(reply));
  }
  expect(new Set(replies)).toEqual(new Set([first.message, "OK"]));
  expect(replies.at(-1)).toBe("OK");
});

test("an unreachable server fails after backend_connect_timeout; others go on", async () => {
  await using hung = await startRedis({ args: ["--tcp-backlog", "1"] });
  await using well = await startRedis();
  hung.pause();
  using _ = fillAcceptQueue(hung.port);
  await using proxy = await startOverTwo(hung, well, { backend_connect_timeout: "1s" });
  using client = await connect(proxy.port);
  using other = await connect(proxy.port);
  const stopAsking = keepAsking(other, keyOf(WELL.to));
  const begun = performance.now();
  const key = keyOf(HUNG.from);
  const [failed, served] = await client.pipeline([
    ["GET", key],
    ["GET", keyOf(WELL.from)],
  ]);
  const elapsedMs = performance.now() - begun;
  expect(failed).toEqual(
    new ReplyError(`ERR handle response, backend conn failure, connect timeout (${hung.address})`),
  );
  expect(served).toBeNull();
  expect(elapsedMs).toBeGreaterThan(900);
  expect(elapsedMs).toBeLessThan(2500);
  expect(await stopAsking()).toBeGreaterThan(100);
  hung.resume();
  await until(async () => (await client.call("SET", key, 1)) === "OK");
});

test("a server that does not agree to SELECT in time counts as unreachable", async () => {
  await using mute = startFaultyBackend(([name]) => (name === "SELECT" ? "" : undefined));
  const config = { backend_connect_timeout: "500ms" };
  await using proxy = await startProxy({ config, slots: [{ addr: mute.address, ...ALL_SLOTS }] });
  using client = await connect(proxy.port);
  const [selected, failed] = await client.pipeline([
    ["SELECT", 1],
    ["GET", "key"],
  ]);
  expect(selected).toBe("OK");
  expect(failed).toEqual(
    new ReplyError(`ERR handle response, backend conn failure, connect timeout (${mute.address})`),
  );
  expect(mute.dataRequests).toEqual([]);
});

test("a server that hangs while it is idle is found by the keep-alive PING", async () => {
  await using redis = await startRedis();
  const config = { backend_ping_period: "100ms", backend_recv_timeout: "500ms" };
  await using proxy = await startProxy({ config, slots: [{ addr: redis.address, ...ALL_SLOTS }] });
  using client = await connect(proxy.port);
  expect(await client.call("SET", "key", "value")).toBe("OK");
  redis.pause();
  await until(async () => (await counters(proxy)).backendTimeouts >= 1);
  redis.resume();
  await until(async () => (await client.call("GET", "key")) === "value");
});

test("idle connections are kept alive with PING, busy ones are not disturbed", async () => {
  let isSlow = false;
  await using server = startFaultyBackend(([name]) =>
    name === "GET" && !isSlow ? "+value\r\n" : undefined,
  );
  const config = { backend_ping_period: "100ms" };
  await using proxy = await startProxy({ config, slots: [{ addr: server.address, ...ALL_SLOTS }] });
  using client = await connect(proxy.port);
  await client.call("GET", "key");
  const pings = (): number => server.requests.filter(([name]) => name === "PING").length;
  await until(() => pings() >= 3);
  isSlow = true;
  client.send(encode("GET", "slow"));
  await until(() => server.dataRequests.length === 2);
  const before = pings();
  const begun = performance.now();
  await until(() => performance.now() - begun > 400);
  expect(pings()).toBe(before);
  server.connections[0].send("+late\r\n");
  expect(await client.read()).toBe("late");
  await until(() => pings() > before);
  expect(server.connections).toHaveLength(1);
});

test("a server that closes idle clients does not close a connection that is pinged", async () => {
  await using redis = await startRedis({ args: ["--timeout", "1"] });
  const config = { backend_ping_period: "200ms" };
  await using proxy = await startProxy({ config, slots: [{ addr: redis.address, ...ALL_SLOTS }] });
  using client = await connect(proxy.port);
  await client.call("SET", "key", "value");
  const idle = await connect(redis.port);
  await idle.waitForEnd();
  expect(await client.call("GET", "key")).toBe("value");
  expect((await counters(proxy)).backendConnects).toBe(1);
});

/** Connects until the kernel answers no more: the queue of the listener is full. */
function fillAcceptQueue(port: number): Disposable {
  const sockets: Bun.Socket[] = [];
  for (let i = 0; i < 8; i++) {
    const socket = { open: (peer: Bun.Socket) => void sockets.push(peer), data() {} };
    // Those that do not fit stay half open until the server goes on.
    Bun.connect({ hostname: "127.0.0.1", port, socket }).catch(() => {});
  }
  return {
    [Symbol.dispose]: () => {
      for (const socket of sockets) socket.terminate();
    },
  };
}
