// Which slot a request goes to, and what happens when it goes nowhere. The proxy and the servers
// are real ones.
import { expect } from "bun:test";
import { SLOT_COUNT } from "../../src/model/slot.ts";
import { ReplyError } from "../../src/resp/value.ts";
import { startFaultyBackend } from "../harness/faulty-backend.ts";
import { keyOf } from "../harness/keys.ts";
import { ALL_SLOTS, assignSlots, startProxy } from "../harness/proxy.ts";
import { startRedis } from "../harness/redis.ts";
import { connect, encode, type Argument } from "../harness/resp-client.ts";
import { VECTORS } from "../harness/slot-vectors.ts";
import { systemTest } from "../harness/system-test.ts";

const test = systemTest("redis-server");

const OFFLINE = new ReplyError("ERR handle request, slot is not ready, may be offline");
const CROSS_SLOT = new ReplyError("CROSSSLOT Keys in request don't hash to the same slot");

test("every hash vector of the contract is served by its slot and by no other", async () => {
  await using redis = await startRedis();
  await using proxy = await startProxy();
  using client = await connect(proxy.port);
  const requests = VECTORS.map(([key]): Argument[] => ["GET", Buffer.from(key, "latin1")]);
  for (const slot of new Set(VECTORS.map(([, slot]) => slot))) {
    await assignSlots(proxy, [{ addr: redis.address, from: slot, to: slot }]);
    const replies = await client.pipeline(requests);
    const served = VECTORS.filter((_, i) => !(replies[i] instanceof ReplyError));
    expect(served).toEqual(VECTORS.filter(([, home]) => home === slot));
    await assignSlots(proxy, [{ from: slot, to: slot }]);
  }
  expect(await client.pipeline(requests)).toEqual(VECTORS.map(() => OFFLINE));
});

test("each of the 1024 slots leads to its own server", async () => {
  await using even = await startRedis();
  await using odd = await startRedis();
  await using proxy = await startProxy();
  const slots = Array.from({ length: SLOT_COUNT }, (_, id) => id);
  await proxy.put(
    "fillslots",
    slots.map((id) => ({ id, backend_addr: id % 2 === 0 ? even.address : odd.address })),
  );
  using client = await connect(proxy.port);
  const replies = await client.pipeline(slots.map((slot) => ["SET", keyOf(slot), slot]));
  expect(replies.every((reply) => reply === "OK")).toBe(true);
  for (const [server, rest] of [[even, 0] as const, [odd, 1] as const]) {
    const keys = (await server.call("KEYS", "*")) as string[];
    const expected = slots.filter((slot) => slot % 2 === rest).map((slot) => keyOf(slot));
    expect(keys.sort()).toEqual(expected.sort());
  }
  expect(await client.pipeline(slots.map((slot) => ["GET", keyOf(slot)]))).toEqual(
    slots.map(String),
  );
});

test("a command with keys in different slots is refused; with one hash tag it runs", async () => {
  await using redis = await startRedis();
  await using proxy = await startProxy({ slots: [{ addr: redis.address, ...ALL_SLOTS }] });
  using client = await connect(proxy.port);
  const apart: Argument[][] = [
    ["SUNION", "a", "b"],
    ["RENAME", "a", "b"],
    ["SMOVE", "a", "b", "member"],
    ["ZUNIONSTORE", "{a}to", 2, "{a}from", "b"],
    ["BITOP", "AND", "{a}to", "{a}from", "b"],
    ["EVAL", "return redis.call('SET', KEYS[1], 1)", 2, "a", "b"],
    ["MSETNX", "a", "1", "b", "2"],
    ["SORT", "a", "STORE", "b"],
    ["LMOVE", "a", "b", "LEFT", "RIGHT"],
    ["XREAD", "STREAMS", "a", "b", "0", "0"],
  ];
  expect(await client.pipeline(apart)).toEqual(apart.map(() => CROSS_SLOT));
  expect(await redis.call("DBSIZE")).toBe(0);
  const together: Argument[][] = [
    ["SADD", "{tag}a", "1"],
    ["SADD", "b{tag}", "2"],
    ["SUNIONSTORE", "{tag}", "{tag}a", "b{tag}"],
    ["RENAME", "{tag}", "c{tag}c"],
    ["EVAL", "return redis.call('SCARD', KEYS[1])", 1, "c{tag}c"],
    ["MSETNX", "{tag}x", "1", "{tag}y", "2"],
  ];
  expect(await client.pipeline(together)).toEqual([1, 1, 2, "OK", 2, 1]);
});

test("a slot without a server answers at once, in the words of the original", async () => {
  await using redis = await startRedis();
  await using proxy = await startProxy({ slots: [{ addr: redis.address, ...ALL_SLOTS }] });
  await assignSlots(proxy, [{ from: 7, to: 7 }]);
  using client = await connect(proxy.port);
  client.send(encode("SET", keyOf(7), "value"));
  expect(await client.readRaw()).toBe("-ERR handle request, slot is not ready, may be offline\r\n");
  expect(await client.pipeline([["SET", keyOf(8), "v"], ["GET", keyOf(7)], ["PING"]])).toEqual([
    "OK",
    OFFLINE,
    "PONG",
  ]);
  await assignSlots(proxy, [{ addr: redis.address, from: 7, to: 7 }]);
  expect(await client.call("GET", keyOf(7))).toBeNull();
});

test("a split command of which one slot is offline sends nothing anywhere", async () => {
  await using first = startFaultyBackend(() => "+OK\r\n");
  await using second = startFaultyBackend(() => "+OK\r\n");
  await using proxy = await startProxy({
    slots: [
      { addr: first.address, from: 0, to: 511 },
      { addr: second.address, from: 512, to: 1022 },
    ],
  });
  using client = await connect(proxy.port);
  const keys = [keyOf(1), keyOf(600), keyOf(1023), keyOf(2)];
  const requests: Argument[][] = [
    ["MSET", ...keys.flatMap((key) => [key, "value"])],
    ["MGET", ...keys],
    ["DEL", ...keys],
    ["UNLINK", ...keys],
    ["EXISTS", ...keys],
    ["TOUCH", ...keys],
  ];
  expect(await client.pipeline(requests)).toEqual(requests.map(() => OFFLINE));
  // The reply to this proves that what came before it would have arrived by now.
  expect(
    await client.pipeline([
      ["SET", keyOf(1), ""],
      ["SET", keyOf(600), ""],
    ]),
  ).toEqual(["OK", "OK"]);
  expect(first.dataRequests).toEqual([["SET", keyOf(1), ""]]);
  expect(second.dataRequests).toEqual([["SET", keyOf(600), ""]]);
});

test("a split command over many slots and servers answers in the order of its keys", async () => {
  await using first = await startRedis();
  await using second = await startRedis();
  await using proxy = await startProxy({
    slots: [
      { addr: first.address, from: 0, to: 511 },
      { addr: second.address, from: 512, to: 1023 },
    ],
  });
  using client = await connect(proxy.port);
  const slots = Array.from({ length: 200 }, (_, i) => (i * 389) % SLOT_COUNT);
  const keys = slots.map((slot) => keyOf(slot));
  expect(await client.call("MSET", ...slots.flatMap((slot) => [keyOf(slot), slot]))).toBe("OK");
  expect(await client.call("MGET", ...keys, "none", keys[0])).toEqual([
    ...slots.map(String),
    null,
    String(slots[0]),
  ]);
  expect(await client.call("EXISTS", ...keys, keys[0])).toBe(keys.length + 1);
  expect(await client.call("DEL", ...keys, "none")).toBe(keys.length);
  expect(Number(await first.call("DBSIZE")) + Number(await second.call("DBSIZE"))).toBe(0);
});
