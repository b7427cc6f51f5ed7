// The measuring of slots against real servers, and a stand-in that answers SLOTSINFO like
// codis-server.
import { expect } from "bun:test";
import { startFaultyBackend } from "../../tests/harness/faulty-backend.ts";
import { keyOf } from "../../tests/harness/keys.ts";
import { startRedis } from "../../tests/harness/redis.ts";
import { systemTest } from "../../tests/harness/system-test.ts";
import { type Group, newServer } from "../model/group.ts";
import { SLOT_COUNT } from "../model/slot.ts";
import { idleMapping } from "../model/slot-mapping.ts";
import type { Product } from "./product.ts";
import { measureSlots, type Measure } from "./slot-weights.ts";

const test = systemTest("redis-server");

/** All slots in group 1, whose master is at that address. */
function measured(address: string, by: Measure): Promise<Float64Array> {
  const servers = [newServer(address, "")];
  const group: Group = { id: 1, servers, promoting: {}, out_of_sync: false };
  const slots = Array.from({ length: SLOT_COUNT }, (_, id) => idleMapping(id, 1));
  const config = { productUsername: "", productAuth: "" };
  const records = { slots, groups: new Map([[1, group]]) };
  return measureSlots({ config, records } as unknown as Product, by);
}

test("the keys of a small server are counted exactly, in all databases", async () => {
  await using redis = await startRedis();
  await redis.call("MSET", keyOf(7), "a", keyOf(7, 1), "b", keyOf(1023), "c");
  await redis.call("SADD", "\0codis:fence", "x");
  await redis.call("SELECT", 3);
  await redis.call("SET", keyOf(7, 2), "d");
  const keys = await measured(redis.address, "keys");
  expect([keys[7], keys[1023], keys[0]]).toEqual([3, 1, 0]);
  expect(keys.reduce((sum, n) => sum + n)).toBe(4);
});

test("a large server is sampled, and the sum is that of all keys", async () => {
  await using redis = await startRedis();
  const fill = 'for i = 1, 100000 do redis.call("SET", "key:" .. i, i) end';
  await redis.call("EVAL", fill, 0);
  const keys = await measured(redis.address, "keys");
  expect(keys.reduce((sum, n) => sum + n)).toBeCloseTo(100_000, 0);
  // All slots have about 98 keys; that some have more of them in the sample is chance.
  expect(Math.max(...keys)).toBeLessThan(130);
  expect(Math.min(...keys)).toBeGreaterThan(70);
});

test("a slot that has much more than the others is found in the sample", async () => {
  await using redis = await startRedis();
  const fill = 'for i = 1, 60000 do redis.call("SET", ARGV[1] .. (ARGV[2] * i % 60000), i) end';
  await redis.call("EVAL", fill, 0, "key:", 1);
  await redis.call("EVAL", fill, 0, `{${keyOf(77)}}`, 1);
  const keys = await measured(redis.address, "keys");
  expect(keys[77]).toBeGreaterThan(50_000);
  expect(keys[77]).toBeLessThan(70_000);
});

test("bytes are those of the keys", async () => {
  await using redis = await startRedis();
  await redis.call("SET", keyOf(5), "x".repeat(1_000_000));
  await redis.call("SET", keyOf(6), "x");
  const bytes = await measured(redis.address, "memory");
  expect(bytes[5]).toBeGreaterThan(1_000_000);
  expect(bytes[6]).toBeGreaterThan(20);
  expect(bytes[6]).toBeLessThan(500);
});

test("a server that counts its slots itself is asked, and keys count alike in bytes", async () => {
  const info = "used_memory:6000\r\ndb0:keys=6,expires=0,avg_ttl=0\r\n";
  await using standIn = startFaultyBackend((request) => {
    if (request[0] === "INFO") return `$${info.length}\r\n${info}\r\n`;
    if (request[0] === "SLOTSINFO") return "*2\r\n*2\r\n:3\r\n:4\r\n*2\r\n:9\r\n:2\r\n";
    return undefined;
  });
  const keys = await measured(standIn.address, "keys");
  expect([keys[3], keys[9], keys[0]]).toEqual([4, 2, 0]);
  expect((await measured(standIn.address, "memory"))[3]).toBe(4000);
});

test("a server that is down is named", async () => {
  await using standIn = startFaultyBackend();
  standIn.goDown();
  await expect(measured(standIn.address, "keys")).rejects.toThrow(
    `the keys of ${standIn.address} cannot be measured`,
  );
});
