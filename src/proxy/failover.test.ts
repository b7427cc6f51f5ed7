import { expect, test } from "bun:test";
import type { SlotFill } from "../model/slot.ts";
import { switchedSlot, switchesOf } from "./failover.ts";

const slots: SlotFill[] = [
  { id: 0, backend_addr: "a:1", backend_addr_group_id: 1, revision: 7 },
  { id: 1, backend_addr: "a:1", backend_addr_group_id: 1, replica_groups: [["c:1"]] },
  { id: 2, backend_addr: "b:1", backend_addr_group_id: 2 },
  {
    ...{ id: 3, locked: true, backend_addr: "b:1", backend_addr_group_id: 2 },
    ...{ migrate_from: "a:1", migrate_from_group_id: 1, migrate_epoch: 4 },
  },
  { id: 4 },
];

test("a verdict names the servers whose slots have to switch, each once", () => {
  const masters = new Map([
    [1, "c:1"],
    [2, "b:1"],
    [3, "d:1"],
  ]);
  expect(switchesOf(slots, masters)).toEqual([["a:1", "c:1"]]);
  expect(switchesOf(slots, new Map())).toEqual([]);
});

test("a switched slot keeps its revision, its replicas, its lock and its migration", () => {
  const masters = new Map([[1, "c:1"]]);
  const places = new Map([["a:1", "c:1"]]);
  const switched = slots.map((slot) => switchedSlot(slot, masters, places));
  expect(switched[0]).toEqual({ ...slots[0], backend_addr: "c:1" });
  expect(switched[1]).toEqual({ ...slots[1], backend_addr: "c:1" });
  expect(switched[2]).toBeNull();
  expect(switched[3]).toEqual({ ...slots[3], migrate_from: "c:1" });
  expect(switched[4]).toBeNull();
});

test("a switch that was not believed changes nothing", () => {
  expect(switchedSlot(slots[0], new Map([[1, "c:1"]]), new Map())).toBeNull();
});
