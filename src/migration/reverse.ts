// Before a migration turns back: no key may be at both servers. Both have a key after a MIGRATE
// whose reply was lost; then the target's is the one that clients may have written since.

import { totalKeys } from "../redis/info.ts";
import { ReplyError } from "../resp/value.ts";
import { mustKeep } from "./durable.ts";
import { silenceJob } from "./fence.ts";
import { Link, partOf } from "./link.ts";
import { removeKeys } from "./remove.ts";
import { sweep, type Sweep } from "./sweep.ts";
import type { Passage, Watch } from "./types.ts";

/**
 * Deletes at the source every key of the slots that the target has. Call it while all proxies hold
 * the slots; `passage` still has the direction of the cancelled migration. How many were deleted.
 * Rejects when a server has trouble: clients must not wait until that is over.
 */
export async function dropTwins(passage: Passage, watch: Watch): Promise<number> {
  await silenceJob(passage);
  const { source, target, jobId } = passage;
  const part = partOf(jobId, "reverse");
  using sourceLink = await Link.open(source, passage, part);
  using targetLink = await Link.open(target, passage, part);
  const sourceKeys = totalKeys(await sourceLink.info("keyspace"));
  const targetKeys = totalKeys(await targetLink.info("keyspace"));
  if (watch.pace().isDurable) await mustKeep(targetLink, jobId);
  // Clients wait: the server with fewer keys is the one to go through.
  return await sweep(targetKeys <= sourceKeys ? byTarget(passage) : bySource(passage), watch);
}

function byTarget(passage: Passage): Sweep {
  const { source, target, slots, jobId } = passage;
  return {
    ...{ address: target, access: passage, slots, part: partOf(jobId, "reverse") },
    ...{ partner: source, isUrgent: true },
    onPage: async (page, _, sourceLink) => {
      await sourceLink.select(page.database);
      return await removeKeys(sourceLink, page.keys);
    },
  };
}

function bySource(passage: Passage): Sweep {
  const { source, target, slots, jobId } = passage;
  return {
    ...{ address: source, access: passage, slots, part: partOf(jobId, "reverse") },
    ...{ partner: target, isUrgent: true },
    onPage: async (page, link, targetLink) => {
      await targetLink.select(page.database);
      const found = await targetLink.pipeline(page.keys.map((key) => ["EXISTS", key]));
      const refused = found.find((reply) => reply instanceof ReplyError);
      if (refused instanceof ReplyError) throw refused;
      await link.select(page.database);
      const twins = page.keys.filter((_, i) => found[i] === 1);
      return await removeKeys(link, twins);
    },
  };
}
