// How much there is to move, and which keys of it are too large for MIGRATE.

import { partOf } from "./link.ts";
import { pinOf } from "./mover.ts";
import { SizeProbe } from "./sizes.ts";
import { sweep } from "./sweep.ts";
import type { Passage, Watch } from "./types.ts";

export interface SlotSizes {
  readonly keys: number;
  readonly bytes: number;
}

/** One scan of the source. Big keys are told by `Watch.onBigKey`; totals are for the progress. */
export async function scanSizes(passage: Passage, watch: Watch): Promise<SlotSizes> {
  const { source, slots, jobId, bigKeys } = passage;
  let [keys, bytes] = [0, 0];
  let probe: SizeProbe | null = null;
  await sweep(
    {
      ...{ address: source, access: passage, slots, part: partOf(jobId, "sizes") },
      onBegin: () => {
        [keys, bytes] = [0, 0];
        probe = null;
      },
      onPage: async (page, link) => {
        probe ??= new SizeProbe(link, bigKeys);
        const sizes = await probe.sizesOf(page.keys);
        keys += page.keys.length;
        bytes += sizes.bytes;
        for (const [place, size] of await probe.bigAmong(page.keys, sizes)) {
          watch.onBigKey(page.slots[place], pinOf(page.database, page.keys[place]), size);
        }
        return 0;
      },
    },
    watch,
  );
  return { keys, bytes };
}
