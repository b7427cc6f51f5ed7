// Copies a key that is too large for MIGRATE in pieces, while its writes are held.

import type { PinnedKey } from "../model/migration-job.ts";
import type { KeySize, Passage, Watch } from "./types.ts";

/**
 * moved: it is at the target and no longer at the source. gone: the source has none (expired,
 * deleted or moved before). In both cases the key may be released.
 */
export type BigKeyOutcome = "moved" | "gone";

/** Call it while every proxy holds the key; held reads at the source go on. */
export async function moveBigKey(
  passage: Passage,
  pin: PinnedKey,
  watch: Watch,
): Promise<BigKeyOutcome> {
  throw new Error(`not here yet: ${passage.source} ${pin.key} ${watch.signal.aborted}`);
}

/** About how long writes of such a key have to wait. */
export function estimatedHoldMs(size: KeySize): number {
  throw new Error(`not here yet: ${size.type}`);
}
