// Clients that send and do not read. They are cut off when more waits for them than allowed; the
// worker's memory stays bounded and its other clients are served meanwhile.
import { expect } from "bun:test";
import { backends, counters, peakRssBytes, rssBytes } from "../harness/figures.ts";
import { keyOf } from "../harness/keys.ts";
import { startProduct, startProxy } from "../harness/proxy.ts";
import { startRedis } from "../harness/redis.ts";
import { startFaultyBackend } from "../harness/faulty-backend.ts";
import { connect, encode } from "../harness/resp-client.ts";
import { connectMany } from "../harness/sessions.ts";
import { startProbe } from "../harness/probe.ts";
import { systemTest } from "../harness/system-test.ts";
import { until } from "../harness/until.ts";

const test = systemTest("redis-server");

const MB = 1024 * 1024;

test("a client that sends a million requests and never reads is cut off, alone", async () => {
  const config = { session_max_output_buffer: "32mb" };
  await using product = await startProduct({ config });
  const { proxy } = product;
  const [worker] = await proxy.workerPids();
  using other = await connect(proxy.port);
  await other.pipeline([
    ["SET", "large", "x".repeat(1000)],
    ["SET", "small", "value"],
  ]);
  const probe = startProbe(other, "small");
  await until(() => probe.answers > 100);
  const before = rssBytes(worker);
  using client = await connect(proxy.port);
  client.pause();
  const thousand = Buffer.concat(Array.from({ length: 1000 }, () => encode("GET", "large")));
  const served = probe.answers;
  for (let i = 0; i < 1000; i++) client.send(thousand);
  await until(async () => (await counters(proxy)).closedOutputLimit === 1, {
    timeoutMs: 30_000,
    what: "the client is cut off",
  });
  await until(async () => (await proxy.stats()).sessions.alive === 1);
  const { answers } = await probe.stop();
  expect(answers).toBeGreaterThan(served + 10);
  expect(peakRssBytes(worker) - before).toBeLessThan(150 * MB);
  expect(await other.call("GET", "small")).toBe("value");
});

test("sessions that are cut off in the middle of replies leave no trace in others", async () => {
  // Few requests in flight, so that records given back twice would soon be in use twice.
  const config = { session_max_output_buffer: "1mb", session_max_pipeline: 32 };
  await using product = await startProduct({ config });
  const { proxy } = product;
  using setup = await connect(proxy.port);
  const value = "x".repeat(2000);
  const keys = [keyOf(1), keyOf(600)];
  await setup.pipeline(keys.map((key) => ["SET", key, value]));
  using slow = await connectMany(proxy.port, 12);
  // Answers of the proxy itself are ready before those of the servers that stand in front of them.
  const requests = Array.from({ length: 2000 }, () => [
    encode("GET", keys[0]),
    encode("ECHO", value),
    encode("GET", keys[1]),
    encode("MGET", ...keys),
  ]);
  const bytes = Buffer.concat(requests.flat());
  for (const client of slow.clients) {
    client.pause();
    client.send(bytes);
  }
  await until(async () => (await counters(proxy)).closedOutputLimit === slow.clients.length, {
    timeoutMs: 30_000,
  });
  using sessions = await connectMany(proxy.port, 40);
  await Promise.all(
    sessions.clients.map(async (client, c) => {
      for (let round = 0; round < 20; round++) {
        const numbers = Array.from({ length: 50 }, (_, i) => `${c}:${round}:${i}`);
        const batch = numbers.map((n, i) =>
          i % 2 === 0 ? ["SET", keyOf(i, c), n, "GET"] : ["ECHO", n],
        );
        const replies = await client.pipeline(batch);
        const expected = numbers.map((n, i) => {
          if (i % 2 === 1) return n;
          return round === 0 ? null : `${c}:${round - 1}:${i}`;
        });
        expect(replies).toEqual(expected);
      }
    }),
  );
});

test("replies that pile up behind one that does not come are limited as well", async () => {
  await using hung = startFaultyBackend();
  await using redis = await startRedis();
  await using proxy = await startProxy({
    config: { session_max_output_buffer: "32mb" },
    slots: [
      { addr: hung.address, from: 0, to: 511 },
      { addr: redis.address, from: 512, to: 1023 },
    ],
  });
  const [worker] = await proxy.workerPids();
  const key = keyOf(600);
  await redis.call("SET", key, "x".repeat(100_000));
  using client = await connect(proxy.port);
  const before = rssBytes(worker);
  client.send(encode("GET", keyOf(1)));
  const count = 5000;
  client.send(Buffer.concat(Array.from({ length: count }, () => encode("GET", key))));
  await until(async () => (await counters(proxy)).closedOutputLimit === 1);
  expect(peakRssBytes(worker) - before).toBeLessThan(200 * MB);
  using other = await connect(proxy.port);
  expect(String(await other.call("GET", key)).length).toBe(100_000);
  // Within the limit they wait as long as it takes.
  const some = Array.from({ length: 250 }, () => encode("GET", key));
  other.send(Buffer.concat([encode("GET", keyOf(1)), ...some, encode("PING")]));
  await until(async () => (await backends(proxy)).every((each) => each.inflight < 3));
  await until(() => hung.dataRequests.length === 2);
  hung.connections[0].send("+abandoned\r\n+late\r\n");
  expect(await other.read()).toBe("late");
  for (let i = 0; i < 250; i++) expect(String(await other.read()).length).toBe(100_000);
  expect(await other.read()).toBe("PONG");
});

test("one reply may be larger than session_max_output_buffer, even for a slow reader", async () => {
  const config = { session_max_output_buffer: "1mb" };
  await using product = await startProduct({ config });
  const { proxy } = product;
  using client = await connect(proxy.port);
  const value = "0123456789".repeat(1.6 * MB);
  await client.call("SET", "large", value);
  client.pause();
  client.send(encode("GET", "large"));
  using other = await connect(proxy.port);
  await other.call("PING");
  await until(async () => (await counters(proxy)).bytesOut > MB);
  client.resume();
  expect((await client.read()) === value).toBe(true);
  expect((await counters(proxy)).closedOutputLimit).toBe(0);
});

test("a client that takes nothing for session_send_timeout is cut off", async () => {
  const config = { session_send_timeout: "1s" };
  await using product = await startProduct({ config });
  const { proxy } = product;
  using client = await connect(proxy.port);
  await client.call("SET", "large", "x".repeat(20 * MB));
  client.pause();
  client.send(encode("GET", "large"));
  await until(async () => (await counters(proxy)).closedSendTimeout === 1);
  expect((await proxy.stats()).sessions.alive).toBe(0);
});

test("a client that reads slowly is not cut off by session_send_timeout", async () => {
  const config = { session_send_timeout: "2s" };
  await using product = await startProduct({ config });
  const { proxy } = product;
  using client = await connect(proxy.port);
  const size = 40 * MB;
  await client.call("SET", "large", Buffer.alloc(size, "x"));
  let received = 0;
  let isSlow = true;
  const socket = await Bun.connect({
    hostname: "127.0.0.1",
    port: proxy.port,
    socket: {
      data(peer, chunk) {
        received += chunk.length;
        if (isSlow) peer.pause();
      },
    },
  });
  socket.write(encode("GET", "large"));
  const begun = performance.now();
  // One packet in about a tenth of a second, for longer than the deadline.
  while (performance.now() - begun < 4000) {
    const pausedMs = performance.now();
    await until(() => performance.now() - pausedMs > 100);
    socket.resume();
  }
  const total = size + `$${size}\r\n\r\n`.length;
  expect(received).toBeLessThan(total);
  isSlow = false;
  socket.resume();
  await until(() => received === total, { what: () => `${total} bytes are here: ${received}` });
  socket.end();
  expect((await counters(proxy)).closedSendTimeout).toBe(0);
});
