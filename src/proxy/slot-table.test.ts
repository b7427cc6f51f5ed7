import { expect, test } from "bun:test";
import { SLOT_COUNT } from "../model/slot.ts";
import { SlotTable } from "./slot-table.ts";

test("a new table has all slots, offline, and no revision", () => {
  const table = new SlotTable();
  expect(table.revision).toBe(0);
  expect(table.list().length).toBe(SLOT_COUNT);
  expect(table.list()[1023]).toEqual({ id: 1023 });
  expect(table.changedSince(0)).toEqual([]);
});

test("a fill replaces the slots it names, and who is behind is told only what changed", () => {
  const table = new SlotTable();
  const first = table.fill([
    { id: 1, backend_addr: "a:1", locked: true },
    { id: 2, backend_addr: "a:1" },
  ]);
  const second = table.fill([
    { id: 2, backend_addr: "b:1" },
    { id: 2, backend_addr: "c:1" },
    { id: 1, backend_addr: "a:1" },
  ]);
  expect(table.changedSince(second)).toEqual([]);
  expect(table.changedSince(first)).toEqual([
    { id: 1, backend_addr: "a:1" },
    { id: 2, backend_addr: "c:1" },
  ]);
  expect(table.fill([{ id: 1, backend_addr: "a:1" }])).toBe(second + 1);
});

test("a record that is older than the one of its slot changes nothing", () => {
  const table = new SlotTable();
  const newest = table.fill([
    { id: 1, backend_addr: "b:1", revision: 7 },
    { id: 2, backend_addr: "b:1", revision: 7 },
  ]);
  expect(table.fill([{ id: 1, backend_addr: "a:1", revision: 6 }])).toBe(newest);
  expect([table.revision, table.newestRecord]).toEqual([newest, 7]);
  expect(table.list()[1].backend_addr).toBe("b:1");
  // The same once more, one that is newer, and one of a dashboard that knows no revisions.
  const next = table.fill([
    { id: 1, backend_addr: "c:1", revision: 7 },
    { id: 2, backend_addr: "c:1", revision: 6 },
    { id: 3, backend_addr: "c:1", revision: 1 },
  ]);
  expect(table.changedSince(newest).map((slot) => slot.id)).toEqual([1, 3]);
  table.fill([{ id: 1, backend_addr: "d:1" }]);
  expect(table.changedSince(next)).toEqual([{ id: 1, backend_addr: "d:1" }]);
});

test("pins are a table of their own with the same rule", () => {
  const table = new SlotTable();
  const pins = [{ slot: 1, db: 0, key: "a2V5", state: "pinned" }] as const;
  expect(table.pinsSince(0)).toBeNull();
  expect(table.setPins({ revision: 5, pins })).toBe(1);
  expect(table.setPins({ revision: 4, pins: [] })).toBe(1);
  expect(table.pinsSince(0)).toEqual({ revision: 5, pins });
  expect(table.setPins({ revision: 6, pins: [] })).toBe(2);
  expect(table.pinsSince(1)).toEqual({ revision: 6, pins: [] });
  expect(table.pinsSince(2)).toBeNull();
});

test("slots are counted by state and servers know their group", () => {
  const table = new SlotTable();
  table.fill([
    { id: 0, backend_addr: "m:1", backend_addr_group_id: 1, replica_groups: [["r:1"], ["m:1"]] },
    { id: 1, backend_addr: "n:1", backend_addr_group_id: 2, locked: true },
    { id: 2, backend_addr: "m:1", backend_addr_group_id: 1, migrate_from: "o:1" },
  ]);
  expect(table.countByState()).toEqual({ online: 1, held: 1, migrating: 1, offline: 1021 });
  const groups = table.groupsByAddress();
  expect([groups.get("m:1"), groups.get("r:1"), groups.get("n:1")]).toEqual([1, 1, 2]);
});
