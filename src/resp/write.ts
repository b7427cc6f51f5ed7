/**
 * Writes replies in RESP2 or RESP3 into one growable buffer that is kept from reply to reply.
 * Local commands, the coalescing of split requests and the tests use it; forwarded replies never
 * pass through it, they move as the bytes the server sent.
 * Strings are taken as latin1, one character per byte, which is how Args.text makes them, so that
 * any bytes a client sent come back unchanged. Text from elsewhere must be ASCII.
 * A collection header (array, map, set, push) is only a header: the caller writes the elements.
 */

const INITIAL_BYTES = 1024;
/**
 * A buffer that grew past this is given back after the reply, so that one giant reply costs once.
 */
const KEEP_BYTES = 256 * 1024;
/** Below this a copy loop beats the native call (measured). */
const SHORT_COPY = 24;

const CR = 13;
const LF = 10;
const SPACE = 32;

const TYPE_SIMPLE = 43; // +
const TYPE_ERROR = 45; // -
const TYPE_INTEGER = 58; // :
const TYPE_BULK = 36; // $
const TYPE_ARRAY = 42; // *
const TYPE_MAP = 37; // %
const TYPE_SET = 126; // ~
const TYPE_PUSH = 62; // >
const TYPE_DOUBLE = 44; // ,
const TYPE_VERBATIM = 61; // =

const NULL_BULK = Buffer.from("$-1\r\n");
const NULL_ARRAY = Buffer.from("*-1\r\n");
const NULL_3 = Buffer.from("_\r\n");
const TRUE_3 = Buffer.from("#t\r\n");
const FALSE_3 = Buffer.from("#f\r\n");
const VERBATIM_TXT = Buffer.from("txt:");

export class ReplyWriter {
  /**
   * The protocol of the session being answered; may be changed between replies and, for HELLO,
   * within.
   */
  proto: 2 | 3;
  /** The bytes written so far are buffer[0, length); valid until the next call on this writer. */
  buffer: Buffer = Buffer.allocUnsafeSlow(INITIAL_BYTES);
  length = 0;

  constructor(proto: 2 | 3) {
    this.proto = proto;
  }

  /** "+text": the text must not hold CR or LF. */
  simple(text: string): void {
    this.#line(TYPE_SIMPLE, text);
  }

  /**
   * "-text": the text starts with the error code ("ERR ..."). CR and LF become spaces, as in Redis.
   */
  error(text: string): void {
    const from = this.length + 1;
    this.#line(TYPE_ERROR, text);
    const buffer = this.buffer;
    const to = this.length - 2;
    for (let i = from; i < to; i++) {
      if (buffer[i] === CR || buffer[i] === LF) buffer[i] = SPACE;
    }
  }

  /** `value` must be an integer below 2^53; the same holds for every count of this class. */
  integer(value: number): void {
    this.#header(TYPE_INTEGER, value);
  }

  bulk(value: Uint8Array | string): void {
    this.#header(TYPE_BULK, value.length);
    if (typeof value === "string") this.#text(value);
    else this.raw(value);
    this.#crlf();
  }

  /** A bulk of source[from, to), copied at once. */
  bulkRange(source: Uint8Array, from: number, to: number): void {
    this.#header(TYPE_BULK, to - from);
    this.rawRange(source, from, to);
    this.#crlf();
  }

  null(): void {
    this.raw(this.proto === 3 ? NULL_3 : NULL_BULK);
  }

  nullArray(): void {
    this.raw(this.proto === 3 ? NULL_3 : NULL_ARRAY);
  }

  array(count: number): void {
    this.#header(TYPE_ARRAY, count);
  }

  /** A map of `pairs` keys and values; in RESP2 a flat array of both. */
  map(pairs: number): void {
    if (this.proto === 3) this.#header(TYPE_MAP, pairs);
    else this.#header(TYPE_ARRAY, pairs * 2);
  }

  set(count: number): void {
    this.#header(this.proto === 3 ? TYPE_SET : TYPE_ARRAY, count);
  }

  push(count: number): void {
    this.#header(this.proto === 3 ? TYPE_PUSH : TYPE_ARRAY, count);
  }

  /** A double; in RESP2 a bulk string of the same digits. */
  double(value: number): void {
    const text = doubleText(value);
    if (this.proto === 3) this.#line(TYPE_DOUBLE, text);
    else this.bulk(text);
  }

  /** A boolean; in RESP2 the integer 1 or 0. */
  boolean(value: boolean): void {
    if (this.proto === 3) this.raw(value ? TRUE_3 : FALSE_3);
    else this.#header(TYPE_INTEGER, value ? 1 : 0);
  }

  /** A verbatim string of format "txt"; in RESP2 a plain bulk. */
  verbatim(text: string): void {
    if (this.proto === 2) {
      this.bulk(text);
      return;
    }
    this.#header(TYPE_VERBATIM, text.length + VERBATIM_TXT.length);
    this.raw(VERBATIM_TXT);
    this.#text(text);
    this.#crlf();
  }

  /** Bytes that are RESP already: a constant of errors.ts, a reply of a server. */
  raw(bytes: Uint8Array): void {
    this.rawRange(bytes, 0, bytes.length);
  }

  rawRange(source: Uint8Array, from: number, to: number): void {
    const count = to - from;
    const at = this.#reserve(count);
    const buffer = this.buffer;
    if (count <= SHORT_COPY) {
      for (let i = 0; i < count; i++) buffer[at + i] = source[from + i];
    } else {
      buffer.set(count === source.length ? source : source.subarray(from, to), at);
    }
    this.length = at + count;
  }

  /** A copy of the bytes written so far; the writer is empty afterwards. */
  take(): Buffer {
    const bytes = Buffer.allocUnsafeSlow(this.length);
    bytes.set(this.buffer.subarray(0, this.length));
    this.reset();
    return bytes;
  }

  /** Forgets what was written; for callers that copied buffer[0, length) themselves. */
  reset(): void {
    this.length = 0;
    if (this.buffer.length > KEEP_BYTES) this.buffer = Buffer.allocUnsafeSlow(INITIAL_BYTES);
  }

  #line(type: number, text: string): void {
    const at = this.#reserve(1);
    this.buffer[at] = type;
    this.length = at + 1;
    this.#text(text);
    this.#crlf();
  }

  #header(type: number, value: number): void {
    if (value < 0 || value > 9) {
      this.#longHeader(type, value);
      return;
    }
    const at = this.#reserve(4);
    const buffer = this.buffer;
    buffer[at] = type;
    buffer[at + 1] = 48 + value;
    buffer[at + 2] = CR;
    buffer[at + 3] = LF;
    this.length = at + 4;
  }

  #longHeader(type: number, value: number): void {
    if (value < 0 || value > 999_999_999) {
      this.#line(type, String(value));
      return;
    }
    let digits = 2;
    for (let limit = 100; value >= limit; limit *= 10) digits++;
    const at = this.#reserve(digits + 3);
    const buffer = this.buffer;
    buffer[at] = type;
    let rest = value;
    for (let i = at + digits; i > at; i--) {
      const next = (rest / 10) | 0;
      buffer[i] = 48 + rest - next * 10;
      rest = next;
    }
    buffer[at + digits + 1] = CR;
    buffer[at + digits + 2] = LF;
    this.length = at + digits + 3;
  }

  #text(text: string): void {
    const count = text.length;
    const at = this.#reserve(count);
    if (count <= SHORT_COPY) {
      const buffer = this.buffer;
      for (let i = 0; i < count; i++) buffer[at + i] = text.charCodeAt(i);
    } else {
      this.buffer.write(text, at, count, "latin1");
    }
    this.length = at + count;
  }

  #crlf(): void {
    const at = this.#reserve(2);
    this.buffer[at] = CR;
    this.buffer[at + 1] = LF;
    this.length = at + 2;
  }

  /** Makes room for `count` more bytes and returns where they go. */
  #reserve(count: number): number {
    const at = this.length;
    if (at + count > this.buffer.length) this.#grow(at + count);
    return at;
  }

  #grow(needed: number): void {
    let capacity = this.buffer.length * 2;
    while (capacity < needed) capacity *= 2;
    const next = Buffer.allocUnsafeSlow(capacity);
    next.set(this.buffer.subarray(0, this.length));
    this.buffer = next;
  }
}

/**
 * The digits Redis prints for a double: "inf", "-inf", "nan", else the shortest that reads back.
 */
export function doubleText(value: number): string {
  if (Number.isNaN(value)) return "nan";
  if (value === Infinity) return "inf";
  if (value === -Infinity) return "-inf";
  return Object.is(value, -0) ? "-0" : String(value);
}
