/**
 * The record that a scan fills: where the arguments of one request are, and what went wrong.
 *
 * Shared by the scanners of both request forms (`scan.ts`, `inline.ts`) and by everyone who reads
 * a request: `proxy/session.ts` and the files of the commands.
 */

/** Results below zero. Anything from `BAD_COUNT` down is a protocol error: answer and close. */
export const INCOMPLETE = -1;
export const BAD_COUNT = -2;
export const BAD_BULK_LENGTH = -3;
export const EXPECTED_DOLLAR = -4;
export const COUNT_LINE_TOO_LONG = -5;
export const BULK_LINE_TOO_LONG = -6;
export const INLINE_TOO_LONG = -7;
export const UNBALANCED_QUOTES = -8;
export const COUNT_UNAUTHENTICATED = -9;
export const BULK_UNAUTHENTICATED = -10;

/** Redis' PROTO_INLINE_MAX_SIZE: the longest line that may still be waiting for its end. */
export const MAX_LINE_BYTES = 64 * 1024;
/** The arguments of the request being looked at. One instance serves every whole request. */
export class Args {
  /** Holds the request. Not changed by anyone after the scan. */
  bytes: Uint8Array = new Uint8Array(0);
  /** The request is `bytes[from, to)`, in canonical array form. */
  from = 0;
  to = 0;
  /** Complete arguments found so far; all of them when the scan returned an end. */
  count = 0;
  /** Start and end of argument i at 2i and 2i+1. */
  offsets = new Int32Array(64);
  /** Arguments announced. */
  expected = 0;
  /** Where the header of the next argument begins, for `resumeRequest`. */
  pos = 0;
  /** Bytes known to be missing after INCOMPLETE; 0 when only a line end is missing. */
  missing = 0;
  /** Where the payload of that argument begins, when `missing` is not 0. */
  payload = 0;
  /**
   * False when a line end was not CR LF. Redis accepts that, other servers may not: whoever
   * forwards the request calls `encodeArgs` (inline.ts) first.
   */
  isCanonical = true;
  /** Set by the owner: the limits for clients that have yet to authenticate apply. */
  isRestricted = false;
  /** The byte that stood where `$` was expected. */
  badByte = 0;

  start(i: number): number {
    return this.offsets[2 * i];
  }

  end(i: number): number {
    return this.offsets[2 * i + 1];
  }

  /** Argument i as latin-1 text: for options, numbers and error lines, never for the plain path. */
  text(i: number): string {
    return asBuffer(this.bytes).latin1Slice(this.offsets[2 * i], this.offsets[2 * i + 1]);
  }

  /** A copy of argument i that may be kept. */
  copy(i: number): Uint8Array {
    return this.bytes.slice(this.offsets[2 * i], this.offsets[2 * i + 1]);
  }

  /** Is argument i this word, whatever its case? `word` is lower case ASCII. */
  equals(i: number, word: string): boolean {
    const start = this.offsets[2 * i];
    if (this.offsets[2 * i + 1] - start !== word.length) return false;
    for (let j = 0; j < word.length; j++) {
      let byte = this.bytes[start + j];
      if (byte >= 65 && byte <= 90) byte |= 32;
      if (byte !== word.charCodeAt(j)) return false;
    }
    return true;
  }

  /** Notes one more argument; grows the table as arguments really arrive, not as announced. */
  push(start: number, end: number): void {
    const at = 2 * this.count;
    if (at === this.offsets.length) {
      const grown = new Int32Array(2 * this.offsets.length);
      grown.set(this.offsets);
      this.offsets = grown;
    }
    this.offsets[at] = start;
    this.offsets[at + 1] = end;
    this.count++;
  }

  /** Makes this a snapshot of `other`, with every offset moved by `shift`. For partial requests. */
  adopt(other: Args, bytes: Uint8Array, shift: number): void {
    if (this.offsets.length < 2 * other.count) this.offsets = new Int32Array(4 * other.count);
    for (let i = 0; i < 2 * other.count; i++) this.offsets[i] = other.offsets[i] + shift;
    this.bytes = bytes;
    this.from = other.from + shift;
    this.count = other.count;
    this.expected = other.expected;
    this.pos = other.pos + shift;
    this.missing = other.missing;
    this.payload = other.payload + shift;
    this.isCanonical = other.isCanonical;
    this.isRestricted = other.isRestricted;
  }
}

/** Buffer's fast paths work on any Uint8Array of ours; the type only knows half of it. */
export function asBuffer(bytes: Uint8Array): Buffer {
  return bytes instanceof Buffer
    ? bytes
    : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** Up to here a loop finds a byte faster than a native search (bun-notes 2). */
const NEAR_BYTES = 32;

/** Where `byte` stands in `bytes[from, to)`, or -1. What lies behind `to` may be old and long. */
export function findByte(bytes: Uint8Array, byte: number, from: number, to: number): number {
  const near = from + NEAR_BYTES < to ? from + NEAR_BYTES : to;
  for (let at = from; at < near; at++) if (bytes[at] === byte) return at;
  if (near >= to) return -1;
  const at = bytes.subarray(near, to).indexOf(byte);
  return at < 0 ? -1 : near + at;
}

const ZERO = 48;

/**
 * Redis searches the end of a line as in a C string: what stands behind a NUL it does not find, and
 * waits for more.
 */
export function hasNul(bytes: Uint8Array, from: number, to: number): boolean {
  for (let i = from; i < to; i++) if (bytes[i] === 0) return true;
  return false;
}

/**
 * An integer as Redis' `string2ll` takes it: 64 bits, no plus sign, no leading zero, no spaces. NaN
 * when it is not one. Values beyond 2^53 lose digits, which no caller can notice: all limits are
 * lower.
 */
export function parseInteger(bytes: Uint8Array, from: number, to: number): number {
  const isNegative = bytes[from] === 45;
  const first = isNegative ? from + 1 : from;
  if (first >= to || to - first > 19) return NaN;
  if (bytes[first] === ZERO) return to - from === 1 ? 0 : NaN;
  let value = 0;
  for (let i = first; i < to; i++) {
    const digit = bytes[i] - ZERO;
    if (digit < 0 || digit > 9) return NaN;
    value = value * 10 + digit;
  }
  // With nineteen digits it may be too large for 64 bits, and only exact digits can tell.
  if (to - first === 19 && !fitsInt64(bytes, first, to, isNegative)) return NaN;
  return isNegative ? -value : value;
}

function fitsInt64(bytes: Uint8Array, from: number, to: number, isNegative: boolean): boolean {
  const value = BigInt(asBuffer(bytes).latin1Slice(from, to));
  return value < 2n ** 63n || (isNegative && value === 2n ** 63n);
}
