// Which jobs may begin: a pure function over the records, asked again whenever something changes.
// A group takes part in one job at a time, because a job has a whole server to scan; pairs of
// groups that share none run side by side. The pending actions go in the order of their index.

import { type Group, masterOf } from "../model/group.ts";
import type { JobState, MigrationJob } from "../model/migration-job.ts";
import type { ActionState, SlotMapping } from "../model/slot-mapping.ts";
import { jobsBySlot } from "./job-records.ts";

/** Slots that can go together. */
export interface Batch {
  readonly source: number;
  readonly target: number;
  readonly slots: readonly number[]; // ascending
}

export interface ScheduleView {
  readonly slots: readonly SlotMapping[];
  readonly groups: ReadonlyMap<number, Group>;
  readonly jobs: ReadonlyMap<number, MigrationJob>;
}

export interface ScheduleLimits {
  /** Most slots of a job. */
  readonly slotsPerJob: number;
  /** Pairs (`pairName`) whose last attempt failed a short while ago. */
  readonly resting: ReadonlySet<string>;
}

export function pairName(source: number, target: number): string {
  return `${source} ${target}`;
}

/** The batches of pending slots that may begin now. */
export function nextBatches(view: ScheduleView, limits: ScheduleLimits): Batch[] {
  const busy = busyGroups(view);
  const pending = view.slots
    .filter(({ action }) => action.state === "pending")
    .sort((a, b) => (a.action.index ?? 0) - (b.action.index ?? 0));
  const batches: Batch[] = [];
  for (const { group_id: source, action } of pending) {
    const target = action.target_id ?? 0;
    if (busy.has(source) || busy.has(target)) continue;
    if (limits.resting.has(pairName(source, target)) || !isReady(view, source, target)) continue;
    const slots = pending
      .filter((each) => each.group_id === source && each.action.target_id === target)
      .slice(0, limits.slotsPerJob)
      .map(({ id }) => id);
    batches.push({ source, target, slots: slots.sort((a, b) => a - b) });
    // Slots that are offline come from nowhere, and nowhere is never busy.
    if (source !== 0) busy.add(source);
    busy.add(target);
  }
  return batches;
}

/** Why a batch cannot begin at all, for people; "" when it can, now or later. */
export function obstacleOf(view: ScheduleView, target: number): string {
  const group = view.groups.get(target);
  if (group === undefined) return `group ${target} does not exist any more; remove the action`;
  return masterOf(group) === "" ? `group ${target} has no server; add one` : "";
}

function busyGroups({ jobs }: ScheduleView): Set<number> {
  const busy = new Set([...jobs.values()].flatMap((job) => [job.source_id, job.target_id]));
  busy.delete(0);
  return busy;
}

function isReady(view: ScheduleView, source: number, target: number): boolean {
  const isChanging = [source, target].some((id) => {
    return view.groups.get(id)?.promoting.state !== undefined;
  });
  return !isChanging && obstacleOf(view, target) === "";
}

/** Slots with one state of their action that no job moves. */
export interface Orphans extends Batch {
  readonly state: JobState;
}

/**
 * Slots that are past pending without a job: a dashboard of the original has begun to move them, or
 * ours died between two writes. A job takes them over where they are.
 */
export function orphansOf(view: ScheduleView): Orphans[] {
  const owners = jobsBySlot(view.jobs.values());
  const found = new Map<
    string,
    { state: JobState; source: number; target: number; slots: number[] }
  >();
  for (const { id, group_id: source, action } of view.slots) {
    if (action.state === undefined || action.state === "pending" || owners.has(id)) continue;
    const target = action.target_id ?? 0;
    const state = JOB_STATE_OF[action.state];
    const name = `${state} ${pairName(source, target)}`;
    const orphans = found.get(name) ?? { state, source, target, slots: [] };
    orphans.slots.push(id);
    found.set(name, orphans);
  }
  return [...found.values()];
}

const JOB_STATE_OF: Readonly<Record<Exclude<ActionState, "pending">, JobState>> = {
  preparing: "preparing",
  prepared: "holding",
  migrating: "migrating",
  finished: "finishing",
};
