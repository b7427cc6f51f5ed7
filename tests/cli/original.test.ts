// The flags of the original codis-admin (contract 7), each against a real dashboard and real
// proxies: what is printed, what is changed, what is refused.
import { expect } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { admin, adminFails, adminOk } from "../harness/admin.ts";
import { type Dashboard, startDashboard } from "../harness/dashboard.ts";
import { startRedis } from "../harness/redis.ts";
import { systemTest } from "../harness/system-test.ts";
import { tempDir } from "../harness/temp-dir.ts";
import { until } from "../harness/until.ts";

const test = systemTest("redis-server");

type Run = (flags: string) => Promise<string>;

function commander(dashboard: Dashboard): { ok: Run; silent: Run; fails: Run } {
  const argv = (flags: string): string[] => [
    `--dashboard=${dashboard.address}`,
    ...flags.split(" ").filter(Boolean),
  ];
  return {
    ok: (flags) => adminOk(...argv(flags)),
    /** What changes something prints nothing at all. */
    silent: async (flags) => {
      const { code, stdout, stderr } = await admin(...argv(flags));
      expect([flags, code, stdout, stderr]).toEqual([flags, 0, "", ""]);
      return "";
    },
    fails: (flags) => adminFails(...argv(flags)),
  };
}

test("groups, servers and proxies are made, shown in the original's tables, removed", async () => {
  await using dashboard = await startDashboard();
  await using first = await startRedis();
  await using second = await startRedis();
  await using proxy = await dashboard.startProxy();
  const { ok, silent, fails } = commander(dashboard);
  const adminAddress = `127.0.0.1:${proxy.adminPort}`;
  await silent("--create-group --gid=1");
  await silent("--create-group -g 12");
  expect(await fails("--create-group --gid=1")).toContain("group-[1] already exists");
  expect(await fails("--create-group --gid=0")).toContain("invalid group id = 0");
  await silent(`--group-add --gid=1 --addr=${first.address}`);
  await silent(`--group-add --gid=1 -x ${second.address} --datacenter=dc2`);
  await silent(`--sync-action --create --addr=${second.address}`);
  await until(async () => (await ok("--group-status")).includes(":up\n"), { timeoutMs: 30_000 });
  expect(await ok("--group-status")).toBe(
    `[ ] group-01 [0] ${first.address}      ==> NO:ONE\n` +
      `[ ] group-01 [1] ${second.address}      ==> ${first.address}:up\n`,
  );
  // The order is done a moment after its link is up, and changes the group once more.
  await until(async () => {
    const [group] = (await dashboard.overview()).stats.group.models;
    return group.servers[1].action.state === "synced";
  });
  await silent(`--replica-groups --gid=1 --addr=${second.address} --enable`);
  await silent("--resync-group --gid=1");
  await silent("--resync-group --all");
  const groups = JSON.parse(await ok("--list-group"));
  expect(groups[0].servers[1]).toMatchObject({ datacenter: "dc2", replica_group: true });
  expect(JSON.parse(await ok("group")).models).toEqual(groups);
  const promoted = await ok(`--promote-server --gid=1 --addr=${second.address}`);
  expect(promoted).toContain(`group-01 [0] ${second.address}`);

  const [model] = JSON.parse(await ok("--list-proxy"));
  expect(await ok("--proxy-status")).toBe(
    `[ ] proxy-1 [T] ${model.token} [A] ${adminAddress} [P] ${proxy.address}\n`,
  );
  expect(await ok("--reinit-proxy --all")).toStartWith('reinit proxy: {\n    "id": 1,\n');
  await silent(`--reinit-proxy --addr=${adminAddress}`);
  await silent(`--reinit-proxy -t ${model.token}`);
  await silent("--reinit-proxy --pid=1");
  await silent(`--online-proxy --addr=${adminAddress}`);
  expect(await fails(`--create-proxy --addr=${adminAddress}`)).toContain("already exists");
  expect(await fails("--remove-proxy --pid=99")).toBe("can't find specific proxy with id = 99");
  await silent("--remove-proxy --pid=99 --force");
  await silent(`--remove-proxy --addr=${adminAddress}`);
  expect(await ok("--list-proxy")).toBe("[]\n");
  await silent("--remove-group --gid=12");
  expect(await fails("--remove-group --gid=1")).toContain("group-[1] isn't empty");
  await silent(`--group-del --gid=1 --addr=${first.address}`);
});

test("slots are assigned, ordered to move and rebalanced", async () => {
  await using dashboard = await startDashboard();
  await using first = await startRedis();
  await using second = await startRedis();
  const { ok, silent, fails } = commander(dashboard);
  for (const [gid, redis] of [first, second].entries()) {
    await silent(`--create-group --gid=${gid + 1}`);
    await silent(`--group-add --gid=${gid + 1} --addr=${redis.address}`);
  }
  const shown = await ok("--slots-assign --beg=0 --end=1 --gid=1");
  expect(JSON.parse(shown)).toEqual([
    { id: 0, group_id: 1, action: {} },
    { id: 1, group_id: 1, action: {} },
  ]);
  expect((await dashboard.slots())[0].group_id).toBe(0);
  await silent("--slots-assign --beg=0 --end=1023 --gid=1 --confirm");
  await silent("--slots-assign --beg=1000 --end=1009 --offline --confirm");
  expect(await fails("--slots-assign --beg=5 --end=1 --gid=1")).toContain(
    "invalid slot range [5,1]",
  );
  // Group 0 is no other word for --offline.
  expect(await fails("--slots-assign --beg=5 --end=6 --gid=0 --confirm")).toContain(
    "group-[0] doesn't exist",
  );
  const slots = JSON.parse(await ok("--slots-status"));
  expect(slots.length).toBe(1024);
  expect(slots[0]).toMatchObject({ id: 0, backend_addr: first.address, backend_addr_group_id: 1 });
  expect(slots[1000].backend_addr).toBeUndefined();

  await silent("--slot-action --disabled=1");
  await silent("--slot-action --interval=500");
  await silent("--slot-action --create --sid=7 --gid=2");
  await silent("--slot-action --create-range --beg=10 --end=12 --gid=2");
  await silent("--slot-action --create-some --gid-from=1 --gid-to=2 --num-slots=2");
  const moving = JSON.parse(await ok("slots")).filter(
    (slot: { action: { state?: string } }) => slot.action.state !== undefined,
  );
  expect(moving.map((slot: { id: number }) => slot.id)).toEqual([0, 1, 7, 10, 11, 12]);
  expect(await fails("--slot-action --create --sid=7 --gid=2")).toContain(
    "slot-[7] action already exists",
  );
  for (const slot of [0, 1, 7, 10, 11, 12]) await silent(`--slot-action --remove --sid=${slot}`);
  expect(await fails("--slot-action --remove --sid=7")).toContain("slot-[7] action doesn't exist");

  // The offline slots count as the second group's, and the rest comes from the end.
  const plan = await ok("--rebalance");
  expect(plan).toBe("[0512,1023] => 2\ndone\n");
  expect((await dashboard.slots())[1023].action).toEqual({});
  expect(await ok("--rebalance --confirm")).toBe(plan);
  await silent("--slot-action --disabled=0");
  await until(async () => (await ok("--rebalance")) === "nothing changes\n", { timeoutMs: 30_000 });
  await until(
    async () => (await dashboard.slots()).every((slot) => slot.action.state === undefined),
    {
      timeoutMs: 60_000,
    },
  );
});

test("one proxy is asked and told", async () => {
  await using dashboard = await startDashboard({ config: { product_auth: "secret" } });
  await using proxy = await dashboard.startProxy();
  using dir = tempDir();
  const address = `127.0.0.1:${proxy.adminPort}`;
  const run = (...flags: string[]): Promise<string> => adminOk(`--proxy=${address}`, ...flags);
  const all = JSON.parse(await run());
  expect(Object.keys(all)).toEqual(["version", "compile", "config", "model", "stats", "slots"]);
  expect(JSON.parse(await run("model")).proxy_addr).toBe(proxy.address);
  expect(JSON.parse(await run("config")).product_name).toBe(dashboard.product);
  expect(await adminFails(`--proxy=${address}`, "group")).toStartWith(
    "of a proxy one of config, model, stats, slots is printed, not group",
  );
  const file = join(dir.path, "slots.json");
  writeFileSync(file, JSON.stringify([{ id: 3, backend_addr: "127.0.0.1:1" }]));
  expect(await run("--auth=secret", `--fillslots=${file}`, "--locked")).toBe("");
  expect(JSON.parse(await run("slots"))[3]).toMatchObject({ id: 3, locked: true });
  writeFileSync(file, JSON.stringify([{ id: 1024 }]));
  expect(
    await adminFails(`--proxy=${address}`, "--auth=secret", `--fillslots=${file}`),
  ).toStartWith("invalid slot id = 1024");
  for (const flag of ["--start", "--reset-stats", "--forcegc", "--log-level=WARNING"]) {
    expect(await run("-a", "secret", flag)).toBe("");
  }
  expect(await adminFails(`--proxy=${address}`, "--log-level=loud")).toStartWith(
    "option --log-level = loud is no level",
  );
  expect(await adminFails(`--proxy=${address}`, "--auth=wrong", "--shutdown")).toContain(
    "invalid xauth",
  );
  expect(await run("--auth=secret", "--shutdown")).toBe("");
  await until(() => !proxy.isRunning);
});

test("the dashboard is asked and told", async () => {
  await using dashboard = await startDashboard();
  const { ok, silent, fails } = commander(dashboard);
  const all = JSON.parse(await ok(""));
  expect(Object.keys(all)).toEqual(["version", "compile", "config", "model", "stats"]);
  expect(JSON.parse(await ok("model")).product_name).toBe(dashboard.product);
  expect(JSON.parse(await ok("slots")).length).toBe(1024);
  expect(JSON.parse(await ok("config")).product_name).toBe(dashboard.product);
  expect(JSON.parse(await ok("proxy")).models).toEqual([]);
  await silent("--reload");
  await silent("--log-level=DEBUG");
  expect((await admin("-v", `--dashboard=${dashboard.address}`, "model")).stderr).toContain(
    "[DEBUG] call of GET /api/topom/model",
  );
  expect(await fails("--create-group")).toStartWith("--create-group needs --gid");
  expect(await fails("--create-group --gid=x")).toStartWith("option --gid isn't a valid integer");
  expect(await fails("--create-group --gid=")).toStartWith("option --gid requires an argument");
  expect(await fails("--slot-action --gid=1")).toStartWith(
    "--slot-action needs one of --create, --remove, --create-some",
  );
  expect(await fails("--proxy-status --gid=1")).toStartWith(
    "--gid does not go with --proxy-status",
  );
  expect(await fails("--reinit-proxy --all --pid=1")).toStartWith("only one of --addr, --token");
  expect(await fails("--creat-group --gid=1")).toContain("did you mean '--create-group'?");
  await silent("--shutdown");
  await until(() => !dashboard.isRunning);
});
