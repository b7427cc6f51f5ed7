// Reads from replicas, for slots that name some: which requests go there, and when the master has
// to answer instead.
import { expect } from "bun:test";
import { ReplyError } from "../../src/resp/value.ts";
import { type FaultyBackend, startFaultyBackend } from "../harness/faulty-backend.ts";
import { backends } from "../harness/figures.ts";
import { keyOf } from "../harness/keys.ts";
import { ALL_SLOTS, startProxy, type Proxy } from "../harness/proxy.ts";
import { startRedis, type Redis } from "../harness/redis.ts";
import { connect } from "../harness/resp-client.ts";
import { connectMany } from "../harness/sessions.ts";
import { systemTest } from "../harness/system-test.ts";
import { until } from "../harness/until.ts";

const test = systemTest("redis-server");

const INFO_OK = bulk("# Persistence\r\nloading:0\r\nmaster_link_status:up\r\n");
const INFO_LINK_DOWN = bulk("# Persistence\r\nloading:0\r\nmaster_link_status:down\r\n");

function bulk(text: string): string {
  return `$${text.length}\r\n${text}\r\n`;
}

/** A server that answers every GET with its own name and is otherwise content. */
function named(name: string): FaultyBackend {
  return startFaultyBackend(([command]) => (command === "GET" ? `+${name}\r\n` : "+OK\r\n"));
}

interface Layout {
  readonly master: { readonly address: string };
  /** Nearest first. */
  readonly groups: readonly (readonly { readonly address: string }[])[];
  readonly config?: Record<string, string | number | boolean>;
}

async function startWithReplicas({ master, groups, config }: Layout): Promise<Proxy> {
  const replica_groups = groups.map((group) => group.map((server) => server.address));
  const slots = [{ addr: master.address, replica_groups, ...ALL_SLOTS }];
  return startProxy({ config, slots });
}

/** Reads until the answer comes from there: replicas are connected when the first read asks. */
async function untilReadsCome(proxy: Proxy, from: string): Promise<void> {
  using client = await connect(proxy.port);
  await until(async () => (await client.call("GET", "key")) === from);
}

async function callsOf(server: Redis, command: string): Promise<number> {
  const info = String(await server.call("INFO", "commandstats"));
  return Number(new RegExp(`cmdstat_${command}:calls=(\\d+)`).exec(info)?.[1] ?? 0);
}

test("reads go to a real replica; writes and commands for the master do not", async () => {
  await using master = await startRedis({ args: ["--repl-diskless-sync-delay", "0"] });
  await using replica = await startRedis({ args: ["--replicaof", "127.0.0.1", `${master.port}`] });
  await until(async () =>
    String(await replica.call("INFO", "replication")).includes("master_link_status:up"),
  );
  await using proxy = await startWithReplicas({ master, groups: [[replica]] });
  using client = await connect(proxy.port);
  await client.pipeline([
    ["SET", "key", "value"],
    ["HSET", "hash", "field", "value"],
    ["SADD", "set", "member"],
    ["ZADD", "zset", 1, "member"],
  ]);
  await until(async () => (await replica.call("ZCARD", "zset")) === 1);
  await until(async () => {
    await client.call("GET", "key");
    return (await callsOf(replica, "get")) > 0;
  });
  const [onMaster, onReplica] = [await callsOf(master, "get"), await callsOf(replica, "get")];
  const requests = Array.from({ length: 50 }, () => ["GET", "key"]);
  expect(await client.pipeline(requests)).toEqual(requests.map(() => "value"));
  expect(await callsOf(master, "get")).toBe(onMaster);
  expect(await callsOf(replica, "get")).toBe(onReplica + 50);
  expect(await client.call("MGET", "key", "other", "hash")).toEqual(["value", null, null]);
  expect(await callsOf(master, "mget")).toBe(0);
  await client.pipeline([
    ["HSCAN", "hash", 0],
    ["SSCAN", "set", 0],
    ["ZSCAN", "zset", 0],
  ]);
  for (const command of ["hscan", "sscan", "zscan"]) {
    expect([await callsOf(master, command), await callsOf(replica, command)]).toEqual([1, 0]);
  }
  expect(await client.call("INCR", "number")).toBe(1);
  expect(await master.call("GET", "number")).toBe("1");
});

test("backend_primary_only ignores replicas", async () => {
  await using master = named("master");
  await using replica = named("replica");
  const config = { backend_primary_only: true };
  await using proxy = await startWithReplicas({ master, groups: [[replica]], config });
  using client = await connect(proxy.port);
  const requests = Array.from({ length: 20 }, () => ["GET", "key"]);
  expect(await client.pipeline(requests)).toEqual(requests.map(() => "master"));
  expect(replica.connections).toHaveLength(0);
});

test("the first group that has a usable replica is read, in the order of the list", async () => {
  await using master = named("master");
  await using near = named("near");
  await using far = named("far");
  await using proxy = await startWithReplicas({ master, groups: [[near], [far]] });
  await untilReadsCome(proxy, "near");
  const [farBefore, masterBefore] = [far.dataRequests.length, master.dataRequests.length];
  using client = await connect(proxy.port);
  const requests = Array.from({ length: 20 }, () => ["GET", "key"]);
  expect(await client.pipeline(requests)).toEqual(requests.map(() => "near"));
  expect([far.dataRequests.length, master.dataRequests.length]).toEqual([farBefore, masterBefore]);
  near.goDown();
  await untilReadsCome(proxy, "far");
  expect(await client.pipeline(requests)).toEqual(requests.map(() => "far"));
  far.goDown();
  await untilReadsCome(proxy, "master");
  expect(await client.pipeline(requests)).toEqual(requests.map(() => "master"));
  near.comeBack();
  await untilReadsCome(proxy, "near");
});

test("the replicas of one group share the sessions, and each session keeps to one", async () => {
  await using master = named("master");
  await using a = named("a");
  await using b = named("b");
  await using proxy = await startWithReplicas({ master, groups: [[a, b]] });
  using sessions = await connectMany(proxy.port, 10);
  await until(async () => {
    const first = await Promise.all(sessions.clients.map((client) => client.call("GET", "key")));
    return !first.includes("master");
  });
  const seen = new Set<string>();
  for (const client of sessions.clients) {
    const replies = await client.pipeline(Array.from({ length: 10 }, () => ["GET", "key"]));
    expect(new Set(replies).size).toBe(1);
    seen.add(String(replies[0]));
  }
  expect([...seen].sort()).toEqual(["a", "b"]);
});

test("a read is answered by the master while its replica cannot be reached", async () => {
  await using master = named("master");
  await using replica = named("replica");
  replica.goDown();
  await using proxy = await startWithReplicas({ master, groups: [[replica]] });
  using client = await connect(proxy.port);
  const requests = Array.from({ length: 100 }, () => ["GET", "key"]);
  expect(await client.pipeline(requests)).toEqual(requests.map(() => "master"));
  await until(async () => (await backends(proxy)).some((backend) => backend.state === "down"));
  expect(await client.pipeline(requests)).toEqual(requests.map(() => "master"));
  replica.comeBack();
  await untilReadsCome(proxy, "replica");
});

for (const trouble of ["LOADING Redis is loading the dataset in memory", "MASTERDOWN Link lost"]) {
  const [code] = trouble.split(" ");
  test(`a replica that says ${code} is left alone until it has recovered`, async () => {
    await using master = named("master");
    let isWell = false;
    let info = INFO_LINK_DOWN;
    await using replica = startFaultyBackend(([command]) => {
      if (command === "INFO") return info;
      if (command === "PING") return undefined;
      return isWell ? "+replica\r\n" : `-${trouble}\r\n`;
    });
    const config = { backend_ping_period: "100ms" };
    await using proxy = await startWithReplicas({ master, groups: [[replica]], config });
    using client = await connect(proxy.port);
    const replies: unknown[] = [];
    await until(async () => {
      replies.push(await client.call("GET", "key"));
      return replies.at(-1) instanceof ReplyError;
    });
    expect(replies.at(-1)).toEqual(new ReplyError(trouble));
    const requests = Array.from({ length: 100 }, () => ["GET", "key"]);
    expect(await client.pipeline(requests)).toEqual(requests.map(() => "master"));
    // It is asked how it is, and believed.
    await until(() => replica.dataRequests.filter(([command]) => command === "INFO").length > 2);
    expect(await client.call("GET", "key")).toBe("master");
    isWell = true;
    info = INFO_OK;
    await untilReadsCome(proxy, "replica");
  });
}

test("writes and reads of one session to the master keep their order", async () => {
  await using master = await startRedis();
  await using replica = named("replica");
  replica.goDown();
  await using proxy = await startWithReplicas({ master, groups: [[replica]] });
  using client = await connect(proxy.port);
  const requests = Array.from({ length: 500 }, (_, i) => [
    ["SET", keyOf(i), i],
    ["GET", keyOf(i)],
  ]).flat();
  const replies = await client.pipeline(requests);
  expect(replies).toEqual(Array.from({ length: 500 }, (_, i) => ["OK", `${i}`]).flat());
});
