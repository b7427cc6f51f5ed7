// One worker as its parent sees it: the process that sits there now, the orders it has not
// confirmed yet, and how far it follows the slot table. When the process dies another takes the
// seat; whoever waits for the seat to know a slot table then waits for the new one. `workers.ts`
// owns the seats.

import { log } from "../lib/log.ts";
import { codeOf } from "../lib/operator-error.ts";
import { mergeFills } from "../model/merged-fill.ts";
import type {
  ParentQuestion,
  ToParent,
  ToWorker,
  WorkerOrder,
  WorkerResults,
  WorkerSetup,
} from "./ipc.ts";
import type { SlotTable } from "./slot-table.ts";

/** dead: no process; starting: not serving yet; serving; ending: told to finish. */
export type SeatState = "dead" | "starting" | "serving" | "ending";

export interface SeatEvents {
  /** The process is up and takes orders; nothing was ordered yet. */
  onReady(seat: WorkerSeat): void;
  onExit(seat: WorkerSeat, how: string): void;
  onQuestion(question: ParentQuestion): Promise<unknown>;
  /** The seat follows a newer revision of the slot table than before. */
  onApplied(): void;
}

/** The order will never be confirmed: the process is gone, too slow, or said that it failed. */
export class OrderFailed extends Error {
  override readonly name = "OrderFailed";
}

interface OpenOrder {
  resolve(result: unknown): void;
  reject(error: OrderFailed): void;
}

/** As good as none: the longest delay of a timer. */
const NO_DEADLINE_MS = 2 ** 31 - 1;

type OrderOf<K extends WorkerOrder["kind"]> = Extract<WorkerOrder, { kind: K }>;

export class WorkerSeat {
  state: SeatState = "dead";
  /** How many processes have sat here. */
  incarnations = 0;
  startedMs = 0;
  #process: Bun.Subprocess | null = null;
  #nextId = 1;
  #isConfigured = false;
  /** The revision of the slot table up to which the process was told; 0 for nothing. */
  #sentRevision = 0;
  /** Fills that are not confirmed: the changes above `from`, up to `to`. */
  readonly #filling = new Set<{ readonly from: number; readonly to: number }>();
  readonly #open = new Map<number, OpenOrder>();

  constructor(
    readonly index: number,
    private readonly table: SlotTable,
    private readonly events: SeatEvents,
  ) {}

  /** 0 while there is no process. */
  get pid(): number {
    return this.#process?.pid ?? 0;
  }

  /** Starts a process with the inherited descriptors given, from descriptor 3 on. */
  spawn(command: readonly string[], fds: readonly number[]): void {
    this.incarnations++;
    this.startedMs = performance.now();
    const child: Bun.Subprocess = Bun.spawn([...command], {
      stdio: ["ignore", "inherit", "inherit", ...fds],
      // Left out, Bun passes on the environment as it was at the start of the process, and with it
      // the variable that `watchLauncher` removed: the worker would take our parent for its own.
      env: { ...process.env },
      serialization: "json",
      // A late message of an earlier process must not be taken for one of this process.
      ipc: (message) => this.#process === child && this.#take(message as ToParent),
      onExit: (_, code) => this.#leave(child, String(child.signalCode ?? `status ${code}`)),
    });
    this.#process = child;
    this.state = "starting";
  }

  /**
   * Resolves with the confirmation. Rejects with `OrderFailed`, after `timeoutMs` at the latest.
   */
  order<K extends WorkerOrder["kind"]>(
    order: OrderOf<K>,
    timeoutMs: number,
  ): Promise<WorkerResults[K]> {
    return new Promise((resolve, reject) => {
      const id = this.#nextId++;
      const settle = (): void => {
        clearTimeout(timer);
        this.#open.delete(id);
      };
      const fail = (error: OrderFailed): void => {
        settle();
        reject(error);
      };
      const timer = setTimeout(() => {
        fail(new OrderFailed(`worker ${this.index} has not confirmed '${order.kind}'`));
      }, timeoutMs);
      this.#open.set(id, {
        resolve: (result) => {
          settle();
          resolve(result as WorkerResults[K]);
        },
        reject: fail,
      });
      if (this.#send({ kind: "order", id, order })) return;
      fail(new OrderFailed(`worker ${this.index} is not running`));
    });
  }

  /** The first order of a process; others are refused by `isConfigured` until it was given. */
  configure(setup: WorkerSetup, timeoutMs: number): Promise<null> {
    const confirmed = this.order({ kind: "configure", setup }, timeoutMs);
    this.#isConfigured = true; // the channel keeps the order of messages
    return confirmed;
  }

  get isConfigured(): boolean {
    return this.#isConfigured;
  }

  /** The newest revision of the slot table that this process works by; 0 for none. */
  get appliedRevision(): number {
    let applied = this.#sentRevision;
    for (const { from } of this.#filling) applied = Math.min(applied, from);
    return applied;
  }

  /**
   * Does the process work by what changed in this revision? Earlier changes may still wait: those
   * of a slot whose server hangs do not keep others waiting.
   */
  hasApplied(revision: number): boolean {
    if (!this.#isConfigured || this.#sentRevision < revision) return false;
    for (const { from, to } of this.#filling) if (from < revision && revision <= to) return false;
    return true;
  }

  /**
   * Tells the process everything that has changed since it was told last; a new process gets the
   * whole table by the same path. It does not wait for earlier fills, because what is new may be
   * the end of what they wait for. A fill has no deadline: requests in flight may take as long as
   * `backend_recv_timeout` allows; those who wait for it have one. Resolves when it is applied.
   */
  async syncSlots(): Promise<void> {
    const [from, to] = [this.#sentRevision, this.table.revision];
    if (!this.#isConfigured || from >= to) return;
    const child = this.#process;
    const fill = { from, to };
    const slots = mergeFills(this.table.changedSince(from));
    const pins = this.table.pinsSince(from);
    this.#sentRevision = to;
    this.#filling.add(fill);
    try {
      await this.order({ kind: "fill", slots, pins }, NO_DEADLINE_MS);
      if (this.#process !== child) return;
      this.#filling.delete(fill);
      this.events.onApplied();
    } catch (error) {
      if (this.#process !== child) return;
      // Half a table is worse than none: what replaces this process starts from the whole one.
      log.error(`worker ${this.index} did not take the slots and is replaced`, error);
      this.kill();
    }
  }

  /** Asks the process to finish; it exits by itself. One that serves nobody yet is just killed. */
  shutdown(timeoutMs: number): void {
    if (this.state === "dead") return;
    const hasClients = this.state === "serving";
    this.state = "ending";
    if (!hasClients) this.kill();
    else this.#send({ kind: "shutdown", timeoutMs });
  }

  kill(): void {
    this.#process?.kill("SIGKILL");
  }

  #take(message: ToParent): void {
    switch (message.kind) {
      case "ready":
        this.events.onReady(this);
        return;
      case "done":
        this.#open.get(message.id)?.resolve(message.result);
        return;
      case "failed":
        this.#open
          .get(message.id)
          ?.reject(new OrderFailed(`worker ${this.index} failed: ${message.cause}`));
        return;
      case "ask":
        void this.#answer(message.id, message.question);
        return;
    }
  }

  async #answer(id: number, question: ParentQuestion): Promise<void> {
    const child = this.#process;
    let answer: unknown = null;
    try {
      answer = await this.events.onQuestion(question);
    } catch (error) {
      log.warn(`a question of worker ${this.index} has no answer`, error);
    }
    if (this.#process === child) this.#send({ kind: "answer", id, answer });
  }

  #leave(child: Bun.Subprocess, how: string): void {
    if (this.#process !== child) return;
    const wasEnding = this.state === "ending";
    this.#process = null;
    this.state = "dead";
    this.#isConfigured = false;
    this.#sentRevision = 0;
    this.#filling.clear();
    const gone = new OrderFailed(`worker ${this.index} is gone (${how})`);
    for (const order of [...this.#open.values()]) order.reject(gone);
    this.events.onExit(this, wasEnding ? "" : how);
  }

  #send(message: ToWorker): boolean {
    if (this.#process === null) return false;
    try {
      this.#process.send(message);
      return true;
    } catch (error) {
      // The channel closes a moment before the exit is reported.
      log.debug(`worker ${this.index} cannot be reached (${codeOf(error)})`);
      return false;
    }
  }
}
