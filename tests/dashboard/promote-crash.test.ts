// The dashboard dies, by kill -9, in each state of a promotion, under load. The one that is started
// afterwards finishes what was begun, and nothing that was acknowledged is lost.
import { expect } from "bun:test";
import {
  type Counting,
  type CountingReport,
  startCounting,
  wrongCounts,
} from "../harness/counting.ts";
import type { Proxy } from "../harness/proxy.ts";
import { Random, seedFromEnv } from "../harness/random.ts";
import type { Redis } from "../harness/redis.ts";
import {
  awaitSynced,
  type ReplicatedProduct,
  startReplicatedProduct,
} from "../harness/replicated-product.ts";
import { infoOf, tell } from "../harness/replication.ts";
import { startSentinels } from "../harness/sentinel.ts";
import { systemTest } from "../harness/system-test.ts";
import { until } from "../harness/until.ts";

const test = systemTest("redis-server");

const TIMEOUT_MS = 120_000;

async function stateOf(product: ReplicatedProduct): Promise<string | undefined> {
  return (await product.group(1)).promoting.state;
}

/** The order stands, the replica is master, the old one follows, and every counter is there. */
async function expectPromoted(
  product: ReplicatedProduct,
  report: CountingReport,
  [master, replica]: readonly Redis[],
): Promise<void> {
  expect(await product.order(1)).toEqual([replica.address, master.address]);
  expect((await infoOf(replica)).get("role")).toBe("master");
  await awaitSynced(product, 1, master, replica);
  expect(report.wrong).toEqual([]);
  expect(await wrongCounts(report, (key) => tell(replica, "GET", key))).toEqual([]);
}

/** Every proxy holds all slots, and its log says that it is done with the push that told it to. */
async function isHeld({ proxies }: ReplicatedProduct): Promise<boolean> {
  for (const proxy of proxies) {
    const slots = await proxy.get<{ locked?: boolean }[]>("/proxy/slots");
    if (!slots.every(({ locked }) => locked === true)) return false;
    const log = proxy.log();
    if (log.lastIndexOf("slots filled") < log.lastIndexOf("/api/proxy/fillmerged")) return false;
  }
  return true;
}

/** The promotion has come to its end, and clients go on. */
async function untilServing(product: ReplicatedProduct, load: Counting): Promise<void> {
  await until(async () => (await stateOf(product)) === undefined, { timeoutMs: 30_000 });
  const before = load.acknowledged;
  await until(() => load.acknowledged > before + 100);
}

/**
 * Nobody has to wait for the answer: a dashboard that is about to die gives none. It comes in an
 * object, or whoever awaits `promoteStandingStill` would wait for it as well.
 */
function promote(product: ReplicatedProduct, replica: Redis): { promotion: Promise<void> } {
  const promotion = product.dashboard.put("promoteServer", { gid: 1, addr: replica.address });
  promotion.catch(() => {});
  return { promotion };
}

/**
 * The same, and the replica stands still before it has caught up. A proxy that does not answer
 * keeps the promotion at the hold until then; by itself it might be over before anybody looks.
 */
async function promoteStandingStill(
  product: ReplicatedProduct,
  replica: Redis,
): Promise<{ promotion: Promise<void> }> {
  const [, slow] = product.proxies;
  slow.pause();
  const ordered = promote(product, replica);
  await until(async () => (await stateOf(product)) === "prepared");
  replica.pause();
  slow.resume();
  return ordered;
}

test(
  "killed in 'preparing': while the sentinels are asked to let go",
  async () => {
    await using sentinels = await startSentinels(1);
    await using product = await startReplicatedProduct({ proxies: 2 });
    const [servers] = product.groups;
    await product.dashboard.put("addSentinel", { addr: sentinels.addresses[0] });
    await until(async () => (await sentinels.all[0].masterOf("test-1")) !== "");
    const load = await startCounting(product.ports, 4);
    sentinels.all[0].pause();
    promote(product, servers[1]);
    await until(async () => (await stateOf(product)) === "preparing");
    await product.dashboard.kill();
    await product.dashboard.start();
    await untilServing(product, load);
    sentinels.all[0].resume();
    await expectPromoted(product, await load.stop(), servers);
    await until(async () => (await sentinels.all[0].masterOf("test-1")) === servers[1].address, {
      timeoutMs: 30_000,
    });
  },
  TIMEOUT_MS,
);

test(
  "killed in 'prepared': while the slots are held and the replica has not caught up",
  async () => {
    await using product = await startReplicatedProduct({ proxies: 2 });
    const [servers] = product.groups;
    const load = await startCounting(product.ports, 4);
    await promoteStandingStill(product, servers[1]);
    await until(() => isHeld(product));
    await product.dashboard.kill();
    servers[1].resume();
    await product.dashboard.start();
    await untilServing(product, load);
    await expectPromoted(product, await load.stop(), servers);
  },
  TIMEOUT_MS,
);

test(
  "killed in 'finished': while a proxy has not been told of the new master",
  async () => {
    await using product = await startReplicatedProduct({ proxies: 2 });
    const [servers] = product.groups;
    const load = await startCounting(product.ports, 4);
    await promoteStandingStill(product, servers[1]);
    await until(() => isHeld(product));
    product.proxies[1].signal("SIGSTOP");
    servers[1].resume();
    await until(async () => (await stateOf(product)) === "finished");
    await product.dashboard.kill();
    product.proxies[1].signal("SIGCONT");
    await product.dashboard.start();
    await untilServing(product, load);
    await expectPromoted(product, await load.stop(), servers);
  },
  TIMEOUT_MS,
);

test(
  "a replica that does not catch up is given up, and the old master serves on",
  async () => {
    await using product = await startReplicatedProduct({
      proxies: 2,
      config: { promote_timeout: "1s" },
    });
    const [[master, replica]] = product.groups;
    const load = await startCounting(product.ports, 4);
    const { promotion } = await promoteStandingStill(product, replica);
    await expect(promotion).rejects.toThrow(/group-\[1\] keeps its master .*after 1000 ms/);
    replica.resume();
    const before = load.acknowledged;
    await until(() => load.acknowledged > before + 100);
    const report = await load.stop();
    expect(report.wrong).toEqual([]);
    expect([...report.errors]).toEqual([]);
    expect(await product.order(1)).toEqual([master.address, replica.address]);
    expect((await product.group(1)).promoting).toEqual({});
    await awaitSynced(product, 1, replica, master);
  },
  TIMEOUT_MS,
);

for (const end of ["is dead", "hangs"] as const) {
  test(
    `a replica takes over from a master that ${end}, and the log says what may be lost`,
    async () => {
      await using product = await startReplicatedProduct({ replicas: 2, proxies: 2 });
      const { dashboard, groups } = product;
      const [[master, replica, other]] = groups;
      const load = await startCounting(product.ports, 4, { mayLose: true });
      if (end === "is dead") await master.kill();
      else master.pause();
      await dashboard.put("promoteServer", { gid: 1, addr: replica.address });
      const before = load.acknowledged;
      await until(() => load.acknowledged > before + 100);
      await load.stop();
      expect(dashboard.log()).toContain(`audit: ${master.address} is dead. ${replica.address} has`);
      const order = [replica.address, other.address, master.address];
      expect(await product.order(1)).toEqual(order);
      await awaitSynced(product, 1, other, replica);
      // The old master follows when it is back.
      if (end === "is dead") await master.start();
      else master.resume();
      await awaitSynced(product, 1, master, replica);
      expect(await product.order(1)).toEqual(order);
    },
    TIMEOUT_MS,
  );
}

test(
  "a replica takes over when the machine of its master and of a proxy is gone",
  async () => {
    await using product = await startReplicatedProduct({ proxies: 2 });
    const { dashboard, groups, proxies } = product;
    const [[master, replica]] = groups;
    const load = await startCounting([proxies[0].port], 4, { mayLose: true });
    await Promise.all([master.kill(), killWhole(proxies[1])]);
    await dashboard.put("promoteServer", { gid: 1, addr: replica.address });
    const before = load.acknowledged;
    await until(() => load.acknowledged > before + 100);
    await load.stop();
    const { stats } = await dashboard.overview();
    expect(stats.proxy.models.filter(({ fenced }) => fenced).length).toBe(1);
    await master.start();
    await awaitSynced(product, 1, master, replica);
  },
  TIMEOUT_MS,
);

/** The workers as well: a parent that is killed alone leaves them to their requests. */
async function killWhole(proxy: Proxy): Promise<void> {
  const pids = await proxy.workerPids();
  proxy.pause(); // it would replace them
  for (const pid of pids) process.kill(pid, "SIGKILL");
  proxy.signal("SIGKILL");
  await proxy.exited;
}

test(
  "killed at random moments of promotions to and fro, it loses nothing",
  async () => {
    await using product = await startReplicatedProduct({ proxies: 2 });
    const { dashboard, groups } = product;
    const [servers] = groups;
    const random = new Random(seedFromEnv());
    const load = await startCounting(product.ports, 4);
    for (let round = 0; round < 6; round++) {
      const before = load.acknowledged;
      await until(() => load.acknowledged > before + 50, { timeoutMs: 30_000 });
      const [old, next] = (await product.order(1)).map((address) =>
        servers.find((server) => server.address === address),
      );
      if (old === undefined || next === undefined) throw new Error("the order has strangers");
      await awaitSynced(product, 1, next, old);
      promote(product, next);
      const deadMs = performance.now() + random.below(80);
      await until(() => performance.now() > deadMs);
      await dashboard.restart();
      await until(async () => (await stateOf(product)) === undefined, { timeoutMs: 30_000 });
    }
    const report = await load.stop();
    expect([random.seed, report.wrong]).toEqual([random.seed, []]);
    const [address] = await product.order(1);
    const serving = servers.find((server) => server.address === address)!;
    expect(await wrongCounts(report, (key) => tell(serving, "GET", key))).toEqual([]);
  },
  TIMEOUT_MS,
);
