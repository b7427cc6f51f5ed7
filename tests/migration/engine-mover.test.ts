// Passes of the mover between two real servers, when nothing breaks.
import { expect } from "bun:test";
import { moveKeys, movePass } from "../../src/migration/mover.ts";
import { purgeTarget } from "../../src/migration/purge.ts";
import { isOwnKey } from "../../src/model/own-keys.ts";
import { RecentlyMoved } from "../../src/migration/recently-moved.ts";
import { slotOfKey } from "../../src/model/slot.ts";
import { startFaultyBackend } from "../harness/faulty-backend.ts";
import { keyOf } from "../harness/keys.ts";
import type { Redis } from "../harness/redis.ts";
import { systemTest } from "../harness/system-test.ts";
import { until } from "../harness/until.ts";
import { keysAt, passageOf, startReplica, startServer, TestWatch } from "./engine-fixture.ts";

const test = systemTest("redis-server");

const digest = async (redis: Redis, key: string | Uint8Array): Promise<string> => {
  return String(await redis.call("DEBUG", "DIGEST-VALUE", key));
};

test("a pass moves every key of all slots and databases", async () => {
  await using source = await startServer();
  await using target = await startServer();
  for (const db of [0, 3]) {
    await source.call("SELECT", db);
    await source.call("DEBUG", "POPULATE", 5_000, `key-${db}`, 32);
  }
  const watch = new TestWatch();
  const result = await moveKeys(passageOf(source, target), watch, new RecentlyMoved());
  expect(result.clean.size).toBe(1024);
  expect(await keysAt(source)).toBe(0);
  expect(await keysAt(target)).toBe(10_000);
  expect(watch.errors).toEqual([]);
  // SCAN may name a key twice while the server's table shrinks.
  expect(watch.keys).toBeGreaterThanOrEqual(10_000);
});

test("values of every type arrive as they were, lifetimes and binary names too", async () => {
  await using source = await startServer();
  await using target = await startServer();
  const binary = new Uint8Array([0, 1, 255, 13, 10, 123, 32]);
  const keys = ["integer", "raw", "list", "set", "intset", "zset", "hash", "stream", "log", binary];
  await source.call("SET", "integer", "12345", "PX", 90_000);
  await source.call("SET", "raw", "x".repeat(300));
  await source.call("RPUSH", "list", "a", "b", "", "c");
  await source.call("SADD", "set", "a", "b", new Uint8Array([255, 0]));
  await source.call("SADD", "intset", 1, 2, 3);
  await source.call("ZADD", "zset", "-inf", "a", "0.1", "b");
  await source.call("HSET", "hash", "f", "v", "g", "");
  await source.call("XADD", "stream", "5-1", "f", "v");
  await source.call("XGROUP", "CREATE", "stream", "group", "0");
  await source.call("XREADGROUP", "GROUP", "group", "me", "STREAMS", "stream", ">");
  await source.call("PFADD", "log", "a", "b");
  await source.call("SET", binary, "v");
  const before = await Promise.all(keys.map((key) => digest(source, key)));
  const pending = await source.call("XPENDING", "stream", "group");
  await moveKeys(passageOf(source, target), new TestWatch(), new RecentlyMoved());
  expect(await Promise.all(keys.map((key) => digest(target, key)))).toEqual(before);
  expect(await target.call("XPENDING", "stream", "group")).toEqual(pending);
  const left = Number(await target.call("PTTL", "integer"));
  expect(left > 60_000 && left <= 90_000).toBe(true);
  expect(await keysAt(source)).toBe(0);
});

test("only keys of the slots move, and never those that the product keeps for itself", async () => {
  await using source = await startServer();
  await using target = await startServer();
  const own = "\0codis:fence";
  for (const key of [keyOf(1), keyOf(2), keyOf(3)]) await source.call("SET", key, "v");
  await source.call("SET", own, "v");
  const slots = new Set([1, 3, slotOfKey(own)]);
  const result = await movePass(
    passageOf(source, target, { slots }),
    new TestWatch(),
    new RecentlyMoved(),
  );
  expect(result.clean).toEqual(slots);
  expect(await source.call("EXISTS", keyOf(1), keyOf(2), keyOf(3), own)).toBe(2);
  expect(await target.call("EXISTS", keyOf(1), keyOf(3))).toBe(2);
});

test("a key that the target has wins, and its twin at the source is deleted", async () => {
  await using source = await startServer();
  await using target = await startServer();
  await source.call("DEBUG", "POPULATE", 2_000);
  for (let i = 0; i < 2_000; i += 100) await target.call("SET", `key:${i}`, "newer");
  await moveKeys(passageOf(source, target), new TestWatch(), new RecentlyMoved());
  expect(await keysAt(source)).toBe(0);
  expect(await keysAt(target)).toBe(2_000);
  expect(await target.call("GET", "key:1900")).toBe("newer");
  expect(await target.call("GET", "key:1901")).toBe("value:1901");
});

test("garbage of the slots at the target is purged, so that the source's values win", async () => {
  await using source = await startServer();
  await using target = await startServer();
  await target.call("SELECT", 2);
  for (const n of [0, 1, 2]) await target.call("SET", keyOf(5, n), "stale");
  await target.call("SET", keyOf(6), "of another slot");
  await target.call("SELECT", 0);
  await target.call("SET", "\0codis:fence", "ours");
  await source.call("SET", keyOf(5), "fresh");
  const passage = passageOf(source, target, { slots: new Set([5, slotOfKey("\0codis:fence")]) });
  expect(await purgeTarget(passage, new TestWatch())).toBe(3);
  await moveKeys(passage, new TestWatch(), new RecentlyMoved());
  expect(await target.call("GET", keyOf(5))).toBe("fresh");
  expect(await keysAt(target)).toBe(3);
});

test("pinned keys stay, big ones are told, and the others of their slots go", async () => {
  await using source = await startServer();
  await using target = await startServer();
  for (const slot of [1, 2, 3]) await source.call("SET", keyOf(slot), "v");
  await source.call("SET", keyOf(2, 1), "x".repeat(200_000));
  await source.call("SET", keyOf(3, 1), "pinned");
  const watch = new TestWatch();
  watch.pinned.add(`0:${Buffer.from(keyOf(3, 1)).toString("base64")}`);
  const bigKeys = { bytes: 100_000, elements: 100 };
  const slots = new Set([1, 2, 3]);
  const result = await moveKeys(
    passageOf(source, target, { slots, bigKeys }),
    watch,
    new RecentlyMoved(),
  );
  expect([...result.clean]).toEqual([1]);
  const names = watch.bigKeys.map(({ pin }) => Buffer.from(pin.key, "base64").toString());
  expect(names).toEqual([keyOf(2, 1)]);
  expect(watch.bigKeys[0].size.type).toBe("string");
  expect(await keysAt(target)).toBe(3);
});

test("a source that allows no scripts and no MEMORY is measured by lengths", async () => {
  await using source = await startServer();
  await using target = await startServer();
  await source.call("ACL", "SETUSER", "default", "-eval", "-memory");
  await source.call("SET", "small", "v");
  await source.call("SET", "large", "x".repeat(200_000));
  const watch = new TestWatch();
  const bigKeys = { bytes: 100_000, elements: 100 };
  await moveKeys(passageOf(source, target, { bigKeys }), watch, new RecentlyMoved());
  expect(watch.bigKeys.map(({ size }) => size.bytes)).toEqual([200_000]);
  expect(await keysAt(target)).toBe(1);
});

test("passwords and users reach the target", async () => {
  await using source = await startServer({ args: ["--requirepass", "secret"] });
  await using target = await startServer({ args: ["--requirepass", "secret"] });
  for (const redis of [source, target]) await redis.call("AUTH", "secret");
  await source.call("DEBUG", "POPULATE", 500);
  await source.call("ACL", "SETUSER", "mover", "on", ">word", "~*", "+@all");
  await target.call("ACL", "SETUSER", "mover", "on", ">word", "~*", "+@all");
  const byPassword = passageOf(source, target, { login: { username: "", password: "secret" } });
  await moveKeys(byPassword, new TestWatch(), new RecentlyMoved());
  expect(await keysAt(target)).toBe(500);
  const byUser = passageOf(target, source, { login: { username: "mover", password: "word" } });
  await moveKeys(byUser, new TestWatch(), new RecentlyMoved());
  expect(await keysAt(source)).toBe(500);
});

test("servers that have renamed CONFIG send and take keys like others", async () => {
  const args = ["--rename-command", "CONFIG", ""];
  await using source = await startServer({ args });
  await using target = await startServer({ args });
  await source.call("DEBUG", "POPULATE", 500);
  await moveKeys(passageOf(source, target), new TestWatch(), new RecentlyMoved());
  expect(await keysAt(target)).toBe(500);
});

test("a target that is a replica, or full, stops the job with a sentence", async () => {
  await using source = await startServer();
  await using master = await startServer();
  await using replica = await startReplica(master);
  await using full = await startServer({ args: ["--maxmemory", "1mb"] });
  await source.call("SET", "key", "v");
  const move = (target: Redis): Promise<unknown> => {
    return moveKeys(passageOf(source, target), new TestWatch(), new RecentlyMoved());
  };
  expect(move(replica)).rejects.toThrow("is a replica");
  expect(move(full)).rejects.toThrow("is out of memory: raise its maxmemory");
  await until(async () => (await source.call("EXISTS", "key")) === 1);
});

test("a key that the target cannot read is told, and all others move", async () => {
  await using source = await startServer();
  const bad = "bad:key";
  await using target = startFaultyBackend(([name, key]) => {
    if (name === "INFO") return "$13\r\nrole:master\r\n\r\n";
    if (["PING", "SELECT"].includes(name)) return "+OK\r\n";
    if (name.startsWith("RESTORE")) return key === bad ? "-ERR Bad data format\r\n" : "+OK\r\n";
    return name === "CLIENT" ? "$0\r\n\r\n" : "-ERR unknown command\r\n";
  });
  await source.call("DEBUG", "POPULATE", 100);
  await source.call("SET", bad, "v");
  const watch = new TestWatch();
  const result = await movePass(passageOf(source, target), watch, new RecentlyMoved());
  expect(await keysAt(source)).toBe(1);
  expect(result.clean.has(slotOfKey(bad))).toBe(false);
  expect(result.clean.size).toBe(1023);
  const last = watch.errors.at(-1);
  expect(last?.slot).toBe(slotOfKey(bad));
  expect(last?.reason).toContain(`key "bad:key" of database 0 cannot move`);
});

test("a paused pass goes on when it may, and one that is called off ends", async () => {
  await using source = await startServer();
  await using target = await startServer();
  await source.call("DEBUG", "POPULATE", 20_000);
  const watch = new TestWatch();
  const onProgress = watch.onProgress.bind(watch);
  watch.onProgress = (delta) => {
    onProgress(delta);
    if (watch.keys > 1_000) watch.settings = { ...watch.settings, isPaused: true };
  };
  const moving = moveKeys(passageOf(source, target), watch, new RecentlyMoved());
  await until(() => watch.settings.isPaused);
  expect(await keysAt(source)).toBeGreaterThan(0);
  watch.onProgress = onProgress;
  watch.settings = { ...watch.settings, isPaused: false };
  await until(() => watch.keys > 3_000);
  watch.abort.abort(new Error("called off"));
  expect(moving).rejects.toThrow("called off");
  await moving.catch(() => {});
  const left = await keysAt(source);
  expect(left + (await keysAt(target))).toBe(20_000);
});

test("durable: a key leaves the source when the target's replica has it", async () => {
  await using source = await startServer();
  await using target = await startServer();
  await source.call("DEBUG", "POPULATE", 3_000);
  const watch = new TestWatch();
  watch.settings = { ...watch.settings, isDurable: true };
  const passage = passageOf(source, target);
  expect(moveKeys(passage, watch, new RecentlyMoved())).rejects.toThrow(
    "durable migration needs a replica",
  );
  await using replica = await startReplica(target);
  await target.call("SET", "key:7", "newer");
  replica.pause();
  const moving = moveKeys(passage, watch, new RecentlyMoved());
  await until(() => watch.errors.some(({ reason }) => reason.includes("no replica of")));
  expect(await keysAt(source)).toBe(3_000);
  replica.resume();
  await moving;
  expect(await keysAt(source)).toBe(0);
  expect(await replica.call("GET", "key:7")).toBe("newer");
  await until(async () => (await keysAt(replica)) >= 3_000);
});

test("durable: a target that writes its log before it answers needs no replica", async () => {
  await using source = await startServer();
  await using target = await startServer({ durable: true });
  await source.call("DEBUG", "POPULATE", 500);
  const watch = new TestWatch();
  watch.settings = { ...watch.settings, isDurable: true };
  await moveKeys(passageOf(source, target), watch, new RecentlyMoved());
  await target.restart();
  // A server that can be asked about its log (WAITAOF) has our mark as well, and nothing else.
  const names = (await target.call("KEYS", "*")) as string[];
  expect(names.filter((name) => !isOwnKey(Buffer.from(name)))).toHaveLength(500);
});
