// Waiting on conditions. Tests never wait for a length of time.

export interface UntilOptions {
  readonly timeoutMs?: number;
  /** Completes the sentence "gave up waiting until ...". A function is asked at the end. */
  readonly what?: string | (() => string);
}

const POLL_MS = 5;
const MAX_POLL_MS = 50;
const DEFAULT_TIMEOUT_MS = 10_000;

/**
 * Resolves with the first truthy value of `condition`. A condition that throws counts as false, and
 * the last such error is the cause of the error at the end.
 */
export async function until<T>(
  condition: () => T | Promise<T>,
  options: UntilOptions = {},
): Promise<T> {
  const timeoutMs = options.timeoutMs ?? DEFAULT_TIMEOUT_MS;
  const deadline = performance.now() + timeoutMs;
  let cause: unknown;
  for (;;) {
    const begunMs = performance.now();
    try {
      const value = await condition();
      if (value) return value;
    } catch (error) {
      cause = error;
    }
    const now = performance.now();
    if (now > deadline) break;
    // A question that costs much is not asked all the time: what is waited for needs the CPU.
    await Bun.sleep(Math.min(MAX_POLL_MS, Math.max(POLL_MS, now - begunMs)));
  }
  const { what } = options;
  const goal = typeof what === "function" ? what() : (what ?? condition.toString());
  throw new Error(`gave up after ${timeoutMs} ms waiting until ${goal}`, { cause });
}
