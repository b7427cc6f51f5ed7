// How much there is to move, and which keys of it are too large for MIGRATE.

import type { Passage, Watch } from "./types.ts";

export interface SlotSizes {
  readonly keys: number;
  readonly bytes: number;
}

/** One scan of the source. Big keys are told by `Watch.onBigKey`; totals are for the progress. */
export async function scanSizes(passage: Passage, watch: Watch): Promise<SlotSizes> {
  throw new Error(`not here yet: ${passage.source} ${watch.signal.aborted}`);
}
