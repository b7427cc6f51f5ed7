// The API of the real program: the shapes of contract 4.2, the words of its refusals, and bodies
// that make no sense.
import { expect } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { TopomOverview } from "../../src/api/dashboard-routes.ts";
import { encodeJson } from "../../src/model/json.ts";
import type { SlotFill } from "../../src/model/slot.ts";
import type { SlotMapping } from "../../src/model/slot-mapping.ts";
import { slotPath } from "../../src/model/store-layout.ts";
import { type Dashboard, startDashboard } from "../harness/dashboard.ts";
import { owning } from "../harness/owning.ts";
import { type Redis, startRedis } from "../harness/redis.ts";
import { systemTest } from "../harness/system-test.ts";
import { until } from "../harness/until.ts";

const test = systemTest("redis-server");

interface Lab extends AsyncDisposable {
  readonly dashboard: Dashboard;
  readonly servers: readonly Redis[];
}

/** Groups 1 and 2 with a server each, group 3 empty; migration paused, so that orders stay. */
async function startLab(config: Readonly<Record<string, string>> = {}): Promise<Lab> {
  return await owning(async (stack) => {
    const dashboard = stack.use(await startDashboard({ config }));
    const servers = [stack.use(await startRedis()), stack.use(await startRedis())];
    await dashboard.storeGroups([...servers.map(({ address }) => [address]), []]);
    await dashboard.put("slotActionDisabled", { value: 1 });
    return { dashboard, servers };
  });
}

test("the overview has the fields of the original, in its order", async () => {
  await using lab = await startLab({ product_auth: "", coordinator_auth: "user:secret" });
  const { dashboard, servers } = lab;
  await using proxy = await dashboard.startProxy();
  await until(async () => {
    const { proxy: proxies, group } = (await dashboard.overview()).stats;
    const isOnline = Object.values(proxies.stats).some(({ stats }) => stats?.online);
    return isOnline && Object.keys(group.stats).length === 2;
  });
  const response = await fetch(dashboard.url("/topom"));
  const text = await response.text();
  const overview = JSON.parse(text) as TopomOverview;
  expect(text).toBe(encodeJson(overview));
  expect(text).not.toContain("secret");
  expect(text).not.toContain(dashboard.xauth);
  expect(Object.keys(overview)).toEqual(["version", "compile", "config", "model", "stats"]);
  expect(Object.keys(overview.model)).toEqual([
    ...["token", "start_time", "admin_addr", "product_name", "pid", "pwd", "sys"],
  ]);
  const { stats } = overview;
  expect(Object.keys(stats)).toEqual([
    ...["closed", "slots", "group", "proxy", "slot_action", "sentinels", "leader"],
  ]);
  expect(stats.slots[0]).toEqual({ id: 0, group_id: 0, action: {} });
  const server = { server: servers[0].address, datacenter: "", action: {}, replica_group: false };
  const group = { id: 1, servers: [server], promoting: {}, out_of_sync: false };
  expect(encodeJson(stats.group.models[0])).toBe(encodeJson(group));
  const poll = stats.group.stats[servers[0].address];
  expect(poll.stats).toMatchObject({ role: "master", maxmemory: "0" });
  expect(poll.unixtime).toBeGreaterThan(Date.now() / 1000 - 60);
  expect(Object.keys(stats.proxy.models[0])).toEqual([
    ...["id", "token", "start_time", "admin_addr", "proto_type", "proxy_addr", "product_name"],
    ...["pid", "pwd", "sys", "hostname", "datacenter", "fencing"],
  ]);
  const [{ token }] = stats.proxy.models;
  expect(stats.proxy.stats[token].stats).toMatchObject({ online: true, closed: false });
  expect(encodeJson(stats.slot_action)).toBe(
    encodeJson({ interval: 0, disabled: true, progress: { status: "" }, executor: 0 }),
  );
  expect(stats.sentinels).toEqual({ model: { out_of_sync: false }, stats: {}, masters: {} });
  expect(proxy.isRunning).toBe(true);
});

test("polls that fail say why, without the xauth of a proxy", async () => {
  await using lab = await startLab();
  const { dashboard, servers } = lab;
  await using proxy = await dashboard.startProxy();
  await servers[1].kill();
  proxy.signal("SIGKILL");
  const causes = async (): Promise<string[]> => {
    const { group, proxy: proxies } = (await dashboard.overview()).stats;
    const polls = [group.stats[servers[1].address], ...Object.values(proxies.stats)];
    return polls.flatMap(({ error }) => error?.Cause ?? []);
  };
  // A poll that was under way when the server died says for a second that it was cut off.
  const isGone = (cause: string): boolean => cause.includes("cannot be reached");
  await until(async () => (await causes()).filter(isGone).length === 2);
  expect((await causes()).join()).not.toContain(proxy.xauth);
  await servers[1].start();
});

test("slots are listed as a proxy without data center gets them", async () => {
  await using lab = await startLab();
  const { dashboard, servers } = lab;
  await dashboard.assign(0, 9, 1);
  const slots = await dashboard.call<SlotFill[]>("slots");
  expect(slots).toHaveLength(1024);
  const place = { backend_addr: servers[0].address, backend_addr_group_id: 1, forward_method: 1 };
  expect(slots[9]).toEqual({ id: 9, ...place });
  expect(slots[10]).toEqual({ id: 10, forward_method: 1 });
});

test("assignments are stored in the words of the original, and checked in them", async () => {
  await using lab = await startLab();
  const { dashboard } = lab;
  const assign = (mapping: object): Promise<string> => {
    return dashboard.put("assignSlots", {}, [mapping]).then(() => "OK", String);
  };
  await dashboard.assign(0, 99, 1);
  const stored = readFileSync(join(dashboard.root, "data", slotPath("test", 7)), "utf8");
  expect(stored).toBe(encodeJson({ id: 7, group_id: 1, action: {} }));
  expect(await assign({ id: 0, group_id: 44 })).toContain("group-[44] doesn't exist");
  expect(await assign({ id: 0, group_id: 3 })).toContain("group-[3] is empty");
  const pending = { id: 0, group_id: 1, action: { state: "pending" } };
  expect(await assign(pending)).toContain("invalid slot-[0] action = pending");
  const offline = dashboard.put("offlineSlots", {}, [{ id: 0, group_id: 1 }]);
  expect(await offline.catch(String)).toContain("group of slot-[0] should be 0");
  await dashboard.put("createSlotAction", { sid: 5, gid: 2 });
  expect(await assign({ id: 5, group_id: 1 })).toContain("slot-[5] action already exists");
  expect((await dashboard.slots())[5].action).toEqual({ index: 1, state: "pending", target_id: 2 });
  await dashboard.assign(0, 4, 0);
  expect((await dashboard.slots())[4]).toEqual({ id: 4, group_id: 0, action: {} });
});

test("orders to move are checked in the words of the original", async () => {
  await using lab = await startLab();
  const { dashboard } = lab;
  await dashboard.assign(0, 99, 1);
  await dashboard.assign(700, 709, 2);
  const order = async (sid: number, gid: number): Promise<string> => {
    return dashboard.put("createSlotAction", { sid, gid }).then(() => "OK", String);
  };
  expect(await order(0, 44)).toContain("group-[44] doesn't exist");
  expect(await order(0, 3)).toContain("group-[3] is empty");
  expect(await order(1024, 2)).toContain("slot-[1024] doesn't exist");
  expect(await order(700, 2)).toContain("slot-[700] already in group-[2]");
  expect(await order(50, 2)).toBe("OK");
  expect(await order(50, 2)).toContain("slot-[50] action already exists");
  const range = (beg: number, end: number): Promise<string> => {
    return dashboard.put("createSlotActionRange", { beg, end, gid: 2 }).then(() => "OK", String);
  };
  expect(await range(5, 1)).toContain("invalid slot range [5,1]");
  expect(await range(49, 51)).toContain("slot-[50] action already exists");
  expect(await range(51, 52)).toBe("OK");
  await dashboard.put("createSlotActionSome", { src: 1, dst: 2, num: 2 });
  const ordered = (slots: readonly SlotMapping[]): (readonly number[])[] => {
    const moving = slots.filter(({ action }) => action.state !== undefined);
    return moving.map(({ id, action }) => [id, action.index ?? 0]);
  };
  expect(ordered(await dashboard.slots())).toEqual([
    ...[
      [0, 4],
      [1, 5],
      [50, 1],
      [51, 2],
      [52, 3],
    ],
  ]);
  const remove = (sid: number): Promise<string> => {
    return dashboard.put("removeSlotAction", { sid }).then(() => "OK", String);
  };
  expect(await remove(0)).toBe("OK");
  expect(await remove(0)).toContain("slot-[0] action doesn't exist");
});

test("interval and pause are kept over a kill -9", async () => {
  await using lab = await startLab();
  const { dashboard } = lab;
  await dashboard.put("slotActionInterval", { value: 2_000_000 });
  await dashboard.restart();
  const { slot_action } = (await dashboard.overview()).stats;
  expect([slot_action.interval, slot_action.disabled]).toEqual([1_000_000, true]);
});

test("bodies and parameters that make no sense are refused, and nothing changes", async () => {
  await using lab = await startLab();
  const { dashboard } = lab;
  await dashboard.assign(0, 9, 1);
  const before = await dashboard.slots();
  const put = async (path: string, body?: string): Promise<[number, string]> => {
    const response = await fetch(dashboard.url(path), { method: "PUT", body });
    const { Cause } = (await response.json()) as { Cause: string };
    expect(response.statusText).toBe(Cause.replace(/[^ -~]+/g, "?").slice(0, 300));
    return [response.status, Cause];
  };
  const bodies = ["", "{", "null", "[null]", "{}", '[{"id":"0","group_id":1}]', '[{"id":1024}]'];
  for (const body of bodies) {
    const [status, cause] = await put("/api/topom/slots/assign/:xauth", body);
    expect([body, status]).toEqual([body, 400]);
    expect(cause.length).toBeGreaterThan(10);
  }
  for (const [path, cause] of [
    ["slots/action/create/:xauth/x/1", "invalid sid"],
    ["slots/action/create/:xauth/1/x", "invalid gid"],
    ["slots/action/create-some/:xauth/1/2/x", "invalid num"],
    ["slots/action/interval/:xauth/abc", "invalid value"],
    ["slots/rebalance/:xauth/abc", "invalid confirm"],
    ["proxy/remove/:xauth/t/x", "invalid force"],
    ["loglevel/:xauth/loud", "invalid loglevel"],
    ["proxy/reinit/:xauth/zzz", "proxy-[zzz] doesn't exist"],
  ]) {
    expect(await put(`/api/topom/${path}`)).toEqual([400, cause]);
  }
  expect(await put("/api/topom/reload/00000000000000000000000000000000")).toEqual([
    403,
    "invalid xauth, please check product name & auth",
  ]);
  expect((await fetch(dashboard.url("/api/topom/nothing"))).status).toBe(404);
  expect(await dashboard.slots()).toEqual(before);
});

test("a server that is not of the product is not asked, whoever asks", async () => {
  await using lab = await startLab();
  await using stranger = await startRedis();
  const connections = async (): Promise<unknown> => {
    const info = String(await stranger.call("INFO", "stats"));
    return /total_connections_received:\d+/.exec(info)?.[0];
  };
  const before = await connections();
  const info = await fetch(lab.dashboard.url(`/api/topom/group/info/${stranger.address}`));
  expect(info.status).toBe(404);
  const own = await fetch(lab.dashboard.url(`/api/topom/group/info/${lab.servers[0].address}`));
  expect(await own.json()).toMatchObject({ role: "master", maxmemory: "0" });
  expect(await connections()).toBe(before);
});

test("the product's password is shown nowhere", async () => {
  const password = "correct-horse-battery";
  await using dashboard = await startDashboard({ config: { product_auth: password } });
  await using redis = await startRedis({ args: ["--requirepass", password] });
  await dashboard.storeGroups([[redis.address], ["127.0.0.1:1"]]);
  await until(async () => Object.keys((await dashboard.overview()).stats.group.stats).length === 2);
  const overview = JSON.stringify(await dashboard.overview());
  expect(overview).toContain('"role":"master"');
  const metrics = await (await fetch(dashboard.url("/metrics"))).text();
  for (const text of [overview, metrics, dashboard.log()]) expect(text).not.toContain(password);
});
