// What the ledger is made of: a write and what came of it, and the keys of one kind with all writes
// to them. The kinds are in ledger.ts and ended-keys.ts.
//
// A write is acknowledged (its reply came), refused (an error that says that nothing was done) or
// unknown (the connection broke, or another error). An acknowledged one must have been executed
// exactly once, a refused one never, an unknown one at most once, whenever that was.
import { type Reply, ReplyError } from "../../src/resp/value.ts";
import type { Random } from "../harness/random.ts";

export interface Write {
  readonly args: readonly string[];
  /** Called once, with the reply, or null when none will come. */
  readonly settle: (reply: Reply | null) => void;
  /** It only looks, and is not counted. */
  readonly isLook?: boolean;
}

export type Ask = (...args: string[]) => Promise<Reply>;

/** Keys of one kind, and the writes to them. */
export interface Book {
  readonly name: string;
  write(random: Random, writer: number): Write;
  /** What is wrong, in sentences. */
  check(ask: Ask): Promise<string[]>;
}

/** Errors that promise that the request was not executed. */
const REFUSALS =
  /^(TRYAGAIN|LOADING|CLUSTERDOWN|READONLY|ERR handle request,|ERR the proxy is fenced:)/;

export function isRefusal(reply: Reply | null): boolean {
  return reply instanceof ReplyError && REFUSALS.test(reply.message);
}

export function isAcknowledged(reply: Reply | null): boolean {
  return reply !== null && !(reply instanceof ReplyError);
}

let serial = 0;

/** Unique, of letters and digits, with a mark at its end so that tokens can be strung together. */
export function newToken(writer: number): string {
  return `w${writer}n${++serial}.`;
}
