// Durable mode: a key leaves the source only when the target cannot lose it any more, because a
// replica of the target has it, or its disk. MIGRATE COPY, then this, then the deletion at the
// source. The proxies do the same (proxy/keeper.ts).

import { OWN_KEY_PREFIX } from "../model/own-keys.ts";
import { ConnectionError } from "../redis/client.ts";
import {
  type Durability,
  durabilityIn,
  KEEP_MS,
  keepCommands,
  needsDurability,
  notKept,
} from "../redis/durability.ts";
import { type Reply, ReplyError } from "../resp/value.ts";
import type { Link } from "./link.ts";
import { textOf } from "./server-kind.ts";
import { MigrationStopped } from "./types.ts";

/** Throws `MigrationStopped` when the target can keep nothing. */
export async function durabilityOf(target: Link): Promise<Durability> {
  const found = durabilityIn(await target.info());
  if (found !== null && found !== "log") return found;
  if (found === "log" && (await writesAlways(target))) return "always";
  throw new MigrationStopped(needsDurability(target.address));
}

async function writesAlways(target: Link): Promise<boolean> {
  const [reply] = await target.pipeline([["CONFIG", "GET", "appendfsync"]]);
  return Array.isArray(reply) && reply.length > 1 && textOf(reply[1]) === "always";
}

/** One try to have everything that the target has acknowledged kept; "" or what is missing. */
export async function keep(target: Link, how: Durability, jobId: number): Promise<string> {
  if (how === "always") return "";
  const commands = keepCommands(how, `${OWN_KEY_PREFIX}mig:${jobId}:mark`);
  const [marked, kept] = await target.pipeline(commands, 10 * KEEP_MS);
  if (marked instanceof ReplyError) return `${target.address} answers: ${marked.message}`;
  if (kept instanceof ReplyError) return `${target.address} answers: ${kept.message}`;
  return countOf(kept) >= 1 ? "" : notKept(how, target.address);
}

/** The same, where whoever calls tries again: throws `ConnectionError` with what is missing. */
export async function mustKeep(target: Link, jobId: number): Promise<void> {
  const missing = await keep(target, await durabilityOf(target), jobId);
  if (missing !== "") throw new ConnectionError(missing);
}

/** WAIT answers with a number, WAITAOF with two. */
function countOf(reply: Reply): number {
  return Number(Array.isArray(reply) ? reply[0] : reply);
}
