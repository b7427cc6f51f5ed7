// Random choices that a seed repeats: for generated tests and fuzzers.
//
//   const random = new Random(seedFromEnv());
//   random.pick(["a", "b"]); random.below(10); random.chance(0.2);

export class Random {
  #state: number;

  constructor(readonly seed: number) {
    this.#state = seed >>> 0;
  }

  /** In [0, 1), from the generator mulberry32. */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  }

  /** An integer in [0, limit). */
  below(limit: number): number {
    return Math.floor(this.next() * limit);
  }

  /** An integer in [from, to]. */
  between(from: number, to: number): number {
    return from + this.below(to - from + 1);
  }

  chance(probability: number): boolean {
    return this.next() < probability;
  }

  pick<T>(items: readonly T[]): T {
    return items[this.below(items.length)];
  }

  bytes(length: number): Buffer {
    const bytes = Buffer.allocUnsafe(length);
    for (let i = 0; i < length; i++) bytes[i] = this.below(256);
    return bytes;
  }

  /** Cuts `bytes` into pieces at random places: often many small ones, sometimes few. */
  cut(bytes: Buffer): Buffer[] {
    const most = this.chance(0.5) ? 8 + bytes.length / 500 : bytes.length + 1;
    const largest = 1 + this.below(most);
    const pieces: Buffer[] = [];
    for (let from = 0; from < bytes.length;) {
      const to = Math.min(bytes.length, from + 1 + this.below(largest));
      pieces.push(bytes.subarray(from, to));
      from = to;
    }
    return pieces;
  }
}

/**
 * The seed that the environment asks for, or the same in every run: what a new seed finds must not
 * stand in the way of a change that has nothing to do with it. `npm run fuzz` plays new ones.
 */
export function seedFromEnv(): number {
  return Number(process.env.FUZZ_SEED || 1);
}
