// Before a migration: the target must have no key of the slots, since a key that is there wins.

import type { Passage, Watch } from "./types.ts";

/** Deletes the keys of the slots at the target, while the source still serves them. How many. */
export async function purgeTarget(passage: Passage, watch: Watch): Promise<number> {
  throw new Error(`not here yet: ${passage.source} ${watch.signal.aborted}`);
}
