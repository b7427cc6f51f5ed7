// Keys that are too large to move in one step: pinned, they stay at the source; held, their writes
// wait and their reads follow the key; released, they are at the target. The test plays the
// dashboard and copies the key itself.
import { expect } from "bun:test";
import type { PinState } from "../../src/model/key-pin.ts";
import { ReplyError } from "../../src/resp/value.ts";
import { counters } from "../harness/figures.ts";
import { begin, movingKey, MOVING_SLOT, startPair } from "../harness/moving.ts";
import type { Proxy } from "../harness/proxy.ts";
import { connect, encode } from "../harness/resp-client.ts";
import { systemTest } from "../harness/system-test.ts";
import { until } from "../harness/until.ts";

const test = systemTest("redis-server");

const BIG = movingKey("big");
let revision = 0;

function pin(proxy: Proxy, state: PinState | null, ...keys: string[]): Promise<void> {
  const pins = keys.map((key) => {
    return { slot: MOVING_SLOT, db: 0, key: Buffer.from(key).toString("base64"), state };
  });
  return proxy.put("pins", { revision: ++revision, pins: state === null ? [] : pins });
}

test("a pinned key is served by the source, before and while the slot moves", async () => {
  await using pair = await startPair({ ncpu: 2 });
  const { source, target, proxy } = pair;
  using client = await connect(proxy.port);
  await client.call("RPUSH", BIG, "a");
  await pin(proxy, "pinned", BIG);
  expect(await client.call("RPUSH", BIG, "b")).toBe(2);
  await begin(proxy, source, target);
  const replies = await client.pipeline([
    ["RPUSH", BIG, "c"],
    ["SET", movingKey("small"), "1"],
    ["LRANGE", BIG, 0, -1],
  ]);
  expect(replies).toEqual([3, "OK", ["a", "b", "c"]]);
  expect(await source.call("KEYS", "*")).toEqual([BIG]);
  expect(await target.call("KEYS", "*")).toEqual([movingKey("small")]);
});

test("a held key: writes wait for the copy, reads find it wherever it is", async () => {
  await using pair = await startPair({ ncpu: 2 });
  const { source, target, proxy } = pair;
  await source.call("RPUSH", BIG, "a", "b");
  await pin(proxy, "pinned", BIG);
  await begin(proxy, source, target);
  await pin(proxy, "held", BIG);
  using writer = await connect(proxy.port);
  using reader = await connect(proxy.port);
  await reader.call("HELLO", 3);
  const small = movingKey("small");
  // The read behind the write waits for it, and so does what follows in the slot.
  for (const request of [
    ["RPUSH", BIG, "c"],
    ["LLEN", BIG],
    ["INCR", small],
  ]) {
    writer.send(encode(...request));
  }
  await until(async () => (await counters(proxy)).heldRequests >= 3);
  expect(await reader.call("LRANGE", BIG, 0, -1)).toEqual(["a", "b"]);
  expect(await reader.call("GET", BIG)).toBeInstanceOf(ReplyError);
  expect(await reader.call("SETNX", small, "7")).toBe(1);
  expect(await target.call("EXISTS", BIG)).toBe(0);
  // The copy takes its name at the target, then the source's key goes.
  await target.call("RPUSH", BIG, "a", "b");
  expect(await reader.call("LLEN", BIG)).toBe(2);
  await source.call("UNLINK", BIG);
  expect(await reader.call("LRANGE", BIG, 0, -1)).toEqual(["a", "b"]);
  expect(writer.unreadBytes).toBe(0);
  await pin(proxy, null);
  expect([await writer.read(), await writer.read(), await writer.read()]).toEqual([3, 3, 8]);
  expect(await target.call("LRANGE", BIG, 0, -1)).toEqual(["a", "b", "c"]);
  expect(await source.call("DBSIZE")).toBe(0);
});

test("a write that waits for a held key for too long is given up", async () => {
  await using pair = await startPair({ config: { slot_hold_timeout: "300ms" } });
  const { source, target, proxy } = pair;
  await source.call("SET", BIG, "value");
  await begin(proxy, source, target);
  await pin(proxy, "held", BIG);
  using client = await connect(proxy.port);
  const replies = await client.pipeline([
    ["APPEND", BIG, "!"],
    ["GET", BIG],
  ]);
  for (const reply of replies) expect((reply as ReplyError).message).toStartWith("TRYAGAIN");
  expect(await client.call("GET", BIG)).toBe("value");
});

test("a command with a pinned key and others has no server that could do it", async () => {
  await using pair = await startPair();
  const { source, target, proxy } = pair;
  const [other, second] = [movingKey("other"), movingKey("second")];
  for (const key of [BIG, other, second]) await source.call("SADD", key, "x");
  await begin(proxy, source, target);
  await pin(proxy, "pinned", BIG, second);
  using client = await connect(proxy.port);
  const refused = (await client.call("SUNION", BIG, other)) as ReplyError;
  expect(refused.message).toStartWith("TRYAGAIN one of the keys is too large");
  expect(await client.call("SUNION", BIG, second)).toEqual(["x"]);
  // Held, it is a matter of seconds: the command waits.
  await pin(proxy, "held", BIG, second);
  expect(await client.call("SUNION", BIG, second)).toEqual(["x"]);
  client.send(encode("SUNION", BIG, other));
  await until(async () => (await counters(proxy)).heldRequests > 0);
  for (const key of [BIG, second]) {
    await source.call("MIGRATE", "127.0.0.1", target.port, key, 0, 1000);
  }
  await pin(proxy, null);
  expect(await client.read()).toEqual(["x"]);
});

test("MGET and DEL take pinned keys from the source and the others from the target", async () => {
  await using pair = await startPair();
  const { source, target, proxy } = pair;
  const others = Array.from({ length: 5 }, (_, i) => movingKey(`${i}`));
  for (const key of [BIG, ...others]) await source.call("SET", key, `value of ${key}`);
  await pin(proxy, "pinned", BIG);
  await begin(proxy, source, target);
  using client = await connect(proxy.port);
  const names = [others[0], BIG, ...others.slice(1), BIG];
  const values = names.map((name) => `value of ${name}`);
  expect(await client.call("MGET", ...names)).toEqual(values);
  expect(await client.call("MSET", BIG, "1", others[0], "2")).toBe("OK");
  expect(await source.call("KEYS", "*")).toEqual([BIG]);
  expect(await source.call("GET", BIG)).toBe("1");
  expect(await client.call("DEL", BIG, ...others)).toBe(6);
});
