/**
 * Bytes on their way out of a socket: what is appended during one turn of the event loop leaves
 * in one write.
 *
 *     head run                 tail (only after large pieces)
 *     [ bytes, start, end ) -> [ run ] -> [ run ]
 *
 * The first append to an empty buffer is kept as a reference, and so is whatever follows it in the
 * same chunk: one GET and its reply are never copied here. A second, unrelated append makes the run
 * an owned buffer from the pool, and further appends are copied into it. Pieces of LARGE_BYTES and
 * more are always kept as references, as runs of their own. Used by sessions and backends; nobody
 * may change bytes after appending them.
 */
/** What SendBuffer needs of a socket. `write` returns the bytes taken, or -1 when closed. */
export interface Writable {
  write(bytes: Uint8Array, offset: number, length: number): number;
}

/** From here on a reference is cheaper than a copy, though it costs a system call. */
export const LARGE_BYTES = 64 * 1024;
/** Up to here a loop is faster than a native copy (bun-notes 2). */
const LOOP_BYTES = 24;

const EMPTY = Buffer.allocUnsafeSlow(0);

/** Owned buffers by size class; each is in use by one SendBuffer or waits here. */
const CLASS_BYTES = [16 * 1024, 64 * 1024, 256 * 1024] as const;
const POOL_LIMIT = [256, 64, 16] as const;
const pools: Buffer[][] = [[], [], []];

function borrow(bytes: number): Buffer {
  for (let i = 0; i < CLASS_BYTES.length; i++) {
    if (bytes <= CLASS_BYTES[i]) return pools[i].pop() ?? Buffer.allocUnsafeSlow(CLASS_BYTES[i]);
  }
  let size = 2 * CLASS_BYTES[2];
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
interface Run {
  bytes: Buffer;
  start: number;
  end: number;
  isOwned: boolean;
}

export class SendBuffer {
  #bytes: Buffer = EMPTY;
  #start = 0;
  #end = 0;
  /** The head run is a pool buffer of ours, so there may be room behind `#end`. */
  #isOwned = false;
  /** Runs behind the head, first to leave first; null in the plain case. */
  #tail: Run[] | null = null;
  #tailBytes = 0;

  /** One write offers the kernel at most `writeBytes`. */
  constructor(readonly writeBytes: number) {}

  /** Bytes not yet taken by the kernel. */
  get pending(): number {
    return this.#end - this.#start + this.#tailBytes;
  }

  /** Appends `source[from, to)`. The caller promises that these bytes never change. */
  append(source: Buffer, from: number, to: number): void {
    if (this.#tail !== null) {
      this.#appendToTail(source, from, to);
    } else if (this.#start === this.#end) {
      if (this.#isOwned) this.#release();
      this.#bytes = source;
      this.#start = from;
      this.#end = to;
    } else if (!this.#isOwned && source === this.#bytes && from === this.#end) {
      this.#end = to;
    } else if (to - from >= LARGE_BYTES || (!this.#isOwned && this.pending >= LARGE_BYTES)) {
      this.#tail = [];
      this.#appendToTail(source, from, to);
    } else {
      this.#copyIn(source, from, to);
    }
  }

  #copyIn(source: Buffer, from: number, to: number): void {
    const length = to - from;
    if (!this.#isOwned || this.#end + length > this.#bytes.length) this.#makeRoom(length);
    const target = this.#bytes;
    let at = this.#end;
    this.#end = at + length;
    if (length > LOOP_BYTES) source.copy(target, at, from, to);
    else for (let i = from; i < to; i++) target[at++] = source[i];
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
    const tail = this.#tail!;
    const last = tail[tail.length - 1];
    const length = to - from;
    this.#tailBytes += length;
    if (last !== undefined && last.isOwned && last.end + length <= last.bytes.length) {
      source.copy(last.bytes, last.end, from, to);
      last.end += length;
    } else if (length >= LARGE_BYTES) {
      tail.push({ bytes: source, start: from, end: to, isOwned: false });
    } else {
      const bytes = borrow(length);
      source.copy(bytes, 0, from, to);
      tail.push({ bytes, start: 0, end: length, isOwned: true });
    }
  }

  /**
   * Offers everything to the socket. Returns 1 when all was taken, 0 when the socket is full (call
   * again on drain), -1 when it is closed.
   */
  flush(socket: Writable): number {
    for (;;) {
      const length = this.#end - this.#start;
      if (length === 0) {
        if (!this.#shift()) return 1;
        continue;
      }
      const offered = length < this.writeBytes ? length : this.writeBytes;
      const taken = socket.write(this.#bytes, this.#start, offered);
      if (taken < 0) return -1;
      this.#start += taken;
      if (taken < offered) {
        this.#detach();
        return 0;
      }
    }
  }

  /** Drops the first `count` pending bytes: the rest of a request whose connection is gone. */
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
    this.#bytes = EMPTY;
    this.#start = 0;
    this.#end = 0;
    const next = this.#tail?.shift();
    if (next === undefined) {
      this.#tail = null;
      return false;
    }
    this.#bytes = next.bytes;
    this.#start = next.start;
    this.#end = next.end;
    this.#isOwned = next.isOwned;
    this.#tailBytes -= next.end - next.start;
    if (this.#tail!.length === 0) this.#tail = null;
    return true;
  }

  #release(): void {
    giveBack(this.#bytes);
    this.#isOwned = false;
  }

  /** A slow reader must not keep a large chunk alive for the few bytes it still has to get. */
  #detach(): void {
    const length = this.#end - this.#start;
    if (this.#isOwned || this.#tail !== null || 4 * length > this.#bytes.length) return;
    const own = Buffer.allocUnsafeSlow(length);
    this.#bytes.copy(own, 0, this.#start, this.#end);
    this.#bytes = own;
    this.#start = 0;
    this.#end = length;
  }
}
