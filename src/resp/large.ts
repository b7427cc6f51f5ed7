/**
 * A request with a large argument that has not all arrived: gathered in pieces of memory of its
 * own, never joined, and forwarded that way.
 *
 *     pieces:  [ *5 $3 SET $1 k $536870912 … ] [ … ] [ … ] … [ … \r\n $2 EX $2 10 ]
 *
 * `args` notes every argument by its place in the imagined whole; its bytes may lie in several
 * pieces. Begun by `proxy/session.ts` when the scanner misses
 * LARGE_BYTES or more; small requests never come here.
 */
import { LARGE_BYTES } from "./buffer.ts";
import { Args, INCOMPLETE } from "./args.ts";
import { resumeRequest } from "./scan.ts";

const CR = 13;
const LF = 10;
/** What arrives is gathered into pieces of this size, because a piece itself costs memory. */
const GATHER_BYTES = 256 * 1024;
const MIN_PIECE_BYTES = 4096;

export class LargeRequest {
  readonly pieces: Buffer[] = [];
  /** Arguments by offset in the imagined whole; all of them when `feed` returned an offset. */
  readonly args = new Args();
  /** Bytes in the pieces, those still being gathered included. */
  totalBytes = 0;
  /** What follows the request after `feed` returned an offset into it, and where that ends. */
  after: Buffer;
  afterTo: number;
  /** Bytes of the present large argument, with its line end, still to come. */
  #missing: number;
  #gathering: Buffer | null = null;
  #gathered = 0;
  /** The beginning of an argument that is neither complete nor large. */
  #rest: Buffer | null = null;
  readonly #scan = new Args();

  /**
   * `scanned` has just returned INCOMPLETE, missing LARGE_BYTES or more, for `bytes` up to `to`.
   */
  constructor(scanned: Args, bytes: Buffer, to: number) {
    this.args.adopt(scanned, bytes, -scanned.from);
    this.after = bytes;
    this.afterTo = to;
    this.#missing = scanned.missing;
    this.args.push(scanned.payload - scanned.from, to - scanned.from + scanned.missing - 2);
    this.#keep(bytes, scanned.from, to);
  }

  /** Everything held, for the limit on unfinished requests. */
  get heldBytes(): number {
    return this.totalBytes + (this.#rest === null ? 0 : this.#rest.length);
  }

  /**
   * Takes `bytes[from, to)`. Returns the offset in `this.after` behind the request, INCOMPLETE, or
   * a protocol error. Keeps copies.
   */
  feed(bytes: Buffer, from: number, to: number): number {
    let pos = from;
    if (this.#missing > 0) {
      const step = Math.min(this.#missing, to - pos);
      this.#missing -= step;
      this.#keep(bytes, pos, pos + step);
      pos += step;
      if (this.#missing < 2) this.#checkLineEnd(bytes, pos, step);
      if (this.#missing > 0) return INCOMPLETE;
    }
    this.after = bytes;
    this.afterTo = to;
    if (this.args.count === this.args.expected) return this.#finish(pos);
    if (this.#rest === null) return this.#scanSmall(bytes, pos, to);
    const joined = Buffer.concat([this.#rest, bytes.subarray(pos, to)]);
    this.#rest = null;
    return this.#scanSmall(joined, 0, joined.length);
  }

  /** The last `count` bytes before `to` reach into the line end of the present argument. */
  #checkLineEnd(bytes: Buffer, to: number, count: number): void {
    const cr = to - 2 + this.#missing;
    if (cr >= to - count && bytes[cr] !== CR) this.args.isCanonical = false;
    if (this.#missing === 0 && bytes[to - 1] !== LF) this.args.isCanonical = false;
  }

  /** Scans the arguments behind a large one, up to the end or to the next large one. */
  #scanSmall(bytes: Buffer, from: number, to: number): number {
    const scan = this.#scan;
    scan.count = 0;
    scan.expected = this.args.expected - this.args.count;
    scan.pos = from;
    const end = resumeRequest(scan, bytes, to);
    if (end < INCOMPLETE) {
      this.args.badByte = scan.badByte;
      return end;
    }
    const shift = this.totalBytes - from;
    for (let i = 0; i < scan.count; i++) this.args.push(scan.start(i) + shift, scan.end(i) + shift);
    if (!scan.isCanonical) this.args.isCanonical = false;
    if (end >= 0) {
      this.#keep(bytes, from, end);
      this.after = bytes;
      this.afterTo = to;
      return this.#finish(end);
    }
    if (scan.missing >= LARGE_BYTES) {
      this.args.push(scan.payload + shift, to + scan.missing - 2 + shift);
      this.#missing = scan.missing;
      this.#keep(bytes, from, to);
    } else {
      this.#keep(bytes, from, scan.pos);
      this.#rest = Buffer.from(bytes.subarray(scan.pos, to));
    }
    return INCOMPLETE;
  }

  #keep(bytes: Buffer, from: number, to: number): void {
    this.totalBytes += to - from;
    for (let at = from; at < to;) {
      if (this.#gathering === null) {
        // The last piece is no larger than what is known to come.
        const wanted = Math.max(to - at + this.#missing, MIN_PIECE_BYTES);
        this.#gathering = Buffer.allocUnsafeSlow(Math.min(wanted, GATHER_BYTES));
      }
      const step = Math.min(to - at, this.#gathering.length - this.#gathered);
      bytes.copy(this.#gathering, this.#gathered, at, at + step);
      this.#gathered += step;
      at += step;
      if (this.#gathered === this.#gathering.length) this.#closeGathering();
    }
  }

  #closeGathering(): void {
    if (this.#gathering !== null) this.pieces.push(this.#gathering.subarray(0, this.#gathered));
    this.#gathering = null;
    this.#gathered = 0;
  }

  #finish(pos: number): number {
    this.#closeGathering();
    this.args.from = 0;
    this.args.to = this.totalBytes;
    return pos;
  }

  /** Argument i in one piece: a view when it lies in one, else a copy. */
  argument(i: number): Buffer {
    const start = this.args.start(i);
    const end = this.args.end(i);
    const parts: Buffer[] = [];
    let base = 0;
    for (const piece of this.pieces) {
      const from = Math.max(start - base, 0);
      const to = Math.min(end - base, piece.length);
      if (from < to) parts.push(piece.subarray(from, to));
      base += piece.length;
    }
    return parts.length === 1 ? parts[0] : Buffer.concat(parts);
  }

  /** The whole request in one buffer, for commands that have to be taken apart. */
  join(): Buffer {
    if (this.pieces.length > 1)
      this.pieces.splice(0, this.pieces.length, Buffer.concat(this.pieces));
    this.args.bytes = this.pieces[0];
    return this.pieces[0];
  }
}
