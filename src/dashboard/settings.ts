// The configuration of codis-dashboard: the record that the whole control plane reads. Field names
// are the keys of the TOML file in camel case, with `Bytes` behind sizes and `Ms` behind durations.

/** The effective configuration. Sizes in bytes, durations in milliseconds. */
export interface DashboardConfig {
  readonly coordinatorName: string; // filesystem, etcd or zookeeper
  readonly coordinatorAddr: string;
  readonly coordinatorAuth: string; // secret
  readonly adminAddr: string;
  readonly productName: string;
  readonly productAuth: string; // secret
  readonly migrationMethod: "sync" | "semi-async"; // between two codis-servers only
  readonly migrationParallelSlots: number; // most slots of one job
  readonly migrationAsyncMaxbulks: number;
  readonly migrationAsyncMaxbytes: number;
  readonly migrationAsyncNumkeys: number;
  readonly migrationTimeoutMs: number;
  readonly sentinelClientTimeoutMs: number;
  readonly sentinelQuorum: number;
  readonly sentinelParallelSyncs: number;
  readonly sentinelDownAfterMs: number;
  readonly sentinelFailoverTimeoutMs: number;
  readonly sentinelNotificationScript: string;
  readonly sentinelClientReconfigScript: string;
  // Ours from here on.
  readonly productUsername: string; // ACL user of product_auth; "" is the default user
  readonly leaseTimeoutMs: number; // how long a dead leader keeps a standby waiting
  readonly migrationGoalMs: number; // how long one MIGRATE may take
  readonly migrationDutyPercent: number; // share of the time that the source may spend on it
  readonly migrationScanCount: number;
  readonly migrationHoldTimeoutMs: number; // requests wait so long at most for a switch
  readonly migrationBigKeyBytes: number;
  readonly migrationBigKeyElements: number;
  readonly migrationDurable: boolean;
  readonly replicaMaxLagMs: number; // a replica further behind gets no reads; 0 is no limit
  readonly promoteTimeoutMs: number; // how long a promotion waits for the replica to catch up
  readonly watcherEnabled: boolean; // the built-in failover for products without Sentinel
  readonly watcherDownAfterMs: number;
}
