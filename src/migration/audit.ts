// After a migration: what late writes of dead proxies left at the source is deleted there. Such a
// key loses against the one at the target, and one that only the source has was deleted or expired
// at the target, or written by somebody whom nobody acknowledged.

import { partOf } from "./link.ts";
import { sweepAway } from "./sweep.ts";
import type { Passage, Watch } from "./types.ts";

/** Call it when every proxy maps the slots to the target. How many keys were deleted. */
export async function deleteLeftovers(passage: Passage, watch: Watch): Promise<number> {
  const { source, slots, jobId } = passage;
  const part = partOf(jobId, "audit");
  return await sweepAway({ address: source, access: passage, slots, part }, watch);
}
