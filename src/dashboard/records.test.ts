// The stored records over the real filesystem coordinator: what is written, in which order, and
// what happens when a write fails or the lead is gone.
import { expect, test } from "bun:test";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { tempDir } from "../../tests/harness/temp-dir.ts";
import type { Coordinator, Leadership, Write } from "../coordinator/coordinator.ts";
import { LeadershipLost } from "../coordinator/coordinator.ts";
import { openCoordinator } from "../coordinator/open.ts";
import { newServer } from "../model/group.ts";
import { encodeJson } from "../model/json.ts";
import type { MigrationJob } from "../model/migration-job.ts";
import type { ProxyModel } from "../model/proxy.ts";
import { idleMapping } from "../model/slot-mapping.ts";
import { groupPath, jobPath, leaderPath, slotPath } from "../model/store-layout.ts";
import { StoredRecords } from "./records.ts";

interface Lab extends AsyncDisposable {
  readonly root: string;
  readonly coordinator: Coordinator;
  readonly lead: Leadership;
  readonly records: StoredRecords;
}

async function startLab(): Promise<Lab> {
  const dir = tempDir();
  const coordinator = openCoordinator({ name: "filesystem", address: dir.path });
  const lead = await coordinator.lead(leaderPath("lab"), "{}", { ttlMs: 1_000 });
  const records = await StoredRecords.load(coordinator, lead, "lab");
  return {
    root: join(dir.path, "data"),
    coordinator,
    lead,
    records,
    [Symbol.asyncDispose]: async () => {
      await lead.release().catch(() => {});
      await coordinator.close();
      dir[Symbol.dispose]();
    },
  };
}

const GROUP = { id: 1, servers: [newServer("a:1", "x")], promoting: {}, out_of_sync: false };

const PROXY: ProxyModel = {
  id: 1,
  token: "abc",
  start_time: "now",
  admin_addr: "h:1",
  proto_type: "tcp4",
  proxy_addr: "h:2",
  product_name: "lab",
  pid: 1,
  pwd: "/",
  sys: "Linux",
  hostname: "h",
  datacenter: "",
};

test("an empty store is a product of which all slots are offline", async () => {
  await using lab = await startLab();
  expect(lab.records.slots).toHaveLength(1024);
  expect(lab.records.slots[1023]).toEqual(idleMapping(1023, 0));
  expect([lab.records.groups.size, lab.records.proxies.size]).toEqual([0, 0]);
  expect(lab.records.options.term).toBe(0);
});

test("records are stored as the contract orders them, and read back", async () => {
  await using lab = await startLab();
  const scrambled = { out_of_sync: false, promoting: {}, servers: GROUP.servers, id: 1 };
  const moving = { index: 3, state: "pending", target_id: 2 } as const;
  const numbers = { term: 4, migration_interval: 5, last_job: 6 };
  await lab.records.save(
    { group: scrambled },
    { slots: [{ action: moving, group_id: 1, id: 9 }] },
    { proxy: { ...PROXY, fenced: true } },
    { sentinel: { servers: ["s:1"], out_of_sync: true } },
    { options: { ...numbers, migration_disabled: true, shut_out: ["def"] } },
  );
  const read = (path: string): string => readFileSync(join(lab.root, path), "utf8");
  expect(read(groupPath("lab", 1))).toBe(encodeJson(GROUP));
  expect(read(slotPath("lab", 9))).toBe(encodeJson({ id: 9, group_id: 1, action: moving }));
  const again = await StoredRecords.load(lab.coordinator, lab.lead, "lab");
  expect(again.slots).toEqual(lab.records.slots);
  expect([...again.groups.values()]).toEqual([GROUP]);
  expect([...again.proxies.values()]).toEqual([{ ...PROXY, fenced: true }]);
  expect(again.sentinel).toEqual({ servers: ["s:1"], out_of_sync: true });
  expect(again.options.shut_out).toEqual(["def"]);
  expect(again.options).toEqual(lab.records.options);
  await again.save({ removedGroup: 1 }, { removedProxy: "abc" });
  await lab.records.reload();
  expect([lab.records.groups.size, lab.records.proxies.size]).toEqual([0, 0]);
});

test("a record that is not right is never written", async () => {
  await using lab = await startLab();
  const wrong = { group: { ...GROUP, id: 10_000 } };
  const saved = lab.records.save({ slots: [idleMapping(1, 1)] }, wrong);
  expect(await saved.catch(String)).toContain('field "id"');
  expect(lab.records.slots[1].group_id).toBe(0);
  expect(await lab.coordinator.list("/codis3/lab/slots")).toEqual([]);
});

test("a stored record that cannot be read is named", async () => {
  await using lab = await startLab();
  await lab.records.save({ group: GROUP });
  writeFileSync(join(lab.root, groupPath("lab", 1)), '{"id": "one"}');
  const named = `the stored record ${groupPath("lab", 1)} is not right`;
  expect(await lab.records.reload().catch(String)).toContain(named);
});

test("after the lead is lost nothing is written and nothing changes", async () => {
  await using lab = await startLab();
  await lab.records.save({ group: GROUP });
  await lab.coordinator.remove(leaderPath("lab"));
  const late = lab.records.save({ slots: [idleMapping(1, 1)] });
  expect(await late.catch((error: unknown) => error)).toBeInstanceOf(LeadershipLost);
  expect(lab.records.slots[1].group_id).toBe(0);
  expect(await lab.coordinator.read(slotPath("lab", 1))).toBeNull();
});

test("after a write that failed half way the store is read anew", async () => {
  await using lab = await startLab();
  const failing: Leadership = {
    fence: 1n,
    isHeld: true,
    lost: new Promise(() => {}),
    release: async () => {},
    confirm: async () => {},
    write: async (writes: readonly Write[]) => {
      await lab.lead.write(writes.slice(0, 1));
      throw new Error("the line was cut");
    },
  };
  const records = await StoredRecords.load(lab.coordinator, failing, "lab");
  const slots = [idleMapping(1, 1), idleMapping(2, 1)];
  expect(await records.save({ slots }).catch(String)).toContain("the line was cut");
  expect([records.slots[1].group_id, records.slots[2].group_id]).toEqual([0, 0]);
  await records.refresh();
  expect([records.slots[1].group_id, records.slots[2].group_id]).toEqual([1, 0]);
});

const JOB: MigrationJob = {
  id: 7,
  method: "keys",
  source_id: 1,
  target_id: 2,
  epoch: 5,
  state: "migrating",
  slots: [1, 2],
  pins: [],
  started: 0,
};

test("two jobs that share slots after such a write are parted before anything else", async () => {
  await using lab = await startLab();
  await lab.records.save({ job: JOB });
  const part = { ...JOB, id: 8, slots: [2], state: "finishing" } as const;
  // A division of which only the first half is written.
  await lab.lead.write([{ kind: "put", path: jobPath("lab", 8), data: encodeJson(part) }]);
  const again = await StoredRecords.load(lab.coordinator, lab.lead, "lab");
  expect([...again.jobs.values()]).toEqual([{ ...JOB, slots: [1] }, part]);
  await lab.records.reload();
  expect(lab.records.jobs.get(7)?.slots).toEqual([1]);
});

test("changes that depend on what is there do not undo one another", async () => {
  await using lab = await startLab();
  const { records } = lab;
  const add = (count: number): Promise<void> => {
    return records.amend(() => {
      const { options } = records;
      return [{ options: { ...options, last_job: options.last_job + count } }];
    });
  };
  await Promise.all([add(1), add(2), add(3)]);
  expect(records.options.last_job).toBe(6);
});
