// The statistics of a dashboard as its API shows them (contract 4.2). Fields of the original come
// in its order; ours follow.

import type { Group } from "./group.ts";
import type { JobMethod, JobState } from "./migration-job.ts";
import type { ProxyModel, SentinelModel } from "./proxy.ts";
import type { ProxyStats } from "./proxy-stats.ts";
import type { SlotMapping } from "./slot-mapping.ts";

/** What a poll failed with, in the shape of an answer that failed. */
export interface RemoteFailure {
  readonly Cause: string;
  readonly Stack: null;
}

/** A master as a sentinel sees it: flat maps as it prints them. */
export interface SentinelGroup {
  readonly master: Readonly<Record<string, string>>;
  readonly slaves?: readonly Readonly<Record<string, string>>[];
}

export interface RedisStats {
  /** INFO, flat, plus `maxmemory` and, of a replica, `master_addr`. */
  readonly stats?: Readonly<Record<string, string>>;
  readonly error?: RemoteFailure;
  readonly sentinel?: Readonly<Record<string, SentinelGroup>>;
  readonly unixtime: number;
  readonly timeout?: boolean;
  /** Ours: what program it is, and its version. */
  readonly kind?: "redis" | "valkey" | "codis-server";
  readonly version?: string;
}

export interface ProxyPoll {
  readonly stats?: ProxyStats;
  readonly error?: RemoteFailure;
  readonly unixtime: number;
  readonly timeout?: boolean;
  /** Ours: it could not be reached and was shut out of the servers until it is back. */
  readonly fenced?: boolean;
}

/** Ours: one job of the migration, for people and the web page. */
export interface JobStat {
  readonly id: number;
  readonly method: JobMethod;
  readonly source_id: number;
  readonly target_id: number;
  readonly state: JobState;
  readonly epoch: number;
  readonly slots: number;
  readonly slots_done: number;
  readonly keys_moved: number;
  /** An estimate from the source's share of keys; 0 while nothing is known. */
  readonly keys_total: number;
  readonly bytes_moved: number;
  readonly keys_per_second: number;
  /** Seconds; absent while unknown. */
  readonly eta?: number;
  readonly paused: boolean;
  /** The last failure of the job as a whole, "" when the last step went well. */
  readonly error: string;
  /** Slot → what keeps it, for slots that do not get on. */
  readonly slot_errors?: Readonly<Record<string, string>>;
  /** Longest hold of its slots so far, in milliseconds. */
  readonly hold_ms: number;
}

export interface TopomStats {
  readonly closed: boolean;
  readonly slots: readonly SlotMapping[];
  readonly group: {
    readonly models: readonly Group[];
    readonly stats: Readonly<Record<string, RedisStats>>;
  };
  readonly proxy: {
    readonly models: readonly ProxyModel[];
    readonly stats: Readonly<Record<string, ProxyPoll>>;
  };
  readonly slot_action: {
    /** Pause between two steps, in microseconds. */
    readonly interval: number;
    readonly disabled: boolean;
    readonly progress: { readonly status: string };
    /** Migration jobs that move keys right now. */
    readonly executor: number;
    /** Ours. */
    readonly jobs?: readonly JobStat[];
  };
  readonly sentinels: {
    readonly model: SentinelModel;
    readonly stats: Readonly<Record<string, RedisStats>>;
    readonly masters: Readonly<Record<string, string>>;
  };
  /** Ours: who leads the product and under which number. */
  readonly leader?: { readonly is_leader: boolean; readonly fence: string };
}
