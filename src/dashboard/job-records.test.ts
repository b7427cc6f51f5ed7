import { expect, test } from "bun:test";
import { keyOf } from "../../tests/harness/keys.ts";
import type { MigrationJob, PinnedKey } from "../model/migration-job.ts";
import { cancelled, repairJobs } from "./job-records.ts";

const pinOf = (slot: number): PinnedKey => {
  return { db: 0, key: Buffer.from(keyOf(slot)).toString("base64"), state: "held" };
};

const JOB: MigrationJob = {
  id: 3,
  method: "keys",
  source_id: 1,
  target_id: 2,
  epoch: 5,
  state: "migrating",
  slots: [5, 6, 7],
  pins: [pinOf(5), pinOf(6)],
  started: 0,
};

const isMeant = (slot: number): boolean => slot >= 6 && slot <= 100;

test("slots that are called back become a job of their own, with their large keys", () => {
  expect(cancelled(JOB, isMeant, 4)).toEqual([
    { ...JOB, id: 4, parent: 3, slots: [6, 7], pins: [pinOf(6)], cancelled: true },
    { ...JOB, slots: [5], pins: [pinOf(5)] },
  ]);
  expect(cancelled(JOB, () => true, 4)).toEqual([{ ...JOB, cancelled: true }]);
  // One parent is enough: a job that is on its way back is not divided again.
  const back = { ...JOB, cancelled: true };
  expect(cancelled(back, isMeant, 4)).toEqual([back]);
});

test("a division that was written in part is finished, and no large key is in two jobs", () => {
  const [part, rest] = cancelled(JOB, isMeant, 4);
  expect(repairJobs([JOB, part])).toEqual([rest]);
  expect(repairJobs([JOB, part].values())).toEqual([rest]);
  expect(repairJobs([rest, part])).toEqual([]);
  expect(repairJobs([{ ...JOB, slots: [6] }, part])).toEqual([{ ...JOB, slots: [], pins: [] }]);
  // Its slots are nobody's: it only deletes what is left.
  expect(repairJobs([{ ...JOB, state: "trimming", method: "replica" }, part])).toEqual([]);
});
