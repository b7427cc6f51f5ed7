// Before a migration: the target must have no key of the slots, since a key that is there wins.

import { RedisClient } from "../redis/client.ts";
import { durabilityOf, keep } from "./durable.ts";
import { Link, partOf } from "./link.ts";
import { askServer } from "./server-kind.ts";
import { sweepAway } from "./sweep.ts";
import { MigrationStopped, type Passage, type Watch } from "./types.ts";

/**
 * Deletes the keys of the slots at the target, while the source still serves them. How many. In
 * durable mode the target cannot forget that any more.
 */
export async function purgeTarget(passage: Passage, watch: Watch): Promise<number> {
  const { target, slots, jobId } = passage;
  const part = partOf(jobId, "purge");
  const count = await sweepAway({ address: target, access: passage, slots, part }, watch);
  if (count > 0 && watch.pace().isDurable) {
    using link = await Link.open(target, passage, part);
    const missing = await keep(link, await durabilityOf(link), jobId);
    if (missing !== "") throw new MigrationStopped(missing);
  }
  return count;
}

/**
 * A name for what the target has: another one when it is another server, has been started again or
 * has been a replica since, all of which may bring keys back that were deleted.
 */
export async function lifeOfTarget(passage: Passage, timeoutMs: number): Promise<string> {
  using client = await RedisClient.connect(passage.target, {
    ...passage.login,
    bytes: true,
    connectTimeoutMs: timeoutMs,
    callTimeoutMs: timeoutMs,
  });
  const { kind, info } = await askServer(client);
  return [kind.isMaster ? "master" : "replica", kind.runId, info.get("master_replid")].join(" ");
}

/** Throws when keys may have come back since the purge, and when nobody can tell in time. */
export async function confirmPurge(
  passage: Passage,
  life: string | undefined,
  timeoutMs: number,
): Promise<void> {
  if (life === (await lifeOfTarget(passage, timeoutMs))) return;
  throw new MigrationStopped(
    `${passage.target} has become another server since its keys of the slots were deleted`,
  );
}
