// The speed of the engine: how much of the time it may take from a server, and how many keys go
// into one MIGRATE. Batches are sized by the time they take, not by a number that fits no value
// size.

import { setTimeout as delay } from "node:timers/promises";
import type { Watch } from "./types.ts";

/** Rejects with the reason of the signal when that is aborted. */
export async function rest(ms: number, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted();
  try {
    await delay(ms, undefined, { signal });
  } catch (error) {
    signal.throwIfAborted();
    throw error;
  }
}

const PAUSE_POLL_MS = 50;
/** However slow one piece of work was: somebody may want to hear soon that the work goes on. */
const LONGEST_REST_MS = 1_000;
/** Timers are not finer than this; shorter pauses add up until they are worth one. */
const SHORTEST_REST_MS = 1;

/** Pauses between pieces of work, so that they take only the agreed share of the time. */
export class Pacer {
  #owedMs = 0;

  constructor(private readonly watch: Watch) {}

  /** Call after a piece of work that kept a server busy for `tookMs`. */
  async afterWork(tookMs: number, isBatch = true): Promise<void> {
    const { duty, intervalUs } = this.watch.pace();
    this.#owedMs += tookMs * (1 / Math.min(1, Math.max(0.01, duty)) - 1);
    if (isBatch) this.#owedMs += intervalUs / 1000;
    if (this.#owedMs >= SHORTEST_REST_MS) {
      const started = performance.now();
      await rest(Math.min(LONGEST_REST_MS, this.#owedMs), this.watch.signal);
      // What the timer slept too long is paid back by the next pauses.
      const restedMs = performance.now() - started;
      this.#owedMs = Math.min(LONGEST_REST_MS, Math.max(-20, this.#owedMs - restedMs));
    }
    await this.whilePaused();
  }

  /** Resolves when nobody has paused the work; rejects when it is called off. */
  async whilePaused(): Promise<void> {
    this.watch.signal.throwIfAborted();
    while (this.watch.pace().isPaused) await rest(PAUSE_POLL_MS, this.watch.signal);
  }
}

const FIRST_BATCH = 16;
const LARGEST_BATCH = 1_000;
/** What a server sends, receives and frees in a millisecond, when values are large. */
const BYTES_PER_MS = 50 * 1024;
const LEAST_BYTES = 64 * 1024;

/** How many keys, and how many bytes, may go into the next MIGRATE. */
export class BatchSize {
  keys = FIRST_BATCH;

  /** Takes the duration of one that had `count` keys. */
  measured(count: number, tookMs: number, goalMs: number): void {
    const wanted = (goalMs / Math.max(0.05, tookMs)) * count;
    const within = Math.min(Math.max(wanted, this.keys / 4), this.keys * 2);
    this.keys = Math.min(LARGEST_BATCH, Math.max(1, Math.round(within)));
  }

  static bytes(goalMs: number): number {
    return Math.max(LEAST_BYTES, goalMs * BYTES_PER_MS);
  }
}
