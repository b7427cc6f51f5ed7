// The statistics of a proxy as its admin API shows them (contract 2.11). The fields of the original
// come in its order and with its meaning; ours follow in each object. Absent fields are left out.

export interface CommandStat {
  /** Upper case. */
  readonly opstr: string;
  readonly calls: number;
  readonly usecs: number;
  readonly usecs_percall: number;
  readonly fails: number;
  /** Replies of type error, from servers and from the proxy. */
  readonly redis_errtype: number;
  /** Ours: estimates from a histogram of powers of two, in microseconds. */
  readonly latency: { readonly p50: number; readonly p99: number; readonly p999: number };
}

export interface BackendStat {
  readonly worker: number;
  readonly addr: string;
  readonly state: string;
  readonly database: number;
  readonly proto: number;
  readonly inflight: number;
  readonly is_replica: boolean;
}

/** What the connections of a proxy to one server tell of it. */
export interface ServerSight {
  readonly connected: number;
  /** Connections that could not be made or made again. */
  readonly down: number;
  /** The longest that a request has been waiting without any answer. */
  readonly silent_ms: number;
}

export interface WorkerStat {
  readonly index: number;
  /** 0 while there is no process. */
  readonly pid: number;
  readonly state: string;
  /** How often this worker had to be replaced. */
  readonly restarts: number;
  /** Whether it works by the newest slot table. */
  readonly slots_applied: boolean;
  readonly sessions_alive: number;
  readonly ops_total: number;
  readonly rss: number;
  readonly cpu_seconds: number;
}

export interface RuntimeStat {
  readonly general: {
    readonly alloc: number;
    readonly sys: number;
    readonly lookups: number;
    readonly mallocs: number;
    readonly frees: number;
  };
  readonly heap: {
    readonly alloc: number;
    readonly sys: number;
    readonly idle: number;
    readonly inuse: number;
    readonly objects: number;
  };
  readonly gc: {
    readonly num: number;
    readonly cpu_fraction: number;
    readonly total_pausems: number;
  };
  readonly num_procs: number;
  readonly num_goroutines: number;
  readonly num_cgo_call: number;
  readonly mem_offheap: number;
}

export interface MigrationStat {
  /**
   * Keys that requests asked for, that are too large to move with one command, and that are not
   * pinned: the dashboard pins them. The last ones that were met, `key` in base64.
   */
  readonly big_keys: readonly {
    readonly slot: number;
    readonly db: number;
    readonly key: string;
  }[];
}

export interface ProxyStats {
  readonly online: boolean;
  readonly closed: boolean;
  readonly sentinels: {
    readonly servers?: readonly string[];
    readonly masters?: Readonly<Record<string, string>>;
    readonly switched?: boolean;
    /** Ours: whether a majority of them would tell this proxy of a switch. */
    readonly watching?: boolean;
  };
  readonly ops: {
    readonly total: number;
    readonly fails: number;
    readonly redis: { readonly errors: number };
    readonly qps: number;
    readonly cmd?: readonly CommandStat[];
  };
  readonly sessions: { readonly total: number; readonly alive: number };
  readonly rusage: {
    readonly now: string;
    readonly cpu: number;
    readonly mem: number;
    readonly raw?: {
      readonly utime: number;
      readonly stime: number;
      readonly cutime: number;
      readonly cstime: number;
      readonly num_threads: number;
      readonly vm_size: number;
      readonly vm_rss: number;
    };
  };
  readonly backend: {
    readonly primary_only: boolean;
    /** Ours, by address. */
    readonly servers: Readonly<Record<string, ServerSight>>;
  };
  readonly runtime?: RuntimeStat;
  /** Ours: some server refuses the proxy, because a dashboard has fenced it there. */
  readonly fenced: boolean;
  /** Ours: the highest revision of a slot record that the proxy was given; 0 for none. */
  readonly slot_revision: number;
  /** Ours: the revision of its table of pinned keys. */
  readonly pins_revision: number;
  /** Ours: what a dashboard must know of the slots that move. */
  readonly migration: MigrationStat;
  /** Ours: limits that were reached and the like, sorted by name. */
  readonly counters: Readonly<Record<string, number>>;
  readonly workers: readonly WorkerStat[];
  /** Ours, with the commands. */
  readonly backends?: readonly BackendStat[];
}

/** Bits of the `flags` parameter of the statistics route. */
export const StatsFlag = { COMMANDS: 1, SLOTS: 2, RUNTIME: 4, ALL: -1 } as const;
