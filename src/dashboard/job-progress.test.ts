import { expect, test } from "bun:test";
import type { MigrationJob } from "../model/migration-job.ts";
import { JobProgress } from "./job-progress.ts";

const JOB: MigrationJob = {
  id: 3,
  method: "keys",
  source_id: 1,
  target_id: 2,
  epoch: 5,
  state: "migrating",
  slots: [5, 6, 7, 8],
  pins: [],
  started: 0,
};

test("speed and the time that is left follow the last seconds", () => {
  let nowMs = 0;
  const progress = new JobProgress(JOB, () => nowMs);
  progress.keysTotal = 10_000;
  for (; nowMs <= 4000; nowMs += 1000) progress.add(1000, 50_000);
  nowMs = 4000;
  expect(progress.statOf({ ...JOB, slots: [5] }, false)).toMatchObject({
    slots: 4,
    slots_done: 3,
    keys_moved: 5000,
    bytes_moved: 250_000,
    keys_per_second: 1000,
    eta: 5,
  });
  nowMs += 60_000;
  expect(progress.statOf(JOB, true)).toMatchObject({ keys_per_second: 0, paused: true });
  expect(progress.statOf(JOB, true).eta).toBeUndefined();
});

test("the status is in the words of the original, and a slot's error comes first", () => {
  const progress = new JobProgress(JOB);
  progress.keysTotal = 1500;
  expect(progress.statusOf(JOB)).toBe("[OK] Slot[0005]@DB[0]=1500");
  progress.error = "the job is stuck";
  expect(progress.statusOf(JOB)).toBe("[ERROR] Slot[0005]: the job is stuck");
  progress.slotError(7, "a key is too large");
  expect(progress.statusOf(JOB)).toBe("[ERROR] Slot[0007]: a key is too large");
  expect(progress.statOf(JOB, false).slot_errors).toEqual({ 7: "a key is too large" });
  progress.clearErrors();
  expect(progress.statusOf(JOB)).toBe("[OK] Slot[0005]@DB[0]=1500");
});
