// The built-in failover with real servers and proxies: it acts when the proxies see the same as the
// dashboard, and not before.
import { expect } from "bun:test";
import { printFigures, startCounting } from "../harness/counting.ts";
import { startReplicatedProduct } from "../harness/replicated-product.ts";
import { connect } from "../harness/resp-client.ts";
import { systemTest } from "../harness/system-test.ts";
import { until } from "../harness/until.ts";

const test = systemTest("redis-server");

const TIMEOUT_MS = 120_000;
const config = { watcher_enabled: true, watcher_down_after: "2s" };

for (const end of ["kill -9", "a hang"] as const) {
  test(
    `after ${end} of a master a replica takes over by itself`,
    async () => {
      await using product = await startReplicatedProduct({ replicas: 2, proxies: 2, config });
      const { dashboard, groups } = product;
      const [[master]] = groups;
      const load = await startCounting(product.ports, 4, { mayLose: true });
      if (end === "kill -9") await master.kill();
      else master.pause();
      const ended = performance.now();
      await until(async () => (await product.order(1))[0] !== master.address, {
        timeoutMs: 30_000,
      });
      const atSwitch = load.acknowledged;
      await until(() => load.acknowledged > atSwitch + 100, { timeoutMs: 30_000 });
      const recoveredMs = performance.now() - ended;
      printFigures(`watcher, ${end}: ${Math.round(recoveredMs)} ms`, await load.stop());
      expect(dashboard.log()).toMatch(/audit: group-\[1\] .*the watcher: [23] of 3 see/);
    },
    TIMEOUT_MS,
  );
}

test(
  "the dashboard does not act on its own view: proxies that reach the master outvote it",
  async () => {
    await using product = await startReplicatedProduct({ proxies: 2, config });
    const { dashboard, groups, proxies } = product;
    const [[master, replica]] = groups;
    for (const proxy of proxies) {
      using client = await connect(proxy.port);
      await client.call("SET", "key", "value");
    }
    // Only the dashboard loses it: its user may not log in any more.
    await master.call("ACL", "SETUSER", "default", "-info");
    await replica.call("CLIENT", "KILL", "TYPE", "master");
    await until(async () => {
      const { stats } = await dashboard.overview();
      return stats.group.stats[master.address].error !== undefined;
    });
    const seen = Date.now();
    await until(() => Date.now() - seen > 6_000);
    expect(await product.order(1)).toEqual([master.address, replica.address]);
    expect(dashboard.log()).not.toContain("the watcher");
  },
  TIMEOUT_MS,
);
