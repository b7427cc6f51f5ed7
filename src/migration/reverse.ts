// Before a migration turns back: no key may be at both servers.

import type { Passage, Watch } from "./types.ts";

/**
 * Deletes at the source every key of the slots that the target has. Call it while all proxies hold
 * the slots; `passage` still has the direction of the cancelled migration. How many were deleted.
 */
export async function dropTwins(passage: Passage, watch: Watch): Promise<number> {
  throw new Error(`not here yet: ${passage.source} ${watch.signal.aborted}`);
}
