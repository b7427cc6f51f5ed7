// What a migration job means for the slots that it moves: pure functions over the records. The job
// is the truth and is stored before each step; the action of its slots mirrors it in the words of
// the original, for tools and for a dashboard of the original that takes over. The mirror may lag
// behind by one step, so whoever wants to know what proxies should see asks `phaseOf`.

import type { JobState, MigrationJob } from "../model/migration-job.ts";
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
 * The jobs that must be written differently when a dashboard takes over: one that was divided, and
 * not yet shortened when the dashboard died, gives up what the newer one has.
 */
export function repairJobs(jobs: Iterable<MigrationJob>): MigrationJob[] {
  // Callers pass iterators, which can be walked once.
  const all = [...jobs];
  const owners = jobsBySlot(all);
  return all
    .filter((job) => phaseOf(job) !== null)
    .map((job) => ({ ...job, slots: job.slots.filter((slot) => owners.get(slot)?.id === job.id) }))
    .filter((job) => job.slots.length !== all.find(({ id }) => id === job.id)?.slots.length);
}
