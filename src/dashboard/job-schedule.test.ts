import { describe, expect, test } from "bun:test";
import { type Group, newServer } from "../model/group.ts";
import type { MigrationJob } from "../model/migration-job.ts";
import { SLOT_COUNT } from "../model/slot.ts";
import { type ActionState, idleMapping, type SlotMapping } from "../model/slot-mapping.ts";
import { nextBatches, orphansOf, type ScheduleView } from "./job-schedule.ts";

const LIMITS = { slotsPerJob: 100, resting: new Set<string>() };

function group(id: number, state?: "preparing"): Group {
  const promoting = state === undefined ? {} : { index: 1, state };
  return { id, servers: [newServer(`10.0.0.${id}:6379`, "")], promoting, out_of_sync: false };
}

interface Order {
  readonly slot: number;
  readonly from: number;
  readonly to: number;
  readonly index: number;
  readonly state?: ActionState;
}

function viewOf(orders: readonly Order[], more: Partial<ScheduleView> = {}): ScheduleView {
  const slots: SlotMapping[] = Array.from({ length: SLOT_COUNT }, (_, id) => idleMapping(id, 1));
  for (const { slot, from, to, index, state = "pending" } of orders) {
    slots[slot] = { id: slot, group_id: from, action: { index, state, target_id: to } };
  }
  const groups = new Map([1, 2, 3, 4].map((id) => [id, group(id)]));
  return { slots, groups, jobs: new Map(), ...more };
}

function job(id: number, source_id: number, target_id: number, slots: number[]): MigrationJob {
  const fields = { method: "keys", epoch: 1, pins: [], started: 0 } as const;
  return { id, source_id, target_id, slots, state: "migrating", ...fields };
}

const order = (slot: number, from: number, to: number, index: number): Order => {
  return { slot, from, to, index };
};

describe("the next batches", () => {
  test("take all slots of a pair of groups together, and the lowest index first", () => {
    const view = viewOf([order(9, 1, 2, 3), order(5, 1, 2, 1), order(7, 1, 3, 2)]);
    expect(nextBatches(view, LIMITS)).toEqual([{ source: 1, target: 2, slots: [5, 9] }]);
  });

  test("run side by side when they share no group", () => {
    const view = viewOf([order(5, 1, 2, 1), order(7, 3, 4, 2), order(8, 3, 2, 3)]);
    expect(nextBatches(view, LIMITS)).toEqual([
      { source: 1, target: 2, slots: [5] },
      { source: 3, target: 4, slots: [7] },
    ]);
  });

  test("leave groups alone that take part in a job or change their master", () => {
    const orders = [order(5, 1, 2, 1), order(7, 3, 4, 2)];
    const busy = viewOf(orders, { jobs: new Map([[1, job(1, 2, 1, [900])]]) });
    expect(nextBatches(busy, LIMITS).map(({ source }) => source)).toEqual([3]);
    const groups = new Map(busy.groups).set(4, group(4, "preparing"));
    expect(nextBatches(viewOf(orders, { groups }), LIMITS).map(({ source }) => source)).toEqual([
      1,
    ]);
  });

  test("are no larger than the limit, and rest after a failure while others go on", () => {
    const orders = Array.from({ length: 30 }, (_, i) => order(i, 1, 2, i + 1));
    const view = viewOf([...orders, order(40, 1, 3, 99)]);
    const few = { ...LIMITS, slotsPerJob: 4 };
    expect(nextBatches(view, few)).toEqual([{ source: 1, target: 2, slots: [0, 1, 2, 3] }]);
    const resting = { ...LIMITS, resting: new Set(["1 2"]) };
    expect(nextBatches(view, resting)).toEqual([{ source: 1, target: 3, slots: [40] }]);
  });

  test("bring offline slots to several groups at once", () => {
    const view = viewOf([order(5, 0, 2, 1), order(7, 0, 3, 2)]);
    expect(nextBatches(view, LIMITS).map(({ target }) => target)).toEqual([2, 3]);
  });
});

test("slots that an original dashboard has begun to move are found by state and pair", () => {
  const moving = [
    { ...order(1, 1, 2, 1), state: "migrating" as const },
    { ...order(2, 1, 2, 2), state: "prepared" as const },
    { ...order(3, 1, 2, 3), state: "migrating" as const },
    { ...order(4, 1, 3, 4), state: "migrating" as const },
    order(5, 1, 2, 5),
  ];
  const view = viewOf(moving, { jobs: new Map([[1, job(1, 1, 3, [4])]]) });
  expect(orphansOf(view)).toEqual([
    { state: "migrating", source: 1, target: 2, slots: [1, 3] },
    { state: "holding", source: 1, target: 2, slots: [2] },
  ]);
});
