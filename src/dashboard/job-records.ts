// What a migration job means for the slots that it moves: pure functions over the records. The job
// is the truth and is stored before each step; the action of its slots mirrors it in the words of
// the original, for tools and for a dashboard of the original that takes over. The mirror may lag
// behind by one step, so whoever wants to know what proxies should see asks `phaseOf`.

import type { JobState, MigrationJob, PinnedKey } from "../model/migration-job.ts";
import { slotOfKey } from "../model/slot.ts";
import type { ActionState, SlotMapping } from "../model/slot-mapping.ts";

/** What proxies do with a slot of a job: a row of the table in contract 6.3. */
export interface Phase {
  readonly state: ActionState;
  /** Held whatever the row says. */
  readonly isHeld: boolean;
}

/** Null: as if there were no job. */
export function phaseOf(job: MigrationJob): Phase | null {
  return job.method === "replica" ? REPLICA_PHASES[job.state] : PHASES[job.state];
}

const at = (state: ActionState, isHeld = false): Phase => ({ state, isHeld });

const PHASES: Readonly<Record<JobState, Phase | null>> = {
  preparing: at("preparing"),
  holding: at("prepared"),
  migrating: at("migrating"),
  finishing: at("finished"),
  reversing: at("prepared"),
  switching: at("prepared"),
  promoted: at("finished"),
  trimming: null,
};

/** A slot that moves by replication has one place at any time and never a place it comes from. */
const REPLICA_PHASES: Readonly<Record<JobState, Phase | null>> = {
  ...PHASES,
  holding: at("preparing", true),
  switching: at("preparing", true),
};

/** Slot → the job that is moving it. */
export function jobsBySlot(jobs: Iterable<MigrationJob>): Map<number, MigrationJob> {
  const found = new Map<number, MigrationJob>();
  for (const job of [...jobs].sort((a, b) => a.id - b.id)) {
    if (phaseOf(job) === null) continue;
    // A job that was divided and not yet shortened when the dashboard died: the newer one has it.
    for (const slot of job.slots) found.set(slot, job);
  }
  return found;
}

/** The mappings as they must read while `job` is in its state; only those that differ. */
export function mirrorOf(job: MigrationJob, mappings: readonly SlotMapping[]): SlotMapping[] {
  const phase = phaseOf(job);
  if (phase === null) return [];
  const changed: SlotMapping[] = [];
  for (const slot of job.slots) {
    const { group_id, action } = mappings[slot];
    const isSame = action.state === phase.state && action.target_id === job.target_id;
    if (isSame && group_id === job.source_id) continue;
    changed.push({
      id: slot,
      group_id: job.source_id,
      action: {
        ...(action.index === undefined ? {} : { index: action.index }),
        state: phase.state,
        target_id: job.target_id,
      },
    });
  }
  return changed;
}

/** The mappings as people should see them: those of moving slots mirror their jobs. */
export function mirrored(
  mappings: readonly SlotMapping[],
  jobs: Iterable<MigrationJob>,
): readonly SlotMapping[] {
  const changed = [...jobs].flatMap((job) => mirrorOf(job, mappings));
  if (changed.length === 0) return mappings;
  const seen = [...mappings];
  for (const mapping of changed) seen[mapping.id] = mapping;
  return seen;
}

/**
 * The jobs that must be written differently before anything is done with them. A division that was
 * written in part leaves slots in two jobs: the older one gives up what the newer one has, and the
 * large keys in it, which it would move while the newer one goes the other way.
 */
export function repairJobs(jobs: Iterable<MigrationJob>): MigrationJob[] {
  // Callers pass iterators, which can be walked once.
  const all = [...jobs];
  const owners = jobsBySlot(all);
  return all
    .filter((job) => phaseOf(job) !== null)
    .filter((job) => job.slots.some((slot) => owners.get(slot) !== job))
    .map((job) => partOf(job, (slot) => owners.get(slot) === job));
}

/** The job with some of its slots only. A large key goes with its slot. */
export function partOf(job: MigrationJob, isMeant: (slot: number) => boolean): MigrationJob {
  const pins = job.pins.filter((pin) => isMeant(slotOfPin(pin)));
  return { ...job, slots: job.slots.filter(isMeant), pins };
}

/** Which slot that is only the name of the key tells. */
function slotOfPin(pin: PinnedKey): number {
  return slotOfKey(Buffer.from(pin.key, "base64"));
}

/**
 * The jobs to store, in this order, when some slots of a job are called back. The others go on, so
 * these become a job of their own; all of it is on its way back already if the job is.
 */
export function cancelled(
  job: MigrationJob,
  isMeant: (slot: number) => boolean,
  newId: number,
): MigrationJob[] {
  if (job.cancelled || job.slots.every(isMeant)) return [{ ...job, cancelled: true }];
  const back = { ...partOf(job, isMeant), id: newId, parent: job.id, cancelled: true };
  return [back, partOf(job, (slot) => !isMeant(slot))];
}

/** Why a job cannot be cancelled any more; "" when it can. */
export function refusal(job: MigrationJob): string {
  const slots = `slots ${job.slots[0]} to ${job.slots.at(-1)}`;
  if (job.reversed) return `${slots} are on their way back already`;
  if (["finishing", "promoted", "trimming"].includes(job.state)) {
    return `${slots} have arrived at group ${job.target_id}; move them back when the job has ended`;
  }
  return "";
}
