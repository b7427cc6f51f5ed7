/**
 * Several replies become one, by the join rule of the command. Pure; called by `split.ts` when the
 * last part is answered. An error of any part is the answer to the whole command, as it came.
 */
import { assert } from "../lib/assert.ts";
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

/** `parts[p].reply` answers part p; `partOfKey[i]` is the part that has key i of `keys`. */
export function joinReplies(
  command: Command,
  parts: readonly Request[],
  partOfKey: Uint16Array,
  keys: number,
): Buffer {
  for (const part of parts) {
    if (part.reply[part.replyFrom] === MINUS) return part.wholeReply();
  }
  let joined: Buffer | null = null;
  if (command.join === Join.ORDER) joined = joinOrdered(parts, partOfKey, keys);
  else if (command.join === Join.SUM) joined = joinSum(parts);
  else {
    assert(command.join === Join.ALL_OK, "a command that is split has a join rule");
    if (parts.every((part) => part.wholeReply().equals(OK))) joined = OK;
  }
  return joined ?? badSplitReply(command.name);
}

/** Where the next element of each part begins. One command is joined at a time. */
const at: number[] = [];

/** The elements of all parts in the order of the keys; null when a part is not such an array. */
function joinOrdered(
  parts: readonly Request[],
  partOfKey: Uint16Array,
  keys: number,
): Buffer | null {
  const header = headerOf(keys);
  let length = header.length;
  for (let i = 0; i < parts.length; i++) {
    const { reply, replyFrom, replyTo } = parts[i];
    if (reply[replyFrom] !== ARRAY) return null;
    at[i] = lineEnd(reply, replyFrom, replyTo);
    length += replyTo - at[i];
  }
  const joined = Buffer.allocUnsafe(length);
  let to = header.copy(joined, 0);
  for (let i = 0; i < keys; i++) {
    const index = partOfKey[i];
    const { reply, replyTo } = parts[index];
    const from = at[index];
    const end = from < replyTo ? scanReply(reply, from, replyTo) : MORE;
    if (end < 0) return null;
    to += reply.copy(joined, to, from, end);
    at[index] = end;
  }
  // A server that answered more than it was asked is not to be believed either.
  return to === length ? joined : null;
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

function joinSum(parts: readonly Request[]): Buffer | null {
  let sum = 0;
  for (const { reply, replyFrom, replyTo } of parts) {
    const value = parseInteger(reply, replyFrom + 1, replyTo - 2);
    if (reply[replyFrom] !== INTEGER || Number.isNaN(value)) return null;
    sum += value;
  }
  return Buffer.from(`:${sum}\r\n`);
}
