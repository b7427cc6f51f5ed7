// Jobs of a product with codis-servers or with proxies of the original. Neither is installed here:
// scripted stand-ins answer as they do.
import { expect } from "bun:test";
import type { SlotMapping } from "../../src/model/slot-mapping.ts";
import type { TopomStats } from "../../src/model/topom-stats.ts";
import { type Dashboard, type DashboardOptions, startDashboard } from "../harness/dashboard.ts";
import { keyOf } from "../harness/keys.ts";
import type { Proxy } from "../harness/proxy.ts";
import { type Redis, startRedis } from "../harness/redis.ts";
import { connect, type RespClient } from "../harness/resp-client.ts";
import {
  type ScriptedCodisServer,
  startScriptedCodisServer,
} from "../harness/scripted-codis-server.ts";
import { StandInProxy } from "../harness/stand-ins.ts";
import { systemTest } from "../harness/system-test.ts";
import { until } from "../harness/until.ts";

const test = systemTest("redis-server");

const LAST = 19; // slots 0 to LAST have a key each

interface Product extends AsyncDisposable {
  readonly dashboard: Dashboard;
  readonly proxy: Proxy;
  readonly client: RespClient;
}

/** Group 1, with all slots and keys, is the first address, group 2 the second. */
async function start(
  addresses: readonly string[],
  config: DashboardOptions["config"] = {},
): Promise<Product> {
  await using stack = new AsyncDisposableStack();
  const dashboard = stack.use(await startDashboard({ config }));
  for (const [i, addr] of addresses.entries()) {
    await dashboard.put("createGroup", { gid: i + 1 });
    await dashboard.put("addServer", { gid: i + 1, addr });
  }
  await dashboard.assign(0, 1023, 1);
  const proxy = stack.use(await dashboard.startProxy({ config }));
  const client = stack.use(await connect(proxy.port));
  for (let slot = 0; slot <= LAST; slot++) await client.call("SET", keyOf(slot), slot);
  const owned = stack.move();
  return { dashboard, proxy, client, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

async function move({ dashboard }: Product): Promise<void> {
  await dashboard.put("createSlotActionRange", { beg: 0, end: LAST, gid: 2 });
}

async function statsOf({ dashboard }: Product): Promise<TopomStats> {
  return (await dashboard.overview()).stats;
}

async function movingSlots(product: Product): Promise<SlotMapping[]> {
  return (await statsOf(product)).slots.slice(0, LAST + 1);
}

async function untilArrived(product: Product): Promise<void> {
  await until(async () => {
    const { slots, slot_action } = await statsOf(product);
    const have = slots.filter(
      ({ group_id, action }) => group_id === 2 && action.state === undefined,
    );
    return have.length === LAST + 1 && (slot_action.jobs ?? []).length === 0;
  });
}

/** Every value is still there for clients, and can be written. */
async function expectAll({ client }: Product): Promise<void> {
  for (let slot = 0; slot <= LAST; slot++) {
    expect(await client.call("INCR", keyOf(slot))).toBe(slot + 1);
  }
}

/** What docs/migration.md says of a target that codis-server sends keys to. */
async function restrict(target: Redis): Promise<void> {
  await target.call("ACL", "SETUSER", "codis", "on", ">secret", "~*", "&*", "+@all");
  const rights = ["reset", "on", "nopass", "~*", "+restore", "+select"];
  await target.call("ACL", "SETUSER", "default", ...rights);
}

function commandsOf(server: ScriptedCodisServer): Set<string> {
  return new Set(server.requests.map(([name]) => name));
}

test("between two codis-servers a job moves keys by their own commands", async () => {
  await using source = await startScriptedCodisServer();
  await using target = await startScriptedCodisServer();
  await using product = await start([source.address, target.address]);
  await move(product);
  await untilArrived(product);
  expect(commandsOf(source)).toContain("SLOTSMGRTTAGSLOT-ASYNC");
  expect(commandsOf(source)).not.toContain("MIGRATE");
  expect(await target.call("DBSIZE")).toBe(LAST + 1);
  await expectAll(product);
}, 30_000);

test("out of a codis-server with a password, to a server where only a user has it", async () => {
  const config = { product_auth: "secret", product_username: "codis" };
  await using source = await startScriptedCodisServer({ args: ["--requirepass", "secret"] });
  await using target = await startRedis();
  await restrict(target);
  await using product = await start([source.address, target.address], config);
  await move(product);
  await untilArrived(product);
  await expectAll(product);
  expect(commandsOf(source)).toContain("MIGRATE");
  expect(product.proxy.log()).not.toContain("secret");
}, 60_000);

test("a replica that could not read its master's copy never asks for it", async () => {
  await using source = await startRedis();
  await using target = await startScriptedCodisServer();
  target.script = ([name]) => {
    return name === "RESTORE" ? "-ERR DUMP payload version or checksum are wrong\r\n" : undefined;
  };
  await using product = await start([source.address, target.address]);
  await product.dashboard.put("createReplicaJob", { src: 1, dst: 2, num: 0 });
  const job = await until(async () => {
    return (await statsOf(product)).slot_action.jobs?.find(({ error }) => error !== "");
  });
  expect(job?.error).toMatch(/cannot read what Redis \S+ writes: move to a server as new as that$/);
  expect(commandsOf(target)).not.toContain("REPLICAOF");
  await product.dashboard.put("cancelSlotActions", { beg: 0, end: 1023 });
  await expectAll(product);
}, 30_000);

test("a proxy of the original keeps keys from moving, and cannot join when they do", async () => {
  await using source = await startRedis();
  await using target = await startRedis();
  await using product = await start([source.address, target.address]);
  const { dashboard } = product;
  const join = async (proxy: StandInProxy): Promise<void> => {
    await dashboard.put("createProxy", { addr: proxy.model.admin_addr });
  };
  using original = await StandInProxy.start(1, {});
  await join(original);
  await move(product);
  const status = await until(async () => {
    const { progress } = (await statsOf(product)).slot_action;
    return progress.status.startsWith("[ERROR]") ? progress.status : undefined;
  });
  expect(status).toBe(
    `[ERROR] Slot[0000]: the proxy at ${original.model.admin_addr} is one of the original, which ` +
      `cannot serve slots that move between these servers; replace it by one of this version, or ` +
      `move the whole group by replication`,
  );
  for (const { group_id, action } of await movingSlots(product)) {
    expect([group_id, action.state]).toEqual([1, "pending"]);
  }
  expect(original.slots.get(3)).not.toHaveProperty("migrate_from");
  // Without it they move, and until that is done it may not come back.
  await source.call("CLIENT", "PAUSE", 20_000, "WRITE");
  original[Symbol.dispose]();
  await dashboard.put("removeProxy", { token: original.model.token, force: 1 });
  await until(async () => ((await statsOf(product)).slot_action.jobs ?? []).length > 0);
  using another = await StandInProxy.start(2, {});
  await expect(join(another)).rejects.toThrow("cannot serve the slots that job");
  await source.call("CLIENT", "UNPAUSE");
  await untilArrived(product);
  await join(another);
  await expectAll(product);
}, 60_000);
