// Durable mode: a key leaves the source only when the target cannot lose it any more, because a
// replica of the target has it, or its disk. MIGRATE COPY, then this, then the deletion at the
// source.

import { OWN_KEY_PREFIX } from "../model/own-keys.ts";
import { type Reply, ReplyError } from "../resp/value.ts";
import type { Link } from "./link.ts";
import { isAtLeast } from "./server-kind.ts";
import { textOf } from "./server-kind.ts";
import { MigrationStopped } from "./types.ts";

const WAIT_MS = 500;
const MARK_TTL_MS = 60_000;

/** How a target keeps what it has acknowledged: in a replica, in a log it can be asked about, or in
 *  one that it writes before it answers. */
export type Durability = "replica" | "asked" | "always";

/** Throws `MigrationStopped` when the target can keep nothing. */
export async function durabilityOf(target: Link): Promise<Durability> {
  const info = await target.info();
  if (Number(info.get("connected_slaves") ?? 0) > 0) return "replica";
  const hasLog = info.get("aof_enabled") === "1";
  if (hasLog && isAtLeast(target.kind, 7, 2)) return "asked";
  if (hasLog && (await writesAlways(target))) return "always";
  throw new MigrationStopped(
    `durable migration needs a replica of ${target.address}, or appendonly yes with ` +
      `appendfsync always there (with Redis 7.2 or newer appendonly alone will do)`,
  );
}

async function writesAlways(target: Link): Promise<boolean> {
  const [reply] = await target.pipeline([["CONFIG", "GET", "appendfsync"]]);
  return Array.isArray(reply) && reply.length > 1 && textOf(reply[1]) === "always";
}

/**
 * One try to have everything that the target has acknowledged kept; "" or what is missing. A write
 * of our own on the same connection is what the server waits for: it comes after the others.
 */
export async function keep(target: Link, how: Durability, jobId: number): Promise<string> {
  if (how === "always") return "";
  const mark = ["SET", `${OWN_KEY_PREFIX}mig:${jobId}:mark`, "1", "PX", MARK_TTL_MS];
  const wait = how === "replica" ? ["WAIT", 1, WAIT_MS] : ["WAITAOF", 1, 0, WAIT_MS];
  const [marked, kept] = await target.pipeline([mark, wait], 10 * WAIT_MS);
  if (marked instanceof ReplyError) return `${target.address} answers: ${marked.message}`;
  if (kept instanceof ReplyError) return `${target.address} answers: ${kept.message}`;
  if (countOf(kept) >= 1) return "";
  const whom = how === "replica" ? "no replica" : "the disk";
  return `${whom} of ${target.address} has confirmed the keys yet`;
}

/** WAIT answers with a number, WAITAOF with two. */
function countOf(reply: Reply): number {
  return Number(Array.isArray(reply) ? reply[0] : reply);
}
