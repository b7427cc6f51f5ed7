// Keys that go over in pieces must be what they were, byte for byte.
import { expect } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { moveBigKey } from "../../src/migration/big-key.ts";
import type { PinnedKey } from "../../src/model/migration-job.ts";
import { scanSizes } from "../../src/migration/size-scan.ts";
import type { Redis } from "../harness/redis.ts";
import { systemTest } from "../harness/system-test.ts";
import { keysAt, passageOf, startServer, TestWatch } from "./engine-fixture.ts";

const test = systemTest("redis-server");

const held = (key: string, db = 0): PinnedKey => {
  return { db, key: Buffer.from(key).toString("base64"), state: "held" };
};

const digest = async (redis: Redis, key: string): Promise<string> => {
  return String(await redis.call("DEBUG", "DIGEST-VALUE", key));
};

/** What makes each value, by its key; larger than one piece, with bytes that are no text. */
const BUILDERS: Readonly<Record<string, string>> = {
  string: "redis.call('SET', KEYS[1], string.rep('ab\\0\\255', 300000))",
  list: "for i = 1, 6000 do redis.call('RPUSH', KEYS[1], i .. '\\0\\255') end",
  "list of large": "for i = 1, 40 do redis.call('RPUSH', KEYS[1], string.rep('x', 20000 + i)) end",
  hash: "for i = 1, 6000 do redis.call('HSET', KEYS[1], 'f\\255' .. i, 'v\\0' .. i) end",
  set: "for i = 1, 6000 do redis.call('SADD', KEYS[1], 'm\\255' .. i) end",
  "set of integers": "for i = 1, 400 do redis.call('SADD', KEYS[1], i * 7) end",
  zset: "for i = 1, 6000 do redis.call('ZADD', KEYS[1], i / 3, 'm\\255' .. i) end",
  "zset of extremes":
    "redis.call('ZADD', KEYS[1], 'inf', 'a', '-inf', 'b', '1e-300', 'c', '0.1', 'd')",
  "small hash": "redis.call('HSET', KEYS[1], 'a', 'b')",
};

test("a value of every type and encoding is the same after it went over in pieces", async () => {
  await using source = await startServer();
  await using target = await startServer();
  const watch = new TestWatch();
  for (const [key, body] of Object.entries(BUILDERS)) {
    await source.call("EVAL", body, 1, key);
    const before = await digest(source, key);
    const encoding = await source.call("OBJECT", "ENCODING", key);
    expect(await moveBigKey(passageOf(source, target), held(key), watch)).toBe("moved");
    expect([key, await digest(target, key)]).toEqual([key, before]);
    expect([key, await target.call("OBJECT", "ENCODING", key)]).toEqual([key, encoding]);
  }
  expect(await keysAt(source)).toBe(0);
  expect(await keysAt(target)).toBe(Object.keys(BUILDERS).length);
});

const STREAM = `
for i = 1, 3000 do redis.call('XADD', KEYS[1], i .. '-1', 'f\\255', 'v' .. i, 'g', '') end
redis.call('XGROUP', 'CREATE', KEYS[1], 'readers', '0')
redis.call('XGROUP', 'CREATE', KEYS[1], 'lost', '0')
redis.call('XGROUP', 'CREATECONSUMER', KEYS[1], 'readers', 'idle')
redis.call('XREADGROUP', 'GROUP', 'readers', 'anna', 'COUNT', 700, 'STREAMS', KEYS[1], '>')
redis.call('XREADGROUP', 'GROUP', 'readers', 'bert', 'COUNT', 20, 'STREAMS', KEYS[1], '>')
redis.call('XREADGROUP', 'GROUP', 'lost', 'carl', 'COUNT', 40, 'STREAMS', KEYS[1], '>')
redis.call('XACK', KEYS[1], 'readers', '3-1')
`;

/** Without the times at which consumers were seen, which cannot be set. */
const streamFacts = async (redis: Redis, key: string): Promise<string> => {
  const info = await redis.call("XINFO", "STREAM", key, "FULL", "COUNT", 5_000);
  const text = JSON.stringify(info, (_, value) => value);
  return text
    .replace(/"(seen-time|active-time)",\d+/g, '"$1"')
    .replace(/"radix-tree-(keys|nodes)",\d+/g, "");
};

for (const [name, change] of [
  ["whole", ""],
  ["trimmed, with lost entries pending", "redis.call('XTRIM', KEYS[1], 'MAXLEN', '=', 2900)"],
  ["with deleted entries pending", "redis.call('XDEL', KEYS[1], '5-1', '30-1', '2500-1')"],
  [
    "trimmed and with deleted entries pending",
    "redis.call('XDEL', KEYS[1], '30-1') redis.call('XTRIM', KEYS[1], 'MAXLEN', '=', 2980)",
  ],
  ["without entries", "redis.call('XTRIM', KEYS[1], 'MAXLEN', '=', 0)"],
]) {
  test(`a stream keeps its groups and what is pending: ${name}`, async () => {
    await using source = await startServer();
    await using target = await startServer();
    await source.call("EVAL", STREAM + change, 1, "stream");
    const [before, facts] = [await digest(source, "stream"), await streamFacts(source, "stream")];
    const watch = new TestWatch();
    expect(await moveBigKey(passageOf(source, target), held("stream"), watch)).toBe("moved");
    expect(await digest(target, "stream")).toBe(before);
    expect(await streamFacts(target, "stream")).toBe(facts);
    expect(await keysAt(source)).toBe(0);
  });
}

test("the lifetime, the database and a binary name are kept", async () => {
  await using source = await startServer();
  await using target = await startServer();
  const key = new Uint8Array([0, 255, 13, 10, 32, 128]);
  await source.call("SELECT", 5);
  await source.call("SET", key, "v", "PX", 50_000);
  const watch = new TestWatch();
  const pin: PinnedKey = { db: 5, key: Buffer.from(key).toString("base64"), state: "held" };
  expect(await moveBigKey(passageOf(source, target), pin, watch)).toBe("moved");
  await target.call("SELECT", 5);
  expect(await target.call("GET", key)).toBe("v");
  const left = Number(await target.call("PTTL", key));
  expect(left > 40_000 && left <= 50_000).toBe(true);
});

// A server that was killed between a piece and its lifetime kept the hidden copy for ever.
test("a server never has a hidden copy without a lifetime", async () => {
  await using source = await startServer();
  await using target = await startServer({ durable: true });
  await source.call("EVAL", BUILDERS.list, 1, "list");
  const watch = new TestWatch();
  expect(await moveBigKey(passageOf(source, target), held("list"), watch)).toBe("moved");
  const folder = join(target.dir, "appendonlydir");
  const [file] = readdirSync(folder).filter((name) => name.endsWith(".incr.aof"));
  const text = readFileSync(join(folder, file), "latin1");
  const commands = text.match(/(?<=\r\n)(MULTI|EXEC|RPUSH|PEXPIREAT)(?=\r\n)/g) ?? [];
  expect(commands.filter((name) => name === "RPUSH").length).toBeGreaterThan(10);
  for (const [i, name] of commands.entries()) {
    if (name !== "RPUSH") continue;
    expect(commands.slice(i - 1, i + 3)).toEqual(["MULTI", "RPUSH", "PEXPIREAT", "EXEC"]);
  }
});

test("a key that the target has wins over the one at the source", async () => {
  await using source = await startServer();
  await using target = await startServer();
  await source.call("SET", "key", "old");
  await target.call("SET", "key", "new");
  const watch = new TestWatch();
  expect(await moveBigKey(passageOf(source, target), held("key"), watch)).toBe("moved");
  expect(await target.call("GET", "key")).toBe("new");
  expect(await keysAt(source)).toBe(0);
});

test("a key that is nowhere is gone", async () => {
  await using source = await startServer();
  await using target = await startServer();
  const watch = new TestWatch();
  expect(await moveBigKey(passageOf(source, target), held("key"), watch)).toBe("gone");
});

test("big keys are found by bytes and by elements", async () => {
  await using source = await startServer();
  await using target = await startServer();
  for (const [key, body] of Object.entries(BUILDERS)) await source.call("EVAL", body, 1, key);
  await source.call("EVAL", STREAM, 1, "stream");
  await source.call("DEBUG", "POPULATE", 1000, "small", 100);
  const watch = new TestWatch();
  const bigKeys = { bytes: 700_000, elements: 5_000 };
  const sizes = await scanSizes(passageOf(source, target, { bigKeys }), watch);
  expect(sizes.keys).toBe(1000 + Object.keys(BUILDERS).length + 1);
  const found = watch.bigKeys.map(({ pin }) => Buffer.from(pin.key, "base64").toString());
  expect(found.sort()).toEqual([
    "hash",
    "list",
    "list of large",
    "set",
    "stream",
    "string",
    "zset",
  ]);
});
