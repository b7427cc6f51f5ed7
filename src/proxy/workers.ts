// The worker processes of a proxy: starts them, replaces one that dies or hangs, brings each up to
// the state the proxy should be in, gives orders to all, and adds up what they report. `proxy.ts`
// makes one of these; `worker-seat.ts` has the single worker, `ipc.ts` the messages.
//
// The state wanted (slot table, online or not, log level) is kept here and a worker is led towards
// it: configure → fill → start → accept. It serves nobody before it has the whole table, and an
// order for all workers counts as done when every seat has reached it, whichever process sits
// there.

import type { LogLevel } from "../lib/log.ts";
import { log } from "../lib/log.ts";
import { messageOf } from "../lib/operator-error.ts";
import type { PinTable } from "../model/key-pin.ts";
import type { SlotFill } from "../model/slot.ts";
import type {
  ParentQuestion,
  WorkerOrder,
  WorkerResults,
  WorkerSetup,
  WorkerStats,
} from "./ipc.ts";
import type { ClientFilter, ClientRow } from "./local-types.ts";
import { SlotTable } from "./slot-table.ts";
import { WorkerSeat } from "./worker-seat.ts";
import { Totals } from "./worker-totals.ts";

/** How long a worker may take for anything but a fill. */
const ORDER_TIMEOUT_MS = 5_000;

/** A report that takes longer is replaced by the last one. */
const STATS_TIMEOUT_MS = 1_000;

const POLL_PERIOD_MS = 1_000;

/** A worker that has left so many polls in a row without an answer hangs, and is killed. */
const MAX_SILENT_POLLS = 30;

/** A fill is answered within the minute for which callers wait. */
const FILL_TIMEOUT_MS = 50_000;

/** A worker that lived for so long did not die of its start. */
const STABLE_MS = 10_000;

const FIRST_RESTART_DELAY_MS = 50;
const MAX_RESTART_DELAY_MS = 5_000;

/** Before the proxy has ever served: so many deaths in a row mean that it cannot. */
const MAX_START_FAILURES = 3;

/** How long a worker may take for its end beyond the time it was given. */
const SHUTDOWN_GRACE_MS = 1_000;

/** Session ids of process number n begin at n times this. */
const SESSION_IDS_PER_PROCESS = 2 ** 32;

export interface WorkersOptions {
  readonly count: number;
  /** The program and its arguments, the hidden one included. */
  readonly command: readonly string[];
  /** What worker `index` inherits, from LISTEN_FD on. */
  readonly fdsOf: (index: number) => readonly number[];
  /** Everything but what this class adds. */
  readonly setup: Omit<WorkerSetup, "index" | "workers" | "sessionIdBase" | "logLevel">;
  readonly logLevel: LogLevel;
  readonly answer: (question: ParentQuestion) => Promise<unknown>;
  /** The worker has begun to listen. */
  readonly onAccepting: (index: number) => void;
  readonly onDead: (index: number) => void;
}

interface SeatRecord {
  readonly seat: WorkerSeat;
  /** The last report of the process that sits there now. */
  report: WorkerStats | null;
  silentPolls: number;
  isPolling: boolean;
  /** Deaths in a row of processes that did not live long. */
  earlyDeaths: number;
  restartTimer: ReturnType<typeof setTimeout> | null;
}

/** Slots were not applied by all workers in time; the change goes on. */
export class FillTooLate extends Error {
  override readonly name = "FillTooLate";
}

export class Workers {
  readonly table = new SlotTable();
  /** Requests answered in the last full second. */
  opsPerSecond = 0;
  #isOnline = false;
  /** The workers of that moment have confirmed it; later ones start before they accept. */
  #haveAllStarted = false;
  #isEnding = false;
  #hasServed = false;
  #logLevel: LogLevel;
  #processes = 0;
  #retired = new Totals();
  #lastOpsTotal = 0;
  #lastPollMs = performance.now();
  #pollTimer: ReturnType<typeof setInterval> | null = null;
  readonly #records: SeatRecord[];
  /** Who waits for something about the seats; looked at after every change. */
  readonly #waiting = new Set<() => void>();
  #startFailure: ((error: Error) => void) | null = null;

  constructor(private readonly options: WorkersOptions) {
    this.#logLevel = options.logLevel;
    const events = {
      onReady: (seat: WorkerSeat): void => void this.#bringUp(seat),
      onExit: (seat: WorkerSeat, how: string): void => this.#onExit(seat, how),
      onQuestion: options.answer,
      onApplied: (): void => this.#changed(),
    };
    this.#records = Array.from({ length: options.count }, (_, index) => ({
      seat: new WorkerSeat(index, this.table, events),
      report: null,
      silentPolls: 0,
      isPolling: false,
      earlyDeaths: 0,
      restartTimer: null,
    }));
  }

  get isOnline(): boolean {
    return this.#isOnline;
  }

  get seats(): readonly WorkerSeat[] {
    return this.#records.map((record) => record.seat);
  }

  /** The last report of each worker, by index; null for one that has not reported yet. */
  get reports(): readonly (WorkerStats | null)[] {
    return this.#records.map((record) => record.report);
  }

  get pids(): number[] {
    return this.seats.map((seat) => seat.pid).filter((pid) => pid !== 0);
  }

  /** Whether every worker serves by the newest slot table. */
  /** False for the moment in which some workers still turn clients away. */
  get haveAllStarted(): boolean {
    return this.#haveAllStarted;
  }

  get areAllServing(): boolean {
    return this.seats.every((seat) => seat.state === "serving" && this.#isCurrent(seat));
  }

  #isCurrent(seat: WorkerSeat): boolean {
    return seat.isConfigured && seat.appliedRevision >= this.table.revision;
  }

  // ------------------------------------------------------------------------- start and supervision

  /** Resolves when all workers accept; rejects when they keep dying before they ever do. */
  async start(): Promise<void> {
    this.#pollTimer = setInterval(() => this.#poll(), POLL_PERIOD_MS);
    const failed = new Promise<never>((_, reject) => {
      this.#startFailure = reject;
    });
    for (const record of this.#records) this.#spawn(record);
    await Promise.race([failed, this.#until(() => this.areAllServing)]);
    this.#hasServed = true;
    this.#startFailure = null;
  }

  #spawn(record: SeatRecord): void {
    record.restartTimer = null;
    if (this.#isEnding) return;
    const { seat } = record;
    try {
      seat.spawn(this.options.command, this.options.fdsOf(seat.index));
    } catch (error) {
      this.#onExit(seat, messageOf(error));
      return;
    }
    const incarnation = seat.incarnations;
    setTimeout(() => {
      const isMute = seat.state === "starting" && !seat.isConfigured;
      if (seat.incarnations === incarnation && isMute) seat.kill();
    }, ORDER_TIMEOUT_MS).unref();
  }

  async #bringUp(seat: WorkerSeat): Promise<void> {
    const incarnation = seat.incarnations;
    try {
      await seat.configure(this.#setupFor(seat.index), ORDER_TIMEOUT_MS);
      await seat.syncSlots();
      if (this.#isOnline) await seat.order({ kind: "start" }, ORDER_TIMEOUT_MS);
      await seat.order({ kind: "accept" }, ORDER_TIMEOUT_MS);
    } catch (error) {
      if (seat.incarnations !== incarnation || seat.state !== "starting") return;
      log.error(`worker ${seat.index} could not be brought up`, error);
      seat.kill();
      return;
    }
    if (seat.incarnations !== incarnation || seat.state !== "starting") return;
    seat.state = "serving";
    this.options.onAccepting(seat.index);
    log.info(`worker ${seat.index} serves (process ${seat.pid})`);
    this.#changed();
  }

  #setupFor(index: number): WorkerSetup {
    return {
      ...this.options.setup,
      index,
      workers: this.options.count,
      sessionIdBase: this.#processes++ * SESSION_IDS_PER_PROCESS,
      logLevel: this.#logLevel,
    };
  }

  #onExit(seat: WorkerSeat, how: string): void {
    const record = this.#records[seat.index];
    if (record.report !== null) this.#retired.add(record.report);
    record.report = null;
    record.silentPolls = 0;
    record.isPolling = false;
    this.options.onDead(seat.index);
    if (!this.#isEnding) this.#scheduleRestart(record, how);
    this.#changed();
  }

  #scheduleRestart(record: SeatRecord, how: string): void {
    const { seat } = record;
    const livedMs = performance.now() - seat.startedMs;
    record.earlyDeaths = livedMs < STABLE_MS ? record.earlyDeaths + 1 : 0;
    const died = `worker ${seat.index} died (${how})`;
    if (!this.#hasServed && record.earlyDeaths >= MAX_START_FAILURES) {
      this.#startFailure?.(new Error(`${died} ${record.earlyDeaths} times before it could serve`));
      return;
    }
    const delayMs = restartDelayMs(record.earlyDeaths);
    log.error(`${died}; the next one starts ${delayMs === 0 ? "now" : `in ${delayMs} ms`}`);
    record.restartTimer = setTimeout(() => this.#spawn(record), delayMs);
  }

  #changed(): void {
    for (const check of [...this.#waiting]) check();
  }

  /** Resolves when `condition` holds, false when it does not before the deadline. */
  #until(condition: () => boolean, timeoutMs = Infinity): Promise<boolean> {
    if (condition()) return Promise.resolve(true);
    return new Promise((resolve) => {
      const end = (isTrue: boolean): void => {
        clearTimeout(timer);
        this.#waiting.delete(check);
        resolve(isTrue);
      };
      const check = (): void => {
        if (condition()) end(true);
      };
      const timer =
        timeoutMs === Infinity ? undefined : setTimeout(() => end(condition()), timeoutMs);
      this.#waiting.add(check);
    });
  }

  // --------------------------------------------------------------------------- orders to everybody

  /**
   * Resolves when every worker routes by these slots; a worker that dies meanwhile counts when its
   * replacement has the whole table. Rejects with `FillTooLate` when that takes too long.
   */
  async fill(slots: readonly SlotFill[], timeoutMs = FILL_TIMEOUT_MS): Promise<void> {
    await this.#spread(this.table.fill(slots), timeoutMs);
  }

  /** The same for the pinned and held keys. */
  async setPins(pins: PinTable, timeoutMs = FILL_TIMEOUT_MS): Promise<void> {
    await this.#spread(this.table.setPins(pins), timeoutMs);
  }

  async #spread(revision: number, timeoutMs: number): Promise<void> {
    for (const seat of this.seats) void seat.syncSlots();
    const isApplied = (seat: WorkerSeat): boolean => seat.hasApplied(revision);
    if (await this.#until(() => this.seats.every(isApplied), timeoutMs)) return;
    const late = this.seats.filter((seat) => !isApplied(seat)).map((seat) => seat.index);
    throw new FillTooLate(
      `after ${timeoutMs} ms these workers have not applied the slots yet: ${late.join(", ")}`,
    );
  }

  /** Serves clients from now on; workers yet to come are told when they come. */
  async goOnline(): Promise<void> {
    this.#isOnline = true;
    await this.#toAll({ kind: "start" }, ORDER_TIMEOUT_MS);
    this.#haveAllStarted = true;
  }

  async setLogLevel(level: LogLevel): Promise<void> {
    this.#logLevel = level;
    await this.#toAll({ kind: "log", level }, ORDER_TIMEOUT_MS);
  }

  async collectGarbage(): Promise<void> {
    await this.#toAll({ kind: "gc" }, ORDER_TIMEOUT_MS);
  }

  async clients(filter: ClientFilter): Promise<ClientRow[]> {
    const rows = await this.#toAll({ kind: "clients", filter }, ORDER_TIMEOUT_MS);
    return rows.flat().sort((a, b) => a.id - b.id);
  }

  async kill(filter: ClientFilter): Promise<number> {
    const counts = await this.#toAll({ kind: "kill", filter }, ORDER_TIMEOUT_MS);
    return counts.reduce((sum, count) => sum + count, 0);
  }

  /** Requests that wait for this server are answered with an error, whatever became of them. */
  async abandon(address: string): Promise<void> {
    await this.#toAll({ kind: "abandon", address }, ORDER_TIMEOUT_MS);
  }

  async resetStats(): Promise<void> {
    this.#retired.reset();
    await this.#toAll({ kind: "reset" }, ORDER_TIMEOUT_MS);
    // What was reported before must not come back when a worker dies now.
    for (const record of this.#records) record.report = null;
    await this.refresh();
    this.#lastOpsTotal = this.totals().opsTotal;
    this.opsPerSecond = 0;
  }

  /** The results of the workers that confirmed; the others are being replaced and are told then. */
  async #toAll<K extends WorkerOrder["kind"]>(
    order: Extract<WorkerOrder, { kind: K }>,
    timeoutMs: number,
  ): Promise<WorkerResults[K][]> {
    const running = this.seats.filter((seat) => seat.isConfigured);
    const answers = await Promise.allSettled(
      running.map((seat) => seat.order<K>(order, timeoutMs)),
    );
    const results: WorkerResults[K][] = [];
    for (const answer of answers) {
      if (answer.status === "fulfilled") results.push(answer.value);
      else log.warn(`'${order.kind}' did not reach every worker`, answer.reason);
    }
    return results;
  }

  // ------------------------------------------------------------------------------------ statistics

  /** Asks every worker for a new report; afterwards `totals` is as of now. */
  async refresh(): Promise<void> {
    await Promise.all(this.#records.map((record) => this.#report(record)));
  }

  totals(): Totals {
    return Totals.of(
      this.#retired,
      this.reports.filter((report) => report !== null),
    );
  }

  async #report(record: SeatRecord): Promise<void> {
    const { seat } = record;
    if (!seat.isConfigured) return;
    const incarnation = seat.incarnations;
    try {
      const report = await seat.order({ kind: "stats" }, STATS_TIMEOUT_MS);
      if (seat.incarnations === incarnation && seat.state !== "dead") record.report = report;
      record.silentPolls = 0;
    } catch {
      // Too busy or just gone; the last report stands. The poll counts how often.
    }
  }

  #poll(): void {
    for (const record of this.#records) void this.#pollSeat(record);
    const nowMs = performance.now();
    const opsTotal = this.totals().opsTotal;
    const seconds = (nowMs - this.#lastPollMs) / 1000;
    this.opsPerSecond = Math.max(0, Math.round((opsTotal - this.#lastOpsTotal) / seconds));
    this.#lastOpsTotal = opsTotal;
    this.#lastPollMs = nowMs;
  }

  async #pollSeat(record: SeatRecord): Promise<void> {
    if (record.isPolling || record.seat.state !== "serving") return;
    record.isPolling = true;
    record.silentPolls++;
    if (record.silentPolls > MAX_SILENT_POLLS) {
      log.error(`worker ${record.seat.index} hangs (process ${record.seat.pid}) and is killed`);
      record.seat.kill();
    }
    await this.#report(record);
    record.isPolling = false;
  }

  // -------------------------------------------------------------------------------------- the end

  /** Lets every worker finish its requests; resolves when all processes are gone. */
  async shutdown(timeoutMs: number): Promise<void> {
    this.#isEnding = true;
    if (this.#pollTimer !== null) clearInterval(this.#pollTimer);
    for (const { seat, restartTimer } of this.#records) {
      if (restartTimer !== null) clearTimeout(restartTimer);
      seat.shutdown(timeoutMs);
    }
    const areGone = (): boolean => this.seats.every((seat) => seat.state === "dead");
    if (await this.#until(areGone, timeoutMs + SHUTDOWN_GRACE_MS)) return;
    log.warn("some workers did not finish in time and are killed");
    this.killAll();
    await this.#until(areGone);
  }

  /** Ends every worker at once; clients see their connections closed. */
  killAll(): void {
    for (const seat of this.seats) seat.kill();
  }
}

/** The first restart comes at once, later ones of a crash loop ever more slowly. */
export function restartDelayMs(earlyDeaths: number): number {
  if (earlyDeaths <= 1) return 0;
  return Math.min(MAX_RESTART_DELAY_MS, FIRST_RESTART_DELAY_MS * 2 ** (earlyDeaths - 2));
}
