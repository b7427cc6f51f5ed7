// The proxy follows the sentinels by itself: real servers, real sentinels, no dashboard.
import { expect } from "bun:test";
import type { ProxyStats } from "../../src/model/proxy-stats.ts";
import { printFigures, startCounting } from "../harness/counting.ts";
import { ALL_SLOTS, assignSlots, startProxy, type Proxy } from "../harness/proxy.ts";
import { startRedis } from "../harness/redis.ts";
import { monitor, replicate } from "../harness/replication.ts";
import { connect } from "../harness/resp-client.ts";
import { startSentinels } from "../harness/sentinel.ts";
import { systemTest } from "../harness/system-test.ts";
import { until } from "../harness/until.ts";

const test = systemTest("redis-server");

const TIMEOUT_MS = 90_000;
const MONITORED = { name: "test-1", quorum: 2, downAfterMs: 1_000 };

async function sentinelsOf(proxy: Proxy): Promise<ProxyStats["sentinels"]> {
  return (await proxy.stats()).sentinels as ProxyStats["sentinels"];
}

async function placesOf(proxy: Proxy): Promise<Set<string | undefined>> {
  const slots = await proxy.get<{ backend_addr?: string }[]>("/proxy/slots");
  return new Set(slots.map((slot) => slot.backend_addr));
}

for (const end of ["kill -9", "a hang"] as const) {
  test(
    `after ${end} of a master its slots switch to the server that the sentinels promote`,
    async () => {
      await using sentinels = await startSentinels(3);
      await using master = await startRedis();
      await using replica = await startRedis();
      await replicate(replica, master);
      await monitor(sentinels.all, master, MONITORED);
      await using proxy = await startProxy({
        ncpu: 2,
        slots: [{ addr: master.address, ...ALL_SLOTS }],
      });
      await proxy.put("sentinels", { servers: sentinels.addresses, out_of_sync: true });
      await until(async () => (await sentinelsOf(proxy)).masters !== undefined);
      expect(await sentinelsOf(proxy)).toEqual({
        servers: [...sentinels.addresses],
        masters: { "1": master.address },
        watching: true,
      });
      const load = await startCounting([proxy.port], 8, { mayLose: true });
      if (end === "a hang") master.pause();
      else await master.kill();
      const atEnd = performance.now();
      await until(async () => (await placesOf(proxy)).has(replica.address), { timeoutMs: 60_000 });
      const switchedMs = performance.now() - atEnd;
      const before = load.acknowledged;
      await until(() => load.acknowledged > before + 100);
      const report = await load.stop();
      expect(await sentinelsOf(proxy)).toMatchObject({
        switched: true,
        masters: { "1": replica.address },
      });
      expect(await placesOf(proxy)).toEqual(new Set([replica.address]));
      // The dashboard's word ends it.
      await assignSlots(proxy, [{ addr: replica.address, ...ALL_SLOTS }]);
      expect((await sentinelsOf(proxy)).switched).toBeUndefined();
      printFigures(`${end}: switched after ${Math.round(switchedMs)} ms`, report);
    },
    TIMEOUT_MS,
  );
}

test("a verdict for a server that is no master is not followed", async () => {
  await using sentinels = await startSentinels(1);
  await using master = await startRedis();
  await using replica = await startRedis();
  await replicate(replica, master);
  // A sentinel that slept through a promotion and still monitors the server that was demoted.
  const [sentinel] = sentinels.all;
  await sentinel.call("SENTINEL", "monitor", "test-1", "127.0.0.1", replica.port, 1);
  await using proxy = await startProxy({ slots: [{ addr: master.address, ...ALL_SLOTS }] });
  await proxy.put("sentinels", { servers: sentinels.addresses });
  await until(() => proxy.log().includes("says that its role is slave"));
  expect(await placesOf(proxy)).toEqual(new Set([master.address]));
  using client = await connect(proxy.port);
  expect(await client.call("SET", "key", "value")).toBe("OK");
});

test("the same server under another name is not switched to", async () => {
  await using sentinels = await startSentinels(1);
  await using master = await startRedis();
  const [sentinel] = sentinels.all;
  await sentinel.call("SENTINEL", "monitor", "test-1", "127.0.0.1", master.port, 1);
  const addr = `localhost:${master.port}`;
  await using proxy = await startProxy({ slots: [{ addr, ...ALL_SLOTS }] });
  await proxy.put("sentinels", { servers: sentinels.addresses });
  await until(async () => (await sentinelsOf(proxy)).masters !== undefined);
  expect(await sentinelsOf(proxy)).toMatchObject({ masters: { "1": master.address } });
  expect(await placesOf(proxy)).toEqual(new Set([addr]));
  await proxy.put("sentinels", {});
  expect(await sentinelsOf(proxy)).toEqual({});
});
