// A slot that is locked while a dashboard changes it: its requests wait, nothing else does.
import { expect } from "bun:test";
import { ReplyError } from "../../src/resp/value.ts";
import { startFaultyBackend } from "../harness/faulty-backend.ts";
import { keyOf } from "../harness/keys.ts";
import { counters } from "../harness/figures.ts";
import { ALL_SLOTS, assignSlots, startProxy, type Proxy } from "../harness/proxy.ts";
import { startRedis } from "../harness/redis.ts";
import { connect, encode } from "../harness/resp-client.ts";
import { connectMany } from "../harness/sessions.ts";
import { systemTest } from "../harness/system-test.ts";
import { until } from "../harness/until.ts";

const test = systemTest("redis-server");

const HELD = 100;
const OTHER = 200;

function lock(proxy: Proxy, addr: string): Promise<void> {
  return assignSlots(proxy, [{ addr, from: HELD, to: HELD, locked: true }]);
}

function unlock(proxy: Proxy, addr: string): Promise<void> {
  return assignSlots(proxy, [{ addr, from: HELD, to: HELD }]);
}

/** Requests that waited since the start, as the proxy counts them. */
async function heldRequests(proxy: Proxy): Promise<number> {
  return (await counters(proxy)).heldRequests;
}

test("a locked slot keeps only its own requests, even within one session", async () => {
  await using redis = await startRedis();
  await using proxy = await startProxy({ slots: [{ addr: redis.address, ...ALL_SLOTS }] });
  await lock(proxy, redis.address);
  using client = await connect(proxy.port);
  using neighbour = await connect(proxy.port);
  client.send(
    Buffer.concat([
      encode("SET", keyOf(HELD), "1"),
      encode("SET", keyOf(OTHER), "2"),
      encode("GET", keyOf(HELD)),
      encode("INCR", keyOf(OTHER)),
    ]),
  );
  // The session's later requests for other slots are carried out; their replies wait their turn.
  await until(async () => (await redis.call("GET", keyOf(OTHER))) === "3");
  expect(await redis.call("EXISTS", keyOf(HELD))).toBe(0);
  expect(await neighbour.pipeline([["GET", keyOf(OTHER)], ["PING"]])).toEqual(["3", "PONG"]);
  expect(client.unreadBytes).toBe(0);
  await unlock(proxy, redis.address);
  expect([await client.read(), await client.read()]).toEqual(["OK", "OK"]);
  expect([await client.read(), await client.read()]).toEqual(["1", 3]);
});

test("a reply leaves although a later request of its pipeline waits", async () => {
  await using redis = await startRedis();
  await using proxy = await startProxy({ slots: [{ addr: redis.address, ...ALL_SLOTS }] });
  await lock(proxy, redis.address);
  using client = await connect(proxy.port);
  for (let i = 1; i <= 100; i++) {
    client.send(Buffer.concat([encode("INCR", keyOf(OTHER)), encode("GET", keyOf(HELD))]));
    if (i === 1) expect(await client.read()).toBe(1);
    // From now on the line begins with a request that waits.
    else await until(async () => (await redis.call("GET", keyOf(OTHER))) === String(i));
  }
  await unlock(proxy, redis.address);
  for (let i = 1; i <= 100; i++) {
    expect(await client.read()).toBeNull();
    if (i < 100) expect(await client.read()).toBe(i + 1);
  }
});

test("what waited for a slot goes to its new server, each session's in order", async () => {
  await using old = startFaultyBackend(() => "+OLD\r\n");
  await using redis = await startRedis();
  await using proxy = await startProxy({ slots: [{ addr: old.address, ...ALL_SLOTS }] });
  await lock(proxy, old.address);
  const key = keyOf(HELD);
  using sessions = await connectMany(proxy.port, 5);
  const { clients } = sessions;
  const count = 500;
  clients.forEach((client, c) => {
    for (let i = 0; i < count; i++) client.send(encode("RPUSH", key, `${c}:${i}`));
  });
  await until(async () => (await heldRequests(proxy)) === clients.length * count);
  await unlock(proxy, redis.address);
  for (const client of clients) {
    let last = 0;
    for (let i = 0; i < count; i++) {
      const length = Number(await client.read());
      expect(length).toBeGreaterThan(last);
      last = length;
    }
  }
  const list = (await redis.call("LRANGE", key, 0, -1)) as string[];
  expect(list).toHaveLength(clients.length * count);
  clients.forEach((_client, c) => {
    const own = list.filter((element) => element.startsWith(`${c}:`));
    expect(own).toEqual(Array.from({ length: count }, (_each, i) => `${c}:${i}`));
  });
  expect(old.dataRequests).toEqual([]);
});

test("parts of split commands wait for a locked slot, and the other parts do not", async () => {
  await using redis = await startRedis();
  await using proxy = await startProxy({ slots: [{ addr: redis.address, ...ALL_SLOTS }] });
  await lock(proxy, redis.address);
  using client = await connect(proxy.port);
  client.send(encode("MSET", keyOf(HELD), "1", keyOf(OTHER), "2"));
  await until(async () => (await redis.call("GET", keyOf(OTHER))) === "2");
  expect(await redis.call("EXISTS", keyOf(HELD))).toBe(0);
  client.send(encode("MGET", keyOf(OTHER), keyOf(HELD), keyOf(OTHER)));
  await unlock(proxy, redis.address);
  expect(await client.read()).toBe("OK");
  expect(await client.read()).toEqual(["2", "1", "2"]);
});

test("requests beyond slot_hold_max_requests are refused; those that wait stay", async () => {
  await using redis = await startRedis();
  await using proxy = await startProxy({
    config: { slot_hold_max_requests: 10 },
    slots: [{ addr: redis.address, ...ALL_SLOTS }],
  });
  await lock(proxy, redis.address);
  using first = await connect(proxy.port);
  for (let i = 0; i < 10; i++) first.send(encode("INCR", keyOf(HELD)));
  await until(async () => (await heldRequests(proxy)) === 10);
  using second = await connect(proxy.port);
  const refusal = new ReplyError("ERR handle request, too many requests are waiting for the slot");
  expect(await second.call("INCR", keyOf(HELD))).toEqual(refusal);
  expect(await second.call("INCR", keyOf(OTHER))).toBe(1);
  await unlock(proxy, redis.address);
  for (let i = 1; i <= 10; i++) expect(await first.read()).toBe(i);
  expect(await second.call("INCR", keyOf(HELD))).toBe(11);
});

test("a request that waits is not executed when its client has left", async () => {
  await using redis = await startRedis();
  await using proxy = await startProxy({ slots: [{ addr: redis.address, ...ALL_SLOTS }] });
  await lock(proxy, redis.address);
  using leaving = await connect(proxy.port);
  using staying = await connect(proxy.port);
  leaving.send(encode("RPUSH", keyOf(HELD), "left"));
  await until(async () => (await heldRequests(proxy)) === 1);
  staying.send(encode("RPUSH", keyOf(HELD), "stayed"));
  await until(async () => (await heldRequests(proxy)) === 2);
  leaving.reset();
  await until(async () => (await proxy.stats()).sessions.alive === 1);
  await unlock(proxy, redis.address);
  expect(await staying.read()).toBe(1);
  expect(await redis.call("LRANGE", keyOf(HELD), 0, -1)).toEqual(["stayed"]);
});

test("requests that wait for a slot that comes back without a server get its error", async () => {
  await using redis = await startRedis();
  await using proxy = await startProxy({ slots: [{ addr: redis.address, ...ALL_SLOTS }] });
  await lock(proxy, redis.address);
  using client = await connect(proxy.port);
  client.send(encode("GET", keyOf(HELD)));
  client.send(encode("MGET", keyOf(HELD), keyOf(OTHER)));
  await until(async () => (await heldRequests(proxy)) === 2);
  await assignSlots(proxy, [{ from: HELD, to: HELD }]);
  const offline = new ReplyError("ERR handle request, slot is not ready, may be offline");
  expect([await client.read(), await client.read()]).toEqual([offline, offline]);
});

test("a request waits for slot_hold_timeout and may be tried again then", async () => {
  await using redis = await startRedis();
  await using proxy = await startProxy({
    config: { slot_hold_timeout: "300ms" },
    slots: [{ addr: redis.address, ...ALL_SLOTS }],
  });
  await lock(proxy, redis.address);
  using client = await connect(proxy.port);
  const late = new ReplyError(
    "TRYAGAIN the slot was held for too long; the request was not carried out",
  );
  expect(await client.call("INCR", keyOf(HELD))).toEqual(late);
  expect(await client.call("MGET", keyOf(HELD), keyOf(OTHER))).toEqual(late);
  await unlock(proxy, redis.address);
  expect(await client.call("INCR", keyOf(HELD))).toBe(1);
  expect((await counters(proxy)).heldTooLong).toBe(2);
});
