/**
 * The migration jobs of a product: a run for each stored job, new jobs for pending actions, and
 * what operators want of them. `topom.ts` makes one of these; it works from `start`, when this
 * dashboard leads, until `stop`. The steps of a job are in `next-step.ts`.
 */
import { log } from "../lib/log.ts";
import { messageOf, OperatorError } from "../lib/operator-error.ts";
import { describeServer, methodFor } from "../migration/server-kind.ts";
import { masterOf } from "../model/group.ts";
import type { JobMethod, JobState, MigrationJob } from "../model/migration-job.ts";
import type { SlotMapping } from "../model/slot-mapping.ts";
import type { JobStat } from "../model/topom-stats.ts";
import { loginOf } from "./job-parts.ts";
import { cancelled, mirrorOf, refusal } from "./job-records.ts";
import { JobRun, pauseAfter } from "./job-run.ts";
import { type Batch, nextBatches, obstacleOf, orphansOf, pairName } from "./job-schedule.ts";
import type { Change, Jobs, Product } from "./product.ts";

/** How often the orders are looked through without a reason. */
const LOOK_MS = 1_000;

/** A new job has epochs that no other job has had. */
const EPOCHS_PER_JOB = 65_536;

/** A pair of groups whose job could not begin, and when it may try again. */
interface Rest {
  readonly failures: number;
  readonly untilMs: number;
  readonly reason: string;
  readonly slot: number;
}

export class MigrationJobs implements Jobs {
  readonly #runs = new Map<number, JobRun>();
  readonly #rests = new Map<string, Rest>();
  #isStarted = false;
  /** Cancels under way: they have stopped runs, which must not begin again before they say so. */
  #cancels = 0;
  #scheduler: Promise<void> = Promise.resolve();
  #wakeUp: () => void = () => {};
  #status = "";

  /** Does nothing with the product before `start`. */
  constructor(private readonly product: Product) {}

  // ----------------------------------------------------------------------------- start and stop

  start(): void {
    this.#isStarted = true;
    this.#scheduler = this.#schedule();
  }

  /** Nothing of any job runs afterwards; the records stay as they are. */
  async stop(): Promise<void> {
    this.#isStarted = false;
    this.#wakeUp();
    await Promise.all([this.#scheduler, ...[...this.#runs.values()].map((run) => run.stop())]);
  }

  wake(): void {
    for (const run of this.#runs.values()) run.look();
    this.#wakeUp();
  }

  async quiesce(groupId: number): Promise<void> {
    for (const run of this.#runsOf(groupId)) run.interrupt();
    while (this.#runsOf(groupId).some((run) => run.isBusy)) await Bun.sleep(5);
  }

  #runsOf(groupId: number): JobRun[] {
    return [...this.#runs.values()].filter(({ job }) => {
      return job !== undefined && [job.source_id, job.target_id].includes(groupId);
    });
  }

  /** All stored jobs go on from where they are; some are there of which nobody was told. */
  #beginAll(): void {
    if (this.#cancels > 0) return;
    for (const id of this.product.records.jobs.keys()) this.#begin(id);
  }

  #begin(id: number): void {
    const job = this.product.records.jobs.get(id);
    if (job === undefined || this.#runs.has(id) || !this.#isStarted) return;
    const run = new JobRun(
      {
        product: this.product,
        id,
        onPostponed: (given, reason) => this.#rest(given, reason),
        onSplit: (other) => this.#begin(other),
        onStep: (each) => {
          if (each.job !== undefined) this.#status = each.progress.statusOf(each.job);
        },
      },
      job,
    );
    this.#runs.set(id, run);
    void run.ended.then(() => {
      if (this.#runs.get(id) === run) this.#runs.delete(id);
      this.#wakeUp();
    });
  }

  // ------------------------------------------------------------------------------------ for people

  get executor(): number {
    return [...this.#runs.values()].filter((run) => run.isMoving).length;
  }

  get status(): string {
    for (const { slot, reason } of this.#rests.values()) {
      return `[ERROR] Slot[${String(slot).padStart(4, "0")}]: ${reason}`;
    }
    return this.#status;
  }

  stats(): JobStat[] {
    const stats = [...this.#runs.values()].map((run) => run.stat);
    return stats.filter((stat) => stat !== null).sort((a, b) => a.id - b.id);
  }

  // -------------------------------------------------------------------------------------- orders

  async #schedule(): Promise<void> {
    while (this.#isStarted) {
      try {
        this.#beginAll();
        await this.#adoptOrphans();
        if (!this.product.records.options.migration_disabled) await this.#beginBatches();
      } catch (error) {
        if (this.#isStarted) log.warn(`the migration cannot begin: ${messageOf(error)}`);
      }
      if (!this.#isStarted) return;
      const { promise, resolve } = Promise.withResolvers<void>();
      const timer = setTimeout(resolve, LOOK_MS);
      this.#wakeUp = resolve;
      await promise;
      clearTimeout(timer);
    }
  }

  async #beginBatches(): Promise<void> {
    const { records } = this.product;
    this.#forgetRests();
    for (const { source, target, slots } of this.#batches()) {
      const method = await this.#methodOf(source, target, slots[0]);
      if (method === null) continue;
      await this.product.exclusive(`a migration from group ${source} to ${target}`, async () => {
        // Who was ready before the servers were asked may not be any more.
        const batch = this.#batches().find((each) => {
          return each.source === source && each.target === target;
        });
        if (batch === undefined || records.options.migration_disabled) return;
        if (masterOf(records.groups.get(source)) !== "") this.#mustBeServed(method);
        await this.#create(batch, method, "preparing");
      });
    }
  }

  #batches(): Batch[] {
    const { records, config } = this.product;
    const now = performance.now();
    const resting = [...this.#rests].filter(([, rest]) => rest.untilMs > now);
    return nextBatches(records, {
      slotsPerJob: config.migrationParallelSlots,
      resting: new Set(resting.map(([pair]) => pair)),
    });
  }

  /** Null, and a rest with the reason, when it cannot be done or found out now. */
  async #methodOf(source: number, target: number, slot: number): Promise<JobMethod | null> {
    try {
      return await this.#chooseMethod(source, target);
    } catch (error) {
      this.#rest({ source_id: source, target_id: target, slots: [slot] }, messageOf(error));
      return null;
    }
  }

  async #chooseMethod(source: number, target: number): Promise<JobMethod> {
    const { records, config, servers } = this.product;
    const from = masterOf(records.groups.get(source));
    if (from === "") {
      // There are no keys to move, so no job prepares the target.
      await servers.claim(masterOf(records.groups.get(target)));
      return "keys";
    }
    const kinds = [from, masterOf(records.groups.get(target))].map((address) => {
      return describeServer(address, loginOf(config));
    });
    const [sourceKind, targetKind] = await Promise.all(kinds);
    const method = methodFor(sourceKind, targetKind);
    this.#mustBeServed(method);
    return method;
  }

  /** A proxy of the original knows the commands of codis-server, and no MIGRATE. */
  #mustBeServed(method: JobMethod): void {
    const { legacyProxy } = this.product.fleet;
    if (method !== "keys" || legacyProxy === null) return;
    throw new OperatorError(
      `the proxy at ${legacyProxy.admin_addr} is one of the original, which cannot serve slots ` +
        `that move between these servers; replace it by one of this version, or move the whole ` +
        `group by replication`,
    );
  }

  /** Inside `exclusive`. */
  async #create(batch: Batch, method: JobMethod, state: JobState): Promise<void> {
    const { records } = this.product;
    const id = records.options.last_job + 1;
    const job: MigrationJob = {
      id,
      method,
      source_id: batch.source,
      target_id: batch.target,
      epoch: id * EPOCHS_PER_JOB,
      state,
      slots: batch.slots,
      pins: [],
      started: Math.floor(Date.now() / 1000),
    };
    const options = { ...records.options, last_job: id };
    // Slots that are moving are so for everybody who looks only at them, from the first moment on.
    await records.save({ options }, { slots: mirrorOf(job, records.slots) }, { job });
    log.info(
      `migration job ${id}: ${batch.slots.length} slots from group ${batch.source} to ` +
        `${batch.target} by ${method}`,
    );
    this.#begin(id);
  }

  async #adoptOrphans(): Promise<void> {
    for (const { source, target, slots } of orphansOf(this.product.records)) {
      const method = await this.#methodOf(source, target, slots[0]);
      if (method === null) continue;
      await this.product.exclusive("adopt slots that no job moves", async () => {
        for (const orphans of orphansOf(this.product.records)) {
          if (orphans.source !== source || orphans.target !== target) continue;
          await this.#create(orphans, method, orphans.state);
        }
      });
    }
  }

  #rest(job: Pick<MigrationJob, "source_id" | "target_id" | "slots">, reason: string): void {
    const pair = pairName(job.source_id, job.target_id);
    const failures = (this.#rests.get(pair)?.failures ?? -1) + 1;
    const untilMs = performance.now() + pauseAfter(failures);
    this.#rests.set(pair, { failures, untilMs, reason, slot: job.slots[0] ?? 0 });
  }

  /** Forgets pairs that nobody orders any more, and those that get on. */
  #forgetRests(): void {
    const { records } = this.product;
    const wanted = new Set<string>();
    for (const { group_id, action } of records.slots) {
      if (action.state !== undefined) wanted.add(pairName(group_id, action.target_id ?? 0));
    }
    for (const job of records.jobs.values()) {
      if (job.state !== "preparing" && job.state !== "holding") {
        wanted.delete(pairName(job.source_id, job.target_id));
      }
    }
    for (const pair of this.#rests.keys()) if (!wanted.has(pair)) this.#rests.delete(pair);
  }

  // ----------------------------------------------------------------------------- what people order

  async cancel(from: number, to: number): Promise<void> {
    const { records } = this.product;
    const isMeant = (slot: number): boolean => slot >= from && slot <= to;
    const meant = [...records.jobs.values()].filter((job) => job.slots.some(isMeant));
    const refused = meant.map(refusal).filter((reason) => reason !== "");
    const jobs = meant.filter((job) => refusal(job) === "");
    // What runs ends first: nobody may move keys while the direction changes.
    const runs = jobs.map((job) => this.#runs.get(job.id)).filter((run) => run !== undefined);
    let count = 0;
    this.#cancels++;
    try {
      await Promise.all(runs.map((run) => run.stop()));
      await this.product.exclusive("cancel a migration", async () => {
        const pending = records.slots.filter(({ id, action }) => {
          return isMeant(id) && action.state === "pending";
        });
        const idle = pending.map((mapping): SlotMapping => ({ ...mapping, action: {} }));
        count += idle.length;
        if (idle.length > 0) await records.save({ slots: idle });
        for (const { id } of jobs) {
          const job = records.jobs.get(id);
          if (job === undefined || refusal(job) !== "") continue;
          await records.save(...this.#cancelled(job, isMeant));
          count++;
        }
      });
    } finally {
      this.#cancels--;
      this.#beginAll();
      this.#wakeUp();
    }
    if (count > 0) return;
    throw new OperatorError(refused[0] ?? `no slot from ${from} to ${to} is moving or waiting`);
  }

  /** A part of a job is cancelled as a job of its own. */
  #cancelled(job: MigrationJob, isMeant: (slot: number) => boolean): Change[] {
    const { options } = this.product.records;
    const id = options.last_job + 1;
    const changes = cancelled(job, isMeant, id).map((changed): Change => ({ job: changed }));
    if (changes.length === 1) return changes;
    if (job.method === "replica") {
      throw new OperatorError(
        `job ${job.id} moves slots by replication; cancel slots ${job.slots[0]} to ` +
          `${job.slots.at(-1)} together`,
      );
    }
    return [{ options: { ...options, last_job: id } }, ...changes];
  }

  async createReplicaJob(source: number, target: number, count: number): Promise<void> {
    const { records } = this.product;
    await this.product.exclusive("a migration by replication", async () => {
      for (const id of [source, target]) {
        const problem = obstacleOf(records, id);
        if (problem !== "") throw new OperatorError(problem);
        const job = [...records.jobs.values()].find((each) => {
          return each.source_id === id || each.target_id === id;
        });
        if (job === undefined) continue;
        throw new OperatorError(
          `group ${id} takes part in job ${job.id}; wait for it or cancel it`,
        );
      }
      if (source === target) throw new OperatorError("source and target are the same group");
      const taken = records.slots.find(({ group_id, action }) => {
        return group_id === target || action.target_id === target;
      });
      if (taken !== undefined) {
        throw new OperatorError(
          `group ${target} must be empty, but slot ${taken.id} is there or on its way`,
        );
      }
      const idle = records.slots
        .filter(({ group_id, action }) => group_id === source && action.state === undefined)
        .map(({ id }) => id);
      if (idle.length === 0) throw new OperatorError(`group ${source} has no slots to move`);
      const slots = count === 0 ? idle : idle.slice(-count);
      await this.#create({ source, target, slots }, "replica", "preparing");
    });
  }
}
