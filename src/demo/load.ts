/**
 * Clients for the demo that notice every mistake: each counts up keys of its own with INCR and
 * compares each answer with what it must be. A write that is lost, or done twice, is a wrong answer
 * from then on.
 */
import { RedisClient } from "../redis/client.ts";

const KEYS_PER_CLIENT = 32;
/** Between two rounds of a client, so that the demo leaves the machine to others. */
const PAUSE_MS = 4;

export interface LoadFigures {
  /** Increments, each of which was checked. */
  readonly checked: number;
  readonly wrong: number;
  /** Answers that were errors. */
  readonly refused: number;
  /** The longest that a round had to wait for its answers. */
  readonly longestMs: number;
}

export class CheckingLoad {
  readonly #figures = { checked: 0, wrong: 0, refused: 0, longestMs: 0 };
  readonly #running: Promise<void>[];
  #isOver = false;

  constructor(proxies: readonly string[], clients: number) {
    this.#running = Array.from({ length: clients }, (_, i) => {
      const running = this.#run(proxies[i % proxies.length], i);
      running.catch(() => {}); // stop() throws it.
      return running;
    });
  }

  get figures(): LoadFigures {
    return { ...this.#figures };
  }

  /** Begins to measure the longest wait anew. */
  resetLongest(): void {
    this.#figures.longestMs = 0;
  }

  /** Throws when a client could not go on. */
  async stop(): Promise<LoadFigures> {
    this.#isOver = true;
    await Promise.all(this.#running);
    return this.figures;
  }

  async #run(address: string, number: number): Promise<void> {
    using client = await RedisClient.connect(address, { callTimeoutMs: 30_000 });
    const keys = Array.from({ length: KEYS_PER_CLIENT }, (_, i) => `demo:count:${number}:${i}`);
    const found = await client.pipeline(keys.map((key) => ["GET", key]));
    const counts = found.map((value) => Number(value ?? 0));
    while (!this.#isOver) {
      const begun = performance.now();
      const replies = await client.pipeline(keys.map((key) => ["INCR", key]));
      const waited = performance.now() - begun;
      this.#figures.longestMs = Math.max(this.#figures.longestMs, waited);
      replies.forEach((reply, i) => this.#check(reply, counts, i));
      await Bun.sleep(PAUSE_MS);
    }
  }

  #check(reply: unknown, counts: number[], i: number): void {
    this.#figures.checked += 1;
    if (reply === counts[i] + 1) {
      counts[i] += 1;
      return;
    }
    if (typeof reply !== "number") {
      this.#figures.refused += 1;
      return;
    }
    this.#figures.wrong += 1;
    counts[i] = reply;
  }
}

/** Writes so many keys of a hundred bytes, always the same ones. */
export async function fill(proxy: string, keys: number): Promise<void> {
  using client = await RedisClient.connect(proxy, { callTimeoutMs: 30_000 });
  const value = "x".repeat(100);
  const batch = 1000;
  for (let from = 0; from < keys; from += batch) {
    await client.pipeline(
      Array.from({ length: batch }, (_, i) => ["SET", `demo:fill:${from + i}`, value]),
    );
  }
}
