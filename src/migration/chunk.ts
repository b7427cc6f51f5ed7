// One piece of a large value on its way, and how large the next one should be.

import type { Argument } from "../redis/client.ts";
import type { Reply } from "../resp/value.ts";
import type { Link } from "./link.ts";

/** Commands for the target, of one piece. */
export type Chunk = readonly Argument[][];

export interface ValueCopy {
  readonly source: Link;
  readonly target: Link;
  readonly key: Uint8Array;
  /** The key that is built. */
  readonly hidden: Uint8Array;
}

/** The value has something that cannot be copied in pieces. */
export class NotDivisible extends Error {
  override readonly name = "NotDivisible";
}

const MOST_ELEMENTS = 500;
export const CHUNK_BYTES = 256 * 1024;

/** How many elements the next piece should have, by the size of the last ones. */
export class ChunkSize {
  count = 64;

  measured(elements: readonly Reply[], perElement: number): void {
    let bytes = 0;
    for (const each of elements) if (each instanceof Uint8Array) bytes += each.length;
    const average = Math.max(1, (bytes * perElement) / Math.max(1, elements.length));
    this.count = Math.min(MOST_ELEMENTS, Math.max(1, Math.floor(CHUNK_BYTES / average)));
  }
}
