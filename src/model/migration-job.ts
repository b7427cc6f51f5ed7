// A migration job: slots that move together from one group to another (ours; the original knows
// only the action of each slot). It is stored before each of its steps, so that whoever reads it
// after a crash knows how far the proxies may have got.

import { RecordReader } from "./json.ts";
import { SLOT_COUNT } from "./slot.ts";
import { MAX_GROUP_ID } from "./slot-mapping.ts";

/**
 * keys: MIGRATE, any server. replica: the target becomes a replica of the source and is promoted.
 * codis: the commands of codis-server, sync or semi-async.
 */
export const JOB_METHODS = ["keys", "replica", "codis"] as const;
export type JobMethod = (typeof JOB_METHODS)[number];

export const JOB_STATES = [
  "preparing", // map → source; the target is checked and purged, the source scanned for big keys
  "holding", // every proxy is asked to hold the slots; none may have switched yet
  "migrating", // backend is the target, migrate_from the source
  "finishing", // the source has none of their keys any more; the proxies are told
  "reversing", // cancelled half way: hold, purge the source of what the target has, swap, migrate
  "switching", // method replica: held; the target catches up
  "promoted", // method replica: the target is a master; only forward from here
  "trimming", // method replica: the slots have arrived; both ends lose what is not theirs
] as const;
export type JobState = (typeof JOB_STATES)[number];

/** A key too large for MIGRATE. `db` and `key` (base64 of its bytes) name it. */
export interface PinnedKey {
  readonly db: number;
  readonly key: string;
  /** pinned: all requests go to the source. held: reads at the source if there, writes wait. */
  readonly state: "pinned" | "held" | "copied";
}

export interface MigrationJob {
  readonly id: number;
  /** The job that these slots were in before: what it has left at the servers is ours to end. */
  readonly parent?: number;
  readonly method: JobMethod;
  readonly source_id: number;
  readonly target_id: number;
  /** Rises with every new hold; the proxies forget what they knew under a lower one. */
  readonly epoch: number;
  readonly state: JobState;
  /** Slots that have not arrived yet, ascending. */
  readonly slots: readonly number[];
  readonly pins: readonly PinnedKey[];
  /** What the target was when its keys of the slots were deleted, by `lifeOfTarget`. */
  readonly target_life?: string;
  /** Method replica: the target may be a master, and nobody knows of what. */
  readonly in_doubt?: boolean;
  /** The operator wants the slots back. */
  readonly cancelled?: boolean;
  /** Source and target were swapped by a cancel: the slots are on their way back. */
  readonly reversed?: boolean;
  /** Unix seconds. */
  readonly started: number;
}

export function parseMigrationJob(json: unknown, where: string): MigrationJob {
  const reader = new RecordReader(json, where);
  const group = (name: string): number => reader.requiredInteger(name, 0, MAX_GROUP_ID);
  const parent = reader.integer("parent", 1, Number.MAX_SAFE_INTEGER);
  const life = reader.text("target_life");
  return {
    id: reader.requiredInteger("id", 1, Number.MAX_SAFE_INTEGER),
    ...(parent === undefined ? {} : { parent }),
    method: reader.choice("method", JOB_METHODS) ?? "keys",
    source_id: group("source_id"),
    target_id: group("target_id"),
    epoch: reader.requiredInteger("epoch", 0, Number.MAX_SAFE_INTEGER),
    state: reader.choice("state", JOB_STATES) ?? "preparing",
    slots: (reader.list("slots") ?? []).map((slot, index) => {
      if (typeof slot === "number" && slot >= 0 && slot < SLOT_COUNT) return slot;
      return new RecordReader({ slot }, `slot ${index} of ${where}`).requiredInteger(
        "slot",
        0,
        SLOT_COUNT - 1,
      );
    }),
    pins: (reader.list("pins") ?? []).map((pin, index) => {
      const entry = new RecordReader(pin, `pin ${index} of ${where}`);
      return {
        db: entry.requiredInteger("db", 0, 1_000_000),
        key: entry.text("key") ?? "",
        state: entry.choice("state", ["pinned", "held", "copied"]) ?? "pinned",
      };
    }),
    ...(life === undefined ? {} : { target_life: life }),
    ...(reader.boolean("in_doubt") ? { in_doubt: true } : {}),
    ...(reader.boolean("cancelled") ? { cancelled: true } : {}),
    ...(reader.boolean("reversed") ? { reversed: true } : {}),
    started: reader.integer("started", 0, Number.MAX_SAFE_INTEGER) ?? 0,
  };
}
