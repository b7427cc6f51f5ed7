/**
 * The record of one command and the numbers in it. commands.ts builds the records from the rows and
 * gives everything on that is defined here; the files that commands.ts imports take it from here.
 */
import type { KeySpec } from "./command-rows.ts";

/** What the proxy does with a command. */
export const Route = {
  /** Goes as it came to the server of its keys, which must be in one slot. */
  FORWARD: 0,
  /** One part for each server; the replies are joined. */
  SPLIT: 1,
  /** Answered by the proxy. */
  LOCAL: 2,
  /** Answered with an error. */
  REFUSE: 3,
} as const;

/** How the replies to the parts of a split command become one. */
export const Join = {
  NONE: 0,
  /** Arrays, put together in the order of the keys. */
  ORDER: 1,
  /** Integers, added up. */
  SUM: 2,
  /** +OK from everyone. */
  ALL_OK: 3,
} as const;

/** Bits. All but MASTER_ONLY are Redis' own, under the names that COMMAND INFO has for them. */
export const Flag = {
  WRITE: 1 << 0,
  READONLY: 1 << 1,
  /** Never to be read from a replica: it writes, may write, or counts or walks what is there. */
  MASTER_ONLY: 1 << 2,
  FAST: 1 << 3,
  BLOCKING: 1 << 4,
  /** Allowed before the password was given. */
  NO_AUTH: 1 << 5,
  DENYOOM: 1 << 6,
  ADMIN: 1 << 7,
  PUBSUB: 1 << 8,
  NOSCRIPT: 1 << 9,
  LOADING: 1 << 10,
  STALE: 1 << 11,
  SKIP_MONITOR: 1 << 12,
  SKIP_SLOWLOG: 1 << 13,
  ASKING: 1 << 14,
  NO_MANDATORY_KEYS: 1 << 15,
  NO_ASYNC_LOADING: 1 << 16,
  NO_MULTI: 1 << 17,
  MOVABLE_KEYS: 1 << 18,
  ALLOW_BUSY: 1 << 19,
} as const;

/** How `findKeys` finds the keys of a command. */
export const KeyRule = {
  NONE: 0,
  /** firstKey, lastKey and step say it all. */
  RANGE: 1,
  /** Counted, or after a keyword: as the key specs say. */
  SPECS: 2,
  /** SORT: the key, STORE, and the patterns of BY and GET. */
  SORT: 3,
  /** GEORADIUS: the key, STORE and STOREDIST. */
  GEO: 4,
  /** MIGRATE: one key, or those after KEYS. */
  MIGRATE: 5,
} as const;

export interface Command {
  /** Dense, for arrays of statistics; 0 stands for every unknown command. */
  readonly id: number;
  /** Lower case; a subcommand carries its container, "config|get". */
  readonly name: string;
  /** Redis' own: counts the name (and the subcommand); negative means at least. */
  readonly arity: number;
  /** Bits of `Flag`. */
  readonly flags: number;
  readonly route: number;
  readonly join: number;
  /** Redis' own first, last and step, over key specs that are plain ranges; 0 = no such keys. */
  readonly firstKey: number;
  readonly lastKey: number;
  readonly step: number;
  readonly keyRule: number;
  readonly keys: readonly KeySpec[];
  /** By the part of the name after the bar; null when the command is no container. */
  readonly subcommands: ReadonlyMap<string, Command> | null;
  /** Why it is refused, one clause; "" when it is not. */
  readonly reason: string;
  /** The complete error text for a refused command, "ERR ..."; "" when it is not refused. */
  readonly refusal: string;
  readonly group: string;
  readonly since: string;
  readonly summary: string;
  /** "@read", in Redis' order. */
  readonly acl: readonly string[];
  readonly tips: readonly string[];
  /** "syscmd" and "deprecated", as COMMAND DOCS has them. */
  readonly docFlags: readonly string[];
  readonly deprecatedSince: string;
  readonly replacedBy: string;
  /** In Redis' own lists: not codis' commands, and not those that only Valkey has. */
  readonly isRedis: boolean;
}
