// After a migration: what late writes of dead proxies left at the source is deleted there.

import type { Passage, Watch } from "./types.ts";

/** Call it when every proxy maps the slots to the target. How many keys were deleted. */
export async function deleteLeftovers(passage: Passage, watch: Watch): Promise<number> {
  throw new Error(`not here yet: ${passage.source} ${watch.signal.aborted}`);
}
