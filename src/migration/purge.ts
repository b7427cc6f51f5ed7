// Before a migration: the target must have no key of the slots, since a key that is there wins.

import { partOf } from "./link.ts";
import { sweepAway } from "./sweep.ts";
import type { Passage, Watch } from "./types.ts";

/** Deletes the keys of the slots at the target, while the source still serves them. How many. */
export async function purgeTarget(passage: Passage, watch: Watch): Promise<number> {
  const { target, slots, jobId } = passage;
  const part = partOf(jobId, "purge");
  return await sweepAway({ address: target, access: passage, slots, part }, watch);
}
