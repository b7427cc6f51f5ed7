// Trouble that passes: which errors are of that kind, and how long to wait after them.

import { ConnectionError } from "../redis/client.ts";
import { ReplyError } from "../resp/value.ts";
import { rest } from "./pacer.ts";

const FIRST_REST_MS = 50;
const LONGEST_REST_MS = 3_000;

/** What servers answer while they start, write to a slow disk, or wait for their master. */
const PASSING_CODES = ["LOADING", "BUSY", "MASTERDOWN", "MISCONF", "NOREPLICAS", "TRYAGAIN"];

export function isPassing(error: unknown): boolean {
  if (error instanceof ReplyError) return PASSING_CODES.includes(error.code);
  return error instanceof ConnectionError;
}

/** Waits longer and longer while something keeps failing. */
export class Backoff {
  #restMs = FIRST_REST_MS;

  constructor(private readonly signal: AbortSignal) {}

  async wait(): Promise<void> {
    // A part that is chance, so that several who failed together do not try again together.
    const restMs = this.#restMs * (0.75 + Math.random() / 2);
    this.#restMs = Math.min(LONGEST_REST_MS, this.#restMs * 2);
    await rest(restMs, this.signal);
  }

  reset(): void {
    this.#restMs = FIRST_REST_MS;
  }
}
