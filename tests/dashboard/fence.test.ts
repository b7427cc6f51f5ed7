// Where a proxy that cannot be reached has to be shut out: replicas, servers that are full, servers
// with ACL users; and proxies of the original, which cannot be shut out at all.
import { expect } from "bun:test";
import { slotOfKey } from "../../src/model/slot.ts";
import { type Dashboard, startDashboard } from "../harness/dashboard.ts";
import type { Proxy } from "../harness/proxy.ts";
import { type Redis, startRedis } from "../harness/redis.ts";
import { connect } from "../harness/resp-client.ts";
import { StandInProxy } from "../harness/stand-ins.ts";
import { systemTest } from "../harness/system-test.ts";
import { until } from "../harness/until.ts";

const test = systemTest("redis-server");

const FENCE = "\0codis:fence";

async function freeze(proxy: Proxy): Promise<() => void> {
  const pids = [proxy.pid, ...(await proxy.workerPids())];
  for (const pid of pids) process.kill(pid, "SIGSTOP");
  return () => {
    for (const pid of pids) process.kill(pid, "SIGCONT");
  };
}

async function tokenOf(dashboard: Dashboard): Promise<string> {
  return (await dashboard.overview()).stats.proxy.models[0].token;
}

/** Connections of that proxy at a server. */
async function connections(redis: Redis, token: string): Promise<number> {
  const list = String(await redis.call("CLIENT", "LIST"));
  return list.split("\n").filter((line) => line.includes(`name=codis-proxy-${token} `)).length;
}

async function isLetIn(dashboard: Dashboard): Promise<boolean> {
  return (await dashboard.overview()).stats.proxy.models.every(({ fenced }) => fenced !== true);
}

test("a hung proxy is shut out of replicas as well, by way of their master", async () => {
  await using dashboard = await startDashboard();
  await using master = await startRedis();
  await using replica = await startRedis({ args: ["--replicaof", "127.0.0.1", `${master.port}`] });
  await using other = await startRedis();
  await until(async () => String(await replica.call("INFO")).includes("master_link_status:up"));
  await dashboard.storeGroups([[master.address, replica.address], [other.address]]);
  await dashboard.assign(0, 1023, 1);
  await dashboard.put("replicaGroups", { gid: 1, addr: replica.address, value: 1 });
  await using proxy = await dashboard.startProxy();
  const token = await tokenOf(dashboard);
  using client = await connect(proxy.port);
  expect(await client.call("SET", "key", "value")).toBe("OK");
  await until(async () => (await client.call("GET", "key")) === "value");
  await until(async () => (await connections(replica, token)) > 0, { what: "reads go there" });
  const thaw = await freeze(proxy);
  await dashboard.assign(slotOfKey("key"), slotOfKey("key"), 2);
  for (const server of [master, replica]) {
    expect(await server.call("SMEMBERS", FENCE)).toEqual([token]);
    expect(await connections(server, token)).toBe(0);
  }
  // A replica may lose the set again, and a change that concerns it does not count on it. (One that
  // takes writes need not be waited for.)
  await replica.call("CONFIG", "SET", "replica-read-only", "no");
  await replica.call("DEL", FENCE);
  const stays = slotOfKey("key") ^ 1;
  await until(async () => {
    await dashboard.assign(stays, stays, 1);
    return (await replica.call("SISMEMBER", FENCE, token)) === 1;
  });
  await replica.call("CONFIG", "SET", "replica-read-only", "yes");
  thaw();
  await until(() => isLetIn(dashboard), { what: "it is let in" });
  expect(await client.call("GET", "key")).toBeNull();
  await until(async () => (await replica.call("EXISTS", FENCE)) === 0);
});

test("a server that is full takes the fence all the same", async () => {
  await using dashboard = await startDashboard();
  await using full = await startRedis();
  await using other = await startRedis();
  await dashboard.storeGroups([[full.address], [other.address]]);
  await dashboard.assign(0, 1023, 1);
  await using proxy = await dashboard.startProxy();
  await full.call("CONFIG", "SET", "maxmemory", "1");
  expect(String(await full.call("SET", "a", "b"))).toContain("OOM");
  const thaw = await freeze(proxy);
  await dashboard.assign(0, 1023, 2);
  expect(await full.call("SMEMBERS", FENCE)).toEqual([await tokenOf(dashboard)]);
  await full.call("CONFIG", "SET", "maxmemory", "0");
  thaw();
  await until(() => isLetIn(dashboard), { what: "it is let in" });
});

test("an ACL user of the product is enough for polls and fences", async () => {
  const login = { product_username: "codis", product_auth: "a-password" };
  await using dashboard = await startDashboard({ config: login });
  await using first = await startRedis();
  await using second = await startRedis();
  for (const server of [first, second]) {
    await server.call("ACL", "SETUSER", "codis", "on", ">a-password", "~*", "+@all", "-config");
    await server.call("ACL", "SETUSER", "default", "resetpass", ">other");
  }
  await dashboard.storeGroups([[first.address], [second.address]]);
  await dashboard.assign(0, 1023, 1);
  await using proxy = await dashboard.startProxy({ config: login });
  using client = await connect(proxy.port);
  expect(await client.call("SET", "key", "value")).toBe("OK");
  await until(async () => {
    const { stats } = (await dashboard.overview()).stats.group;
    return stats[first.address]?.stats?.role === "master";
  });
  const thaw = await freeze(proxy);
  await dashboard.assign(0, 1023, 2);
  thaw();
  await until(() => isLetIn(dashboard), { what: "it is let in" });
  expect(await client.call("GET", "key")).toBeNull();
});

test("what is left of a fence is taken away, and the proxy believes it", async () => {
  await using dashboard = await startDashboard();
  await using server = await startRedis();
  await dashboard.storeGroups([[server.address]]);
  await dashboard.assign(0, 1023, 1);
  await using proxy = await dashboard.startProxy();
  using client = await connect(proxy.port);
  expect(await client.call("SET", "key", "value")).toBe("OK");
  // As when the server did not answer the dashboard while it let the proxy in.
  await server.call("SADD", FENCE, await tokenOf(dashboard));
  await server.call("CLIENT", "KILL", "TYPE", "normal");
  await until(async () => (await server.call("EXISTS", FENCE)) === 0);
  await until(async () => (await client.call("GET", "key")) === "value");
});

test("a proxy that was removed by force stays shut out of servers old and new", async () => {
  await using dashboard = await startDashboard();
  await using server = await startRedis();
  await using added = await startRedis();
  await dashboard.storeGroups([[server.address], []]);
  await dashboard.assign(0, 1023, 1);
  await using proxy = await dashboard.startProxy();
  const token = await tokenOf(dashboard);
  proxy.signal("SIGKILL");
  await proxy.exited;
  await dashboard.put("removeProxy", { token, force: 1 });
  expect((await dashboard.overview()).stats.proxy.models).toEqual([]);
  // It might live on behind a broken line, whatever happens to the servers and the dashboard.
  await server.call("FLUSHALL");
  await dashboard.restart();
  await dashboard.put("addServer", { gid: 2, addr: added.address });
  for (const each of [server, added]) {
    await until(async () => (await each.call("SISMEMBER", FENCE, token)) === 1);
  }
  await proxy.start();
  await dashboard.put("createProxy", { addr: `127.0.0.1:${proxy.adminPort}` });
  using client = await connect(proxy.port);
  await until(async () => (await client.call("SET", "key", "value")) === "OK");
  for (const each of [server, added]) {
    await until(async () => (await each.call("EXISTS", FENCE)) === 0);
  }
  expect(await isLetIn(dashboard)).toBe(true);
});

test("proxies of the original must all acknowledge", async () => {
  await using dashboard = await startDashboard();
  await using first = await startRedis();
  await using second = await startRedis();
  await dashboard.storeGroups([[first.address], [second.address]]);
  const original = await StandInProxy.start(1, { closed: false, ops: {}, sessions: {} });
  await dashboard.put("createProxy", { addr: original.model.admin_addr });
  expect(original.isOnline).toBe(true);
  await dashboard.assign(0, 9, 1);
  expect(original.slots.get(9)?.backend_addr).toBe(first.address);
  const { models } = (await dashboard.overview()).stats.proxy;
  expect(models[0].fencing).toBeUndefined();
  // Its figures do not tell that it was restarted in the middle of its bring-up.
  original.restart();
  await until(() => original.slots.get(9)?.backend_addr === first.address);
  original[Symbol.dispose]();
  const refused = await dashboard.assign(0, 9, 2).catch(String);
  expect(refused).toContain(`proxy-[${original.model.token}] resync slots failed`);
  expect(refused).toContain("it is a proxy of the original, which cannot be shut out");
  await dashboard.put("removeProxy", { token: original.model.token, force: 1 });
  await dashboard.assign(0, 9, 2);
  expect(await first.call("EXISTS", FENCE)).toBe(0);
});
