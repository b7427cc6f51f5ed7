// What the parts of the migration engine share. The engine knows two servers and a set of slots; it
// knows no proxy, no store and no job. `dashboard/jobs.ts` decides when each part may run.
//
// Every part rejects with the reason of `Watch.signal` when that is aborted, and with
// `MigrationStopped` when an operator has to act first. Either way nothing that it began is under
// way any more: no MIGRATE, no deletion. Everything may be run again from its beginning.

import type { PinnedKey } from "../model/migration-job.ts";
import type { Authority } from "./authority.ts";

/** How to log in at a server. */
export interface Login {
  /** Empty: the default user. */
  readonly username: string;
  readonly password: string;
}

/** What it takes to change something at a server. */
export interface Access {
  readonly login: Login;
  readonly authority: Authority;
}

/** From which size on a key is too large for MIGRATE, and goes over in pieces instead. */
export interface BigKeyLimits {
  readonly bytes: number;
  readonly elements: number;
}

/** Where keys go from and to. The databases are all that the source has keys in. */
export interface Passage extends Access {
  readonly source: string;
  readonly target: string;
  readonly slots: ReadonlySet<number>;
  readonly jobId: number;
  /** Another job that has moved keys of these slots, and may have left something behind. */
  readonly parentId?: number;
  readonly bigKeys: BigKeyLimits;
}

/** How hard the mover may push; every field may change while it runs. */
export interface Pace {
  /** How long one MIGRATE may take: what batches are sized by. */
  readonly goalMs: number;
  /** Share of the time in which a MIGRATE may run, above 0 and up to 1. */
  readonly duty: number;
  readonly scanCount: number;
  /** Extra pause after each batch, in microseconds (slot_action.interval). */
  readonly intervalUs: number;
  readonly isPaused: boolean;
  /** MIGRATE COPY, wait for the target's replica or its disk, then UNLINK. */
  readonly isDurable: boolean;
}

/** What whoever runs a part gives it, and hears from it. Never awaited for long. */
export interface Watch {
  readonly signal: AbortSignal;
  pace(): Pace;
  onProgress(delta: {
    readonly keys: number;
    readonly bytes: number;
    readonly scanned: number;
  }): void;
  /** A slot that does not get on, with the reason; "" takes it back. Others go on. */
  onSlotError(slot: number, reason: string): void;
  /** True for keys that nobody may move now. */
  isPinned(db: number, key: Uint8Array): boolean;
  /**
   * A key that is too large for MIGRATE; it is left alone until it is pinned. May be told again for
   * the same key.
   */
  onBigKey(slot: number, pin: PinnedKey, size: KeySize): void;
}

export interface KeySize {
  /** As TYPE says it: "hash". */
  readonly type: string;
  /** By MEMORY USAGE, or guessed from the length where a server cannot tell. */
  readonly bytes: number;
  readonly elements: number;
}

/** The whole job cannot go on (roles, versions, memory, credentials); `reason` is for operators. */
export class MigrationStopped extends Error {
  override readonly name = "MigrationStopped";
}

/** One pass over the source. */
export interface PassResult {
  /** Slots of which the source has no key left, by a pass without a gap. */
  readonly clean: ReadonlySet<number>;
  readonly moved: number;
  readonly scanned: number;
}
