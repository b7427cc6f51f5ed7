// The worker's end of the line to its parent: takes orders, has them carried out by a
// `WorkerControl` (implemented in `worker.ts`), confirms them, and puts the worker's own questions.
// It decides when the process ends; it never touches a client. The messages are in `ipc.ts`.

import { messageOf } from "../lib/operator-error.ts";
import { log } from "../lib/log.ts";
import type { PinTable } from "../model/key-pin.ts";
import { splitFills } from "../model/merged-fill.ts";
import type { SlotFill } from "../model/slot.ts";
import type {
  ParentQuestion,
  ToParent,
  ToWorker,
  WorkerOrder,
  WorkerSetup,
  WorkerStats,
} from "./ipc.ts";
import type { ClientFilter, ClientRow } from "./local-types.ts";

/**
 * What a worker can be told. Calls come in this order: configure, then the others, then shutdown.
 */
export interface WorkerControl {
  /** Once, first. Does not listen yet. */
  configure(setup: WorkerSetup): void;
  /**
   * Replaces the slots named, all of each, and all pins unless they are null. Calls `done` when
   * requests that were on their way under the old table are answered and every new request follows
   * the new one, or a still newer one. Slots not named stay as they are.
   */
  fillSlots(slots: readonly SlotFill[], pins: PinTable | null, done: () => void): void;
  /** Goes online: clients are served instead of refused. May come twice. */
  start(): void;
  /** Begins to accept on LISTEN_FD; comes after the first fill when there is one. */
  accept(): void;
  stats(): WorkerStats;
  /** Commands, totals, failures and errors to zero; sessions in total to those alive. */
  resetStats(): void;
  clients(filter: ClientFilter): readonly ClientRow[];
  /** Answers with an error what waits for this server: it is dead. */
  abandon(address: string): void;
  /** Ends the sessions that match and says how many. */
  kill(filter: ClientFilter): number;
  /**
   * Stops accepting, lets requests in flight finish, closes sessions as they fall idle, and calls
   * `done` at the latest after `timeoutMs`. May come twice; the shorter time wins.
   */
  shutdown(timeoutMs: number, done: () => void): void;
}

/** The worker's way to its parent. */
export interface ParentLink {
  /** The answer is of the type `ParentAnswers` names, or null when the parent cannot give it. */
  ask(question: ParentQuestion, done: (answer: unknown) => void): void;
}

/** How long a question to the parent may stay open before it is answered with null. */
const ASK_TIMEOUT_MS = 5_000;

/** Requests in flight get this long when a worker is to end before it was configured. */
const DEFAULT_SHUTDOWN_TIMEOUT_MS = 10_000;

/** What the link needs of a process; tests give their own. */
export interface WorkerChannel {
  send(message: ToParent): void;
  onMessage(listener: (message: ToWorker) => void): void;
  onDisconnect(listener: () => void): void;
  onTerminate(listener: () => void): void;
  exit(status: number): void;
}

class Link implements ParentLink {
  #shutdownTimeoutMs = DEFAULT_SHUTDOWN_TIMEOUT_MS;
  #nextQuestion = 1;
  readonly #questions = new Map<number, (answer: unknown) => void>();

  constructor(
    private readonly control: WorkerControl,
    private readonly channel: WorkerChannel,
  ) {
    channel.onMessage((message) => this.#take(message));
    channel.onDisconnect(() => this.#onParentGone());
    channel.onTerminate(() => this.#shutdown(this.#shutdownTimeoutMs));
    this.#send({ kind: "ready" });
  }

  ask(question: ParentQuestion, done: (answer: unknown) => void): void {
    const id = this.#nextQuestion++;
    const timer = setTimeout(() => this.#settle(id, null), ASK_TIMEOUT_MS);
    this.#questions.set(id, (answer) => {
      clearTimeout(timer);
      done(answer);
    });
    this.#send({ kind: "ask", id, question });
  }

  #settle(id: number, answer: unknown): void {
    const done = this.#questions.get(id);
    this.#questions.delete(id);
    done?.(answer);
  }

  #take(message: ToWorker): void {
    if (message.kind === "answer") this.#settle(message.id, message.answer);
    else if (message.kind === "shutdown") this.#shutdown(message.timeoutMs);
    else this.#obey(message.id, message.order);
  }

  #obey(id: number, order: WorkerOrder): void {
    try {
      if (order.kind === "fill") {
        const done = (): void => this.#send({ kind: "done", id, result: null });
        this.control.fillSlots(splitFills(order.slots), order.pins, done);
        return;
      }
      this.#send({ kind: "done", id, result: this.#carryOut(order) });
    } catch (error) {
      log.error(`worker could not carry out the order '${order.kind}'`, error);
      this.#send({ kind: "failed", id, cause: messageOf(error) });
    }
  }

  #carryOut(order: Exclude<WorkerOrder, { kind: "fill" }>): unknown {
    switch (order.kind) {
      case "configure":
        this.#configure(order.setup);
        return null;
      case "start":
        this.control.start();
        return null;
      case "accept":
        this.control.accept();
        return null;
      case "stats":
        return this.control.stats();
      case "reset":
        this.control.resetStats();
        return null;
      case "clients":
        return this.control.clients(order.filter);
      case "kill":
        return this.control.kill(order.filter);
      case "gc":
        Bun.gc(true);
        return null;
      case "log":
        log.setLevel(order.level);
        return null;
      case "abandon":
        this.control.abandon(order.address);
        return null;
    }
  }

  #configure(setup: WorkerSetup): void {
    log.hideSecrets(setup.secrets);
    log.setLevel(setup.logLevel);
    if (setup.logFile !== "") log.open(setup.logFile);
    this.#shutdownTimeoutMs = setup.config.shutdownTimeoutMs;
    this.control.configure(setup);
  }

  /** Nobody can tell us where slots are now: a closed connection is better than a lost write. */
  #onParentGone(): void {
    log.error("the parent process is gone; this worker ends");
    this.channel.exit(1);
  }

  #shutdown(timeoutMs: number): void {
    this.control.shutdown(timeoutMs, () => this.channel.exit(0));
  }

  #send(message: ToParent): void {
    try {
      this.channel.send(message);
    } catch {
      // The parent is gone; `onDisconnect` says the rest.
    }
  }
}

/** The channel of a process that was started with an IPC descriptor. */
function processChannel(): WorkerChannel {
  return {
    send: (message) => process.send?.(message),
    onMessage: (listener) => process.on("message", listener),
    onDisconnect: (listener) => process.on("disconnect", listener),
    onTerminate: (listener) => {
      process.on("SIGTERM", listener);
      // Ctrl-C reaches every process of a terminal; only the parent decides what it means.
      process.on("SIGINT", () => {});
      process.on("SIGHUP", () => {});
    },
    exit: (status) => process.exit(status),
  };
}

/** Connects `control` to the parent and tells it that this worker is ready for orders. */
export function linkToParent(
  control: WorkerControl,
  channel: WorkerChannel = processChannel(),
): ParentLink {
  return new Link(control, channel);
}
