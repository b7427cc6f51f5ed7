/**
 * Several replies become one, by the join rule of the command. Pure; called by `split.ts` when the
 * last part is answered. An error of any part is the answer to the whole command, as it came.
 */
import { assert } from "../lib/assert.ts";
import { roomFrom, takeRoom } from "../lib/lent.ts";
import { copyBytes } from "../resp/buffer.ts";
import { MORE, scanBulk, scanReply } from "../resp/reply.ts";
import { parseInteger } from "../resp/args.ts";
import { type Command, Join } from "./commands.ts";
import { badSplitReply } from "./errors.ts";
import type { Request } from "./request.ts";

const MINUS = 45;
const BULK = 36;
const ARRAY = 42;
const INTEGER = 58;
const LF = 10;
const OK = Buffer.from("+OK\r\n");

/** The reply that `joinReplies` made last is `bytes[from, to)`, perhaps lent. */
export const joined = { bytes: OK as Buffer, from: 0, to: 0 };

function setJoined(bytes: Buffer, from: number, to: number): void {
  joined.bytes = bytes;
  joined.from = from;
  joined.to = to;
}

/**
 * `parts[p].reply` answers part p, the first `count` of them are meant; `partOfKey[i]` is the part
 * that has key i of `keys`.
 */
export function joinReplies(
  command: Command,
  parts: readonly Request[],
  count: number,
  partOfKey: Uint16Array,
  keys: number,
): void {
  for (let i = 0; i < count; i++) {
    const { reply, replyFrom, replyTo } = parts[i];
    if (reply[replyFrom] === MINUS) return setJoined(reply, replyFrom, replyTo);
  }
  let isJoined = false;
  if (command.join === Join.ORDER) isJoined = joinOrdered(parts, count, partOfKey, keys);
  else if (command.join === Join.SUM) isJoined = joinSum(parts, count);
  else {
    assert(command.join === Join.ALL_OK, "a command that is split has a join rule");
    isJoined = areOk(parts, count);
    setJoined(OK, 0, OK.length);
  }
  if (isJoined) return;
  const error = badSplitReply(command.name);
  setJoined(error, 0, error.length);
}

function areOk(parts: readonly Request[], count: number): boolean {
  for (let p = 0; p < count; p++) {
    const { reply, replyFrom, replyTo } = parts[p];
    if (replyTo - replyFrom !== OK.length) return false;
    for (let i = 0; i < OK.length; i++) if (reply[replyFrom + i] !== OK[i]) return false;
  }
  return true;
}

/** Where the next element of each part begins. One command is joined at a time. */
let at = new Int32Array(16);

/** The elements of all parts in the order of the keys; false when a part is not such an array. */
function joinOrdered(
  parts: readonly Request[],
  count: number,
  partOfKey: Uint16Array,
  keys: number,
): boolean {
  if (count > at.length) at = new Int32Array(2 * count);
  const header = headerOf(keys);
  let length = header.length;
  for (let p = 0; p < count; p++) {
    const { reply, replyFrom, replyTo } = parts[p];
    if (reply[replyFrom] !== ARRAY) return false;
    at[p] = lineEnd(reply, replyFrom, replyTo);
    length += replyTo - at[p];
  }
  const bytes = takeRoom(length);
  const start = roomFrom;
  let to = copyBytes(header, 0, header.length, bytes, start);
  for (let i = 0; i < keys;) {
    const part = partOfKey[i];
    const { reply, replyTo } = parts[part];
    const from = at[part];
    let end = from;
    // Neighbours that came from the same place are copied together.
    do {
      end = elementEnd(reply, end, replyTo);
      if (end < 0) return false;
      i++;
    } while (i < keys && partOfKey[i] === part);
    to = copyBytes(reply, from, end, bytes, to);
    at[part] = end;
  }
  setJoined(bytes, start, to);
  // A server that answered more than it was asked is not to be believed either.
  return to - start === length;
}

function elementEnd(reply: Buffer, from: number, to: number): number {
  if (from >= to) return MORE;
  const end = reply[from] === BULK ? scanBulk(reply, from, to) : MORE;
  return end >= 0 ? end : scanReply(reply, from, to);
}

/** Behind the line that begins at `from`. */
function lineEnd(bytes: Buffer, from: number, to: number): number {
  let at = from;
  while (at < to && bytes[at] !== LF) at++;
  return at + 1;
}

/** `*10\r\n`, encoded once. */
function headerOf(count: number): Buffer {
  const header = headers[count] ?? Buffer.from(`*${count}\r\n`);
  if (count < HEADERS_KEPT) headers[count] = header;
  return header;
}

const HEADERS_KEPT = 256;
const headers: Buffer[] = [];

function joinSum(parts: readonly Request[], count: number): boolean {
  let sum = 0;
  for (let p = 0; p < count; p++) {
    const { reply, replyFrom, replyTo } = parts[p];
    const value = parseInteger(reply, replyFrom + 1, replyTo - 2);
    if (reply[replyFrom] !== INTEGER || Number.isNaN(value)) return false;
    sum += value;
  }
  const text = Buffer.from(`:${sum}\r\n`);
  setJoined(text, 0, text.length);
  return true;
}
