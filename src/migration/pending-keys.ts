// Keys of one database that were found and wait for their batch, in the order of the scan.

import type { Batch } from "./carrier.ts";

export class PendingKeys {
  database = 0;
  /** Of all that wait. */
  bytes = 0;
  #keys: Uint8Array[] = [];
  #slots: number[] = [];
  #sizes: number[] = [];

  get count(): number {
    return this.#keys.length;
  }

  add(key: Uint8Array, slot: number, bytes: number): void {
    this.#keys.push(key);
    this.#slots.push(slot);
    this.#sizes.push(bytes);
    this.bytes += bytes;
  }

  /** The first ones, at least one, at most so many keys and about so many bytes. */
  take(mostKeys: number, mostBytes: number): Batch & { readonly bytes: number } {
    let count = 0;
    let bytes = 0;
    while (count < this.#keys.length && count < mostKeys) {
      if (count > 0 && bytes + this.#sizes[count] > mostBytes) break;
      bytes += this.#sizes[count++];
    }
    this.bytes -= bytes;
    this.#sizes.splice(0, count);
    const keys = this.#keys.splice(0, count);
    return { database: this.database, keys, slots: this.#slots.splice(0, count), bytes };
  }
}
