// A proxy that its dashboard has shut out of a server: it answers with an error there, keeps its
// clients, says so, and serves again when it is let in.
import { expect } from "bun:test";
import { FENCE_KEY, proxyConnectionName } from "../../src/model/fence.ts";
import type { ReplyError } from "../../src/resp/value.ts";
import { startFaultyBackend } from "../harness/faulty-backend.ts";
import { keyOf } from "../harness/keys.ts";
import { begin, movingKey, startPair } from "../harness/moving.ts";
import { ALL_SLOTS, type Proxy, startProxy } from "../harness/proxy.ts";
import { type Redis, startRedis } from "../harness/redis.ts";
import { connect, encode } from "../harness/resp-client.ts";
import { systemTest } from "../harness/system-test.ts";
import { until } from "../harness/until.ts";

const test = systemTest("redis-server");

async function tokenOf(proxy: Proxy): Promise<string> {
  return (await proxy.get<{ token: string }>("/proxy/model")).token;
}

/** What a dashboard does: into the set first, then the connections. */
async function fence(redis: Redis, token: string): Promise<number> {
  await redis.call("SADD", FENCE_KEY, token);
  const list = String(await redis.call("CLIENT", "LIST"));
  const own = list.split("\n").filter((line) => line.includes(` name=codis-proxy-${token} `));
  for (const line of own) await redis.call("CLIENT", "KILL", "ID", /\bid=(\d+)/.exec(line)![1]);
  return own.length;
}

/** From all servers first, then it is told. */
async function letIn(proxy: Proxy, redis: Redis, token: string): Promise<void> {
  await redis.call("SREM", FENCE_KEY, token);
  await proxy.put("start");
}

test("a fenced proxy refuses that server's requests, says so, and comes back", async () => {
  await using redis = await startRedis();
  await using other = await startRedis();
  await using proxy = await startProxy({
    ncpu: 2,
    slots: [
      { addr: redis.address, from: 0, to: 511 },
      { addr: other.address, from: 512, to: 1023 },
    ],
  });
  const token = await tokenOf(proxy);
  using client = await connect(proxy.port);
  await client.call("SELECT", 2);
  expect(await client.call("SET", keyOf(1), "1")).toBe("OK");
  expect(await fence(redis, token)).toBe(1);
  const refused = await until(async () => {
    const reply = (await client.call("SET", keyOf(1), "2")) as ReplyError;
    return reply.message.includes("fenced") ? reply : null;
  });
  expect(refused?.message).toStartWith("ERR the proxy is fenced");
  expect(await client.call("SET", keyOf(600), "1")).toBe("OK");
  await until(async () => (await proxy.stats()).fenced === true);
  expect((await fetch(proxy.url("/readyz"))).status).toBe(503);
  // The other worker, and other databases, find out when they connect.
  using late = await connect(proxy.port);
  expect(((await late.call("GET", keyOf(2))) as ReplyError).message).toContain("fenced");
  await letIn(proxy, redis, token);
  await until(async () => (await client.call("GET", keyOf(1))) === "1");
  await until(async () => (await proxy.stats()).fenced === false);
  expect((await fetch(proxy.url("/readyz"))).status).toBe(200);
});

test("a server that has lost the fence with its data does not let the proxy in", async () => {
  await using redis = await startRedis();
  await using proxy = await startProxy({ slots: [{ addr: redis.address, ...ALL_SLOTS }] });
  const token = await tokenOf(proxy);
  using client = await connect(proxy.port);
  await client.call("GET", "key");
  await fence(redis, token);
  await until(async () => String(await client.call("GET", "key")).includes("fenced"));
  await redis.call("FLUSHALL");
  await redis.call("CONFIG", "RESETSTAT");
  // The proxy asks, and asks again.
  await until(async () => (await timesAsked(redis)) > 1);
  expect(String(await client.call("SET", "key", "value"))).toContain("fenced");
  expect(await redis.call("DBSIZE")).toBe(0);
  await letIn(proxy, redis, token);
  await until(async () => (await client.call("SET", "key", "value")) === "OK");
});

async function timesAsked(redis: Redis): Promise<number> {
  const info = String(await redis.call("INFO", "commandstats"));
  return Number(/cmdstat_sismember:calls=(\d+)/.exec(info)?.[1] ?? 0);
}

test("a request whose key would have to move hears of the fence at once", async () => {
  for (const end of ["source", "target"] as const) {
    // Nobody waits for so long here: the test would end first.
    await using pair = await startPair({ config: { slot_hold_timeout: "1h" } });
    await pair.source.call("MSET", movingKey("a"), "1", movingKey("b"), "2");
    await begin(pair.proxy, pair.source, pair.target);
    const token = await tokenOf(pair.proxy);
    await fence(pair[end], token);
    using client = await connect(pair.proxy.port);
    const key = movingKey("a");
    // The second waits for the first, and hears the same.
    const replies = (await client.pipeline([
      ["GET", key],
      ["RENAME", key, movingKey("b")],
    ])) as ReplyError[];
    for (const { message } of replies) expect(message).toStartWith("ERR the proxy is fenced");
    await letIn(pair.proxy, pair[end], token);
    await until(async () => (await client.call("GET", key)) === "1");
    expect(await pair.target.call("GET", key)).toBe("1");
  }
});

test("every connection names itself before it asks, and both before it selects", async () => {
  await using backend = startFaultyBackend(([name]) => (name === "GET" ? "+OK\r\n" : undefined));
  await using proxy = await startProxy({
    config: { product_auth: "secret", product_username: "proxy" },
    slots: [{ addr: backend.address, ...ALL_SLOTS }],
  });
  const token = await tokenOf(proxy);
  using client = await connect(proxy.port);
  client.send(Buffer.concat([encode("HELLO", "3"), encode("SELECT", 1), encode("GET", "key")]));
  await until(() => backend.dataRequests.length === 1);
  expect(backend.connections[0].requests.slice(0, 5)).toEqual([
    ["AUTH", "proxy", "secret"],
    ["HELLO", "3"],
    ["CLIENT", "SETNAME", proxyConnectionName(token)],
    ["SISMEMBER", FENCE_KEY, token],
    ["SELECT", "1"],
  ]);
});

test("a server that refuses to be a fence is served all the same", async () => {
  await using redis = await startRedis({
    args: ["--rename-command", "SISMEMBER", "", "--rename-command", "CLIENT", ""],
  });
  await using proxy = await startProxy({ slots: [{ addr: redis.address, ...ALL_SLOTS }] });
  using client = await connect(proxy.port);
  expect(await client.call("SET", "key", "value")).toBe("OK");
  expect(proxy.log()).toContain(`backend ${redis.address} does not support fences`);
});

test("the ACL user of product_username is who the proxy is", async () => {
  await using redis = await startRedis();
  await redis.call("ACL", "SETUSER", "codis", "on", ">secret", "~*", "&*", "+@all");
  await using proxy = await startProxy({
    config: { product_auth: "secret", product_username: "codis" },
    slots: [{ addr: redis.address, ...ALL_SLOTS }],
  });
  using client = await connect(proxy.port);
  expect(await client.call("SET", "key", "value")).toBe("OK");
  expect(String(await redis.call("CLIENT", "LIST"))).toContain("user=codis");
});
