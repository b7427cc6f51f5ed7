// A task that is done again and again, with a pause in between, until it is stopped.

import { log } from "../lib/log.ts";
import type { Part } from "./product.ts";

export class Rounds implements Part {
  #isWanted = false;
  #running: Promise<void> = Promise.resolve();
  #isWoken = false;
  #endPause: (() => void) | null = null;

  /** An error of the task is logged; the next round comes all the same. */
  constructor(
    private readonly periodMs: number,
    private readonly task: () => Promise<void>,
  ) {}

  start(): void {
    if (this.#isWanted) return;
    this.#isWanted = true;
    this.#running = this.#run();
  }

  /** Resolves when the round that is under way has ended. */
  async stop(): Promise<void> {
    this.#isWanted = false;
    this.wake();
    await this.#running;
  }

  /** The next round begins now, or right after the present one. */
  wake(): void {
    this.#isWoken = true;
    this.#endPause?.();
  }

  async #run(): Promise<void> {
    while (this.#isWanted) {
      this.#isWoken = false;
      try {
        await this.task();
      } catch (error) {
        log.error("a round of the dashboard failed", error);
      }
      if (this.#isWanted && !this.#isWoken) await this.#pause();
    }
  }

  async #pause(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, this.periodMs);
    this.#endPause = resolve;
    await promise;
    this.#endPause = null;
    clearTimeout(timer);
  }
}
