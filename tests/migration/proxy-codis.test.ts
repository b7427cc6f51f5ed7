// The forward methods of the original, as its dashboard has them used: against a stand-in for
// codis-server, because that is not installed here.
import { expect } from "bun:test";
import type { ReplyError } from "../../src/resp/value.ts";
import { startFaultyBackend } from "../harness/faulty-backend.ts";
import { counters } from "../harness/figures.ts";
import { keyOf } from "../harness/keys.ts";
import { begin, finish, movingKey } from "../harness/moving.ts";
import { ALL_SLOTS, type Proxy, startProxy } from "../harness/proxy.ts";
import { startRedis } from "../harness/redis.ts";
import { connect, encode } from "../harness/resp-client.ts";
import {
  type ScriptedCodisServer,
  startScriptedCodisServer,
} from "../harness/scripted-codis-server.ts";
import { systemTest } from "../harness/system-test.ts";
import { until } from "../harness/until.ts";

const test = systemTest("redis-server");

/** The wrapper's answer when it has carried out a GET. */
const FOUND = "*2\r\n:2\r\n$4\r\nhere\r\n";

interface Product extends AsyncDisposable {
  readonly source: ScriptedCodisServer;
  readonly target: ScriptedCodisServer;
  readonly proxy: Proxy;
}

/** As an original dashboard pushes it: without epoch and revision. */
async function startMoving(method: number): Promise<Product> {
  await using stack = new AsyncDisposableStack();
  const source = stack.use(await startScriptedCodisServer());
  const target = stack.use(await startScriptedCodisServer());
  const slots = [{ addr: source.address, ...ALL_SLOTS }];
  const proxy = stack.use(await startProxy({ slots, ncpu: 2 }));
  await begin(proxy, source, target, { forward_method: method, migrate_epoch: 0 });
  const owned = stack.move();
  return { source, target, proxy, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

test("sync: the key and those with its tag move, then the command is carried out", async () => {
  await using product = await startMoving(0);
  const { source, target, proxy } = product;
  await source.call("MSET", movingKey("a"), "1", movingKey("b"), "2", keyOf(1), "stays");
  using client = await connect(proxy.port);
  expect(await client.call("INCR", movingKey("a"))).toBe(2);
  const [host, port] = target.address.split(":");
  expect(source.named("SLOTSMGRTTAGONE")).toEqual([
    ["SLOTSMGRTTAGONE", host, port, "3000", movingKey("a")],
  ]);
  expect(await source.call("DBSIZE")).toBe(1);
  expect(await client.call("MGET", movingKey("b"), keyOf(1), movingKey("none"))).toEqual([
    "2",
    "stays",
    null,
  ]);
  await finish(proxy, target);
  expect(await client.call("INCR", movingKey("a"))).toBe(3);
});

test("sync: a refusal is tried again until the time is over", async () => {
  await using product = await startMoving(0);
  const { source, proxy } = product;
  await source.call("SET", movingKey("a"), "1");
  let refusals = 2;
  source.script = ([name]) =>
    name === "SLOTSMGRTTAGONE" && refusals-- > 0 ? "-ERR something passes\r\n" : undefined;
  using client = await connect(proxy.port);
  expect(await client.call("INCR", movingKey("a"))).toBe(2);
  expect(refusals).toBeLessThan(0);
});

test("semi-async: the source carries commands out while it has the key", async () => {
  await using product = await startMoving(1);
  const { source, target, proxy } = product;
  const key = movingKey("a");
  await source.call("SET", key, "1");
  using client = await connect(proxy.port);
  expect(await client.call("INCR", key)).toBe(2);
  expect(await source.call("GET", key)).toBe("2");
  expect(await client.call("LPUSH", key, "x")).toEqual(
    expect.objectContaining({ message: expect.stringContaining("WRONGTYPE") }),
  );
  // One that is not there is the target's.
  expect(await client.call("SET", movingKey("new"), "x".repeat(200_000))).toBe("OK");
  expect(await target.call("STRLEN", movingKey("new"))).toBe(200_000);
  expect(source.named("SLOTSMGRT-EXEC-WRAPPER")[0]).toEqual([
    ...["SLOTSMGRT-EXEC-WRAPPER", key, "INCR", key],
  ]);
});

test("semi-async: a write waits while its key is on its way, and others behind it", async () => {
  await using product = await startMoving(1);
  const { source, target, proxy } = product;
  const key = movingKey("a");
  await source.call("SET", key, "1");
  source.migrating.add(key);
  using client = await connect(proxy.port);
  using other = await connect(proxy.port);
  client.send(Buffer.concat([encode("INCR", key), encode("GET", key), encode("INCR", key)]));
  await until(() => source.named("SLOTSMGRT-EXEC-WRAPPER").length > 8);
  expect(await other.call("GET", key)).toBe("1");
  expect(client.unreadBytes).toBe(0);
  expect(
    source.named("SLOTSMGRT-EXEC-WRAPPER").filter(([, , name]) => name === "GET"),
  ).toHaveLength(1);
  // The batch arrives, and the key is gone.
  await target.call("SET", key, "1");
  await source.call("DEL", key);
  source.migrating.clear();
  expect([await client.read(), await client.read(), await client.read()]).toEqual([2, "2", 3]);
  expect(await target.call("GET", key)).toBe("3");
});

test("semi-async: a source that is slow stops the sessions that feed it", async () => {
  await using source = startFaultyBackend();
  await using target = await startScriptedCodisServer();
  const slots = [{ addr: source.address, ...ALL_SLOTS }];
  await using proxy = await startProxy({ slots, config: { backend_max_pipeline: 10 } });
  const method = { forward_method: 1, migrate_epoch: 0 };
  await begin(proxy, source, target, { from: 0, to: 99, ...method });
  using client = await connect(proxy.port);
  client.send(Buffer.concat(Array.from({ length: 100 }, (_, i) => encode("GET", keyOf(i)))));
  await until(() => source.dataRequests.length === 10);
  // An answer from elsewhere shows that the proxy has read what it wants.
  using other = await connect(proxy.port);
  expect(await other.call("PING")).toBe("PONG");
  expect((await counters(proxy)).pausedBackend).toBe(1);
  source.script = ([name]) => (name === "SLOTSMGRT-EXEC-WRAPPER" ? FOUND : undefined);
  source.connections[0].send(FOUND.repeat(10));
  for (let i = 0; i < 100; i++) expect(await client.read()).toBe("here");
});

test("semi-async: commands with several keys move them first", async () => {
  await using product = await startMoving(1);
  const { source, target, proxy } = product;
  await source.call("SET", movingKey("a"), "1");
  using client = await connect(proxy.port);
  expect(await client.call("RENAME", movingKey("a"), movingKey("b"))).toBe("OK");
  expect(await target.call("GET", movingKey("b"))).toBe("1");
  expect(await source.call("DBSIZE")).toBe(0);
});

test("semi-async: an answer that is none of the wrapper's is the client's error", async () => {
  await using product = await startMoving(1);
  const { source, proxy } = product;
  const answers = ["-ERR no\r\n", "*2\r\n:-1\r\n-ERR invalid command specified (x)\r\n", "+OK\r\n"];
  source.script = ([name]) => (name === "SLOTSMGRT-EXEC-WRAPPER" ? answers.shift() : undefined);
  using client = await connect(proxy.port);
  for (let i = 0; i < 3; i++) {
    const reply = (await client.call("GET", movingKey("a"))) as ReplyError;
    expect(reply.message).toContain("handle response, bad slotsmgrt-exec-wrapper resp: ");
  }
  expect(await client.call("GET", movingKey("a"))).toBeNull();
});

test("MIGRATE: a source that knows neither users nor a login can send its keys", async () => {
  await using source = await startScriptedCodisServer({ args: ["--requirepass", "secret"] });
  await using target = await startRedis();
  await target.call("ACL", "SETUSER", "codis", "on", ">secret", "~*", "&*", "+@all");
  const rights = ["reset", "on", "nopass", "~*", "+restore", "+select"];
  await target.call("ACL", "SETUSER", "default", ...rights);
  const config = { product_auth: "secret", product_username: "codis" };
  const slots = [{ addr: source.address, ...ALL_SLOTS }];
  await using proxy = await startProxy({ config, slots });
  using client = await connect(proxy.port);
  await client.pipeline([
    ["SELECT", 3],
    ["SET", movingKey("a"), "1"],
    ["SELECT", 0],
  ]);
  await begin(proxy, source, target, { forward_method: 2 });
  const replies = await client.pipeline([
    ["SELECT", 3],
    ["INCR", movingKey("a")],
  ]);
  expect(replies).toEqual(["OK", 2]);
  expect(proxy.log()).toContain("keys are sent without a password");
});

test("MIGRATE: without MEMORY a key is large by the number of its elements", async () => {
  await using source = await startScriptedCodisServer();
  await using target = await startRedis();
  await using proxy = await startProxy({ slots: [{ addr: source.address, ...ALL_SLOTS }] });
  const members = (count: number): string[] => Array.from({ length: count }, (_, i) => `m${i}`);
  await source.call("SADD", movingKey("small"), ...members(1_000));
  await source.call("SADD", movingKey("large"), ...members(6_000));
  await begin(proxy, source, target, { forward_method: 2 });
  using client = await connect(proxy.port);
  expect(await client.call("SCARD", movingKey("small"))).toBe(1_000);
  client.send(encode("SCARD", movingKey("large")));
  await until(async () => {
    const { migration } = await proxy.get<{ migration: { big_keys: unknown[] } }>("/proxy/stats");
    return migration.big_keys.length === 1;
  });
  expect(await source.call("EXISTS", movingKey("large"))).toBe(1);
  expect(proxy.log()).not.toContain("without a look at their size");
});
