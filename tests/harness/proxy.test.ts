// The proxy as the harness starts it, in each of the ways that other tests rely on.
import { expect } from "bun:test";
import { ALL_SLOTS, assignSlots, startProduct, startProxy } from "./proxy.ts";
import { startRedis } from "./redis.ts";
import { connect } from "./resp-client.ts";
import { systemTest } from "./system-test.ts";
import { until } from "./until.ts";

const test = systemTest("redis-server");

test("a proxy serves the slots that it is given through its admin API", async () => {
  await using redis = await startRedis();
  await using proxy = await startProxy({ slots: [{ addr: redis.address, ...ALL_SLOTS }] });
  using client = await connect(proxy.port);
  expect(await client.call("SET", "key", "value")).toBe("OK");
  expect(await redis.call("GET", "key")).toBe("value");
  const { ops, sessions } = await proxy.stats();
  expect(ops.total).toBe(1);
  expect(sessions.alive).toBe(1);
});

test("slots are assigned anew while the proxy runs", async () => {
  await using first = await startRedis();
  await using second = await startRedis();
  await using proxy = await startProxy({ slots: [{ addr: first.address, ...ALL_SLOTS }] });
  using client = await connect(proxy.port);
  await client.call("SET", "key", "1");
  await assignSlots(proxy, [{ addr: second.address, ...ALL_SLOTS }]);
  expect(await client.call("GET", "key")).toBeNull();
});

test("a product spreads its keys over all of its servers", async () => {
  await using product = await startProduct({ groups: 3 });
  using client = await connect(product.proxy.port);
  await client.pipeline(Array.from({ length: 100 }, (_, i) => ["SET", `key:${i}`, i]));
  const sizes = await Promise.all(product.servers.map((server) => server.call("DBSIZE")));
  expect(sizes.every((size) => Number(size) > 0)).toBe(true);
  expect(sizes.reduce<number>((sum, size) => sum + Number(size), 0)).toBe(100);
});

test("a proxy has the workers that it is told to have, and ends with status 0", async () => {
  await using proxy = await startProxy({ ncpu: 2, online: false });
  await until(async () => (await proxy.workerPids()).length === 2);
  expect(await proxy.stop()).toEqual({ code: 0, signal: null });
});

test("a proxy that cannot start shows its log in the error", async () => {
  await expect(startProxy({ config: { no_such_key: 1 } })).rejects.toThrow("no_such_key");
});
