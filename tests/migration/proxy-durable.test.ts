// A key that a request waits for leaves its source only when the target cannot lose it any more,
// where the slot's record says so (`migration_durable`).
import { expect } from "bun:test";
import type { ReplyError } from "../../src/resp/value.ts";
import { begin, movingKey, startPair } from "../harness/moving.ts";
import { ALL_SLOTS, startProxy } from "../harness/proxy.ts";
import { startRedis } from "../harness/redis.ts";
import { replicate } from "../harness/replication.ts";
import { connect } from "../harness/resp-client.ts";
import { systemTest } from "../harness/system-test.ts";
import { until } from "../harness/until.ts";

const test = systemTest("redis-server");

const key = movingKey;
const DURABLE = { migrate_durable: true };
const SERVER = { args: ["--repl-diskless-sync-delay", "0"] };

test("a key leaves when the target's replica has it, and two proxies agree on that", async () => {
  await using pair = await startPair({}, SERVER);
  const { source, target, proxy } = pair;
  await using replica = await startRedis(SERVER);
  await replicate(replica, target);
  await using other = await startProxy({ slots: [{ addr: source.address, ...ALL_SLOTS }] });
  for (const each of [proxy, other]) await begin(each, source, target, DURABLE);
  for (let i = 0; i < 5; i++) await source.call("SET", key(`k${i}`), i);
  replica.pause();
  using first = await connect(proxy.port);
  using second = await connect(other.port);
  const answers = [first, second].map((client) => client.call("INCRBY", key("k1"), 10));
  // It is there, and nobody knows it but the target's memory.
  await until(async () => (await target.call("EXISTS", key("k1"))) === 1);
  await until(() => proxy.log().includes(`no replica of ${target.address} has confirmed the keys`));
  expect(await source.call("GET", key("k1"))).toBe("1");
  expect(await target.call("GET", key("k1"))).toBe("1");
  replica.resume();
  expect((await Promise.all(answers)).map(Number).sort()).toEqual([11, 21]);
  expect(await source.call("EXISTS", key("k1"))).toBe(0);
  const reads = ["k0", "k2", "k3", "k4", "absent"].map((name) => second.call("GET", key(name)));
  expect(await Promise.all(reads)).toEqual(["0", "2", "3", "4", null]);
  expect(await source.call("DBSIZE")).toBe(0);
  await until(async () => (await replica.call("GET", key("k1"))) === "21");
});

test("a target that writes its log before it answers needs no replica", async () => {
  await using pair = await startPair({ config: { slot_hold_timeout: "1s" } });
  const { source, target, proxy } = pair;
  await source.call("SET", key("a"), "1");
  await begin(proxy, source, target, DURABLE);
  using client = await connect(proxy.port);
  expect(((await client.call("INCR", key("a"))) as ReplyError).code).toBe("TRYAGAIN");
  expect(await source.call("GET", key("a"))).toBe("1");
  expect(proxy.log()).toContain("durable migration needs a replica of");
  await target.call("CONFIG", "SET", "appendonly", "yes");
  await target.call("CONFIG", "SET", "appendfsync", "always");
  await until(async () => (await client.call("INCR", key("a"))) === 2);
  expect(await source.call("DBSIZE")).toBe(0);
});
