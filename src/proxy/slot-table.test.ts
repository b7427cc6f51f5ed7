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
  expect(table.fill([])).toBe(second);
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
