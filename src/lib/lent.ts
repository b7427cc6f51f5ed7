/**
 * Memory that is lent for one turn of the loop.
 *
 * `net/poller.ts` reads all sockets into one slab, turn after turn, and gives the handlers parts of
 * it. Invariant: _at the end of a turn nobody has a reference into the slab any more._ What has
 * left through a socket by then, which is nearly everything, was never copied. Whoever keeps bytes
 * until a later turn takes them with `own`, or is asked to at the end of the turn (`Turn.flush`,
 * `SendBuffer.flush`). With POISON_LENT=1, which the tests set, the slab is overwritten after each
 * turn, so that a reference which is too old shows.
 */

/** One per process: there is one loop. */
let slab: ArrayBufferLike | null = null;

/** From now on `memory` is what is lent. */
export function lend(memory: Uint8Array): void {
  slab = memory.buffer;
}

/** Is this a part of the slab, to be copied by whoever keeps it beyond the turn? */
export function isLent(bytes: Uint8Array): boolean {
  return bytes.buffer === slab;
}

/** `bytes[from, to)` to keep: a copy when they are lent, else a view. */
export function own(bytes: Buffer, from: number, to: number): Buffer {
  if (!isLent(bytes)) return bytes.subarray(from, to);
  const copy = Buffer.allocUnsafeSlow(to - from);
  bytes.copy(copy, 0, from, to);
  return copy;
}
