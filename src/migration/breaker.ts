// Keeps a source from being stopped again and again by a target that hangs: every MIGRATE to it
// blocks the whole source for its timeout, and once more for the retry that the source makes by
// itself. So a MIGRATE is sent only when the target has answered us within the last second, and
// after one that failed there is a pause, of several times the time for which the source stood.

import { messageOf } from "../lib/operator-error.ts";
import { RedisClient } from "../redis/client.ts";
import { rest } from "./pacer.ts";
import type { Login } from "./types.ts";

const FRESH_MS = 1_000;
const PING_TIMEOUT_MS = 1_000;
const PAUSES_MS = [500, 1_000, 2_000, 5_000];
/** The source serves its clients for at least this many times as long as it stood. */
const REST_FACTOR = 6;

export class Breaker implements Disposable {
  #pulse: RedisClient | null = null;
  #answeredAt = -Infinity;
  #failures = 0;
  #openUntil = 0;

  constructor(
    private readonly target: string,
    private readonly login: Login,
    private readonly signal: AbortSignal,
    private readonly onTrouble: (reason: string) => void,
  ) {}

  /** Resolves when a MIGRATE may be sent. */
  async closed(): Promise<void> {
    this.signal.throwIfAborted();
    const now = performance.now();
    if (now >= this.#openUntil && now - this.#answeredAt < FRESH_MS) return;
    for (;;) {
      const left = this.#openUntil - performance.now();
      if (left > 0) await rest(left, this.signal);
      if (await this.#answers()) return;
      this.#open(0);
    }
  }

  succeeded(): void {
    this.#answeredAt = performance.now();
    this.#failures = 0;
  }

  /** Call after a MIGRATE that was in vain and took so long. */
  failed(tookMs: number): void {
    this.#answeredAt = -Infinity;
    this.#open(tookMs);
  }

  [Symbol.dispose](): void {
    this.#pulse?.close();
  }

  #open(tookMs: number): void {
    const pause = PAUSES_MS[Math.min(this.#failures, PAUSES_MS.length - 1)];
    this.#failures++;
    this.#openUntil = performance.now() + Math.max(pause, tookMs * REST_FACTOR);
  }

  async #answers(): Promise<boolean> {
    try {
      if (this.#pulse === null || !this.#pulse.isOpen) {
        const options = { ...this.login, name: "codis-pulse", connectTimeoutMs: PING_TIMEOUT_MS };
        this.#pulse = await RedisClient.connect(this.target, {
          ...options,
          callTimeoutMs: PING_TIMEOUT_MS,
        });
      }
      await this.#pulse.call(["PING"], PING_TIMEOUT_MS);
      this.#answeredAt = performance.now();
      return true;
    } catch (error) {
      this.onTrouble(`the target does not answer: ${messageOf(error)}`);
      return false;
    }
  }
}
