/**
 * Where does this request end, and where are its arguments?
 *
 * `scanRequest` walks one request and notes argument offsets in an `Args`; nothing is copied.
 * The grammar, the limits and the order of checks are those of Redis 7's `networking.c`, so that
 * a client sees the same error for the same broken byte. Called by `proxy/session.ts` for every
 * request; a request that is not complete yet is continued by `resumeRequest` when more bytes
 * are there. Inline requests are in `inline.ts`; what replies look like is in `reply.ts`.
 */
import {
  type Args,
  findByte,
  hasNul,
  parseInteger,
  INCOMPLETE,
  BAD_COUNT,
  BAD_BULK_LENGTH,
  EXPECTED_DOLLAR,
  COUNT_LINE_TOO_LONG,
  BULK_LINE_TOO_LONG,
  COUNT_UNAUTHENTICATED,
  BULK_UNAUTHENTICATED,
  MAX_LINE_BYTES,
} from "./args.ts";
import { scanInline } from "./inline.ts";

/** Redis' INT_MAX limit for the number of arguments. */
const MAX_COUNT = 2147483647;
/** Redis' default proto-max-bulk-len. */
export const MAX_BULK_BYTES = 512 * 1024 * 1024;
/** What a client may send before it has given the password. */
const MAX_COUNT_UNAUTHENTICATED = 10;
const MAX_BULK_UNAUTHENTICATED = 16384;
/** `$536870912\r\n` and a byte to spare: with this much left a header can be read unchecked. */
const HEADER_BYTES = 14;

const CR = 13;
const LF = 10;
const STAR = 42;
const DOLLAR = 36;
const ZERO = 48;
const NINE = 57;

/**
 * Scans the request that begins at `from`. Returns the offset after it, INCOMPLETE, or a protocol
 * error. `args.count` is 0 for an empty request, which Redis ignores.
 */
export function scanRequest(args: Args, bytes: Uint8Array, from: number, to: number): number {
  args.bytes = bytes;
  args.from = from;
  args.count = 0;
  args.expected = 0;
  args.isCanonical = true;
  args.missing = 0;
  args.pos = from;
  if (bytes[from] !== STAR) return scanInline(args, bytes, from, to);
  if (from + 4 < to && bytes[from + 2] === CR && bytes[from + 3] === LF) {
    const digit = bytes[from + 1] - ZERO;
    if (digit > 0 && digit <= 9) {
      args.expected = digit;
      return scanElements(args, bytes, from + 4, to);
    }
  }
  return scanCount(args, bytes, from, to);
}

/** Continues a request that was INCOMPLETE; `args.bytes` now holds more, up to `to`. */
export function resumeRequest(args: Args, bytes: Uint8Array, to: number): number {
  args.bytes = bytes;
  if (args.expected === 0) return scanRequest(args, bytes, args.from, to);
  return scanElements(args, bytes, args.pos, to);
}

/** The general form of `*<count>\r\n`: long counts, odd line ends, errors. */
function scanCount(args: Args, bytes: Uint8Array, from: number, to: number): number {
  const cr = findByte(bytes, CR, from, to);
  if (cr < 0) {
    return to - from > MAX_LINE_BYTES ? COUNT_LINE_TOO_LONG : INCOMPLETE;
  }
  if (cr + 1 >= to) return INCOMPLETE;
  const count = parseInteger(bytes, from + 1, cr);
  if (Number.isNaN(count) || count > MAX_COUNT) {
    if (!hasNul(bytes, from, cr)) return BAD_COUNT;
    return to - from > MAX_LINE_BYTES ? COUNT_LINE_TOO_LONG : INCOMPLETE;
  }
  if (args.isRestricted && count > MAX_COUNT_UNAUTHENTICATED) return COUNT_UNAUTHENTICATED;
  if (bytes[cr + 1] !== LF) args.isCanonical = false;
  if (count <= 0) return cr + 2;
  args.expected = count;
  return scanElements(args, bytes, cr + 2, to);
}

/** Walks the bulk strings from `pos` on. The innermost loop of the request side. */
function scanElements(args: Args, bytes: Uint8Array, pos: number, to: number): number {
  const expected = args.expected;
  const maxBulk = args.isRestricted ? MAX_BULK_UNAUTHENTICATED : MAX_BULK_BYTES;
  while (args.count < expected) {
    let length = -1;
    let at = pos + 1;
    if (pos + HEADER_BYTES <= to && bytes[pos] === DOLLAR) {
      let byte = bytes[at];
      if (byte > ZERO && byte <= NINE) {
        length = byte - ZERO;
        byte = bytes[++at];
        while (byte >= ZERO && byte <= NINE && at - pos < 11) {
          length = length * 10 + byte - ZERO;
          byte = bytes[++at];
        }
      } else if (byte === ZERO) {
        length = 0;
        at++;
      }
      if (bytes[at] !== CR || bytes[at + 1] !== LF || length > maxBulk) length = -1;
    }
    if (length < 0) {
      length = scanBulkHeader(args, bytes, pos, to);
      if (length < 0) {
        args.pos = pos;
        args.missing = 0;
        return length;
      }
      at = headerEnd - 2;
    }
    const start = at + 2;
    const end = start + length;
    if (end + 2 > to) {
      args.pos = pos;
      args.missing = end + 2 - to;
      args.payload = start;
      return INCOMPLETE;
    }
    if (bytes[end] !== CR || bytes[end + 1] !== LF) args.isCanonical = false;
    args.push(start, end);
    pos = end + 2;
  }
  args.to = pos;
  args.pos = pos;
  return pos;
}

/** Where the payload begins that `scanBulkHeader` last announced. */
let headerEnd = 0;

/** The careful form of `$<length>\r\n`, with Redis' checks in Redis' order. */
function scanBulkHeader(args: Args, bytes: Uint8Array, pos: number, to: number): number {
  const cr = findByte(bytes, CR, pos, to);
  if (cr < 0) return to - pos > MAX_LINE_BYTES ? BULK_LINE_TOO_LONG : INCOMPLETE;
  if (cr + 1 >= to) return INCOMPLETE;
  const length = bytes[pos] === DOLLAR ? parseInteger(bytes, pos + 1, cr) : NaN;
  if (Number.isNaN(length) && hasNul(bytes, pos, cr)) {
    return to - pos > MAX_LINE_BYTES ? BULK_LINE_TOO_LONG : INCOMPLETE;
  }
  if (bytes[pos] !== DOLLAR) {
    args.badByte = bytes[pos];
    return EXPECTED_DOLLAR;
  }
  if (Number.isNaN(length) || length < 0 || length > MAX_BULK_BYTES) return BAD_BULK_LENGTH;
  if (args.isRestricted && length > MAX_BULK_UNAUTHENTICATED) return BULK_UNAUTHENTICATED;
  if (bytes[cr + 1] !== LF) args.isCanonical = false;
  headerEnd = cr + 2;
  return length;
}
