/**
 * Carries batches of keys from the source to the target, whatever happens on the way, and returns
 * when none of them is at the source any more (or cannot go, which it tells).
 *
 *     MIGRATE ── done ───────────────▶ next batch
 *        ▲   ├── busy: EXISTS at the target, UNLINK at the source ──▶ again
 *        │   ├── late: fence the target, pause (breaker) ───────────▶ again
 *        │   ├── key: each half by itself, until one key is left ───▶ told, left alone
 *        └───┴── stop ──▶ MigrationStopped
 */
import { assert } from "../lib/assert.ts";
import { messageOf } from "../lib/operator-error.ts";
import { ConnectionError } from "../redis/client.ts";
import type { Durability } from "../redis/durability.ts";
import { ReplyError } from "../resp/value.ts";
import { Breaker } from "./breaker.ts";
import { durabilityOf, keep } from "./durable.ts";
import { fenceTarget } from "./fence.ts";
import { Link, partOf } from "./link.ts";
import { MIGRATE_CALL_TIMEOUT_MS, migrateCommand } from "./migrate.ts";
import { outcomeOf, type MigrateOutcome } from "./migrate.ts";
import { removeKeys } from "./remove.ts";
import { Backoff, isPassing } from "./retry.ts";
import type { SlotTroubles } from "./slot-troubles.ts";
import { MigrationStopped, type Passage, type Watch } from "./types.ts";

export interface Batch {
  readonly database: number;
  readonly keys: readonly Uint8Array[];
  /** The slot of each key. */
  readonly slots: readonly number[];
}

/** The source is another process than before: what a scan of it found so far says nothing. */
export class SourceRestarted extends Error {
  override readonly name = "SourceRestarted";
}

export class Carrier implements Disposable {
  /** How long the last attempt kept the source busy; waiting for better times does not count. */
  busyMs = 0;
  readonly #breaker: Breaker;
  readonly #backoff: Backoff;
  #source: Link | null = null;
  #target: Link | null = null;
  #durability: Durability | null = null;
  /** A RESTORE that nobody waits for may still be under way to the target. */
  #mustFence = false;
  #slots: readonly number[] = []; // of the batch under way, for troubles that concern all of it
  /** Keys of the batch that were left where they are, with their slots. */
  #left = new Map<Uint8Array, number>();

  constructor(
    private readonly passage: Passage,
    private readonly watch: Watch,
    private readonly troubles: SlotTroubles,
    private readonly sourceRunId: string,
  ) {
    this.#backoff = new Backoff(watch.signal);
    this.#breaker = new Breaker(passage.target, passage.login, watch.signal, (reason) => {
      this.#tell(reason);
    });
  }

  /** Returns the keys that could not go or were pinned meanwhile, with their slots. */
  async carry(batch: Batch): Promise<ReadonlyMap<Uint8Array, number>> {
    this.#slots = batch.slots;
    this.#left = new Map();
    await this.#carryAll(batch);
    const left = new Set(this.#left.values());
    this.troubles.takeBack(batch.slots.filter((slot) => !left.has(slot)));
    return this.#left;
  }

  /** For the end: a MIGRATE whose connection was lost is over when this resolves, if it can be. */
  async settle(): Promise<void> {
    if (this.#source === null || this.#source.client.isOpen) return;
    const { source, jobId } = this.passage;
    try {
      using link = await Link.openAlone(source, this.passage, partOf(jobId, "keys"));
      assert(link.client.isOpen, "a link that was opened is open");
    } catch {
      // Out of reach. Whoever turns the job back has to reach it first (`silenceJob`).
    }
  }

  [Symbol.dispose](): void {
    this.#source?.[Symbol.dispose]();
    this.#target?.[Symbol.dispose]();
    this.#breaker[Symbol.dispose]();
  }

  async #carryAll(batch: Batch): Promise<void> {
    for (;;) {
      const free = this.#withoutPinned(batch);
      if (free.keys.length === 0) return;
      const outcome = await this.#attempt(free);
      switch (outcome.kind) {
        case "done":
          return;
        case "busy":
          await this.#again(() => this.#dropTwins(free));
          continue;
        case "late":
          this.#tell(outcome.reason);
          continue;
        case "passing":
          this.#tell(outcome.reason);
          await this.#backoff.wait();
          continue;
        case "stop":
          throw new MigrationStopped(outcome.reason);
        case "key":
          await this.#carryParts(free, outcome.reason);
          return;
      }
    }
  }

  /** One of the keys cannot go over, and the reply does not say which. */
  async #carryParts(batch: Batch, reason: string): Promise<void> {
    const { database, keys, slots } = batch;
    if (keys.length === 1) {
      this.#left.set(keys[0], slots[0]);
      const name = JSON.stringify(Buffer.from(keys[0]).toString("latin1").slice(0, 100));
      this.troubles.tell(slots, `key ${name} of database ${database} cannot move: ${reason}`);
      return;
    }
    const half = keys.length >> 1;
    await this.#carryAll({ database, keys: keys.slice(0, half), slots: slots.slice(0, half) });
    await this.#carryAll({ database, keys: keys.slice(half), slots: slots.slice(half) });
  }

  #withoutPinned(batch: Batch): Batch {
    const { database, keys, slots } = batch;
    const isFree = keys.map((key) => !this.watch.isPinned(database, key));
    if (!isFree.includes(false)) return batch;
    keys.forEach((key, i) => {
      if (!isFree[i]) this.#left.set(key, slots[i]);
    });
    return {
      database,
      keys: keys.filter((_, i) => isFree[i]),
      slots: slots.filter((_, i) => isFree[i]),
    };
  }

  async #attempt(batch: Batch): Promise<MigrateOutcome> {
    await this.#breaker.closed();
    const started = performance.now();
    try {
      if (this.#mustFence) {
        await fenceTarget(this.passage.target, this.passage.login);
        this.#mustFence = false;
      }
      await this.#openTarget();
      const source = await this.#openSource();
      await source.select(batch.database);
      const isCopy = this.watch.pace().isDurable;
      const asked = performance.now();
      const outcome = isCopy ? await this.#copy(source, batch) : await this.#move(source, batch);
      this.busyMs = performance.now() - asked;
      if (outcome.kind === "late") this.#failed(started);
      else this.#breaker.succeeded();
      if (outcome.kind === "done") this.#backoff.reset();
      return outcome;
    } catch (error) {
      if (!isPassing(error)) throw error;
      // The source or we have lost a connection: the command may have run, or may be running. The
      // next connection to the source ends that one first.
      if (error instanceof ConnectionError) this.#failed(started);
      return { kind: "passing", reason: messageOf(error) };
    }
  }

  #failed(started: number): void {
    this.#mustFence = true;
    this.#breaker.failed(performance.now() - started);
  }

  async #move(source: Link, batch: Batch): Promise<MigrateOutcome> {
    return await this.#migrate(source, batch, false);
  }

  /** Durable: nothing leaves the source before the target has made sure that it keeps it. */
  async #copy(source: Link, batch: Batch): Promise<MigrateOutcome> {
    const outcome = await this.#migrate(source, batch, true);
    if (outcome.kind !== "done") return outcome;
    await this.#makeSure();
    await removeKeys(source, batch.keys);
    return outcome;
  }

  async #migrate(source: Link, batch: Batch, isCopy: boolean): Promise<MigrateOutcome> {
    const { target, login } = this.passage;
    const command = { source: source.kind, target, login, ...batch, isCopy };
    const [reply] = await source.pipeline([migrateCommand(command)], MIGRATE_CALL_TIMEOUT_MS);
    return outcomeOf(reply, command, this.passage.source);
  }

  /** Keys that both have: the target's wins. */
  async #dropTwins(batch: Batch): Promise<void> {
    const target = await this.#openTarget();
    await target.select(batch.database);
    const found = await target.pipeline(batch.keys.map((key) => ["EXISTS", key]));
    const refused = found.find((reply) => reply instanceof ReplyError);
    if (refused instanceof ReplyError) throw refused;
    const twins = batch.keys.filter((_, i) => found[i] === 1);
    if (twins.length === 0) return;
    if (this.watch.pace().isDurable) await this.#makeSure();
    const source = await this.#openSource();
    await source.select(batch.database);
    await removeKeys(source, twins);
  }

  async #makeSure(): Promise<void> {
    for (;;) {
      const target = await this.#openTarget();
      this.#durability ??= await durabilityOf(target);
      const missing = await keep(target, this.#durability, this.passage.jobId);
      if (missing === "") return;
      this.#tell(missing);
      this.#durability = null; // its replica may have gone: look again what there is
      await this.#backoff.wait();
    }
  }

  async #again(task: () => Promise<void>): Promise<void> {
    for (;;) {
      try {
        await task();
        return;
      } catch (error) {
        if (!isPassing(error)) throw error;
        this.#tell(messageOf(error));
        await this.#backoff.wait();
      }
    }
  }

  async #openSource(): Promise<Link> {
    if (this.#source?.client.isOpen) return this.#source;
    const { source, jobId } = this.passage;
    this.#source = await Link.openAlone(source, this.passage, partOf(jobId, "keys"));
    if (this.#source.kind.runId !== this.sourceRunId) throw new SourceRestarted(source);
    return this.#source;
  }

  /** A replica that takes writes would lose the keys at its next sync: hence the look each time. */
  async #openTarget(): Promise<Link> {
    if (this.#target?.client.isOpen) return this.#target;
    const { target, jobId } = this.passage;
    this.#target = await Link.open(target, this.passage, partOf(jobId, "target"));
    this.#target.mustBeMaster();
    return this.#target;
  }

  #tell(reason: string): void {
    this.troubles.tell(this.#slots, reason);
  }
}
