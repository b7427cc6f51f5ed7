import { expect, test } from "bun:test";
import { idleMapping, type SlotMapping } from "../model/slot-mapping.ts";
import type { JobStat, TopomStats } from "../model/topom-stats.ts";
import { progressLine } from "./rebalance-show.ts";

const load = { figures: { checked: 12_345, wrong: 0, refused: 0, longestMs: 8.6 } };

function statsOf(moving: number, jobs: readonly Partial<JobStat>[]): TopomStats {
  const slots = Array.from({ length: 1024 }, (_, id): SlotMapping => {
    if (id >= moving) return idleMapping(id, 1);
    return { id, group_id: 1, action: { index: 1, state: "pending", target_id: 3 } };
  });
  return { slots, slot_action: { jobs } } as unknown as TopomStats;
}

test("progress counts slots that have arrived, and those under way by their keys", () => {
  const half = { slots: 100, slots_done: 0, keys_moved: 500, keys_total: 1000 };
  expect(progressLine(statsOf(200, [half]), 400, load)).toBe(
    `[${"#".repeat(19)}${".".repeat(11)}] 62%, 200 slots, 12,345 answers checked, 0 wrong, ` +
      "longest wait 9 ms",
  );
  expect(progressLine(statsOf(0, []), 400, load)).toStartWith(`[${"#".repeat(30)}] 100%`);
  // More than were ordered now: the demo was stopped in the middle of a move and started again.
  expect(progressLine(statsOf(500, []), 400, load)).toStartWith(`[${".".repeat(30)}] 0%, 0 slots`);
});
