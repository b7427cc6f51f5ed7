// Moves the keys of the slots by MIGRATE.

import type { RecentlyMoved } from "./recently-moved.ts";
import type { Passage, PassResult, Watch } from "./types.ts";

/**
 * One pass over all databases of the source. All proxies must be in the state migrating. Slots with
 * pinned or big keys, and those that had an error, are not clean afterwards. `recent` belongs to
 * one epoch of one job: give the same one to every pass in it.
 */
export async function movePass(
  passage: Passage,
  watch: Watch,
  recent: RecentlyMoved,
): Promise<PassResult> {
  throw new Error(`not here yet: ${passage.source} ${watch.signal.aborted} ${recent}`);
}

/** Passes until nothing but pinned and big keys is left. */
export async function moveKeys(
  passage: Passage,
  watch: Watch,
  recent: RecentlyMoved,
): Promise<PassResult> {
  throw new Error(`not here yet: ${passage.source} ${watch.signal.aborted} ${recent}`);
}
