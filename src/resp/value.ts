/**
 * Full decode of RESP2 and RESP3 replies to JS values: for the control plane, the CLI and tests.
 * The data plane never uses it, it looks for the ends of replies only (reply.ts).
 *
 *     simple string, bulk, verbatim   string, or bytes for bulks when asked for
 *     error, blob error               ReplyError, as a value: it may stand inside an array
 *     integer, big number, double     number, bigint where a number would not be exact
 *     boolean, null                   boolean, null; both kinds of RESP2 null as well
 *     array, set                      array
 *     map                             Map
 *     push                            Push
 *     attribute                       skipped
 */

export type Reply =
  | string
  | number
  | bigint
  | boolean
  | null
  | Uint8Array
  | ReplyError
  | Push
  | Reply[]
  | Map<Reply, Reply>;

/** An error a server answered with. */
export class ReplyError extends Error {
  override readonly name = "ReplyError";
  /** The first word: "ERR", "WRONGTYPE". */
  readonly code: string;

  constructor(text: string) {
    super(text);
    const space = text.indexOf(" ");
    this.code = space < 0 ? text : text.slice(0, space);
  }
}

/** A message nobody asked for, such as an invalidation. */
export class Push {
  constructor(readonly items: readonly Reply[]) {}
}

/** The bytes are not RESP; nothing after them can be read. */
export class RespSyntaxError extends Error {
  override readonly name = "RespSyntaxError";
}

export type BulkForm = "text" | "bytes";

interface Frame {
  readonly type: string;
  /** Values still to come; twice the number of pairs for maps. */
  left: number;
  readonly items: Reply[];
}

const INCOMPLETE = Symbol("incomplete");
const OPENED = Symbol("opened");

const LF = 10;
const DOLLAR = 0x24;
const ZERO = 0x30;
const COLLECTIONS = "*~>%|";
const MAX_DEPTH = 256;
const MAX_COUNT = 2 ** 32;
const INITIAL_BYTES = 4096;

/** One reply that begins at `from`, and where it ends; null when the rest of it is missing. */
export function decode(
  bytes: Uint8Array,
  from = 0,
  bulks: BulkForm = "text",
): { value: Reply; end: number } | null {
  const decoder = new ReplyDecoder(bulks);
  decoder.feed(bytes.subarray(from));
  const value = decoder.next();
  return value === undefined ? null : { value, end: from + decoder.consumedBytes };
}

/** Takes the bytes of a connection as they come; every part of a reply is looked at once. */
export class ReplyDecoder {
  /** How many bytes belong to the replies handed out and to what was read of the next one. */
  consumedBytes = 0;
  #buffer = Buffer.alloc(0);
  /** The same bytes: slices of a Buffer would be Buffers that share its memory. */
  #view = new Uint8Array(0);
  #pos = 0;
  #end = 0;
  /** The collections that are open, outermost first. */
  readonly #open: Frame[] = [];
  readonly #bulks: BulkForm;

  constructor(bulks: BulkForm = "text") {
    this.#bulks = bulks;
  }

  /** The chunk is copied. */
  feed(chunk: Uint8Array): void {
    if (this.#end + chunk.length > this.#buffer.length) {
      const live = this.#end - this.#pos;
      let capacity = Math.max(INITIAL_BYTES, this.#buffer.length);
      while (capacity < live + chunk.length) capacity *= 2;
      const next = Buffer.allocUnsafeSlow(capacity);
      this.#buffer.copy(next, 0, this.#pos, this.#end);
      this.#buffer = next;
      this.#view = new Uint8Array(next.buffer, next.byteOffset, next.length);
      this.#pos = 0;
      this.#end = live;
    }
    this.#buffer.set(chunk, this.#end);
    this.#end += chunk.length;
  }

  /** The next whole reply; undefined until more bytes are fed. */
  next(): Reply | undefined {
    for (;;) {
      const before = this.#pos;
      const read = this.#readOne();
      this.consumedBytes += this.#pos - before;
      if (read === INCOMPLETE) return undefined;
      if (read === OPENED) continue;
      const whole = this.#close(read);
      if (whole !== undefined) return whole;
    }
  }

  /** Puts a value into the innermost open collection, and what that completes into the next. */
  #close(value: Reply): Reply | undefined {
    let done: Reply = value;
    for (let frame = this.#open.at(-1); frame !== undefined; frame = this.#open.at(-1)) {
      frame.items.push(done);
      if (--frame.left > 0) return undefined;
      this.#open.pop();
      // What an attribute says belongs to the value that follows; nobody here reads it.
      if (frame.type === "|") return undefined;
      done = collect(frame);
    }
    return done;
  }

  /** Reads one scalar, or opens a collection. Moves on only past what was read whole. */
  #readOne(): Reply | typeof INCOMPLETE | typeof OPENED {
    const lineEnd = this.#buffer.indexOf(LF, this.#pos);
    if (lineEnd < 0 || lineEnd >= this.#end) return INCOMPLETE;
    if (this.#buffer[this.#pos] === DOLLAR) {
      const length = digitsIn(this.#buffer, this.#pos + 1, lineEnd - 1);
      if (length >= 0) return this.#readBulkBody(lineEnd + 1, length);
    }
    const type = String.fromCharCode(this.#buffer[this.#pos]);
    const body = lineEnd + 1;
    const isText = type === "+" || type === "-";
    const line = this.#buffer.toString(isText ? "utf8" : "latin1", this.#pos + 1, lineEnd - 1);
    if (type === "$" || type === "=" || type === "!") return this.#readBulk(type, line, body);
    this.#pos = body;
    if (COLLECTIONS.includes(type)) return this.#openCollection(type, line);
    return scalar(type, line);
  }

  #readBulk(type: string, line: string, body: number): Reply | typeof INCOMPLETE {
    const length = lengthOf(line);
    if (length < 0) {
      this.#pos = body;
      return null;
    }
    if (type === "$") return this.#readBulkBody(body, length);
    const bodyEnd = body + length;
    if (bodyEnd + 2 > this.#end) return INCOMPLETE;
    this.#pos = bodyEnd + 2;
    if (type === "=") return this.#buffer.toString("utf8", body + 4, bodyEnd);
    return new ReplyError(this.#buffer.toString("utf8", body, bodyEnd));
  }

  #readBulkBody(body: number, length: number): Reply | typeof INCOMPLETE {
    const bodyEnd = body + length;
    if (bodyEnd + 2 > this.#end) return INCOMPLETE;
    this.#pos = bodyEnd + 2;
    if (this.#bulks === "text") return this.#buffer.toString("utf8", body, bodyEnd);
    return Uint8Array.prototype.slice.call(this.#view, body, bodyEnd);
  }

  #openCollection(type: string, line: string): Reply | typeof OPENED {
    const count = lengthOf(line);
    if (count < 0) return null;
    if (this.#open.length >= MAX_DEPTH) throw new RespSyntaxError("reply is nested too deeply");
    const left = type === "%" || type === "|" ? 2 * count : count;
    const frame: Frame = { type, left, items: [] };
    if (left === 0) return type === "|" ? OPENED : collect(frame);
    this.#open.push(frame);
    return OPENED;
  }
}

function collect(frame: Frame): Reply {
  if (frame.type === ">") return new Push(frame.items);
  if (frame.type !== "%") return frame.items;
  const map = new Map<Reply, Reply>();
  for (let i = 0; i < frame.items.length; i += 2) map.set(frame.items[i], frame.items[i + 1]);
  return map;
}

function scalar(type: string, line: string): Reply {
  switch (type) {
    case "+":
      return line;
    case "-":
      return new ReplyError(line);
    case ":":
    case "(":
      return integerOf(line);
    case ",":
      return doubleOf(line);
    case "#":
      if (line === "t" || line === "f") return line === "t";
      break;
    case "_":
      if (line === "") return null;
      break;
  }
  throw new RespSyntaxError(
    `no reply begins with ${JSON.stringify(`${type}${line}`.slice(0, 40))}`,
  );
}

function integerOf(line: string): number | bigint {
  if (!/^[+-]?\d+$/.test(line)) throw new RespSyntaxError(`${JSON.stringify(line)} is no integer`);
  const value = Number(line);
  return Number.isSafeInteger(value) ? value : BigInt(line.replace("+", ""));
}

function doubleOf(line: string): number {
  if (line === "inf") return Infinity;
  if (line === "-inf") return -Infinity;
  if (/^-?nan/i.test(line)) return NaN;
  const value = Number(line);
  if (line === "" || Number.isNaN(value)) {
    throw new RespSyntaxError(`${JSON.stringify(line)} is no double`);
  }
  return value;
}

/** The number that stands there in up to nine plain digits, or -1 when it is anything else. */
function digitsIn(bytes: Uint8Array, from: number, to: number): number {
  if (to <= from || to - from > 9) return -1;
  let value = 0;
  for (let i = from; i < to; i++) {
    const digit = bytes[i] - ZERO;
    if (!(digit >= 0 && digit <= 9)) return -1;
    value = 10 * value + digit;
  }
  return value;
}

/** -1 for the null forms "$-1" and "*-1". */
function lengthOf(line: string): number {
  const length = /^(?:-1|\d{1,10})$/.test(line) ? Number(line) : NaN;
  if (!(length <= MAX_COUNT)) throw new RespSyntaxError(`${JSON.stringify(line)} is no length`);
  return length;
}
