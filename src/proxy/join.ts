/**
 * Several replies become one, by the join rule of the command. Pure; called by `split.ts` when the
 * last part is answered. An error of any part is the answer to the whole command, as it came.
 */
import { assert } from "../lib/assert.ts";
import { roomFrom, takeRoom } from "../lib/lent.ts";
import { copyBytes } from "../resp/buffer.ts";
import { MORE, scanReply } from "../resp/reply.ts";
import { parseInteger } from "../resp/args.ts";
import { type Command, Join } from "./commands.ts";
import { badSplitReply } from "./errors.ts";
import type { Request } from "./request.ts";

const MINUS = 45;
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

/** `parts[p].reply` answers part p; `partOfKey[i]` is the part that has key i of `keys`. */
export function joinReplies(
  command: Command,
  parts: readonly Request[],
  partOfKey: Uint16Array,
  keys: number,
): void {
  for (const { reply, replyFrom, replyTo } of parts) {
    if (reply[replyFrom] === MINUS) return setJoined(reply, replyFrom, replyTo);
  }
  let isJoined = false;
  if (command.join === Join.ORDER) isJoined = joinOrdered(parts, partOfKey, keys);
  else if (command.join === Join.SUM) isJoined = joinSum(parts);
  else {
    assert(command.join === Join.ALL_OK, "a command that is split has a join rule");
    isJoined = parts.every(isOk);
    setJoined(OK, 0, OK.length);
  }
  if (isJoined) return;
  const error = badSplitReply(command.name);
  setJoined(error, 0, error.length);
}

function isOk({ reply, replyFrom, replyTo }: Request): boolean {
  if (replyTo - replyFrom !== OK.length) return false;
  for (let i = 0; i < OK.length; i++) if (reply[replyFrom + i] !== OK[i]) return false;
  return true;
}

/** Where the next element of each part begins. One command is joined at a time. */
const at: number[] = [];

/** The elements of all parts in the order of the keys; false when a part is not such an array. */
function joinOrdered(parts: readonly Request[], partOfKey: Uint16Array, keys: number): boolean {
  const header = headerOf(keys);
  let length = header.length;
  for (let i = 0; i < parts.length; i++) {
    const { reply, replyFrom, replyTo } = parts[i];
    if (reply[replyFrom] !== ARRAY) return false;
    at[i] = lineEnd(reply, replyFrom, replyTo);
    length += replyTo - at[i];
  }
  const bytes = takeRoom(length);
  const start = roomFrom;
  let to = copyBytes(header, 0, header.length, bytes, start);
  for (let i = 0; i < keys; i++) {
    const index = partOfKey[i];
    const { reply, replyTo } = parts[index];
    const from = at[index];
    let end = elementEnd(reply, from, replyTo);
    // Neighbours that came from the same place are copied together.
    while (end >= 0 && i + 1 < keys && partOfKey[i + 1] === index) {
      end = elementEnd(reply, end, replyTo);
      i++;
    }
    if (end < 0) return false;
    to = copyBytes(reply, from, end, bytes, to);
    at[index] = end;
  }
  setJoined(bytes, start, to);
  // A server that answered more than it was asked is not to be believed either.
  return to - start === length;
}

function elementEnd(reply: Buffer, from: number, to: number): number {
  return from < to ? scanReply(reply, from, to) : MORE;
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

function joinSum(parts: readonly Request[]): boolean {
  let sum = 0;
  for (const { reply, replyFrom, replyTo } of parts) {
    const value = parseInteger(reply, replyFrom + 1, replyTo - 2);
    if (reply[replyFrom] !== INTEGER || Number.isNaN(value)) return false;
    sum += value;
  }
  const text = Buffer.from(`:${sum}\r\n`);
  setJoined(text, 0, text.length);
  return true;
}
