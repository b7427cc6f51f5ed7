// Masters change while slots move between their groups: the migration pauses, and goes on with the
// new masters. Nothing is lost and nothing is there twice.
import { expect } from "bun:test";
import { startCounting, wrongCounts } from "../harness/counting.ts";
import { type ReplicatedProduct, startReplicatedProduct } from "../harness/replicated-product.ts";
import { tell } from "../harness/replication.ts";
import { connect } from "../harness/resp-client.ts";
import { systemTest } from "../harness/system-test.ts";
import { until } from "../harness/until.ts";

const test = systemTest("redis-server");

const KEYS = 20_000;

async function masterOf(product: ReplicatedProduct, gid: number): Promise<string> {
  return (await product.order(gid))[0];
}

test("both ends of a migration get new masters on its way", async () => {
  await using product = await startReplicatedProduct({
    groups: 2,
    proxies: 2,
    config: { migration_duty_percent: 20, migration_scan_count: 20 },
  });
  const { dashboard, groups, ports } = product;
  using client = await connect(ports[0]);
  for (let from = 0; from < KEYS; from += 1_000) {
    const sets = Array.from({ length: 1_000 }, (_, i) => ["SET", `k:${from + i}`, from + i]);
    await client.pipeline(sets);
  }
  const load = await startCounting(ports, 4);
  await dashboard.put("createSlotActionRange", { beg: 0, end: 511, gid: 2 });
  for (const gid of [1, 2, 1]) {
    await until(async () => (await dashboard.slots()).some(({ action }) => action.state));
    const [, next] = await product.order(gid);
    await until(async () => {
      const { servers } = await product.group(gid);
      return servers.some(({ server, action }) => server === next && action.state === "synced");
    });
    await dashboard.put("promoteServer", { gid, addr: next });
    expect(await masterOf(product, gid)).toBe(next);
  }
  await until(
    async () =>
      (await dashboard.slots()).every((each) => each.group_id === 2 && !each.action.state),
    { timeoutMs: 60_000 },
  );
  const report = await load.stop();
  expect(report.wrong).toEqual([]);
  const serverAt = async (gid: number) => {
    const address = await masterOf(product, gid);
    return groups.flat().find((server) => server.address === address)!;
  };
  const [source, target] = [await serverAt(1), await serverAt(2)];
  expect(await tell(source, "DBSIZE")).toBe(0);
  expect(await tell(target, "DBSIZE")).toBe(KEYS + report.last.size);
  expect(await wrongCounts(report, (key) => client.call("GET", key))).toEqual([]);
}, 120_000);
