// How a server keeps what it has acknowledged, and how it is asked to have done so: for keys that
// may leave one server only when the other cannot lose them any more. Pure; the engine and the
// proxies ask over connections of their own kinds.

import type { Info } from "./info.ts";

/** In a replica, in a log that it can be asked about, or in one written before it answers. */
export type Durability = "replica" | "asked" | "always";

/** How long a server may take to make sure. */
export const KEEP_MS = 500;
const MARK_TTL_MS = 60_000;

/**
 * By its INFO. "log": it has one, and whether it is written before an answer only its setting
 * appendfsync tells. Null: it keeps nothing.
 */
export function durabilityIn(info: Info): Durability | "log" | null {
  if (Number(info.get("connected_slaves") ?? 0) > 0) return "replica";
  if (info.get("aof_enabled") !== "1") return null;
  return knowsWaitaof(info) ? "asked" : "log";
}

/** Redis 7.2 and newer, and every Valkey. */
function knowsWaitaof(info: Info): boolean {
  if (info.has("valkey_version")) return true;
  const [major = 0, minor = 0] = (info.get("redis_version") ?? "").split(".").map(Number);
  return major > 7 || (major === 7 && minor >= 2);
}

/** What a server lacks that keeps nothing, for operators. */
export function needsDurability(address: string): string {
  return (
    `durable migration needs a replica of ${address}, or appendonly yes with ` +
    `appendfsync always there (with Redis 7.2 or newer appendonly alone will do)`
  );
}

/**
 * On one connection, in this order. A write of our own is what the server waits for: it comes after
 * all that others have written before.
 */
export function keepCommands(how: "replica" | "asked", mark: string): (string | number)[][] {
  return [
    ["SET", mark, "1", "PX", MARK_TTL_MS],
    how === "replica" ? ["WAIT", 1, KEEP_MS] : ["WAITAOF", 1, 0, KEEP_MS],
  ];
}

/** What is missing when the answer to the second one was less than 1. */
export function notKept(how: "replica" | "asked", address: string): string {
  const whom = how === "replica" ? "no replica" : "the disk";
  return `${whom} of ${address} has confirmed the keys yet`;
}
