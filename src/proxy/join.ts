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

/** `parts[p].reply` answers part p; `partOfKey[i]` is the part that has the key at position i. */
export function joinReplies(
  command: Command,
  parts: readonly Request[],
  partOfKey: Uint16Array,
): Buffer {
  for (const part of parts) {
    if (part.reply[part.replyFrom] === MINUS) return part.wholeReply();
  }
  let joined: Buffer | null = null;
  if (command.join === Join.ORDER) joined = joinOrdered(parts, partOfKey);
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
function joinOrdered(parts: readonly Request[], partOfKey: Uint16Array): Buffer | null {
  let length = 16;
  for (let i = 0; i < parts.length; i++) {
    const { reply, replyFrom, replyTo } = parts[i];
    if (reply[replyFrom] !== ARRAY) return null;
    at[i] = reply.indexOf(LF, replyFrom) + 1;
    length += replyTo - replyFrom;
  }
  const joined = Buffer.allocUnsafe(length);
  let to = joined.latin1Write(`*${partOfKey.length}\r\n`, 0);
  for (let i = 0; i < partOfKey.length; i++) {
    const part = parts[partOfKey[i]];
    const from = at[partOfKey[i]];
    const end = from < part.replyTo ? scanReply(part.reply, from, part.replyTo) : MORE;
    if (end < 0) return null;
    to += part.reply.copy(joined, to, from, end);
    at[partOfKey[i]] = end;
  }
  // A server that answered more than it was asked is not to be believed either.
  for (let i = 0; i < parts.length; i++) if (at[i] !== parts[i].replyTo) return null;
  return joined.subarray(0, to);
}

function joinSum(parts: readonly Request[]): Buffer | null {
  let sum = 0;
  for (const { reply, replyFrom, replyTo } of parts) {
    const value = parseInteger(reply, replyFrom + 1, replyTo - 2);
    if (reply[replyFrom] !== INTEGER || Number.isNaN(value)) return null;
    sum += value;
  }
  return Buffer.from(`:${sum}\r\n`);
}
