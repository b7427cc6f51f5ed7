// Goes through the keys that one server has in some slots and deletes those that somebody picks.
// Purging a target, trimming after a split, the audit after a migration and the way back all are
// this loop; it is paced like the mover and starts again when the connection breaks.

import { messageOf } from "../lib/operator-error.ts";
import { ReplyError } from "../resp/value.ts";
import { scanKeys, type KeyPage } from "./key-scan.ts";
import { Link } from "./link.ts";
import { Pacer } from "./pacer.ts";
import { removeKeys } from "./remove.ts";
import { Backoff, isPassing } from "./retry.ts";
import { SlotTroubles } from "./slot-troubles.ts";
import { type Access, MigrationStopped, type Watch } from "./types.ts";

export interface Sweep {
  readonly address: string;
  readonly access: Access;
  readonly slots: ReadonlySet<number>;
  /** Names the connection; older ones for the same part are ended first. */
  readonly part: string;
  /** Another server that `onPage` needs. */
  readonly partner?: string;
  /** Clients wait for it: trouble ends it instead of being waited for. */
  readonly isUrgent?: boolean;
  /** The scan begins, for the first time or again. */
  onBegin?(): void;
  /** What happens to the keys of a page; returns how many were deleted. */
  onPage(page: KeyPage, link: Link, partner: Link): Promise<number>;
}

/** How many keys were deleted. */
export async function sweep(what: Sweep, watch: Watch): Promise<number> {
  const troubles = new SlotTroubles(watch);
  const backoff = new Backoff(watch.signal);
  let removed = 0;
  for (;;) {
    watch.signal.throwIfAborted();
    try {
      using link = await Link.openAlone(what.address, what.access, what.part);
      link.mustBeMaster();
      using partner = await openPartner(what, link);
      what.onBegin?.();
      const pacer = new Pacer(watch);
      const scanCount = (): number => watch.pace().scanCount;
      for await (const page of scanKeys(link, { slots: what.slots, scanCount })) {
        const started = performance.now();
        watch.onProgress({ keys: 0, bytes: 0, scanned: page.scanned });
        if (page.keys.length > 0) removed += await what.onPage(page, link, partner);
        await pacer.afterWork(page.tookMs + performance.now() - started);
      }
      troubles.takeBack(what.slots);
      return removed;
    } catch (error) {
      if (what.isUrgent || !isPassing(error)) {
        if (!(error instanceof ReplyError)) throw error;
        throw new MigrationStopped(`${what.address} answers: ${error.message}`);
      }
      troubles.tell(what.slots, messageOf(error));
      await backoff.wait();
    }
  }
}

async function openPartner({ partner, access, part }: Sweep, link: Link): Promise<Link> {
  if (partner === undefined) return link;
  const opened = await Link.openAlone(partner, access, `${part}-partner`);
  opened.mustBeMaster();
  return opened;
}

/** Deletes every key of the slots. */
export async function sweepAway(what: Omit<Sweep, "onPage">, watch: Watch): Promise<number> {
  return await sweep(
    {
      ...what,
      onPage: async (page, link) => {
        await link.select(page.database);
        return await removeKeys(link, page.keys);
      },
    },
    watch,
  );
}
