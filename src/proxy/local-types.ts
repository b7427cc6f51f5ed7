/**
 * What a command answered by the proxy itself may touch: the session it came from and the services
 * of the worker around it. `session.ts` and `worker.ts` implement these interfaces, the files
 * `local*.ts` use them, and tests stand in for both. Types only.
 */
import type { Args } from "../resp/args.ts";
import type { ReplyWriter } from "../resp/write.ts";
import type { ProxyConfig } from "./settings.ts";

/** The place of one answer in the order of replies, to be filled later. */
export interface Deferred {
  /** False once the answer was given or the client is gone; then `finish` does nothing. */
  readonly isOpen: boolean;
  finish(reply: Uint8Array): void;
}

export interface LocalSession {
  /** Unique over all workers of this proxy and never used again; what CLIENT ID answers. */
  readonly id: number;
  /** Both by `performance.now()`. */
  readonly createdMs: number;
  lastActiveMs: number;
  /** ip:port of the client. */
  readonly address: string;
  /** ip:port the client connected to. */
  readonly localAddress: string;
  proto: 2 | 3;
  database: number;
  isAuthorized: boolean;
  /** CLIENT SETNAME; "" when none was given. Latin-1, as are the two library fields. */
  name: string;
  libName: string;
  libVersion: string;
  user: string;
  noEvict: boolean;
  noTouch: boolean;
  /** Full name of the command that came last, e.g. "client|list"; "" before the first. */
  lastCommand: string;
  readonly commandsDone: number;
  readonly pendingInputBytes: number;
  readonly pendingOutputBytes: number;
  /** Requests that follow go to this database. Those in flight are not disturbed. */
  setDatabase(index: number): void;
  /** Requests that follow are answered in this protocol; also sets `proto`. */
  setProtocol(proto: 2 | 3): void;
  /** Takes no further request; the connection ends when every reply before this point is out. */
  closeAfterReplies(): void;
  /** Ends the connection now. */
  close(): void;
  /**
   * Reserves the place of the current request in the order of replies; the caller writes nothing.
   */
  defer(): Deferred;
}

/**
 * Which clients CLIENT LIST shows or CLIENT KILL ends; a field that is null or empty does not
 * filter.
 */
export interface ClientFilter {
  readonly ids: readonly number[] | null;
  readonly address: string | null;
  readonly localAddress: string | null;
  readonly user: string | null;
  /** Every client of a proxy is "normal"; any other type matches nobody. */
  readonly type: string | null;
  /** Never this one: the caller itself under SKIPME. */
  readonly exceptId: number | null;
}

/** One client as CLIENT LIST prints it; `line` has no line end. */
export interface ClientRow {
  readonly id: number;
  readonly line: string;
}

/** Calls of one command over all workers since the start. Times in microseconds. */
export interface CommandFigures {
  /** Full lower-case name, "client|list". */
  readonly name: string;
  readonly calls: number;
  readonly usec: number;
  /** Refused before it ran: wrong arity, not allowed, not authorised. */
  readonly rejected: number;
  /** Ran and was answered with an error. */
  readonly failed: number;
  readonly p50: number;
  readonly p99: number;
  readonly p999: number;
}

/** The figures behind INFO: sums over all workers, gathered by the parent. */
export interface ProxyFigures {
  /** Version of this program, "4.0.0". */
  readonly version: string;
  /** 40 hexadecimal digits that change with every start, like Redis' run_id. */
  readonly runId: string;
  readonly parentPid: number;
  readonly workers: number;
  readonly startedMs: number;
  readonly port: number;
  readonly executable: string;
  readonly configFile: string;
  readonly sessionsAlive: number;
  readonly sessionsTotal: number;
  readonly sessionsRejected: number;
  readonly maxInputBytes: number;
  readonly maxOutputBytes: number;
  readonly memoryBytes: number;
  readonly memoryPeakBytes: number;
  readonly cpuUserSeconds: number;
  readonly cpuSystemSeconds: number;
  readonly opsTotal: number;
  readonly opsPerSecond: number;
  readonly opsFailed: number;
  readonly redisErrors: number;
  readonly inputBytes: number;
  readonly outputBytes: number;
  readonly commands: readonly CommandFigures[];
  /** Errors by their first word, "WRONGTYPE", as far as they are counted. */
  readonly errors: readonly { readonly prefix: string; readonly count: number }[];
}

/**
 * What local commands ask the parent. The answers: "clients" gives ClientRow[] of all workers,
 * "kill" the number of clients ended, "info" ProxyFigures. When a worker or the parent cannot be
 * reached the answer is null, and so is anything that is not of the promised shape treated.
 */
export type LocalQuestion =
  | { readonly kind: "clients"; readonly filter: ClientFilter }
  | { readonly kind: "kill"; readonly filter: ClientFilter }
  | { readonly kind: "info" };

/** One entry of SLOTSMAPPING. */
export interface SlotView {
  readonly id: number;
  /** "" when the slot has no backend. */
  readonly backend: string;
  /** "" unless the slot is migrating. */
  readonly migrateFrom: string;
  readonly replicaGroups: readonly (readonly string[])[];
}

export interface WorkerServices {
  readonly config: ProxyConfig;
  sessions(): Iterable<LocalSession>;
  session(id: number): LocalSession | undefined;
  askParent(question: LocalQuestion, done: (answer: unknown) => void): void;
  slotView(id: number): SlotView;
  /**
   * Sends a complete request to a server named "host:port", or to the master of a slot by its
   * number, and settles `deferred` with the reply or with an error line. False, with `deferred`
   * untouched, when there is no such server.
   */
  backendCommand(
    target: string | number,
    request: Uint8Array,
    database: number,
    proto: 2 | 3,
    deferred: Deferred,
  ): boolean;
}

/**
 * Answers one command: writes into `out` at once, or calls `session.defer()` and writes nothing.
 * The arity was checked before; `args` and `out` must not be used after the return.
 */
export type LocalHandler = (
  session: LocalSession,
  args: Args,
  out: ReplyWriter,
  services: WorkerServices,
) => void;
