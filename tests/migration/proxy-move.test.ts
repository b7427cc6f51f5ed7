// A slot whose keys move from one server to another while it is served: each request moves its own
// keys before it is carried out at the target.
import { expect } from "bun:test";
import type { ReplyError } from "../../src/resp/value.ts";
import { BUFFER_SIZES } from "../harness/buffer-sizes.ts";
import { counters } from "../harness/figures.ts";
import { keyOf } from "../harness/keys.ts";
import { begin, movingKey, MOVING_SLOT, type Pair, startPair } from "../harness/moving.ts";
import { ALL_SLOTS, assignSlots, type ProxyOptions, startProxy } from "../harness/proxy.ts";
import { type RedisOptions, startRedis } from "../harness/redis.ts";
import { connect, encode } from "../harness/resp-client.ts";
import { systemTest } from "../harness/system-test.ts";
import { until } from "../harness/until.ts";

const test = systemTest("redis-server");

const key = movingKey;

async function startMoving(options: ProxyOptions = {}, redis: RedisOptions = {}): Promise<Pair> {
  const pair = await startPair(options, redis);
  await begin(pair.proxy, pair.source, pair.target);
  return pair;
}

for (const size of BUFFER_SIZES) {
  test(`keys move before they are touched, with ${size.name}`, async () => {
    await using pair = await startMoving({ config: size.config });
    const { source, target, proxy } = pair;
    await source.call("SET", key("a"), "1");
    await source.call("SET", key("ttl"), "x".repeat(5000), "PX", 100_000);
    await source.call("RPUSH", key("list"), "one", "two");
    await source.call("SET", key("untouched"), "stays");
    using client = await connect(proxy.port);
    expect(await client.call("INCR", key("a"))).toBe(2);
    expect(await client.call("GET", key("ttl"))).toBe("x".repeat(5000));
    expect(await client.call("RPOP", key("list"))).toBe("two");
    expect(await client.call("GET", key("absent"))).toBeNull();
    expect(await client.call("SET", key("new"), "y".repeat(9000))).toBe("OK");
    expect(await source.call("DBSIZE")).toBe(1);
    expect(await target.call("GET", key("a"))).toBe("2");
    expect(await target.call("PTTL", key("ttl"))).toBeGreaterThan(90_000);
    expect(await target.call("STRLEN", key("new"))).toBe(9000);
    // Known keys, the absent one among them, are not asked for again.
    const { moveBatches } = await counters(proxy);
    expect(await client.call("INCR", key("a"))).toBe(3);
    expect(await client.call("GET", key("absent"))).toBeNull();
    expect((await counters(proxy)).moveBatches).toBe(moveBatches);
  });

  test(`commands with several keys move all of them, with ${size.name}`, async () => {
    await using pair = await startMoving({ config: size.config });
    const { source, target, proxy } = pair;
    const names = Array.from({ length: 100 }, (_, i) => key(`n${i}`));
    for (const name of names) await source.call("SET", name, `value of ${name}`);
    await source.call("SADD", key("s1"), "a", "b");
    await source.call("SADD", key("s2"), "b", "c");
    await source.call("SET", keyOf(1), "elsewhere");
    using client = await connect(proxy.port);
    expect(await client.call("SINTER", key("s1"), key("s2"))).toEqual(["b"]);
    const all = (await client.call("MGET", ...names, keyOf(1))) as string[];
    expect(all).toEqual([...names.map((name) => `value of ${name}`), "elsewhere"]);
    expect(await client.call("DEL", ...names, keyOf(1))).toBe(101);
    await source.call("SET", key("e1"), "1");
    await source.call("SET", key("e2"), "2");
    const script = "return {redis.call('GET', KEYS[1]), redis.call('GET', KEYS[2])}";
    expect(await client.call("EVAL", script, 2, key("e1"), key("e2"))).toEqual(["1", "2"]);
    await source.call("SET", key("r1"), "renamed");
    expect(await client.call("RENAME", key("r1"), key("r2"))).toBe("OK");
    expect(await target.call("GET", key("r2"))).toBe("renamed");
    expect(await client.call("MSET", key("m1"), "1", keyOf(2), "2", key("m2"), "3")).toBe("OK");
    expect(await target.call("MGET", key("m1"), key("m2"))).toEqual(["1", "3"]);
    expect(await source.call("KEYS", key("*"))).toEqual([]);
  });
}

test("keys of other databases move within their database", async () => {
  await using pair = await startMoving();
  const { source, target, proxy } = pair;
  await source.call("SET", key("a"), "in 0");
  await source.call("SELECT", 5);
  await source.call("SET", key("a"), "in 5");
  using client = await connect(proxy.port);
  using other = await connect(proxy.port);
  await client.call("SELECT", 5);
  await client.call("HELLO", 3);
  const replies = await Promise.all([client.call("GET", key("a")), other.call("GET", key("a"))]);
  expect(replies).toEqual(["in 5", "in 0"]);
  expect(await target.call("DBSIZE")).toBe(1);
  expect(String(await target.call("INFO", "keyspace"))).toContain("db5:keys=1");
});

test("a key that the target has already is the newer one", async () => {
  await using pair = await startMoving();
  const { source, target, proxy } = pair;
  for (const name of ["a", "b", "c"]) await source.call("SET", key(name), "old");
  await target.call("SET", key("b"), "new");
  using client = await connect(proxy.port);
  expect(await client.call("MGET", key("a"), key("b"), key("c"))).toEqual(["old", "new", "old"]);
  expect(await source.call("DBSIZE")).toBe(0);
  expect((await counters(proxy)).moveBusy).toBe(1);
});

test("passwords and ACL users reach the target of a move", async () => {
  const users = ["--user", ..."codis on >secret ~* &* +@all".split(" ")];
  await using pair = await startMoving(
    { config: { product_auth: "secret", product_username: "codis" } },
    { args: users },
  );
  using direct = await connect(pair.source.port);
  await direct.call("AUTH", "codis", "secret");
  await direct.call("SET", key("a"), "1");
  using client = await connect(pair.proxy.port);
  expect(await client.call("INCR", key("a"))).toBe(2);
  expect(await direct.call("DBSIZE")).toBe(0);
});

test("a source that refuses scripts moves keys without a look at their size", async () => {
  await using source = await startRedis({ args: ["--rename-command", "EVAL", ""] });
  await using target = await startRedis();
  await using proxy = await startProxy({ slots: [{ addr: source.address, ...ALL_SLOTS }] });
  await begin(proxy, source, target);
  await source.call("SET", key("a"), "x".repeat(2_000_000));
  using client = await connect(proxy.port);
  expect(await client.call("STRLEN", key("a"))).toBe(2_000_000);
  expect(await target.call("EXISTS", key("a"))).toBe(1);
  expect(proxy.log()).toContain("without a look at their size");
});

test("a large key is reported and waits for its pin; the slot's other keys do not", async () => {
  await using pair = await startMoving();
  const { source, proxy } = pair;
  await source.call("SET", key("big"), "x".repeat(2_000_000));
  await source.call("SET", key("small"), "1");
  using client = await connect(proxy.port);
  using other = await connect(proxy.port);
  client.send(Buffer.concat([encode("STRLEN", key("big")), encode("INCR", key("small"))]));
  const pin = { slot: MOVING_SLOT, db: 0, key: Buffer.from(key("big")).toString("base64") };
  await until(async () => {
    const { migration } = await proxy.get<{ migration: { big_keys: unknown[] } }>("/proxy/stats");
    return Bun.deepEquals(migration.big_keys, [pin]);
  });
  expect(await other.call("INCR", key("small"))).toBe(2);
  expect(client.unreadBytes).toBe(0);
  await proxy.put("pins", { revision: 1, pins: [{ ...pin, state: "pinned" }] });
  expect([await client.read(), await client.read()]).toEqual([2_000_000, 3]);
  expect(await source.call("EXISTS", key("big"))).toBe(1);
});

test("a key that does not become smaller or pinned is given up with TRYAGAIN", async () => {
  await using pair = await startMoving({ config: { slot_hold_timeout: "300ms" } });
  await pair.source.call("SET", key("big"), "x".repeat(2_000_000));
  using client = await connect(pair.proxy.port);
  const reply = (await client.call("APPEND", key("big"), "x")) as ReplyError;
  expect(reply.message).toStartWith("TRYAGAIN");
  expect(await pair.source.call("STRLEN", key("big"))).toBe(2_000_000);
});

test("SORT with patterns does not know its keys while they move", async () => {
  await using pair = await startMoving();
  const { source, proxy } = pair;
  await source.call("RPUSH", key("list"), "2", "1");
  using client = await connect(proxy.port);
  const reply = (await client.call("SORT", key("list"), "BY", key("w_*"))) as ReplyError;
  expect(reply.message).toStartWith("TRYAGAIN");
  expect(await client.call("SORT", key("list"), "STORE", key("sorted"))).toBe(2);
});

test("a source that fails over gives back nothing that has left it", async () => {
  await using source = await startRedis();
  await using promoted = await startRedis();
  await using target = await startRedis();
  await using proxy = await startProxy({ slots: [{ addr: source.address, ...ALL_SLOTS }] });
  const epoch = { migrate_epoch: 1_000_000 };
  await begin(proxy, source, target, epoch);
  for (const server of [source, promoted]) {
    await server.call("MSET", key("deleted"), "1", key("raised"), "1", key("unmoved"), "1");
  }
  using client = await connect(proxy.port);
  expect(await client.call("DEL", key("deleted"))).toBe(1);
  expect(await client.call("INCR", key("raised"))).toBe(2);
  // The replica that takes over has not heard that two of the keys are gone.
  const place = { addr: target.address, migrate_from: promoted.address, forward_method: 2 };
  await assignSlots(proxy, [{ ...place, ...epoch, from: MOVING_SLOT, to: MOVING_SLOT }]);
  expect(await promoted.call("KEYS", "*")).toEqual([key("unmoved")]);
  expect(await client.call("MGET", key("deleted"), key("raised"), key("unmoved"))).toEqual([
    null,
    "2",
    "1",
  ]);
});

test("keys that have moved are served while the source is down", async () => {
  await using pair = await startMoving({ config: { slot_hold_timeout: "2s" } });
  const { source, proxy } = pair;
  await source.call("MSET", key("moved"), "1", key("left"), "1");
  using client = await connect(proxy.port);
  using other = await connect(proxy.port);
  expect(await client.call("GET", key("moved"))).toBe("1");
  await source.kill();
  client.send(encode("GET", key("left")));
  await until(async () => (await counters(proxy)).heldRequests > 1);
  expect(await other.call("INCR", key("moved"))).toBe(2);
  expect(String(await client.read())).toContain("TRYAGAIN");
});
