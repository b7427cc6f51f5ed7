/**
 * Runs one migration job: asks `nextStep`, performs the step, asks again. What it knows of the job
 * beyond the stored record is in `Knowledge` and dies with it. `jobs.ts` makes one of these for
 * each stored job and stops it before anybody changes the record.
 *
 * Steps that store or push run inside `Product.exclusive`, parts of the engine outside of it.
 */
import { assert } from "../lib/assert.ts";
import { log } from "../lib/log.ts";
import { messageOf } from "../lib/operator-error.ts";
import { silenceJob } from "../migration/fence.ts";
import { RecentlyMoved } from "../migration/recently-moved.ts";
import type { Pace, Passage, Watch } from "../migration/types.ts";
import type { MigrationJob, PinnedKey } from "../model/migration-job.ts";
import { idleMapping, type SlotMapping } from "../model/slot-mapping.ts";
import type { JobStat } from "../model/topom-stats.ts";
import { passageOf, runPart } from "./job-parts.ts";
import { JobProgress } from "./job-progress.ts";
import { mirrorOf } from "./job-records.ts";
import {
  afterRetry,
  afterStore,
  FRESH,
  type Knowledge,
  nextStep,
  type Outcome,
  type Part,
  type Step,
} from "./next-step.ts";
import { type Change, ProxiesFailed, type Product } from "./product.ts";

/** Pauses after failures in a row. */
const FIRST_PAUSE_MS = 200;
const MAX_PAUSE_MS = 10_000;

const MIRRORED_AT_ONCE = 64;

/** How often somebody who waits looks whether things have changed without a word to us. */
const LOOK_MS = 1_000;

/** Tests end the process here, as a power cut would: "<state> <step> <before or after>". */
const CRASH_AT = process.env.CODIS_TEST_CRASH_AT ?? "";

/** How often the reports of the proxies are looked at while keys are moved. */
const REPORTS_MS = 250;

/** The reason that a part of the engine is given when it is called off. */
class CalledOff extends Error {}

/** What is remembered of one epoch. */
interface Recent {
  readonly epoch: number;
  readonly moved: RecentlyMoved;
  /** Large keys that were taken from the reports of proxies, which lag behind. */
  readonly reported: Set<string>;
}

function newRecent(epoch: number): Recent {
  return { epoch, moved: new RecentlyMoved(), reported: new Set() };
}

export interface RunOptions {
  readonly product: Product;
  readonly id: number;
  /** The job gave its slots back: others should be tried first. */
  readonly onPostponed: (job: MigrationJob, reason: string) => void;
  /** Parts of the slots go on as a job of their own. */
  readonly onSplit: (id: number) => void;
  readonly onStep: (run: JobRun) => void;
}

export class JobRun {
  readonly progress: JobProgress;
  /** Resolves when nothing of it runs any more: the job is gone, or the run was stopped. */
  readonly ended: Promise<void>;
  #known: Knowledge = FRESH;
  #isStopped = false;
  /** A part of the engine is under way; aborting calls it off. */
  #part: { readonly abort: AbortController; readonly passage: Passage } | null = null;
  #silenced = ""; // the passage on which nothing of former times is left
  #recent = newRecent(-1);
  #wakeUp: () => void = () => {};
  #isPausing = false; // for a time that nothing but an interrupt shortens
  #holdSinceMs = 0;
  #mirroring: Promise<unknown> = Promise.resolve();

  constructor(
    readonly options: RunOptions,
    job: MigrationJob,
  ) {
    this.progress = new JobProgress(job);
    this.ended = this.#run();
  }

  get job(): MigrationJob | undefined {
    return this.options.product.records.jobs.get(this.options.id);
  }

  get isMoving(): boolean {
    return this.#part !== null;
  }

  /** Requests are held for it, or a part runs: a bad time for others to touch its groups. */
  get isBusy(): boolean {
    const state = this.job?.state;
    return this.#part !== null || ["holding", "reversing", "switching"].includes(state ?? "");
  }

  get stat(): JobStat | null {
    const { job } = this;
    return job === undefined ? null : this.progress.statOf(job, this.#isPaused(job));
  }

  /** Calls off what runs and ends; the record stays. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    this.interrupt();
    await this.ended;
    await this.#mirroring;
  }

  /** Calls off the part that runs, and any pause, so that the step is chosen anew. */
  interrupt(): void {
    this.#part?.abort.abort(new CalledOff("called off"));
    this.#wakeUp();
  }

  /** Something has changed. A part that talks to servers which are no masters any more ends. */
  look(): void {
    const { job } = this;
    if (job !== undefined && this.#part !== null && !this.#isSamePassage(job)) this.interrupt();
    else if (!this.#isPausing) this.#wakeUp();
  }

  async #run(): Promise<void> {
    // The caller has to know this run before it does anything.
    await Promise.resolve();
    while (!this.#isStopped) {
      const { job } = this;
      if (job === undefined) return;
      try {
        await this.#next(job);
      } catch (error) {
        if (this.#isStopped) return;
        // The store or the lead failed: nobody knows what was written, as after a crash.
        log.warn(`migration job ${job.id}: ${messageOf(error)}`);
        this.progress.error = messageOf(error);
        this.#known = { ...FRESH, failures: this.#known.failures + 1 };
        await this.#pause(LOOK_MS);
      }
      this.options.onStep(this);
    }
  }

  async #next(job: MigrationJob): Promise<void> {
    const step = this.#choose(job);
    switch (step.kind) {
      case "wait":
        return this.#pause(LOOK_MS);
      case "retry":
        this.#complain(job, step.reason);
        this.#isPausing = true;
        await this.#pause(pauseAfter(this.#known.failures));
        this.#isPausing = false;
        this.#known = afterRetry(this.#known);
        return;
      case "run":
        if (job.state === "holding") return this.#exclusively(job, step);
        crashAt(job, step, "before");
        await this.#runPart(job, step.part);
        return crashAt(job, step, "after");
      default:
        return this.#exclusively(job, step);
    }
  }

  #choose(job: MigrationJob): Step {
    const context = { isPaused: this.#isPaused(job), isChanging: this.#isChanging(job) };
    return nextStep(job, this.#known, context);
  }

  // ------------------------------------------------------------------------------ store and push

  /**
   * Performs a step, and those that follow while requests are held for it: hold, store and switch
   * must not wait in between for others.
   */
  async #exclusively(chosenFor: MigrationJob, chosen: Step): Promise<void> {
    const { product } = this.options;
    await product.exclusive(`migration job ${chosenFor.id}`, async () => {
      let [job, step] = [chosenFor, chosen];
      // Somebody was faster: choose again.
      if (!Bun.deepEquals(job, this.job)) return;
      for (;;) {
        crashAt(job, step, "before");
        if (step.kind === "push") await this.#push(job, step);
        else if (step.kind === "run") await this.#runPart(job, step.part);
        else await this.#store(job, step);
        crashAt(job, step, "after");
        const now = this.job;
        const isHeld = job.state === "holding" || (step.kind === "store" && isReversal(job, now));
        if (this.#isStopped || now === undefined || !isHeld) return;
        job = now;
        step = this.#choose(job);
        const isShort = step.kind === "run" && job.state === "holding";
        if (step.kind !== "push" && step.kind !== "store" && !isShort) return;
      }
    });
  }

  async #push(job: MigrationJob, step: Extract<Step, { kind: "push" }>): Promise<void> {
    const { fleet, config } = this.options.product;
    const options = step.isHold ? { deadlineMs: config.migrationHoldTimeoutMs } : {};
    const isLegacy = fleet.legacyProxy !== null;
    let what: "pins" | "slots" = "pins";
    try {
      if (this.#known.pins !== "agreed" && !isLegacy) await fleet.resyncPins(options);
      this.#known = { ...this.#known, pins: "agreed" };
      what = "slots";
      if (step.isHold && this.#holdSinceMs === 0) this.#holdSinceMs = performance.now();
      if (!step.pinsOnly) await fleet.resync(job.slots, options);
      this.#known = { ...this.#known, slots: "agreed" };
    } catch (error) {
      if (!(error instanceof ProxiesFailed)) throw error;
      this.#complain(job, error.message);
      this.#known = { ...this.#known, [what]: "late" };
      return;
    }
    this.progress.error = "";
    if (step.isHold) return;
    this.#noteHold();
    const mirroring = Promise.all([this.#mirroring, this.#mirror(job)]);
    this.#mirroring = mirroring.catch((error: unknown) => {
      log.warn(`migration job ${job.id} has no mirror: ${messageOf(error)}`);
    });
  }

  /**
   * Stores the mirror of the job in its slots, a few at a time beside whatever comes next. It is
   * for others: 1024 writes are too many while requests wait, and too many for the short time in
   * which the slots are finished. Whoever believes a mirror that lags one step behind does no harm.
   */
  async #mirror(job: MigrationJob): Promise<void> {
    const { product } = this.options;
    if (job.state !== "preparing" && job.state !== "migrating") return;
    for (let isMore = true; isMore;) {
      if (mirrorOf(job, product.records.slots).length === 0) return;
      isMore = await product.exclusive(`mirror migration job ${job.id}`, async () => {
        const now = this.job;
        if (this.#isStopped || now?.state !== job.state) return false;
        const slots = mirrorOf(now, product.records.slots).slice(0, MIRRORED_AT_ONCE);
        if (slots.length > 0) await product.records.save({ slots });
        return slots.length > 0;
      });
    }
  }

  async #store(job: MigrationJob, step: Step): Promise<void> {
    const { records } = this.options.product;
    if (step.kind === "store") return this.#storeJob(job, step);
    if (step.kind === "arrive") {
      const idle = job.slots.map((slot) => idleMapping(slot, step.groupId));
      const end: Change = step.rest === undefined ? { removedJob: job.id } : { job: step.rest };
      await records.save({ slots: idle }, end);
      this.#known = { ...FRESH, slots: "agreed", pins: "agreed" };
      log.info(`migration job ${job.id}: ${job.slots.length} slots are at group ${step.groupId}`);
      return this.#tellEnd(job);
    }
    if (step.kind === "postpone") {
      await records.save({ slots: pendingAgain(job, records.slots) }, { removedJob: job.id });
      log.warn(`migration job ${job.id} is postponed: ${step.reason}`);
      this.options.onPostponed(job, step.reason);
      return this.#tellEnd(job);
    }
    assert(step.kind === "remove", "no other step ends a job");
    await records.save({ removedJob: job.id });
  }

  async #storeJob(job: MigrationJob, step: Extract<Step, { kind: "store" }>): Promise<void> {
    const { records } = this.options.product;
    const { job: next, split } = step;
    const changes: Change[] = [];
    if (split !== undefined) {
      // The new one first: repairJobs takes the slots from the older one.
      const id = records.options.last_job + 1;
      changes.push({ options: { ...records.options, last_job: id } }, { job: { ...split, id } });
    }
    changes.push({ job: next });
    // Whoever believes the mirror must not go on in the old direction.
    if (isReversal(job, next)) changes.push({ slots: mirrorOf(next, records.slots) });
    await records.save(...changes);
    if (split !== undefined) this.options.onSplit(records.options.last_job);
    const stored = this.job;
    assert(stored !== undefined, "what was stored is there");
    this.#known = afterStore(job, step, this.#known);
    if (job.state !== next.state) {
      log.info(
        `migration job ${job.id}: ${job.state} → ${next.state}, epoch ${next.epoch}, ` +
          `${next.slots.length} slots, group ${next.source_id} → ${next.target_id}`,
      );
    }
  }

  /** The slots are at rest: proxies may read from replicas again. Nothing depends on it. */
  async #tellEnd(job: MigrationJob): Promise<void> {
    const { fleet, records } = this.options.product;
    try {
      await fleet.resync(job.slots);
    } catch (error) {
      log.warn(`migration job ${job.id} has ended: ${messageOf(error)}`);
      const ids = new Set(job.slots.map((slot) => records.slots[slot].group_id));
      for (const group of records.groups.values()) {
        if (ids.has(group.id)) await records.save({ group: { ...group, out_of_sync: true } });
      }
    }
  }

  #noteHold(): void {
    if (this.#holdSinceMs === 0) return;
    const ms = performance.now() - this.#holdSinceMs;
    this.#holdSinceMs = 0;
    this.progress.holdMs = Math.max(this.progress.holdMs, ms);
  }

  // ------------------------------------------------------------------------------------- parts

  async #runPart(job: MigrationJob, part: Part): Promise<void> {
    const { product } = this.options;
    const { records, config } = product;
    const abort = new AbortController();
    const passage = passageOf(job, product);
    this.#part = { abort, passage };
    const looking = setInterval(() => this.#heedReports(job, part), REPORTS_MS);
    try {
      if (part.name !== "confirm") await this.#silence(passage);
      const call = {
        job,
        passage,
        config,
        slots: records.slots,
        recent: this.#recentOf(job).moved,
        watch: this.#watch(job, abort.signal),
        onTotal: (keys: number) => {
          this.progress.keysTotal = keys;
        },
      };
      this.#learn(job, part, await runPart(part, call));
    } catch (error) {
      if (abort.signal.aborted) return;
      this.#learn(job, part, { kind: "failed", reason: messageOf(error) });
    } finally {
      clearInterval(looking);
      this.#part = null;
    }
  }

  /**
   * Requests wait at the proxies for a large key that nobody has pinned. A pass would find it too,
   * but perhaps minutes later; so it ends, and begins anew when the key has been moved.
   */
  #heedReports(job: MigrationJob, part: Part): void {
    if (part.name !== "move" || job.method !== "keys" || this.#isPaused(job)) return;
    const { epoch, reported } = this.#recentOf(job);
    const found = reportedKeys(this.options.product, job).filter(({ db, key }) => {
      return !reported.has(`${db} ${key}`);
    });
    if (found.length === 0) return;
    for (const { db, key } of found) reported.add(`${db} ${key}`);
    log.info(`migration job ${job.id}, epoch ${epoch}: ${found.length} large keys are waited for`);
    this.#known = { ...this.#known, bigKeys: found };
    this.interrupt();
  }

  #learn(job: MigrationJob, part: Part, result: Outcome): void {
    const bigKeys = part.name === "move" && result.kind === "done" ? (result.bigKeys ?? []) : [];
    this.#known = { ...this.#known, outcome: { part: part.name, result }, bigKeys };
    if (result.kind === "done") this.progress.error = "";
    else this.#complain(job, result.reason);
  }

  /**
   * Whatever an earlier dashboard has left at the servers for this job must not run any more, nor
   * what was sent to or by a master that has been replaced since.
   */
  async #silence(passage: Passage): Promise<void> {
    const name = `${passage.source} ${passage.target}`;
    const isPair = passage.source !== "" && passage.target !== "";
    if (this.#silenced === name || !isPair) return;
    await silenceJob(passage);
    this.#silenced = name;
  }

  #recentOf(job: MigrationJob): Recent {
    if (this.#recent.epoch !== job.epoch) this.#recent = newRecent(job.epoch);
    return this.#recent;
  }

  #watch(job: MigrationJob, signal: AbortSignal): Watch {
    const pinned = new Set(job.pins.map((pin) => `${pin.db} ${pin.key}`));
    return {
      signal,
      pace: () => this.#pace(job),
      onProgress: ({ keys, bytes }) => {
        this.progress.add(keys, bytes);
        this.options.onStep(this);
      },
      onSlotError: (slot, reason) => {
        this.progress.slotError(slot, reason);
        this.options.onStep(this);
      },
      isPinned: (db, key) => {
        return pinned.size > 0 && pinned.has(`${db} ${Buffer.from(key).toString("base64")}`);
      },
      onBigKey: () => {},
    };
  }

  #pace(job: MigrationJob): Pace {
    const { config, records } = this.options.product;
    const pace = {
      goalMs: config.migrationGoalMs,
      duty: config.migrationDutyPercent / 100,
      scanCount: config.migrationScanCount,
      intervalUs: records.options.migration_interval,
      isPaused: this.#isPaused(job),
      // The commands of codis-server leave nothing behind that could wait.
      isDurable: config.migrationDurable && job.method !== "codis",
    };
    // Clients wait, and so does a group that is to change its master: no time to lose.
    const isHeld = job.state === "reversing" || job.state === "switching";
    return isHeld ? { ...pace, duty: 1, intervalUs: 0, isPaused: false } : pace;
  }

  #isPaused(job: MigrationJob): boolean {
    return this.options.product.records.options.migration_disabled || this.#isChanging(job);
  }

  #isChanging(job: MigrationJob): boolean {
    const { groups } = this.options.product.records;
    return [job.source_id, job.target_id].some((id) => {
      return groups.get(id)?.promoting.state !== undefined;
    });
  }

  #isSamePassage(job: MigrationJob): boolean {
    const { source, target } = passageOf(job, this.options.product);
    return source === this.#part?.passage.source && target === this.#part.passage.target;
  }

  #complain(job: MigrationJob, reason: string): void {
    if (this.progress.error !== reason) log.warn(`migration job ${job.id}: ${reason}`);
    this.progress.error = reason;
  }

  /** Ends early when something changes. */
  async #pause(ms: number): Promise<void> {
    if (this.#isStopped) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, ms);
    this.#wakeUp = resolve;
    await promise;
    this.#wakeUp = () => {};
    clearTimeout(timer);
  }
}

/** Longer after each failure in a row. */
export function pauseAfter(failures: number): number {
  return Math.min(MAX_PAUSE_MS, FIRST_PAUSE_MS * 2 ** failures);
}

function crashAt(job: MigrationJob, step: Step, when: "before" | "after"): void {
  if (CRASH_AT === `${job.state} ${step.kind} ${when}`) process.kill(process.pid, "SIGKILL");
}

/** Large keys of the job for which requests wait at a proxy, and which nobody has pinned. */
function reportedKeys({ fleet }: Product, job: MigrationJob): PinnedKey[] {
  const found = new Map<string, PinnedKey>();
  for (const { stats } of fleet.polls.values()) {
    for (const { slot, db, key } of stats?.migration?.big_keys ?? []) {
      const isPinned = job.pins.some((pin) => pin.db === db && pin.key === key);
      if (job.slots.includes(slot) && !isPinned) {
        found.set(`${db} ${key}`, { db, key, state: "pinned" });
      }
    }
  }
  return [...found.values()];
}

function isReversal(before: MigrationJob, after: MigrationJob | undefined): boolean {
  return after !== undefined && before.source_id !== after.source_id;
}

/** The slots as they were before the job took them. */
function pendingAgain(job: MigrationJob, mappings: readonly SlotMapping[]): SlotMapping[] {
  return job.slots.map((id) => ({
    id,
    group_id: job.source_id,
    action: { ...mappings[id].action, state: "pending", target_id: job.target_id },
  }));
}
