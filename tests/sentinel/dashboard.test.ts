// A dashboard and its sentinels, all real: what is ordered, what is put right by itself, and
// failover under load.
import { expect } from "bun:test";
import { startDashboard } from "../harness/dashboard.ts";
import { printFigures, startCounting } from "../harness/counting.ts";
import { startReplicatedProduct, type ReplicatedProduct } from "../harness/replicated-product.ts";
import type { Redis } from "../harness/redis.ts";
import { awaitReplication, awaitSentinels, tell } from "../harness/replication.ts";
import { connect } from "../harness/resp-client.ts";
import { type Sentinels, startSentinels } from "../harness/sentinel.ts";
import { systemTest } from "../harness/system-test.ts";
import { until } from "../harness/until.ts";

const test = systemTest("redis-server");

const TIMEOUT_MS = 120_000;
// Of a new master they ask for the first time after a second: with "1s" they may switch once more.
const config = { sentinel_down_after: "2s", sentinel_failover_timeout: "10s" };

async function addAll(product: ReplicatedProduct, sentinels: Sentinels): Promise<void> {
  for (const addr of sentinels.addresses) await product.dashboard.put("addSentinel", { addr });
}

/** Every sentinel monitors exactly these groups, at these addresses. */
async function areMonitored(
  sentinels: Sentinels,
  masters: Readonly<Record<string, string>>,
): Promise<boolean> {
  for (const sentinel of sentinels.all) {
    const rows = (await sentinel.call("SENTINEL", "masters")) as string[][];
    const found = rows.map((row) => {
      const field = (name: string): string => row[row.indexOf(name) + 1];
      return [field("name"), `${field("ip")}:${field("port")}`];
    });
    if (!Bun.deepEquals(Object.fromEntries(found), masters)) return false;
  }
  return true;
}

/** Afterwards dashboard, sentinels and proxies all know the master of group 1. */
async function watchGroup(
  product: ReplicatedProduct,
  sentinels: Sentinels,
  master: Redis,
): Promise<void> {
  await addAll(product, sentinels);
  await until(() => areMonitored(sentinels, { "test-1": master.address }));
  await awaitSentinels(sentinels.all, "test-1");
  await until(async () => {
    const seen = await Promise.all(product.proxies.map((proxy) => proxy.stats()));
    return seen.every((stats) => (stats.sentinels as { masters?: unknown }).masters);
  });
}

test(
  "sentinels follow every change of groups without a resync",
  async () => {
    await using sentinels = await startSentinels(3);
    await using product = await startReplicatedProduct({ groups: 2, config });
    const { dashboard, groups } = product;
    const [[one, oneReplica], [two, twoReplica]] = groups;
    const monitored = (masters: Record<string, string>): Promise<boolean> =>
      until(() => areMonitored(sentinels, masters), { timeoutMs: 20_000 });
    await addAll(product, sentinels);
    await monitored({ "test-1": one.address, "test-2": two.address });
    await until(async () => {
      const { stats } = await dashboard.overview();
      return !stats.sentinels.model.out_of_sync && stats.sentinels.masters["2"] === two.address;
    });
    // The proxy has been told, and subscribes now.
    const shown = await until(async () => {
      const seen = (await product.proxies[0].stats()).sentinels as { watching?: boolean };
      return seen.watching === true && seen;
    });
    expect(shown).toMatchObject({ servers: [...sentinels.addresses], watching: true });
    const [first] = sentinels.addresses;
    const group = await dashboard.call("sentinelMonitored", { addr: first });
    expect(group).toMatchObject({ "test-1": { master: { quorum: "2", port: String(one.port) } } });
    expect(await dashboard.call("sentinelInfo", { addr: first })).toMatchObject({
      redis_mode: "sentinel",
    });
    // A promotion by hand.
    await dashboard.put("promoteServer", { gid: 1, addr: oneReplica.address });
    await monitored({ "test-1": oneReplica.address, "test-2": two.address });
    // A group that loses its servers.
    await dashboard.assign(0, 1023, 1);
    await dashboard.put("removeServer", { gid: 2, addr: twoReplica.address });
    await dashboard.put("removeServer", { gid: 2, addr: two.address });
    await monitored({ "test-1": oneReplica.address });
    // Somebody meddled with one of them, and one was away meanwhile.
    await sentinels.all[0].call("SENTINEL", "remove", "test-1");
    await sentinels.all[1].call("SENTINEL", "monitor", "test-7", "127.0.0.1", two.port, 2);
    await monitored({ "test-1": oneReplica.address });
    await dashboard.put("resyncSentinels");
    await dashboard.put("removeSentinel", { addr: first, force: 0 });
    expect(await sentinels.all[0].call("SENTINEL", "masters")).toEqual([]);
    await expect(dashboard.put("removeSentinel", { addr: first, force: 0 })).rejects.toThrow(
      `sentinel-[${first}] not found`,
    );
  },
  TIMEOUT_MS,
);

test("a sentinel that is not there is refused, and goes only by force", async () => {
  await using sentinels = await startSentinels(1);
  await using product = await startReplicatedProduct({ config });
  const { dashboard } = product;
  const [addr] = sentinels.addresses;
  await expect(dashboard.put("addSentinel", { addr: "127.0.0.1:1" })).rejects.toThrow(
    /127\.0\.0\.1:1 cannot be reached/,
  );
  await dashboard.put("addSentinel", { addr });
  await expect(dashboard.put("addSentinel", { addr })).rejects.toThrow("already exists");
  await sentinels.all[0].kill();
  await expect(dashboard.put("removeSentinel", { addr, force: 0 })).rejects.toThrow(
    "cannot be reached",
  );
  await dashboard.put("removeSentinel", { addr, force: 1 });
  await until(async () => {
    const { sentinels: model } = (await dashboard.overview()).stats;
    return Bun.deepEquals(model.model, { out_of_sync: false });
  });
});

test(
  "failover under load: the proxies go on at the new master, and the dashboard follows",
  async () => {
    await using sentinels = await startSentinels(3);
    await using product = await startReplicatedProduct({ replicas: 2, proxies: 2, config });
    const { dashboard, groups } = product;
    const [[master, ...replicas]] = groups;
    await addAll(product, sentinels);
    for (const { address } of replicas) {
      await dashboard.put("replicaGroups", { gid: 1, addr: address, value: 1 });
    }
    await until(() => areMonitored(sentinels, { "test-1": master.address }));
    await awaitSentinels(sentinels.all, "test-1", 2);
    await until(async () => {
      const seen = await Promise.all(product.proxies.map((proxy) => proxy.stats()));
      return seen.every((stats) => (stats.sentinels as { masters?: unknown }).masters);
    });
    const load = await startCounting(product.ports, 8, { mayLose: true });
    await until(() => load.acknowledged > 1_000);
    await master.kill();
    const ended = performance.now();
    await until(async () => (await product.order(1))[0] !== master.address, { timeoutMs: 60_000 });
    const before = load.acknowledged;
    await until(() => load.acknowledged > before + 100, { timeoutMs: 30_000 });
    const recoveredMs = Math.round(performance.now() - ended);
    printFigures(`failover by sentinels: ${recoveredMs} ms`, await load.stop());
    const [promoted] = await product.order(1);
    const other = replicas.find(({ address }) => address !== promoted)!;
    const next = replicas.find(({ address }) => address === promoted)!;
    await awaitReplication(other, next);
    await until(async () => {
      const group = await product.group(1);
      return !group.out_of_sync && group.promoting.state === undefined;
    });
    // Replica reads are kept for the replica that follows.
    await until(
      async () => {
        const slots =
          await product.proxies[0].get<{ replica_groups?: string[][] }[]>("/proxy/slots");
        const wanted = [[promoted, other.address], [other.address, promoted], [other.address]];
        return slots.every(({ replica_groups = [] }) =>
          wanted.some((each) => Bun.deepEquals(replica_groups.flat().sort(), [...each].sort())),
        );
      },
      { timeoutMs: 20_000 },
    );
    using client = await connect(product.proxies[0].port);
    expect(await client.call("SET", "key", "value")).toBe("OK");
    expect(await tell(next, "GET", "key")).toBe("value");
    // The old master comes back as a replica, by the sentinels' hand.
    await master.start();
    await awaitReplication(master, next);
  },
  TIMEOUT_MS,
);

test(
  "a dashboard that was away during a failover never sends the proxies back to the old master",
  async () => {
    await using sentinels = await startSentinels(3);
    await using product = await startReplicatedProduct({ proxies: 2, config });
    const { dashboard, groups } = product;
    const [[master, replica]] = groups;
    await watchGroup(product, sentinels, master);
    await dashboard.kill();
    await master.kill();
    const load = await startCounting(product.ports, 4, {
      mayLose: true,
      startTimeoutMs: 60_000,
    });
    const errors = load.errorCount;
    await dashboard.start();
    await until(async () => (await product.order(1))[0] === replica.address);
    const before = load.acknowledged;
    await until(() => load.acknowledged > before + 500);
    expect((await load.stop()).errorCount).toBe(errors);
  },
  TIMEOUT_MS,
);

test(
  "sentinels with a password, over servers with users, do all of a failover",
  async () => {
    const password = "of-the-sentinels";
    await using sentinels = await startSentinels(3, password);
    const login = {
      ...{ product_username: "codis", product_auth: "of-the-servers", sentinel_auth: password },
    };
    // Whoever has no login can only be told how the server is.
    const args = [
      ...["--user", ..."codis on >of-the-servers ~* &* +@all".split(" ")],
      ...["--user", ..."default on nopass -@all +info +ping".split(" ")],
    ];
    await using product = await startReplicatedProduct({
      ...{ config: { ...config, ...login }, proxy: { config: login }, redis: { args } },
    });
    const { dashboard, groups } = product;
    const [[master, replica]] = groups;
    await watchGroup(product, sentinels, master);
    await using stranger = await startDashboard();
    const [addr] = sentinels.addresses;
    await expect(stranger.put("addSentinel", { addr })).rejects.toThrow(
      /refuses the login \(NOAUTH .*\): set sentinel_auth/,
    );
    await master.kill();
    await until(async () => (await product.order(1))[0] === replica.address, { timeoutMs: 60_000 });
    using client = await connect(product.proxies[0].port);
    await until(async () => (await client.call("SET", "key", "value")) === "OK");
    expect(dashboard.log() + product.proxies[0].log()).not.toContain(password);
  },
  TIMEOUT_MS,
);
