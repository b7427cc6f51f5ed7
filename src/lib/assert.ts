// Statements of what must hold. A failed one is a fault of ours: it is thrown, and whoever guards
// the socket event or the process ends that connection or that process, loudly.

export class AssertionError extends Error {
  override readonly name = "AssertionError";
}

/** Throws unless `condition` holds. `what` says what must hold, not what went wrong. */
export function assert(condition: unknown, what: string): asserts condition {
  if (!condition) throw new AssertionError(`this must hold: ${what}`);
}

/** Closes a `switch` over a union: the compiler proves that no case is missing. */
export function unreachable(value: never): never {
  throw new AssertionError(`this must hold: no other case than those named, not ${String(value)}`);
}
