// Waiting, as all coordinators need it: sleeps that an abort ends, one task after the other, and
// the state "we lead" with its end.

import { OperatorError } from "../lib/operator-error.ts";

/** The change may have been made or not: the answer did not come. */
export class OutcomeUnknown extends OperatorError {}

/** Rejects with an `OperatorError` as soon as `signal` is aborted. */
export function sleep(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(aborted());
    const onAbort = (): void => {
      clearTimeout(timer);
      reject(aborted());
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", onAbort);
      resolve();
    }, ms);
    signal?.addEventListener("abort", onAbort, { once: true });
  });
}

export function throwIfAborted(signal?: AbortSignal): void {
  if (signal?.aborted) throw aborted();
}

function aborted(): OperatorError {
  return new OperatorError("waiting for the lead was given up");
}

/** Runs tasks one at a time, in the order of the calls; one that fails does not stop the next. */
export class Sequence {
  #last: Promise<unknown> = Promise.resolve();

  run<T>(task: () => Promise<T>): Promise<T> {
    const done = this.#last.then(task, task);
    this.#last = done.catch(() => {});
    return done;
  }
}

/** Ends once, with the first reason. */
export class Tenure {
  readonly #end = Promise.withResolvers<string>();
  #hasEnded = false;

  get hasEnded(): boolean {
    return this.#hasEnded;
  }

  get lost(): Promise<string> {
    return this.#end.promise;
  }

  end(reason: string): void {
    this.#hasEnded = true;
    this.#end.resolve(reason);
  }
}

const FIRST_PAUSE_MS = 1_000;
const LONGEST_PAUSE_MS = 30_000;

/**
 * Repeats `task` until it succeeds, with pauses of 1, 2, 4 … 30 seconds. Returns false when
 * `signal` was aborted before that.
 */
export async function backOff(
  task: () => Promise<void>,
  signal: AbortSignal,
  onFailure: (error: unknown) => void,
): Promise<boolean> {
  for (let pauseMs = FIRST_PAUSE_MS; !signal.aborted;) {
    try {
      await task();
      return true;
    } catch (error) {
      if (signal.aborted) return false;
      onFailure(error);
      await sleep(pauseMs, signal).catch(() => {});
      pauseMs = Math.min(2 * pauseMs, LONGEST_PAUSE_MS);
    }
  }
  return false;
}
