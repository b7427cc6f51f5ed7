import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { type Group, newServer } from "../model/group.ts";
import { SLOT_COUNT } from "../model/slot.ts";
import type { SlotMapping } from "../model/slot-mapping.ts";
import { evenMoves, planRebalance, type SlotMove } from "./rebalance.ts";

/** Slots `from` to `to`, both included, of a group, perhaps on their way to another. */
type Range = readonly [from: number, to: number, group: number, target?: number];

function layout(...ranges: Range[]): SlotMapping[] {
  return Array.from({ length: SLOT_COUNT }, (_, id) => {
    const range = ranges.findLast(([from, to]) => from <= id && id <= to);
    return mapping(id, range?.[2] ?? 0, range?.[3] ?? 0);
  });
}

function mapping(id: number, group: number, target: number): SlotMapping {
  const action = target === 0 ? {} : { index: 1, state: "pending" as const, target_id: target };
  return { id, group_id: group, action };
}

function groupsOf(...ids: number[]): Map<number, Group> {
  return new Map(
    ids.map((id) => {
      const servers = [newServer(`10.0.0.${id}:6379`, "")];
      return [id, { id, servers, promoting: {}, out_of_sync: false }];
    }),
  );
}

/** "342-682→2" for each run of slots that go to the same group. */
function shown(moves: readonly SlotMove[]): string[] {
  const runs: { from: number; to: number; group: number }[] = [];
  for (const { slot, to } of moves) {
    const last = runs.at(-1);
    if (last !== undefined && last.group === to && last.to === slot - 1) last.to = slot;
    else runs.push({ from: slot, to: slot, group: to });
  }
  return runs.map((run) => `${run.from}-${run.to}→${run.group}`);
}

describe("the algorithm of the original", () => {
  const plan = (...ranges: Range[]): string[] => shown(evenMoves(layout(...ranges), [1, 2, 3], 0));

  test("gives the plans that the original gave (contract 6.5)", () => {
    expect(plan()).toEqual(["0-341→1", "342-682→2", "683-1023→3"]);
    expect(plan([0, 1023, 1])).toEqual(["342-682→2", "683-1023→3"]);
    const two: Range[] = [
      [0, 699, 1],
      [700, 1023, 2],
    ];
    expect(plan(...two)).toEqual(["342-358→2", "359-699→3"]);
    expect(plan(...two, [0, 9, 0], [50, 59, 1, 3])).toEqual(["0-9→2", "362-368→2", "369-699→3"]);
  });

  test("changes nothing where groups differ by one slot at most", () => {
    expect(plan([0, 341, 3], [342, 682, 1], [683, 1023, 2])).toEqual([]);
  });
});

// ------------------------------------------------------------------------------ any layout at all

const GROUPS = [1, 2, 3, 4, 7];

const slotsOfAnyKind = fc
  .array(
    fc.record({
      group: fc.constantFrom(0, ...GROUPS),
      target: fc.oneof(
        { arbitrary: fc.constant(0), weight: 9 },
        { arbitrary: fc.constantFrom(...GROUPS), weight: 1 },
      ),
    }),
    { minLength: SLOT_COUNT, maxLength: SLOT_COUNT, size: "max" },
  )
  .map((rows) => {
    return rows.map(({ group, target }, id) => mapping(id, group, target === group ? 0 : target));
  });

const anyWeights = fc.array(
  fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 100 }), fc.integer({ min: 0, max: 100_000 })),
  { minLength: SLOT_COUNT, maxLength: SLOT_COUNT, size: "max" },
);

function property(check: (slots: SlotMapping[], weights: number[]) => void): void {
  fc.assert(fc.property(slotsOfAnyKind, anyWeights, check), { numRuns: 40 });
}

/** Group → sum of the weights of its slots, after actions and moves. */
function loadsAfter(
  slots: readonly SlotMapping[],
  moves: readonly SlotMove[],
  weights: readonly number[],
): Map<number, number> {
  const loads = new Map(GROUPS.map((id) => [id, 0]));
  for (const slot of slots) {
    const arranged = slot.action.target_id ?? slot.group_id;
    const group = moves.find((move) => move.slot === slot.id)?.to ?? arranged;
    loads.set(group, (loads.get(group) ?? 0) + weights[slot.id]);
  }
  return loads;
}

function spread(loads: Map<number, number>): number {
  const ofGroups = GROUPS.map((id) => loads.get(id) ?? 0);
  return Math.max(...ofGroups) - Math.min(...ofGroups);
}

const ones = Array.from({ length: SLOT_COUNT }, () => 1);

describe("every plan", () => {
  for (const by of ["slots", "keys", "memory"] as const) {
    test(`by ${by} moves idle slots only, each once and to another group`, () => {
      property((slots, weights) => {
        const { moves } = planRebalance(slots, groupsOf(...GROUPS), { by }, weights);
        expect(new Set(moves.map((move) => move.slot)).size).toBe(moves.length);
        for (const { slot, from, to } of moves) {
          expect(slots[slot].action).toEqual({});
          expect(slots[slot].group_id).toBe(from);
          expect(to).not.toBe(from);
          expect(GROUPS).toContain(to);
        }
      });
    });

    test(`by ${by} gives every slot a group`, () => {
      property((slots, weights) => {
        const { moves } = planRebalance(slots, groupsOf(...GROUPS), { by }, weights);
        expect(loadsAfter(slots, moves, ones).get(0) ?? 0).toBe(0);
      });
    });

    test(`by ${by} leaves nothing in a group that is drained`, () => {
      property((slots, weights) => {
        const settled = slots.map((slot) => mapping(slot.id, slot.group_id, 0));
        const order = { by, drain: 4 };
        const plan = planRebalance(settled, groupsOf(...GROUPS), order, weights);
        expect(loadsAfter(settled, plan.moves, ones).get(4)).toBe(0);
        expect(plan.shares["4"].after).toBe(0);
      });
    });
  }

  test("by slots leaves groups that differ by one slot at most, when nothing is under way", () => {
    property((slots) => {
      const settled = slots.map((slot) => mapping(slot.id, slot.group_id, 0));
      const moves = evenMoves(settled, GROUPS, 0);
      expect(spread(loadsAfter(settled, moves, ones))).toBeLessThanOrEqual(1);
      expect(moves.length).toBe(leastMoves(settled));
    });
  });

  test("by keys needs no more moves than by slots when all slots weigh the same", () => {
    property((slots) => {
      const settled = slots.map((slot) => mapping(slot.id, slot.group_id || 1, 0));
      const order = { by: "keys" } as const;
      const { moves } = planRebalance(settled, groupsOf(...GROUPS), order, ones);
      expect(moves.length).toBeLessThanOrEqual(leastMoves(settled));
    });
  });

  test("by keys never makes the loads less even", () => {
    property((slots, weights) => {
      const settled = slots.map((slot) => mapping(slot.id, slot.group_id || 1, 0));
      const order = { by: "keys" } as const;
      const { moves } = planRebalance(settled, groupsOf(...GROUPS), order, weights);
      const after = spread(loadsAfter(settled, moves, weights));
      const total = weights.reduce((sum, weight) => sum + weight, 0);
      // Empty slots count a little, so that a few keys of difference may come of it.
      expect(after).toBeLessThanOrEqual(spread(loadsAfter(settled, [], weights)) + total / 50 + 1);
      // What remains is within the tolerance, or smaller than what could still be moved.
      const heaviest = Math.max(...weights);
      expect(after).toBeLessThanOrEqual(Math.max(heaviest, (0.02 * total) / 5) + total / 50 + 1);
    });
  });
});

/** So many slots are above what their group may keep, or have no group. */
function leastMoves(slots: readonly SlotMapping[]): number {
  const sizes = loadsAfter(slots, [], ones);
  const counts = GROUPS.map((id) => sizes.get(id) ?? 0).sort((a, b) => b - a);
  // The largest groups keep the larger shares: 205 four times, 204 once.
  const kept = counts.map((count, i) => Math.min(count, i < SLOT_COUNT % 5 ? 205 : 204));
  return SLOT_COUNT - kept.reduce((sum, count) => sum + count, 0);
}

describe("a plan by weight", () => {
  test("evens out keys and not slots", () => {
    const slots = layout([0, 511, 1], [512, 1023, 2]);
    const weights = slots.map((slot) => (slot.id < 512 ? 300 : 100));
    const plan = planRebalance(slots, groupsOf(1, 2), { by: "keys" }, weights);
    expect(plan.shares["1"].before).toBe(512 * 300);
    expect(plan.shares["2"].before).toBe(512 * 100);
    const { after } = plan.shares["1"];
    expect(Math.abs(after - plan.shares["2"].after)).toBeLessThan(0.02 * 512 * 200);
    expect(plan.moves.length).toBeLessThanOrEqual(171);
  });

  test("moves one heavy slot and not many light ones", () => {
    const slots = layout([0, 511, 1], [512, 1023, 2]);
    const weights = slots.map((slot) => (slot.id === 100 ? 10_000 : slot.id < 200 ? 50 : 0));
    const { moves } = planRebalance(slots, groupsOf(1, 2), { by: "keys" }, weights);
    expect(moves).toEqual([{ slot: 100, from: 1, to: 2 }]);
  });

  test("of an empty product treats all slots alike", () => {
    const zeros = ones.map(() => 0);
    const { moves } = planRebalance(layout(), groupsOf(1, 2), { by: "keys" }, zeros);
    expect(moves.filter((move) => move.to === 1).length).toBe(512);
  });
});

describe("an order that cannot be carried out says why", () => {
  const plan = (slots: SlotMapping[], groups: Map<number, Group>, drain?: number): unknown => {
    return planRebalance(slots, groups, { by: "slots", drain }, ones);
  };

  test("no group has a server", () => {
    const empty = { id: 1, servers: [], promoting: {}, out_of_sync: false };
    expect(() => plan(layout(), new Map([[1, empty]]))).toThrow("no valid group could be found");
  });

  test("the group to drain is not there, or the only one", () => {
    expect(() => plan(layout(), groupsOf(1, 2), 3)).toThrow("group-[3] doesn't exist");
    expect(() => plan(layout([0, 1023, 1]), groupsOf(1), 1)).toThrow("no other group has a server");
  });

  test("slots are on their way to the group to drain", () => {
    const slots = layout([0, 1023, 1], [5, 9, 1, 2]);
    expect(() => plan(slots, groupsOf(1, 2), 2)).toThrow("5 slots are on their way to group-[2]");
  });
});
