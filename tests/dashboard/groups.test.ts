// Groups and their servers through the API of a real dashboard: the checks of the original, servers
// of every make, and replica reads.
import { expect } from "bun:test";
import { startDashboard, type Dashboard } from "../harness/dashboard.ts";
import { freePort } from "../harness/ports.ts";
import { keyOf } from "../harness/keys.ts";
import { type Redis, startRedis } from "../harness/redis.ts";
import { startReplicatedProduct } from "../harness/replicated-product.ts";
import { infoOf, tell } from "../harness/replication.ts";
import { connect } from "../harness/resp-client.ts";
import { systemTest } from "../harness/system-test.ts";
import { startSentinels } from "../harness/sentinel.ts";
import { until } from "../harness/until.ts";

const test = systemTest("redis-server");

/** The causes of calls that must be refused. */
async function refusals(calls: readonly Promise<void>[]): Promise<string[]> {
  const results = await Promise.allSettled(calls);
  return results.map((result) =>
    result.status === "rejected" ? String(result.reason.message) : "it was accepted",
  );
}

test("groups are created and removed by the rules of the original", async () => {
  await using dashboard = await startDashboard();
  await using redis = await startRedis();
  const create = (gid: number): Promise<void> => dashboard.put("createGroup", { gid });
  const remove = (gid: number): Promise<void> => dashboard.put("removeGroup", { gid });
  await create(1);
  await create(9999);
  expect(await refusals([create(0), create(10_000), create(1), remove(2)])).toEqual([
    expect.stringContaining("invalid group id = 0, out of range"),
    expect.stringContaining("invalid group id = 10000, out of range"),
    expect.stringContaining("group-[1] already exists"),
    expect.stringContaining("group-[2] doesn't exist"),
  ]);
  await dashboard.put("addServerIn", { gid: 1, addr: redis.address, datacenter: "here" });
  expect(await refusals([remove(1)])).toEqual([expect.stringContaining("group-[1] isn't empty")]);
  const { stats } = await dashboard.overview();
  expect(stats.group.models).toEqual([
    {
      id: 1,
      servers: [{ server: redis.address, datacenter: "here", action: {}, replica_group: false }],
      promoting: {},
      out_of_sync: false,
    },
    { id: 9999, servers: [], promoting: {}, out_of_sync: false },
  ]);
  await dashboard.put("removeServer", { gid: 1, addr: redis.address });
  await remove(1);
  await remove(9999);
  expect((await dashboard.overview()).stats.group.models).toEqual([]);
});

test("a server is in one group, answers, and is of a kind that can serve", async () => {
  await using dashboard = await startDashboard();
  await using redis = await startRedis();
  await using cluster = await startRedis({
    // Its second port would be one that connections take.
    args: ["--cluster-enabled", "yes", "--cluster-port", `${freePort()}`],
  });
  await using sentinels = await startSentinels(1);
  for (const gid of [1, 2]) await dashboard.put("createGroup", { gid });
  const add = (gid: number, addr: string): Promise<void> =>
    dashboard.put("addServer", { gid, addr });
  await add(1, redis.address);
  const causes = await refusals([
    add(2, redis.address),
    add(3, "127.0.0.1:1"),
    add(2, "nonsense"),
    add(2, cluster.address),
    add(2, sentinels.addresses[0]),
  ]);
  expect(causes).toEqual([
    expect.stringContaining(`server-[${redis.address}] already exists`),
    expect.stringContaining("server-[127.0.0.1:1] cannot be added"),
    expect.stringContaining("nonsense is not the host:port of a server"),
    expect.stringContaining("it runs in cluster mode"),
    expect.stringContaining("it is a sentinel"),
  ]);
  const shown = await until(async () => {
    const stats = (await dashboard.overview()).stats.group.stats[redis.address];
    return stats?.kind === undefined ? null : stats;
  });
  if (shown === null) throw new Error("there are no figures");
  expect(shown).toMatchObject({ kind: "redis", stats: { role: "master" } });
  expect(shown.version).toMatch(/^\d+\.\d+/);
});

test("a master leaves only as the last server, and when no slot needs it", async () => {
  await using product = await startReplicatedProduct();
  const { dashboard, groups } = product;
  const [[master, replica]] = groups;
  const remove = (redis: Redis): Promise<void> =>
    dashboard.put("removeServer", { gid: 1, addr: redis.address });
  const inUse = expect.stringContaining("group-[1] can't remove master, still in use");
  expect(await refusals([remove(master)])).toEqual([inUse]);
  await remove(replica);
  expect(await refusals([remove(master)])).toEqual([inUse]);
  await dashboard.assign(0, 1023, 0);
  await remove(master);
  expect((await product.group(1)).servers).toEqual([]);
});

test("reads go to a replica while that is on, and every proxy hears of it at once", async () => {
  await using product = await startReplicatedProduct({ proxies: 2 });
  const { dashboard, groups, proxies } = product;
  const [[master, replica]] = groups;
  const key = keyOf(7);
  using client = await connect(proxies[1].port);
  await client.call("SET", key, "value");
  const reads = async (redis: Redis): Promise<number> => {
    const stats = String(await redis.call("INFO", "commandstats"));
    return Number(/cmdstat_get:calls=(\d+)/.exec(stats)?.[1] ?? 0);
  };
  const set = (addr: string, value: number): Promise<void> =>
    dashboard.put("replicaGroups", { gid: 1, addr, value });
  await set(replica.address, 1);
  // The first read opens the connection, and is served by the master meanwhile.
  await until(async () => (await client.call("GET", key)) && (await reads(replica)) > 0);
  const before = await reads(replica);
  for (let i = 0; i < 5; i++) expect(await client.call("GET", key)).toBe("value");
  expect(await reads(replica)).toBe(before + 5);
  await dashboard.put("replicaGroupsAll", { value: 0 });
  const atMaster = await reads(master);
  for (let i = 0; i < 5; i++) expect(await client.call("GET", key)).toBe("value");
  expect([await reads(replica), await reads(master)]).toEqual([before + 5, atMaster + 5]);
  expect((await product.group(1)).servers.map((each) => each.replica_group)).toEqual([
    false,
    false,
  ]);
  expect(await refusals([set("127.0.0.1:1", 1)])).toEqual([
    expect.stringContaining("group-[1] doesn't have server-[127.0.0.1:1]"),
  ]);
  await dashboard.put("resyncGroup", { gid: 1 });
  await dashboard.put("resyncGroups");
  expect((await product.group(1)).out_of_sync).toBe(false);
});

/** The slots of a proxy that have replicas. */
async function slotsWithReplicas(dashboard: Dashboard): Promise<number> {
  const slots = await dashboard.call<readonly { replica_groups?: unknown }[]>("plainSlots");
  return slots.filter((slot) => slot.replica_groups !== undefined).length;
}

test("a replica that loses its master gets no reads until it follows again", async () => {
  await using product = await startReplicatedProduct();
  const { dashboard, groups, proxies } = product;
  const [[master, replica]] = groups;
  await dashboard.put("replicaGroups", { gid: 1, addr: replica.address, value: 1 });
  // Unless the last poll is of before the sync: then after three good ones.
  await until(async () => (await slotsWithReplicas(dashboard)) === 1024);
  await using stranger = await startRedis();
  await tell(replica, "REPLICAOF", "127.0.0.1", stranger.port);
  await until(async () => (await slotsWithReplicas(dashboard)) === 0);
  await until(async () => {
    const list = await proxies[0].get<{ replica_groups?: unknown }[]>("/proxy/slots");
    return list.every((slot) => slot.replica_groups === undefined);
  });
  await tell(replica, "REPLICAOF", "127.0.0.1", master.port);
  await until(async () => (await slotsWithReplicas(dashboard)) === 1024, { timeoutMs: 20_000 });
});

test("a sync action is done when the first sync is, and says so when it cannot be", async () => {
  await using product = await startReplicatedProduct({ replicas: 2 });
  const { dashboard, groups } = product;
  const [[master, replica, other]] = groups;
  const create = (addr: string): Promise<void> => dashboard.put("createSyncAction", { addr });
  const remove = (addr: string): Promise<void> => dashboard.put("removeSyncAction", { addr });
  const stateOf = async (redis: Redis): Promise<string | undefined> => {
    const { servers } = await product.group(1);
    return servers.find(({ server }) => server === redis.address)?.action.state;
  };
  // A copy that takes a while: the master sends nothing as long as it stands still.
  await tell(replica, "REPLICAOF", "NO", "ONE");
  await tell(master, "CONFIG", "SET", "repl-diskless-sync-delay", "2");
  await create(replica.address);
  await until(async () => (await stateOf(replica)) === "syncing");
  // It is told after that, and ends the connections it has.
  await until(async () => (await infoOf(replica)).get("master_link_status") === "down");
  expect(await stateOf(replica)).toBe("syncing");
  await until(async () => (await stateOf(replica)) === "synced");
  expect((await infoOf(replica)).get("master_link_status")).toBe("up");
  await tell(master, "CONFIG", "SET", "repl-diskless-sync-delay", "0");
  // One that is down keeps its order until it is back.
  await other.kill();
  await until(async () => {
    const { stats } = await dashboard.overview();
    return stats.group.stats[other.address].error !== undefined;
  });
  await create(other.address);
  expect(await refusals([create(other.address), create("127.0.0.1:1")])).toEqual([
    expect.stringContaining(`server-[${other.address}] action already exist`),
    expect.stringContaining("server-[127.0.0.1:1] doesn't exist"),
  ]);
  await other.start();
  await until(async () => (await stateOf(other)) === "synced");
  expect((await infoOf(other)).get("master_port")).toBe(String(master.port));
  await remove(other.address);
  expect(await refusals([remove(other.address)])).toEqual([
    expect.stringContaining(`server-[${other.address}] action doesn't exist`),
  ]);
});

test("an order that was under way when the dashboard died is finished by the next", async () => {
  await using product = await startReplicatedProduct();
  const { dashboard, groups } = product;
  const [[master, replica]] = groups;
  await tell(replica, "REPLICAOF", "NO", "ONE");
  await tell(master, "CONFIG", "SET", "repl-diskless-sync-delay", "3");
  await dashboard.put("createSyncAction", { addr: replica.address });
  await until(async () => (await product.group(1)).servers[1].action.state === "syncing");
  await dashboard.kill();
  // What it had sent is lost with the server.
  await tell(replica, "REPLICAOF", "NO", "ONE");
  await dashboard.start();
  await until(async () => (await product.group(1)).servers[1].action.state === "synced", {
    timeoutMs: 20_000,
  });
  expect((await infoOf(replica)).get("master_port")).toBe(String(master.port));
});
