// Many requests at once, and requests that never end: the proxy stops reading or ends the session,
// it does not grow and it loses nothing that it took.
import { expect } from "bun:test";
import { startFaultyBackend } from "../harness/faulty-backend.ts";
import { backends, counters, peakRssBytes, rssBytes } from "../harness/figures.ts";
import { keyOf } from "../harness/keys.ts";
import { startProbe } from "../harness/probe.ts";
import { ALL_SLOTS, startProduct, startProxy } from "../harness/proxy.ts";
import { connect, encode, type Argument } from "../harness/resp-client.ts";
import { connectMany } from "../harness/sessions.ts";
import { systemTest } from "../harness/system-test.ts";
import { until } from "../harness/until.ts";

const test = systemTest("redis-server");

const MB = 1024 * 1024;

test("a session_max_pipeline of 100 lets 100,000 pipelined requests through", async () => {
  const config = { session_max_pipeline: 100 };
  await using product = await startProduct({ config });
  using client = await connect(product.proxy.port);
  const count = 100_000;
  const requests = Array.from({ length: count }, (_, i): Argument[] =>
    i % 100 === 99 ? ["ECHO", i] : ["INCR", keyOf(i % 2 === 0 ? 1 : 600)],
  );
  const replies = await client.pipeline(requests);
  const expected = { even: 0, odd: 0 };
  const wrong = replies.filter((reply, i) => {
    if (i % 100 === 99) return reply !== String(i);
    return reply !== (i % 2 === 0 ? ++expected.even : ++expected.odd);
  });
  expect(wrong).toEqual([]);
  expect((await counters(product.proxy)).pausedPipeline).toBeGreaterThan(0);
});

test("no more than session_max_pipeline requests of a session are in flight", async () => {
  await using server = startFaultyBackend();
  await using proxy = await startProxy({
    config: { session_max_pipeline: 50 },
    slots: [{ addr: server.address, ...ALL_SLOTS }],
  });
  using client = await connect(proxy.port);
  using other = await connect(proxy.port);
  for (let i = 0; i < 500; i++) client.send(encode("GET", `${i}`));
  await until(() => server.dataRequests.length === 50);
  // The other session's request overtakes those that are not read yet.
  other.send(encode("GET", "other"));
  await until(() => server.dataRequests.length === 51);
  expect(server.dataRequests[50]).toEqual(["GET", "other"]);
  server.script = ([name, key]) => (name === "GET" ? `+${key}\r\n` : undefined);
  const first = Array.from({ length: 50 }, (_, i) => `+${i}\r\n`).join("");
  server.connections[0].send(`${first}+other\r\n`);
  for (let i = 0; i < 500; i++) expect(await client.read()).toBe(`${i}`);
  expect(await other.read()).toBe("other");
});

test("a crowded backend stops the sessions that feed it, and then lets them go on", async () => {
  await using slow = startFaultyBackend();
  await using redis = (await startProduct({ groups: 1 })) satisfies AsyncDisposable;
  const well = redis.servers[0];
  await using proxy = await startProxy({
    config: { backend_max_pipeline: 100 },
    slots: [
      { addr: slow.address, from: 0, to: 511 },
      { addr: well.address, from: 512, to: 1023 },
    ],
  });
  using sessions = await connectMany(proxy.port, 8);
  using other = await connect(proxy.port);
  const key = keyOf(1);
  const each = 500;
  for (const client of sessions.clients) {
    client.send(Buffer.concat(Array.from({ length: each }, () => encode("GET", key))));
  }
  await until(async () => (await counters(proxy)).pausedBackend >= sessions.clients.length);
  const inflight = (await backends(proxy)).find(({ addr }) => addr === slow.address)?.inflight;
  // A session notices when it has handed one over.
  expect(inflight).toBeLessThan(100 + sessions.clients.length + 1);
  expect(await other.call("SET", keyOf(600), 1)).toBe("OK");
  slow.script = ([name]) => (name === "GET" ? ":1\r\n" : undefined);
  slow.connections[0].send(":1\r\n".repeat(slow.dataRequests.length));
  for (const client of sessions.clients) {
    for (let i = 0; i < each; i++) expect(await client.read()).toBe(1);
  }
  expect(slow.dataRequests).toHaveLength(sessions.clients.length * each);
});

test("an unfinished request beyond session_max_input_buffer ends the session", async () => {
  const config = { session_max_input_buffer: "8mb" };
  await using product = await startProduct({ config });
  const { proxy } = product;
  using large = await connect(proxy.port);
  large.send(Buffer.concat([Buffer.from("*3\r\n$3\r\nSET\r\n$3\r\nkey\r\n$20000000\r\n")]));
  large.send(Buffer.alloc(12 * MB, "x"));
  await large.waitForEnd();
  using many = await connect(proxy.port);
  many.send("*1000000\r\n$4\r\nMSET\r\n");
  const argument = Buffer.from(`$1000\r\n${"x".repeat(1000)}\r\n`);
  many.send(Buffer.concat(Array.from({ length: 12_000 }, () => argument)));
  await many.waitForEnd();
  expect((await counters(proxy)).closedInputLimit).toBe(2);
  using client = await connect(proxy.port);
  expect(await client.call("SET", "key", Buffer.alloc(7 * MB, "x"))).toBe("OK");
});

test("a client that sends to a hung server without end is held back, not taken in", async () => {
  await using slow = startFaultyBackend();
  await using proxy = await startProxy({ slots: [{ addr: slow.address, from: 0, to: 511 }] });
  const [worker] = await proxy.workerPids();
  using other = await connect(proxy.port);
  other.send(encode("GET", keyOf(1)));
  await until(() => slow.connections.length === 1);
  slow.connections[0].pause();
  const before = rssBytes(worker);
  using client = await connect(proxy.port);
  const request = encode("SET", keyOf(1), "x".repeat(10_000));
  const block = Buffer.concat(Array.from({ length: 100 }, () => request));
  for (let i = 0; i < 400; i++) client.send(block);
  await until(async () => (await counters(proxy)).pausedBackend > 0);
  expect(client.unsentBytes).toBeGreaterThan(100 * MB);
  expect(peakRssBytes(worker) - before).toBeLessThan(300 * MB);
});

test("an endless pipeline of inline and array requests leaves room for others", async () => {
  await using product = await startProduct();
  const { proxy } = product;
  using other = await connect(proxy.port);
  await other.call("SET", "key", "value");
  const probe = startProbe(other, "key");
  using client = await connect(proxy.port);
  const count = 50_000;
  const served = probe.answers;
  const bytes = Buffer.concat([Buffer.from("PING\r\nGET key\r\n"), encode("GET", "key")]);
  client.send(Buffer.concat(Array.from({ length: count }, () => bytes)));
  for (let i = 0; i < count; i++) {
    const replies = [await client.read(), await client.read(), await client.read()];
    if (replies.join() !== "PONG,value,value") expect(replies).toEqual(["PONG", "value", "value"]);
  }
  // It has had its turns between the chunks of the pipeline, and not only when that was over.
  expect(probe.answers).toBeGreaterThan(served);
  await probe.stop();
});
