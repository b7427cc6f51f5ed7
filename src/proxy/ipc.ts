// Everything that travels between the parent process and its workers: the messages both ways, the
// descriptors a worker inherits, and the figures a worker reports. `workers.ts` speaks for the
// parent, `worker-link.ts` for the worker. Messages are JSON, so there are only plain values here.
//
//   parent                                              worker
//     configure ─────────────────────────────────────────▶  once, first
//     fill (the whole table), start ─────────────────────▶  a replacement catches up
//     accept ────────────────────────────────────────────▶  from here on it serves clients
//     fill, start, stats, reset, clients, kill, gc ──────▶
//     ◀────────────────────────────── done (same id), with the result or with what went wrong
//     ◀───────────────────────────────────────────── ask (a local command needs all workers)
//     answer (same id) ──────────────────────────────────▶
//     shutdown ──────────────────────────────────────────▶  finishes its requests and exits

import type { KeyPin, PinTable } from "../model/key-pin.ts";
import type { MergedFill } from "../model/merged-fill.ts";
import type { LogLevel } from "../lib/log.ts";
import type { ClientFilter, ClientRow, LocalQuestion, ProxyFigures } from "./local-types.ts";
import type { ProxyConfig } from "./settings.ts";

/** The hidden argument that makes this program a worker; its parent's process id follows. */
export const WORKER_ARGUMENT = "__worker";

/**
 * The worker's listening socket; the parent holds it open as well, so no restart loses a client.
 */
export const LISTEN_FD = 3;

/** Memory shared by all workers: how many sessions each has (`session-board.ts`). */
export const BOARD_FD = 4;

/** What a worker is told first, before anything else. */
export interface WorkerSetup {
  readonly config: ProxyConfig;
  /** The proxy's own; servers know its connections by it. */
  readonly token: string;
  /** 0 … workers - 1; a replacement takes over the index of the dead worker. */
  readonly index: number;
  readonly workers: number;
  /**
   * Session ids of this process are above this one; no other process, past or future, uses them.
   */
  readonly sessionIdBase: number;
  /** When the parent started, in milliseconds since 1970; what uptime counts from. */
  readonly startedMs: number;
  /** Blotted out of every line of the log. */
  readonly secrets: readonly string[];
  readonly logFile: string;
  readonly logLevel: LogLevel;
}

/** How many buckets a latency histogram has; see `histogramBucket`. */
export const HISTOGRAM_BUCKETS = 32;

/**
 * Bucket 0 counts calls under one microsecond, bucket i those of at least 2^(i-1) and less than 2^i
 * microseconds; the last one has no upper end. Hot code may write this expression in place.
 */
export function histogramBucket(usecs: number): number {
  return Math.min(HISTOGRAM_BUCKETS - 1, 32 - Math.clz32(usecs));
}

/** Calls of one command in one worker, since its start or since the last reset. */
export interface CommandStats {
  /** Full lower-case name, "get" or "client|list"; "unknown" for all names outside the table. */
  readonly name: string;
  readonly calls: number;
  /** From decoding to the reply being settled, summed. */
  readonly usecs: number;
  /** Had no reply to deliver: the client was gone, or the session was cut. */
  readonly fails: number;
  /** Answered with an error, by a server or by the proxy. */
  readonly errors: number;
  /** Refused before it ran: arity, authorisation, not allowed. Part of `errors`. */
  readonly rejected?: number;
  readonly histogram: readonly number[];
}

/** One connection of a worker to a server. */
export interface BackendStats {
  readonly addr: string;
  /** "connected" means that it takes requests; other words say why not. */
  readonly state: string;
  readonly database: number;
  readonly proto: number;
  readonly inflight: number;
  readonly isReplica: boolean;
  /** How long requests have waited without a byte from the server; 0 when none waits. */
  readonly silentMs: number;
}

/** What one worker reports. The parent sums these and keeps the counters of workers that died. */
export interface WorkerStats {
  readonly opsTotal: number;
  readonly opsFails: number;
  readonly redisErrors: number;
  readonly sessionsTotal: number;
  readonly sessionsAlive: number;
  /** Only commands that were called. */
  readonly commands: readonly CommandStats[];
  /**
   * Limits reached, bytes and the like, by the names of COUNTERS in `metrics/registry.ts`. The
   * parent adds them up, and takes the largest where the name begins with "max".
   */
  readonly counters: Readonly<Record<string, number>>;
  /** Error replies by their first word, "WRONGTYPE", when the worker counts them. */
  readonly errors?: Readonly<Record<string, number>>;
  readonly backends: readonly BackendStats[];
  readonly rssBytes: number;
  readonly cpuSeconds: number;
  /** Servers that refuse this proxy, because a dashboard has fenced it. */
  readonly fencedBy: readonly string[];
  /** The last keys that were too large to move on demand and are not pinned. */
  readonly bigKeys: readonly KeyPlace[];
}

/** A key of a slot that moves; `key` is base64. */
export type KeyPlace = Omit<KeyPin, "state">;

/** What a worker may ask its parent, and the shape of each answer; null when it cannot be given. */
export type ParentQuestion = LocalQuestion;

export interface ParentAnswers {
  readonly clients: readonly ClientRow[];
  readonly kill: number;
  readonly info: ProxyFigures;
}

/**
 * Orders of the parent that the worker confirms with `done` and a result of the type named here.
 */
export interface WorkerResults {
  configure: null;
  fill: null;
  start: null;
  accept: null;
  stats: WorkerStats;
  reset: null;
  clients: readonly ClientRow[];
  kill: number;
  gc: null;
  log: null;
  abandon: null;
}

export type WorkerOrder =
  | { readonly kind: "configure"; readonly setup: WorkerSetup }
  | {
      readonly kind: "fill";
      readonly slots: readonly MergedFill[];
      /** All of them; null when they have not changed. */
      readonly pins: PinTable | null;
    }
  | { readonly kind: "start" }
  | { readonly kind: "accept" }
  | { readonly kind: "stats" }
  | { readonly kind: "reset" }
  | { readonly kind: "clients"; readonly filter: ClientFilter }
  | { readonly kind: "kill"; readonly filter: ClientFilter }
  | { readonly kind: "gc" }
  | { readonly kind: "log"; readonly level: LogLevel }
  | { readonly kind: "abandon"; readonly address: string };

export type ToWorker =
  | { readonly kind: "order"; readonly id: number; readonly order: WorkerOrder }
  | { readonly kind: "answer"; readonly id: number; readonly answer: unknown }
  | { readonly kind: "shutdown"; readonly timeoutMs: number };

export type ToParent =
  | { readonly kind: "ready" }
  | { readonly kind: "done"; readonly id: number; readonly result: unknown }
  | { readonly kind: "failed"; readonly id: number; readonly cause: string }
  | { readonly kind: "ask"; readonly id: number; readonly question: ParentQuestion };
