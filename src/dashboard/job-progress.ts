// How far a job is: counted while this process runs it, and forgotten with it. Nothing decides by
// these figures; they are for people.

import type { MigrationJob } from "../model/migration-job.ts";
import type { JobStat } from "../model/topom-stats.ts";

/** Speed is measured over about so long. */
const WINDOW_MS = 5_000;

interface Sample {
  readonly atMs: number;
  readonly keys: number;
}

export class JobProgress {
  keysMoved = 0;
  bytesMoved = 0;
  /** Of the slots of the job, when the source was last counted; 0 while nobody has. */
  keysTotal = 0;
  /** Why the job as a whole does not get on; "" when the last step went well. */
  error = "";
  /** Longest hold of the slots. */
  holdMs = 0;
  readonly #slotErrors = new Map<number, string>();
  readonly #slotsAtStart: number;
  #samples: Sample[] = [];

  constructor(
    job: MigrationJob,
    private readonly now: () => number = () => performance.now(),
  ) {
    this.#slotsAtStart = job.slots.length;
  }

  add(keys: number, bytes: number): void {
    this.keysMoved += keys;
    this.bytesMoved += bytes;
    const atMs = this.now();
    const last = this.#samples.at(-1);
    // A sample every tenth of the window is enough.
    if (last !== undefined && atMs - last.atMs < WINDOW_MS / 10) return;
    this.#samples.push({ atMs, keys: this.keysMoved });
    while (atMs - this.#samples[0].atMs > WINDOW_MS) this.#samples.shift();
  }

  slotError(slot: number, reason: string): void {
    if (reason === "") this.#slotErrors.delete(slot);
    else this.#slotErrors.set(slot, reason);
  }

  clearErrors(): void {
    this.error = "";
    this.#slotErrors.clear();
  }

  get keysPerSecond(): number {
    const [first] = this.#samples;
    if (first === undefined) return 0;
    const ms = this.now() - first.atMs;
    // Nothing has moved for a whole window.
    if (ms > 2 * WINDOW_MS || ms < 1) return 0;
    return Math.round(((this.keysMoved - first.keys) * 1000) / ms);
  }

  get keysLeft(): number {
    return Math.max(0, this.keysTotal - this.keysMoved);
  }

  statOf(job: MigrationJob, isPaused: boolean): JobStat {
    const speed = this.keysPerSecond;
    const eta = speed > 0 && this.keysTotal > 0 ? Math.ceil(this.keysLeft / speed) : undefined;
    const errors = [...this.#slotErrors].map(([slot, reason]) => [String(slot), reason]);
    return {
      id: job.id,
      method: job.method,
      source_id: job.source_id,
      target_id: job.target_id,
      state: job.state,
      epoch: job.epoch,
      slots: this.#slotsAtStart,
      slots_done: Math.max(0, this.#slotsAtStart - job.slots.length),
      keys_moved: this.keysMoved,
      keys_total: this.keysTotal,
      bytes_moved: this.bytesMoved,
      keys_per_second: speed,
      ...(eta === undefined ? {} : { eta }),
      paused: isPaused,
      error: this.error,
      ...(errors.length === 0 ? {} : { slot_errors: Object.fromEntries(errors) }),
      hold_ms: Math.round(this.holdMs * 10) / 10,
    };
  }

  /** The words of the original: how many keys are left, or what is wrong. */
  statusOf(job: MigrationJob): string {
    const [slot = job.slots[0] ?? 0, reason = this.error] = [...this.#slotErrors][0] ?? [];
    const name = `Slot[${String(slot).padStart(4, "0")}]`;
    return reason === "" ? `[OK] ${name}@DB[0]=${this.keysLeft}` : `[ERROR] ${name}: ${reason}`;
  }
}
