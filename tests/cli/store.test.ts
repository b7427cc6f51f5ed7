// The commands on a coordinator, on the filesystem one and without any dashboard, but where one is
// the point.
import { expect } from "bun:test";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { openCoordinator } from "../../src/coordinator/open.ts";
import { encodeJson } from "../../src/model/json.ts";
import { idleMapping } from "../../src/model/slot-mapping.ts";
import { admin, adminFails, adminOk } from "../harness/admin.ts";
import { startDashboard } from "../harness/dashboard.ts";
import { startEtcd } from "../harness/etcd.ts";
import { systemTest } from "../harness/system-test.ts";
import { tempDir } from "../harness/temp-dir.ts";
import { startZookeeper, ZOOKEEPER_PROGRAMS } from "../harness/zookeeper.ts";

const test = systemTest("node");

const GROUP = {
  id: 1,
  servers: [{ server: "10.0.0.1:6379", datacenter: "", action: {}, replica_group: false }],
  promoting: {},
  out_of_sync: false,
};
const PROXY = {
  id: 3,
  token: "85b52774c33509df007f664e8f90c6c9",
  start_time: "2026-11-22 17:09:37 +0000 UTC",
  admin_addr: "10.0.0.5:11080",
  proto_type: "tcp4",
  proxy_addr: "10.0.0.5:19000",
  product_name: "lab",
  pid: 12748,
  pwd: "/srv/codis",
  sys: "Linux",
  hostname: "host1",
  datacenter: "dc1",
};
const SENTINEL = { servers: ["10.0.0.9:26379"], out_of_sync: true };
const OPTIONS = { term: 7, migration_interval: 250, migration_disabled: true, last_job: 3 };

/** A product of which only half of the slots have a group. */
async function storeProduct(root: string): Promise<void> {
  const coordinator = openCoordinator({ name: "filesystem", address: root });
  const put = (path: string, record: unknown): Promise<void> => {
    return coordinator.update(`/codis3/lab/${path}`, encodeJson(record));
  };
  for (let id = 0; id < 512; id++) {
    await put(`slots/slot-${String(id).padStart(4, "0")}`, idleMapping(id, 1));
  }
  await put("group/group-0001", GROUP);
  await put(`proxy/proxy-${PROXY.token}`, PROXY);
  await put("sentinel", SENTINEL);
  await put("options", OPTIONS);
}

test("a dump is restored as it was, offline slots, sentinels and options included", async () => {
  using dir = tempDir();
  const [from, to] = [join(dir.path, "from"), join(dir.path, "to")];
  await storeProduct(from);
  const dumped = await adminOk("--config-dump", "--product=lab", `--filesystem=${from}`);
  const dump = JSON.parse(dumped);
  expect(dump.slots.length).toBe(1024);
  expect(dump.slots[600]).toEqual(idleMapping(600, 0));
  expect([dump.group, dump.proxy]).toEqual([[GROUP], [PROXY]]);
  expect([dump.sentinel, dump.options]).toEqual([SENTINEL, OPTIONS]);

  const file = join(dir.path, "dump.json");
  writeFileSync(file, dumped);
  const restore = [`--config-restore=${file}`, "--product=lab", `--filesystem=${to}`];
  // Without --confirm it only shows what it would write.
  expect(await adminOk(...restore)).toBe(dumped);
  expect(await adminOk("--dashboard-list", `--filesystem=${to}`)).toBe("[]\n");
  expect(await adminOk(...restore, "--confirm")).toBe("");
  expect(await adminOk("dump", "--product=lab", "--filesystem", to)).toBe(dumped);
  expect(await adminFails(...restore, "--confirm")).toContain("product lab is not empty");
  // No lock stays behind.
  const list = JSON.parse(await adminOk("--dashboard-list", `--filesystem=${to}`));
  expect(list).toEqual([{ name: "lab", dashboard: "" }]);
});

test("restore in words for people asks, and does nothing without a terminal", async () => {
  using dir = tempDir();
  const file = join(dir.path, "dump.json");
  writeFileSync(file, JSON.stringify({ group: [GROUP] }));
  const restore = ["restore", file, "--product=lab", `--filesystem=${join(dir.path, "to")}`];
  expect(await adminFails(...restore)).toBe(
    "Restore 0 slots, 1 group and 0 proxies as product lab? " +
      "Nothing was done, because there is no terminal to ask at: add --yes",
  );
  const { code, stderr } = await admin(...restore, "--yes");
  expect([code, stderr]).toEqual([0, "product lab is restored; start its dashboard now\n"]);
});

test("a dump is not restored under a dashboard", async () => {
  using dir = tempDir();
  const root = join(dir.path, "fs");
  const file = join(dir.path, "dump.json");
  writeFileSync(file, JSON.stringify({ group: [GROUP] }));
  await using dashboard = await startDashboard({ root, config: { product_name: "lab" } });
  const restore = [`--config-restore=${file}`, "--product=lab", `--filesystem=${root}`];
  expect(await adminFails(...restore, "--confirm")).toContain(
    `a dashboard (${dashboard.address}) has product lab: end it first`,
  );
  const list = JSON.parse(await adminOk("products", `--filesystem=${root}`));
  expect(list).toEqual([{ name: "lab", dashboard: dashboard.address }]);
});

test("a restored product is what its dashboard starts with", async () => {
  using dir = tempDir();
  const root = join(dir.path, "fs");
  const file = join(dir.path, "dump.json");
  writeFileSync(file, JSON.stringify({ group: [GROUP], slots: [idleMapping(9, 1)] }));
  const restore = [`--config-restore=${file}`, "--product=lab", `--filesystem=${root}`];
  await adminOk(...restore, "--confirm");
  await using dashboard = await startDashboard({ root, config: { product_name: "lab" } });
  const { stats } = await dashboard.overview();
  expect(stats.slots[9].group_id).toBe(1);
  const dump = JSON.parse(await adminOk("dump", `--dashboard=${dashboard.address}`));
  expect(dump.group).toEqual([GROUP]);
  expect(dump.slots.length).toBe(1024);
});

test("a lock that an original dashboard left is removed", async () => {
  using dir = tempDir();
  const lock = join(dir.path, "data/codis3/lab/topom");
  mkdirSync(dirname(lock), { recursive: true });
  writeFileSync(lock, encodeJson({ token: "x", admin_addr: "10.0.0.7:18080" }));
  const store = ["--product=lab", `--filesystem=${dir.path}`];
  const list = JSON.parse(await adminOk("--dashboard-list", `--filesystem=${dir.path}`));
  expect(list).toEqual([{ name: "lab", dashboard: "10.0.0.7:18080" }]);
  expect(await adminFails("unlock", ...store)).toContain("add --yes");
  expect(await adminOk("--remove-lock", ...store)).toBe("");
  expect(() => readFileSync(lock)).toThrow();
  // A second time is fine, as with the original.
  expect(await adminOk("--remove-lock", ...store)).toBe("");
});

test("a product of codis 1 is dumped by its paths, and converted", async () => {
  using dir = tempDir();
  const node = (path: string, record: unknown): void => {
    const file = join(dir.path, "data/zk/codis/db_old", path);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, JSON.stringify(record));
  };
  node("slots/slot_5", { id: 5, group_id: 1, state: { status: "online" } });
  node("servers/group_1/10.0.0.2:6379", { type: "slave", group_id: 1, addr: "10.0.0.2:6379" });
  node("servers/group_1/10.0.0.1:6379", { type: "master", group_id: 1, addr: "10.0.0.1:6379" });
  const dumped = await adminOk("--config-dump", "--product=old", "-1", `--filesystem=${dir.path}`);
  const file = join(dir.path, "old.json");
  writeFileSync(file, dumped);
  const converted = JSON.parse(await adminOk(`--config-convert=${file}`));
  expect(converted.slots).toEqual([idleMapping(5, 1)]);
  expect(converted.group[0].servers[0].server).toBe("10.0.0.1:6379");
});

test("what is missing at a coordinator is said", async () => {
  using dir = tempDir();
  expect(await adminFails("--config-dump", "--product=none", `--filesystem=${dir.path}`)).toBe(
    "can't find product = none [v3]",
  );
  expect(await adminFails("--config-dump", "--product=none")).toStartWith(
    "--config-dump needs one of --zookeeper, --etcd, --filesystem",
  );
  expect(await adminFails("products")).toBe(
    "say where the coordinator is, with one of --zookeeper, --etcd, --filesystem",
  );
  expect(await adminFails("--config-restore=none.json", "--product=x", "--etcd=x:1")).toContain(
    "the file none.json cannot be read",
  );
  const bad = ["--config-dump", "--product=../x", `--filesystem=${dir.path}`];
  expect(await adminFails(...bad)).toBe("invalid product = ../x");
});

const SERVICES = [
  { kind: "etcd", programs: ["etcd"], start: startEtcd },
  { kind: "zookeeper", programs: ZOOKEEPER_PROGRAMS, start: startZookeeper },
] as const;

for (const { kind, programs, start } of SERVICES) {
  systemTest("node", ...programs)(
    `a dump is restored into ${kind} by both forms`,
    async () => {
      using dir = tempDir();
      await using service = await start();
      const file = join(dir.path, "dump.json");
      const dump = { slots: [idleMapping(9, 1)], group: [GROUP], proxy: [PROXY] };
      writeFileSync(file, JSON.stringify({ ...dump, sentinel: SENTINEL, options: OPTIONS }));
      const store = ["--product=lab", `--${kind}=${service.address}`];
      expect(await adminOk(`--config-restore=${file}`, ...store, "--confirm")).toBe("");
      const dumped = JSON.parse(await adminOk("dump", ...store));
      expect([dumped.group, dumped.proxy]).toEqual([dump.group, dump.proxy]);
      expect([dumped.slots[9], dumped.slots.length]).toEqual([idleMapping(9, 1), 1024]);
      expect([dumped.sentinel, dumped.options]).toEqual([SENTINEL, OPTIONS]);
      expect(await adminFails("restore", file, ...store, "--yes")).toContain("is not empty");
      const coordinator = { coordinator_name: kind, coordinator_addr: service.address };
      await using dashboard = await startDashboard({
        config: { product_name: "lab", ...coordinator },
      });
      const list = JSON.parse(await adminOk("--dashboard-list", store[1]));
      expect(list).toEqual([{ name: "lab", dashboard: dashboard.address }]);
      expect(await adminFails("restore", file, ...store, "--yes")).toContain(
        `a dashboard (${dashboard.address}) has product lab`,
      );
    },
    60_000,
  );
}

test("a dashboard that stands by says so, and where the other is", async () => {
  using dir = tempDir();
  const root = join(dir.path, "fs");
  await using first = await startDashboard({ root, config: { product_name: "lab" } });
  await using second = await startDashboard({
    root,
    config: { product_name: "lab" },
    leads: false,
  });
  const refusal = await adminFails("status", `--dashboard=${second.address}`);
  expect(refusal).toStartWith(`the dashboard at ${second.address} does not lead its product: `);
  expect(refusal).toContain(`${first.address} (process ${first.pid}) leads the product`);
  const both = `--dashboard=${second.address},${first.address}`;
  expect(await adminOk("status", both)).toContain(`dashboard ${first.address}`);
});
