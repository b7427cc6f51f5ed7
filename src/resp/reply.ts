/**
 * Where does this reply end? Both protocols, any nesting, in constant memory.
 *
 * `ReplyCursor` belongs to one backend connection. `advance` is called for the bytes of one reply
 * and either finds its end or remembers how far it got, so that a reply of any size can be passed
 * on piece by piece. Most replies are there as a whole: `scanReply` finds their end without
 * touching the cursor. Called by `proxy/backend.ts`.
 */
import { asBuffer, findByte, parseInteger } from "./args.ts";

/** The bytes end before the reply does. */
export const MORE = -1;
/** No Redis server would send this. */
export const BROKEN = -2;

const CR = 13;
const LF = 10;
const DOLLAR = 36;
const STAR = 42;
const PLUS = 43;
const MINUS = 45;
const ZERO = 48;
const ONE = 49;
const NINE = 57;
/** No header line of an aggregate or bulk is longer; simple strings and errors may be. */
const MAX_HEADER_BYTES = 64;
/** The first bytes of all replies that there are. */
const TYPES = Buffer.from("+-:$*_#,(!=%~>|");

/**
 * The end of the reply that begins at `from` when all of it is there; else MORE, or BROKEN. Keeps
 * nothing: a reply that is not all there is asked again from a cursor.
 */
export function scanReply(bytes: Uint8Array, from: number, to: number): number {
  // Nearly all replies are a bulk string, `+OK`, or an array of bulk strings.
  const type = bytes[from];
  let fast = MORE;
  if (type === DOLLAR) fast = scanBulk(bytes, from, to);
  else if (type === STAR) fast = scanBulks(bytes, from, to);
  else if (type === PLUS && from + 5 <= to && isOk(bytes, from)) return from + 5;
  if (fast >= 0) return fast;
  const end = walk(bytes, from, to, 1);
  return end < 0 || walkedLeft === 0 ? end : MORE;
}

/** The end of a bulk string or null that is there as a whole; else MORE: `walk` knows more. */
export function scanBulk(bytes: Uint8Array, from: number, to: number): number {
  let pos = from + 1;
  let byte = pos < to ? bytes[pos] : 0;
  if (byte === MINUS) return isNull(bytes, from, to) ? from + 5 : MORE;
  let length = 0;
  while (byte >= ZERO && byte <= NINE) {
    length = length * 10 + byte - ZERO;
    if (++pos >= to) return MORE;
    byte = bytes[pos];
  }
  const end = pos + length + 4;
  return byte === CR && bytes[pos + 1] === LF && pos > from + 1 && end <= to ? end : MORE;
}

function isNull(bytes: Uint8Array, from: number, to: number): boolean {
  return from + 5 <= to && bytes[from + 2] === ONE && isLineEnd(bytes, from + 3);
}

function isOk(bytes: Uint8Array, from: number): boolean {
  return bytes[from + 1] === 79 && bytes[from + 2] === 75 && isLineEnd(bytes, from + 3);
}

function isLineEnd(bytes: Uint8Array, at: number): boolean {
  return bytes[at] === CR && bytes[at + 1] === LF;
}

/** The same for an array of bulk strings and nulls. */
function scanBulks(bytes: Uint8Array, from: number, to: number): number {
  let pos = from + 1;
  let count = 0;
  while (pos < to && bytes[pos] >= ZERO && bytes[pos] <= NINE) {
    count = count * 10 + bytes[pos] - ZERO;
    pos++;
  }
  if (pos === from + 1 || pos + 1 >= to || !isLineEnd(bytes, pos)) return MORE;
  pos += 2;
  for (let i = 0; i < count; i++) {
    if (pos >= to || bytes[pos] !== DOLLAR) return MORE;
    pos = scanBulk(bytes, pos, to);
    if (pos < 0) return MORE;
  }
  return pos;
}

/** What `walk` left: elements still to come, and missing bytes of the bulk it stopped in. */
let walkedLeft = 0;
let walkedMissing = 0;

/**
 * Passes over whole elements from `from` on, `elements` of them and what is nested in them. Stops
 * behind the last one, at a header line that is not whole, or at `to` inside a bulk.
 */
function walk(bytes: Uint8Array, from: number, to: number, elements: number): number {
  let pos = from;
  let left = elements;
  walkedMissing = 0;
  while (left > 0) {
    const type = pos < to ? bytes[pos] : 0;
    const cr = lineEnd(bytes, pos + 1, to);
    if (cr < 0) break;
    if (bytes[cr + 1] !== LF) return BROKEN;
    const kind = type < 128 ? KINDS[type] : 0;
    if (kind === LINE) {
      left--;
      pos = cr + 2;
      continue;
    }
    const count = kind === 0 ? NaN : parseInteger(bytes, pos + 1, cr);
    if (!(count >= -1)) return BROKEN;
    pos = cr + 2;
    if (kind === BULK) {
      if (count >= 0) pos += count + 2;
      if (pos > to) {
        walkedMissing = pos - to;
        pos = to;
        break;
      }
      left--;
    } else if (kind === ATTRIBUTE) {
      if (count < 0) return BROKEN;
      left += 2 * count;
    } else left += (count > 0 ? (kind === MAP ? 2 * count : count) : 0) - 1;
  }
  walkedLeft = left;
  return pos;
}

/** Offset of the CR that ends a line and has its LF before `to`; -1 when there is none yet. */
function lineEnd(bytes: Uint8Array, from: number, to: number): number {
  const at = findByte(bytes, CR, from, to);
  return at + 1 < to ? at : -1;
}

const LINE = 1;
const BULK = 2;
const AGGREGATE = 3;
const MAP = 4;
const ATTRIBUTE = 5;

/** Lines of any length: simple strings, errors, big numbers. */
const TEXT = [43, 45, 40];

/** What follows the header line, by type byte. */
const KINDS = new Uint8Array(128);
for (const type of "+-:_#,(") KINDS[type.charCodeAt(0)] = LINE;
for (const type of "$=!") KINDS[type.charCodeAt(0)] = BULK;
for (const type of "*~>") KINDS[type.charCodeAt(0)] = AGGREGATE;
KINDS["%".charCodeAt(0)] = MAP;
// An attribute precedes the element it describes and is none itself.
KINDS["|".charCodeAt(0)] = ATTRIBUTE;

/** Finds the end of one reply that may arrive in any number of pieces. */
export class ReplyCursor {
  /** Elements still to come, the present one included; 0 between replies. */
  #elements = 0;
  /** Bytes of the present bulk, with its CR LF, still to come. */
  #missing = 0;
  /** The present line as far as it is known, when its end is not there yet. */
  #line = "";
  /** Inside a simple string or error whose length nobody announces. */
  #isInText = false;

  /** Bytes known to be missing: how much more is sure to come before this reply ends. */
  get missing(): number {
    return this.#missing;
  }

  get isInside(): boolean {
    return this.#elements > 0;
  }

  reset(): void {
    this.#elements = 0;
    this.#missing = 0;
    this.#line = "";
    this.#isInText = false;
  }

  /**
   * Consumes the bytes of one reply from `from` on. Returns its end, MORE when it goes on after
   * `to` (call again with what follows), or BROKEN.
   */
  advance(bytes: Uint8Array, from: number, to: number): number {
    let pos = from;
    if (this.#elements === 0) this.#elements = 1;
    while (this.#elements > 0) {
      if (this.#missing > 0) {
        const step = Math.min(this.#missing, to - pos);
        this.#missing -= step;
        pos += step;
        if (this.#missing > 0) return MORE;
        this.#elements--;
        continue;
      }
      if (this.#line === "" && !this.#isInText) {
        pos = walk(bytes, pos, to, this.#elements);
        if (pos < 0) return BROKEN;
        this.#elements = walkedLeft;
        this.#missing = walkedMissing;
        if (walkedLeft === 0 || walkedMissing > 0 || pos >= to) break;
      }
      pos = this.#readLine(bytes, pos, to);
      if (pos < 0) return pos;
    }
    return this.#elements === 0 ? pos : MORE;
  }

  /** Reads a line that is cut; returns the offset after it, MORE or BROKEN. */
  #readLine(bytes: Uint8Array, from: number, to: number): number {
    const lf = findByte(bytes, LF, from, to);
    const isWhole = lf >= 0;
    const end = isWhole ? lf + 1 : to;
    const type = this.#line === "" ? bytes[from] : this.#line.charCodeAt(0);
    if (this.#isInText || TEXT.includes(type)) {
      // Of a text line only the end matters, and it may be long.
      this.#isInText = !isWhole;
      if (!isWhole) return MORE;
      this.#elements--;
      return end;
    }
    if (this.#line.length + end - from > MAX_HEADER_BYTES) return BROKEN;
    const line = this.#line + asBuffer(bytes).latin1Slice(from, end);
    this.#line = isWhole ? "" : line;
    // Bytes that begin no reply may never have a line end; whoever waits for it is told now.
    if (!isWhole) return TYPES.includes(type) ? MORE : BROKEN;
    return this.#enter(line) ? end : BROKEN;
  }

  /** Accounts for the element whose header line this is. */
  #enter(line: string): boolean {
    const kind = KINDS[line.charCodeAt(0)] ?? 0;
    if (!line.endsWith("\r\n") || line.length < 3) return false;
    if (kind === LINE) {
      this.#elements--;
      return true;
    }
    const count = Number(line.slice(1, -2));
    if (kind === 0 || line.length < 4 || !Number.isInteger(count) || count < -1) return false;
    if (kind === BULK) {
      if (count < 0) this.#elements--;
      else this.#missing = count + 2;
    } else if (kind === ATTRIBUTE) {
      if (count < 0) return false;
      this.#elements += 2 * count;
    } else this.#elements += (kind === MAP ? 2 : 1) * Math.max(count, 0) - 1;
    return true;
  }
}
