/**
 * Inline requests (`GET key\r\n`, as typed into telnet) with the quoting rules of Redis'
 * `sdssplitargs`, turned into the array form so that nothing behind the scanner knows them.
 * Called only by `scan.ts`.
 */
import {
  type Args,
  findByte,
  hasNul,
  INCOMPLETE,
  INLINE_TOO_LONG,
  MAX_LINE_BYTES,
  UNBALANCED_QUOTES,
} from "./args.ts";

const TAB = 9;
const LF = 10;
const CR = 13;
const QUOTE = 34;
const APOSTROPHE = 39;
const BACKSLASH = 92;

/** Scans one line. Returns the offset after it, INCOMPLETE or an error; fills `args`. */
export function scanInline(args: Args, bytes: Uint8Array, from: number, to: number): number {
  const lf = findByte(bytes, LF, from, to);
  if (lf < 0 || hasNul(bytes, from, lf)) {
    return to - from > MAX_LINE_BYTES ? INLINE_TOO_LONG : INCOMPLETE;
  }
  const end = lf > from && bytes[lf - 1] === CR ? lf - 1 : lf;
  const words = splitLine(bytes, from, end);
  if (words === null) return UNBALANCED_QUOTES;
  args.count = 0;
  encodeWords(args, words);
  return lf + 1;
}

/** Rewrites a request that Redis would accept, but whose line ends are odd, in canonical form. */
export function encodeArgs(args: Args): void {
  const words: Uint8Array[] = [];
  for (let i = 0; i < args.count; i++) words.push(args.copy(i));
  args.count = 0;
  encodeWords(args, words);
}

function encodeWords(args: Args, words: readonly Uint8Array[]): void {
  if (words.length === 0) return;
  const head = Buffer.from(`*${words.length}\r\n`);
  const parts: Uint8Array[] = [head];
  let at = head.length;
  for (const word of words) {
    const header = Buffer.from(`$${word.length}\r\n`);
    parts.push(header, word, CRLF);
    at += header.length;
    args.push(at, at + word.length);
    at += word.length + 2;
  }
  args.bytes = Buffer.concat(parts);
  args.from = 0;
  args.to = at;
  args.expected = words.length;
}

const CRLF = Buffer.from("\r\n");

/** The words of a line, or null when a quote is not closed or is followed by a letter. */
function splitLine(bytes: Uint8Array, from: number, to: number): Uint8Array[] | null {
  const words: Uint8Array[] = [];
  let pos = from;
  for (;;) {
    while (pos < to && isSpace(bytes[pos])) pos++;
    if (pos >= to) return words;
    const word: number[] = [];
    pos = readWord(bytes, pos, to, word);
    if (pos < 0) return null;
    words.push(Uint8Array.from(word));
  }
}

/** Reads one word into `word`; returns the offset after it, or -1 when a quote is unbalanced. */
function readWord(bytes: Uint8Array, from: number, to: number, word: number[]): number {
  let pos = from;
  while (pos < to && !endsWord(bytes[pos])) {
    const byte = bytes[pos];
    if (byte !== QUOTE && byte !== APOSTROPHE) {
      word.push(byte);
      pos++;
      continue;
    }
    pos =
      byte === QUOTE ? readDouble(bytes, pos + 1, to, word) : readSingle(bytes, pos + 1, to, word);
    if (pos < 0 || (pos < to && !isSpace(bytes[pos]))) return -1;
    return pos;
  }
  return pos;
}

/** The inside of "…", with escapes. Returns the offset after the closing quote, or -1. */
function readDouble(bytes: Uint8Array, from: number, to: number, word: number[]): number {
  let pos = from;
  while (pos < to) {
    const byte = bytes[pos];
    if (byte === QUOTE) return pos + 1;
    if (byte !== BACKSLASH || pos + 1 >= to) {
      word.push(byte);
      pos++;
      continue;
    }
    const next = bytes[pos + 1];
    if (next === 120 && pos + 3 < to && hex(bytes[pos + 2]) >= 0 && hex(bytes[pos + 3]) >= 0) {
      word.push(hex(bytes[pos + 2]) * 16 + hex(bytes[pos + 3]));
      pos += 4;
    } else {
      word.push(ESCAPES.get(next) ?? next);
      pos += 2;
    }
  }
  return -1;
}

/** The inside of '…', where only \' is special. */
function readSingle(bytes: Uint8Array, from: number, to: number, word: number[]): number {
  let pos = from;
  while (pos < to) {
    const byte = bytes[pos];
    if (byte === APOSTROPHE) return pos + 1;
    if (byte === BACKSLASH && pos + 1 < to && bytes[pos + 1] === APOSTROPHE) pos++;
    word.push(bytes[pos]);
    pos++;
  }
  return -1;
}

const ESCAPES: ReadonlyMap<number, number> = new Map([
  [110, 10], // \n
  [114, 13], // \r
  [116, 9], // \t
  [98, 8], // \b
  [97, 7], // \a
]);

/** Narrower than `isSpace`: between words Redis skips all white space, in a word it knows these. */
function endsWord(byte: number): boolean {
  return byte === 32 || byte === LF || byte === CR || byte === TAB;
}

/** C's isspace in the default locale. */
function isSpace(byte: number): boolean {
  return byte === 32 || (byte >= 9 && byte <= 13);
}

function hex(byte: number): number {
  if (byte >= 48 && byte <= 57) return byte - 48;
  const lower = byte | 32;
  return lower >= 97 && lower <= 102 ? lower - 87 : -1;
}
