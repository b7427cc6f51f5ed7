// A leader that stood still while a standby took over, and wakes up with a deletion in its hand:
// the coordinator refuses what it writes, and the servers must refuse what it sends.
import { expect } from "bun:test";
import { SLOT_COUNT } from "../../src/model/slot.ts";
import { type Dashboard, startDashboard } from "../harness/dashboard.ts";
import { startEtcd } from "../harness/etcd.ts";
import { keyOf } from "../harness/keys.ts";
import { type Redis, startRedis } from "../harness/redis.ts";
import { connect } from "../harness/resp-client.ts";
import { systemTest } from "../harness/system-test.ts";
import { until } from "../harness/until.ts";

const test = systemTest("etcd", "redis-server");

const SLOTS = 500;
const PAGE = 1_000;
const KEYS = Array.from({ length: 100 * PAGE }, (_, i) => keyOf(i % SLOTS, Math.floor(i / SLOTS)));

test("a leader that wakes up within a purge deletes nothing that was written since", async () => {
  await using etcd = await startEtcd();
  await using source = await startRedis();
  await using target = await startRedis();
  const config = {
    ...{ coordinator_name: "etcd", coordinator_addr: etcd.address, lease_timeout: "1s" },
    ...{ migration_parallel_slots: SLOTS, migration_duty_percent: 100 },
    migration_scan_count: PAGE,
  };
  await using first = await startDashboard({ config });
  for (const [i, { address }] of [source, target].entries()) {
    await first.put("createGroup", { gid: i + 1 });
    await first.put("addServer", { gid: i + 1, addr: address });
  }
  await first.assign(0, SLOT_COUNT - 1, 1);
  await using proxy = await first.startProxy();
  await using second = await startDashboard({ config, leads: false });
  await until(() => second.log().includes("standing by"));
  await setAll(target.port, "a leftover");
  await first.put("createSlotActionRange", { beg: 0, end: SLOTS - 1, gid: 2 });
  await stopWithinPage(first, target);
  // With its source dead the job does not come to the target under the second dashboard.
  await source.kill();
  await second.untilLeading();
  await second.put("cancelSlotActions", { beg: 0, end: SLOTS - 1 });
  await until(async () => (await second.slots()).every(({ action }) => action.state === undefined));
  await until(() => second.assign(0, SLOT_COUNT - 1, 2).then(() => true));
  await setAll(proxy.port, "acknowledged");
  expect(await target.call("DBSIZE")).toBe(KEYS.length);
  const before = first.log().length;
  first.signal("SIGCONT");
  await until(() => first.log().slice(before).includes("standing by"), { timeoutMs: 15_000 });
  expect(await target.call("DBSIZE")).toBe(KEYS.length);
}, 60_000);

async function setAll(port: number, value: string): Promise<void> {
  using client = await connect(port);
  for (let i = 0; i < KEYS.length; i += PAGE) {
    await client.pipeline(KEYS.slice(i, i + PAGE).map((key) => ["SET", key, value]));
  }
}

/** It has been told the names of keys, and has not ordered their deletion yet. */
async function stopWithinPage(dashboard: Dashboard, target: Redis): Promise<void> {
  await until(async () => {
    if (Number(await target.call("DBSIZE")) >= KEYS.length) return false;
    dashboard.signal("SIGSTOP");
    const list = String(await target.call("CLIENT", "LIST"));
    const left = Number(await target.call("DBSIZE"));
    if (left === 0) throw new Error("the purge has ended");
    const purge = list.split("\n").find((line) => /name=codis-\S+-purge /.test(line));
    if (purge?.includes("cmd=scan ")) return true;
    dashboard.signal("SIGCONT");
    return false;
  });
}
