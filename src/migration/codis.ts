// Method `codis`: the commands of codis-server, from one to another, slot by slot and database by
// database, as the original does it. Here the source wins, as these commands have it.

import type { Passage, PassResult, Watch } from "./types.ts";

export interface CodisMoveOptions {
  readonly isSemiAsync: boolean;
  readonly timeoutMs: number;
  readonly maxBulks: number;
  readonly maxBytes: number;
  readonly keysPerStep: number;
}

export async function moveByCodis(
  passage: Passage,
  options: CodisMoveOptions,
  watch: Watch,
): Promise<PassResult> {
  throw new Error(`not here yet: ${passage.source} ${options.timeoutMs} ${watch.signal}`);
}
