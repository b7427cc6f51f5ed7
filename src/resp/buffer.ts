/**
 * Bytes on their way out of a socket: what is appended during one turn of the event loop leaves
 * in one write.
 *
 *     head run                 tail (only after large pieces)
 *     [ bytes, start, end ) -> [ run ] -> [ run ]
 *
 * The first append to an empty buffer is kept as a reference, and so is whatever follows it in the
 * same memory: one GET and its reply are never copied here. A second, unrelated append makes the
 * run an owned buffer from the pool, and further appends are copied into it. Pieces of PIECE_BYTES
 * and more are always kept as references, as runs of their own, and leave together with the others.
 * What is left after a flush is made our own (lib/lent.ts). Used by sessions and backends.
 */
import { isLent, own } from "../lib/lent.ts";

/** What SendBuffer needs of a socket. Writes return the bytes taken, or -1 when it is closed. */
export interface Writable {
  write(bytes: Uint8Array, offset: number, length: number): number;
  /** Notes a stretch for the next `writeNoted`; false when no more can be noted. */
  note(bytes: Uint8Array, offset: number, length: number): boolean;
  writeNoted(): number;
}

/** A request or reply that misses so much is passed on, or kept, in pieces. */
export const LARGE_BYTES = 64 * 1024;
/** From here on a reference is cheaper than a copy. */
const PIECE_BYTES = 2048;
/** What is written in place behind the head goes into buffers of this size at least. */
const ROOM_BYTES = 16 * 1024;
/** Up to here a loop, four bytes at a time, is faster than a native copy (docs/performance.md). */
const LOOP_BYTES = 48;

/** Copies `source[from, to)` to `target` at `at`; says where the copy ends. */
export function copyBytes(
  source: Buffer,
  from: number,
  to: number,
  target: Buffer,
  at: number,
): number {
  const end = at + to - from;
  if (to - from > LOOP_BYTES) {
    source.copy(target, at, from, to);
    return end;
  }
  let i = from;
  let j = at;
  for (; i + 3 < to; i += 4, j += 4) {
    target[j] = source[i];
    target[j + 1] = source[i + 1];
    target[j + 2] = source[i + 2];
    target[j + 3] = source[i + 3];
  }
  for (; i < to; i++, j++) target[j] = source[i];
  return end;
}

const EMPTY = Buffer.allocUnsafeSlow(0);

/** Owned buffers by size class; each is in use by one SendBuffer or waits here. */
const CLASS_BYTES = [PIECE_BYTES, 16 * 1024, 64 * 1024, 256 * 1024] as const;
const POOL_LIMIT = [1024, 256, 64, 16] as const;
const LARGEST_CLASS = CLASS_BYTES[CLASS_BYTES.length - 1];
const pools: Buffer[][] = [[], [], [], []];

function borrow(bytes: number): Buffer {
  for (let i = 0; i < CLASS_BYTES.length; i++) {
    if (bytes <= CLASS_BYTES[i]) return pools[i].pop() ?? Buffer.allocUnsafeSlow(CLASS_BYTES[i]);
  }
  let size = 2 * LARGEST_CLASS;
  while (size < bytes) size *= 2;
  return Buffer.allocUnsafeSlow(size);
}

function giveBack(buffer: Buffer): void {
  for (let i = 0; i < CLASS_BYTES.length; i++) {
    if (buffer.length === CLASS_BYTES[i]) {
      if (pools[i].length < POOL_LIMIT[i]) pools[i].push(buffer);
      return;
    }
  }
}

/** A stretch of bytes to send. */
class Run {
  bytes: Buffer = EMPTY;
  start = 0;
  end = 0;
  /** A pool buffer of ours, so there may be room behind `end`. */
  isOwned = false;
}

const RUNS_KEPT = 1024;
const runs: Run[] = [];

function takeRun(bytes: Buffer, start: number, end: number, isOwned: boolean): Run {
  const run = runs.pop() ?? new Run();
  run.bytes = bytes;
  run.start = start;
  run.end = end;
  run.isOwned = isOwned;
  return run;
}

export class SendBuffer {
  #bytes: Buffer = EMPTY;
  #start = 0;
  #end = 0;
  /** The head run is a pool buffer of ours, so there may be room behind `#end`. */
  #isOwned = false;
  /** Runs behind the head, first to leave first, from `#tailAt` on. */
  readonly #tail: Run[] = [];
  #tailAt = 0;
  #tailBytes = 0;
  /** Where the room begins that `room` gave last. */
  roomFrom = 0;

  /** One write offers the kernel at most `writeBytes`. */
  constructor(readonly writeBytes: number) {}

  /** Bytes not yet taken by the kernel. */
  get pending(): number {
    return this.#end - this.#start + this.#tailBytes;
  }

  /** Appends `source[from, to)`, which the caller does not change before the next flush. */
  append(source: Buffer, from: number, to: number): void {
    if (this.#tail.length > 0) {
      this.#appendToTail(source, from, to);
    } else if (this.#start === this.#end) {
      if (this.#isOwned) this.#release();
      this.#bytes = source;
      this.#start = from;
      this.#end = to;
    } else if (!this.#isOwned && source === this.#bytes && from === this.#end) {
      this.#end = to;
    } else if (to - from >= PIECE_BYTES || (!this.#isOwned && this.pending >= PIECE_BYTES)) {
      this.#appendToTail(source, from, to);
    } else {
      this.#copyIn(source, from, to);
    }
  }

  /**
   * Room for `length` bytes in the buffer that this returns, from `roomFrom` on. They count as
   * appended: the caller writes all of them at once.
   */
  room(length: number): Buffer {
    if (this.#tail.length > 0) return this.#tailRoom(length);
    if (this.#start === this.#end) {
      if (this.#isOwned) this.#release();
      this.#bytes = borrow(length);
      this.#start = 0;
      this.#end = 0;
      this.#isOwned = true;
    } else if (!this.#isOwned || this.#end + length > this.#bytes.length) {
      if (this.pending + length >= PIECE_BYTES) return this.#tailRoom(length);
      this.#makeRoom(length);
    }
    this.roomFrom = this.#end;
    this.#end += length;
    return this.#bytes;
  }

  #tailRoom(length: number): Buffer {
    let last = this.#tail[this.#tail.length - 1];
    if (last === undefined || !last.isOwned || last.end + length > last.bytes.length) {
      last = takeRun(borrow(Math.max(length, ROOM_BYTES)), 0, 0, true);
      this.#tail.push(last);
    }
    this.roomFrom = last.end;
    last.end += length;
    this.#tailBytes += length;
    return last.bytes;
  }

  #copyIn(source: Buffer, from: number, to: number): void {
    const length = to - from;
    if (!this.#isOwned || this.#end + length > this.#bytes.length) this.#makeRoom(length);
    this.#end = copyBytes(source, from, to, this.#bytes, this.#end);
  }

  /** Moves the head run into an owned buffer with room for `length` more bytes. */
  #makeRoom(length: number): void {
    const used = this.#end - this.#start;
    // Twice what is needed, so that a run which keeps growing is copied few times.
    const next = borrow(this.#isOwned ? 2 * (used + length) : used + length);
    this.#bytes.copy(next, 0, this.#start, this.#end);
    if (this.#isOwned) giveBack(this.#bytes);
    this.#bytes = next;
    this.#start = 0;
    this.#end = used;
    this.#isOwned = true;
  }

  #appendToTail(source: Buffer, from: number, to: number): void {
    const last = this.#tail[this.#tail.length - 1];
    const length = to - from;
    this.#tailBytes += length;
    if (last !== undefined && last.isOwned && last.end + length <= last.bytes.length) {
      source.copy(last.bytes, last.end, from, to);
      last.end += length;
    } else if (last !== undefined && last.bytes === source && last.end === from) {
      last.end = to;
    } else if (length >= PIECE_BYTES) {
      this.#tail.push(takeRun(source, from, to, false));
    } else {
      const bytes = borrow(length);
      source.copy(bytes, 0, from, to);
      this.#tail.push(takeRun(bytes, 0, length, true));
    }
  }

  /**
   * Offers everything to the socket. Returns 1 when all was taken, 0 when the socket is full (call
   * again on drain), -1 when it is closed. What is left is our own.
   */
  flush(socket: Writable): number {
    for (;;) {
      const length = this.#end - this.#start;
      if (length === 0) {
        if (!this.#shift()) return 1;
        continue;
      }
      let offered = length < this.writeBytes ? length : this.writeBytes;
      let taken: number;
      if (this.#tail.length === 0) {
        taken = socket.write(this.#bytes, this.#start, offered);
      } else {
        offered = this.#noteAll(socket);
        taken = socket.writeNoted();
      }
      if (taken === offered) {
        this.drop(taken);
        continue;
      }
      this.drop(Math.max(0, taken));
      this.own();
      return taken < 0 ? -1 : 0;
    }
  }

  /** Notes as many runs as go into one write; says how many bytes these are. */
  #noteAll(socket: Writable): number {
    let offered = Math.min(this.#end - this.#start, this.writeBytes);
    socket.note(this.#bytes, this.#start, offered);
    for (let i = this.#tailAt; i < this.#tail.length && offered < this.writeBytes; i++) {
      const run = this.#tail[i];
      const length = Math.min(run.end - run.start, this.writeBytes - offered);
      if (!socket.note(run.bytes, run.start, length)) break;
      offered += length;
    }
    return offered;
  }

  /** Copies what is lent: it stays for longer. */
  own(): void {
    if (this.#start < this.#end && isLent(this.#bytes)) {
      this.#bytes = own(this.#bytes, this.#start, this.#end);
      this.#end -= this.#start;
      this.#start = 0;
    }
    for (let i = this.#tailAt; i < this.#tail.length; i++) {
      const run = this.#tail[i];
      if (!isLent(run.bytes)) continue;
      run.bytes = own(run.bytes, run.start, run.end);
      run.end -= run.start;
      run.start = 0;
    }
  }

  /** Drops the first `count` pending bytes. */
  drop(count: number): void {
    let left = count;
    while (left > 0) {
      const step = Math.min(left, this.#end - this.#start);
      this.#start += step;
      left -= step;
      if (left > 0 && !this.#shift()) return;
    }
  }

  clear(): void {
    while (this.#shift()) this.#start = this.#end;
  }

  /** The head run is sent: take the next one. False when there is none. */
  #shift(): boolean {
    if (this.#isOwned) this.#release();
    if (this.#tailAt === this.#tail.length) {
      // The tail was emptied with its last run: to set a length is a slow call, even to the same.
      this.#bytes = EMPTY;
      this.#start = 0;
      this.#end = 0;
      return false;
    }
    const next = this.#tail[this.#tailAt++];
    this.#bytes = next.bytes;
    this.#start = next.start;
    this.#end = next.end;
    this.#isOwned = next.isOwned;
    this.#tailBytes -= next.end - next.start;
    next.bytes = EMPTY;
    if (runs.length < RUNS_KEPT) runs.push(next);
    if (this.#tailAt === this.#tail.length) {
      this.#tail.length = 0;
      this.#tailAt = 0;
    }
    return true;
  }

  #release(): void {
    giveBack(this.#bytes);
    this.#isOwned = false;
  }
}
