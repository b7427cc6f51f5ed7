// Before a migration turns back: no key may be at both servers. Both have a key after a MIGRATE
// whose reply was lost; then the target's is the one that clients may have written since.

import { totalKeys } from "../redis/info.ts";
import { ReplyError } from "../resp/value.ts";
import { silenceJob } from "./fence.ts";
import { Link, linkName } from "./link.ts";
import { removeKeys } from "./remove.ts";
import { sweep, type Sweep } from "./sweep.ts";
import type { Passage, Watch } from "./types.ts";

/**
 * Deletes at the source every key of the slots that the target has. Call it while all proxies hold
 * the slots; `passage` still has the direction of the cancelled migration. How many were deleted.
 */
export async function dropTwins(passage: Passage, watch: Watch): Promise<number> {
  await silenceJob(passage);
  const { source, target, login, jobId } = passage;
  const name = linkName(jobId, "reverse");
  using sourceLink = await Link.open(source, login, name);
  using targetLink = await Link.open(target, login, name);
  const sourceKeys = totalKeys(await sourceLink.info("keyspace"));
  const targetKeys = totalKeys(await targetLink.info("keyspace"));
  // Clients wait: the server with fewer keys is the one to go through.
  return await sweep(targetKeys <= sourceKeys ? byTarget(passage) : bySource(passage), watch);
}

function byTarget({ source, target, login, slots, jobId }: Passage): Sweep {
  return {
    ...{ address: target, login, slots, name: linkName(jobId, "reverse"), partner: source },
    onPage: async (page, _, sourceLink) => {
      await sourceLink.select(page.database);
      return await removeKeys(sourceLink, page.keys);
    },
  };
}

function bySource({ source, target, login, slots, jobId }: Passage): Sweep {
  return {
    ...{ address: source, login, slots, name: linkName(jobId, "reverse"), partner: target },
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
