/**
 * Moves the keys of the slots by MIGRATE, in passes over the source. Nobody adds keys to the source
 * while the slots are migrating, so a pass without a gap leaves none behind; one in which a key was
 * left alone, or the source became another process, is repeated.
 *
 *     scan link      SCAN page → filter by slot → sizes     one page ahead
 *     `Carrier`      batches by time and bytes → MIGRATE    one under way
 */
import { messageOf } from "../lib/operator-error.ts";
import type { PinnedKey } from "../model/migration-job.ts";
import { ReplyError } from "../resp/value.ts";
import { Carrier, SourceRestarted } from "./carrier.ts";
import { readAhead, scanKeys, type KeyPage } from "./key-scan.ts";
import { Link, partOf } from "./link.ts";
import { BatchSize, Pacer } from "./pacer.ts";
import { PendingKeys } from "./pending-keys.ts";
import type { RecentlyMoved } from "./recently-moved.ts";
import { removeKeys } from "./remove.ts";
import { Backoff, isPassing } from "./retry.ts";
import { SizeProbe, type PageSizes } from "./sizes.ts";
import { SlotTroubles } from "./slot-troubles.ts";
import {
  MigrationStopped,
  type KeySize,
  type Passage,
  type PassResult,
  type Watch,
} from "./types.ts";

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
  return await new Mover(passage, watch, recent, new SlotTroubles(watch)).pass();
}

/** Passes until nothing but pinned and big keys is left. */
export async function moveKeys(
  passage: Passage,
  watch: Watch,
  recent: RecentlyMoved,
): Promise<PassResult> {
  const troubles = new SlotTroubles(watch);
  const backoff = new Backoff(watch.signal);
  const clean = new Set<number>();
  let [moved, scanned] = [0, 0];
  for (;;) {
    const slots = new Set([...passage.slots].filter((slot) => !clean.has(slot)));
    const mover = new Mover({ ...passage, slots }, watch, recent, troubles);
    const result = await mover.pass();
    for (const slot of result.clean) clean.add(slot);
    moved += result.moved;
    scanned += result.scanned;
    if (mover.failedSlots.size === 0) return { clean, moved, scanned };
    await backoff.wait();
  }
}

interface SizedPage {
  readonly page: KeyPage;
  readonly sizes: PageSizes;
  readonly big: ReadonlyMap<number, KeySize>;
}

class Mover {
  /** Slots with keys that could not go, by the last pass. */
  failedSlots = new Set<number>();
  readonly #heldSlots = new Set<number>(); // with pinned or big keys
  readonly #pacer: Pacer;
  readonly #batchSize = new BatchSize();
  #moved = 0;
  #scanned = 0;

  constructor(
    private readonly passage: Passage,
    private readonly watch: Watch,
    private readonly recent: RecentlyMoved,
    private readonly troubles: SlotTroubles,
  ) {
    this.#pacer = new Pacer(watch);
  }

  /** Until one pass has gone from the beginning to the end of one process. */
  async pass(): Promise<PassResult> {
    const backoff = new Backoff(this.watch.signal);
    for (;;) {
      this.watch.signal.throwIfAborted();
      this.failedSlots = new Set();
      this.#heldSlots.clear();
      try {
        await this.#tryPass();
        const isClean = (slot: number): boolean => {
          return !this.failedSlots.has(slot) && !this.#heldSlots.has(slot);
        };
        const clean = new Set([...this.passage.slots].filter(isClean));
        this.troubles.takeBack(clean);
        return { clean, moved: this.#moved, scanned: this.#scanned };
      } catch (error) {
        if (error instanceof SourceRestarted) continue;
        if (!isPassing(error)) throw this.#explained(error);
        this.troubles.tell(this.passage.slots, messageOf(error));
        await backoff.wait();
      }
    }
  }

  async #tryPass(): Promise<void> {
    const { source, jobId } = this.passage;
    using scan = await Link.openAlone(source, this.passage, partOf(jobId, "scan"));
    scan.mustBeMaster();
    await this.#dropStale(scan);
    using carrier = new Carrier(this.passage, this.watch, this.troubles, scan.kind.runId);
    try {
      const pages = this.#sizedPages(scan);
      // Asked for ahead, a page would take its time from the batch under way and not be paced.
      const isUnpaced = this.watch.pace().duty >= 1;
      await this.#movePages(isUnpaced ? readAhead(pages) : pages, carrier);
    } finally {
      await carrier.settle();
    }
  }

  async #movePages(pages: AsyncGenerator<SizedPage>, carrier: Carrier): Promise<void> {
    const pending = new PendingKeys();
    for await (const { page, sizes, big } of pages) {
      this.#scanned += page.scanned;
      this.watch.onProgress({ keys: 0, bytes: 0, scanned: page.scanned });
      if (page.database !== pending.database) {
        await this.#carryPending(pending, carrier, 1);
        pending.database = page.database;
      }
      this.#collect(page, sizes, big, pending);
      await this.#pacer.afterWork(page.tookMs, false);
      await this.#carryPending(pending, carrier, 0);
    }
    await this.#carryPending(pending, carrier, 1);
  }

  /** Full batches; with `least` of 1 the rest as well. */
  async #carryPending(pending: PendingKeys, carrier: Carrier, least: 0 | 1): Promise<void> {
    for (;;) {
      const { goalMs } = this.watch.pace();
      const bytes = BatchSize.bytes(goalMs);
      const isFull = pending.count >= this.#batchSize.keys || pending.bytes >= bytes;
      if (!isFull && (least === 0 || pending.count === 0)) return;
      await this.#pacer.whilePaused();
      const batch = pending.take(this.#batchSize.keys, bytes);
      const left = await carrier.carry(batch);
      for (const slot of left.values()) this.failedSlots.add(slot);
      this.#batchSize.measured(batch.keys.length, carrier.busyMs, goalMs);
      const gone = left.size === 0 ? batch.keys : batch.keys.filter((key) => !left.has(key));
      this.recent.add(batch.database, gone);
      this.#moved += gone.length;
      this.watch.onProgress({ keys: gone.length, bytes: batch.bytes, scanned: 0 });
      await this.#pacer.afterWork(carrier.busyMs);
    }
  }

  async *#sizedPages(scan: Link): AsyncGenerator<SizedPage> {
    const probe = new SizeProbe(scan, this.passage.bigKeys);
    const { slots } = this.passage;
    const scanCount = (): number => this.watch.pace().scanCount;
    for await (const page of scanKeys(scan, { slots, scanCount })) {
      const started = performance.now();
      const sizes = await probe.sizesOf(page.keys);
      const big = await probe.bigAmong(page.keys, sizes);
      const tookMs = page.tookMs + performance.now() - started;
      yield { page: { ...page, tookMs }, sizes, big };
    }
  }

  #collect(
    page: KeyPage,
    sizes: PageSizes,
    big: ReadonlyMap<number, KeySize>,
    pending: PendingKeys,
  ): void {
    const { database, keys, slots } = page;
    for (let i = 0; i < keys.length; i++) {
      const size = big.get(i);
      if (this.watch.isPinned(database, keys[i])) {
        this.#heldSlots.add(slots[i]);
      } else if (size !== undefined) {
        this.#heldSlots.add(slots[i]);
        this.watch.onBigKey(slots[i], pinOf(database, keys[i]), size);
      } else {
        pending.add(keys[i], slots[i], sizes.large.get(i) ?? sizes.smallBytes);
      }
    }
  }

  /** What left another process than this one must not come back here. */
  async #dropStale(scan: Link): Promise<void> {
    const { runId } = scan.kind;
    if (this.recent.sourceRunId !== "" && this.recent.sourceRunId !== runId) {
      for (const [database, keys] of this.recent.byDatabase()) {
        await scan.select(database);
        for (let i = 0; i < keys.length; i += 500) {
          await removeKeys(scan, keys.slice(i, i + 500));
        }
      }
    }
    this.recent.sourceRunId = runId;
  }

  #explained(error: unknown): unknown {
    if (!(error instanceof ReplyError)) return error;
    return new MigrationStopped(`${this.passage.source} answers: ${error.message}`);
  }
}

export function pinOf(database: number, key: Uint8Array): PinnedKey {
  return { db: database, key: Buffer.from(key).toString("base64"), state: "pinned" };
}
