/**
 * Memory that is lent for a while: one slab that is used again and again.
 *
 * `net/poller.ts` reads all sockets into the slab, one chunk behind the other, and gives the
 * handlers parts of it; what they put together themselves may have room in it as well (`takeRoom`).
 * When it is used up, at the end of some turn, everybody is asked to let go, and it is filled from
 * the front again. What has left through a socket by then, which is nearly everything, was never
 * copied and needed no memory of its own.
 *
 * Invariant: _after `reclaim` nobody has a reference into the slab._ Send buffers copy what sockets
 * did not take (`SendBuffer.flush`), `Turn` has the replies copied that wait at that moment, and
 * whoever else keeps bytes until a later turn takes them with `own`. With POISON_LENT=1, which the
 * tests set, the slab is reclaimed and overwritten after each turn, so that a reference which is
 * too old shows.
 */

const SLAB_BYTES = 1024 * 1024;
/** At the end of a turn the slab is reclaimed when so much is used: it stays in the caches. */
const WORN_BYTES = 256 * 1024;
/** What stale bytes are overwritten with. */
const POISON = process.env.POISON_LENT === "1" ? 0xdb : -1;

/** One per process: there is one loop. */
export const slab = Buffer.allocUnsafeSlow(SLAB_BYTES);
const memory = slab.buffer;
/** The slab is in use up to here. */
let used = 0;

/** Where the next bytes go that are read. */
export function freeFrom(): number {
  return used;
}

/** Bytes that can still be read. */
export function freeBytes(): number {
  return SLAB_BYTES - used;
}

/** So many bytes were read. */
export function use(bytes: number): void {
  used += bytes;
}

/** Is it time to reclaim, at the end of a turn? */
export function isWorn(): boolean {
  return used >= WORN_BYTES || POISON >= 0;
}

/** Nobody refers to the slab any more. */
export function reclaim(): void {
  if (POISON >= 0) slab.fill(POISON, 0, used);
  used = 0;
}

/** Where the room begins that `takeRoom` gave. */
export let roomFrom = 0;

/**
 * Room for `length` bytes, as lent as what was read: in the buffer that this returns, from
 * `roomFrom` on. What has no place in the slab gets memory of its own.
 */
export function takeRoom(length: number): Buffer {
  if (length > SLAB_BYTES - used) {
    roomFrom = 0;
    return Buffer.allocUnsafeSlow(length);
  }
  roomFrom = used;
  used += length;
  return slab;
}

/** Is this a part of the slab, to be copied by whoever keeps it for longer? */
export function isLent(bytes: Uint8Array): boolean {
  return bytes.buffer === memory;
}

/** `bytes[from, to)` to keep: a copy when they are lent, else a view. */
export function own(bytes: Buffer, from: number, to: number): Buffer {
  if (!isLent(bytes)) return bytes.subarray(from, to);
  const copy = Buffer.allocUnsafeSlow(to - from);
  bytes.copy(copy, 0, from, to);
  return copy;
}
