// The settings of codis-dashboard: one row each, in the order in which the admin API shows them.
// The keys of the original come first and keep its spelling and its order; ours follow. Everything
// that is said about a setting is printed from here: config/dashboard.toml, docs/config.md.
//
// A new setting is a row below and a field in `DashboardConfig` (settings.ts); the compiler
// complains when one is missing. Then `CODIS_TEST_UPDATE=1 npm test` refreshes the printed files.

import { SENTINEL_LOGIN } from "../settings/sentinel-login.ts";
import type { Setting } from "../settings/table.ts";

/** Names of products: they become paths of the coordinator. */
const PRODUCT_NAME = /^\w[\w.-]*$/;

const TEXT = { type: "string", default: "", reloadable: false } as const;
const COUNT = { type: "integer", min: 1, reloadable: false } as const;
const TIME = { type: "duration", min: 1, reloadable: false } as const;
const SIZE = { type: "bytes", min: 1, reloadable: false } as const;

export const DASHBOARD_SETTINGS = [
  {
    key: "coordinator_name",
    type: "string",
    default: "filesystem",
    chapter: "Coordinator: where the product is remembered",
    isRequired: true,
    choices: ["filesystem", "fs", "etcd", "zookeeper", "zk"],
    complaint: "invalid coordinator name",
    doc:
      "The kind of service that keeps the product: a directory of this machine, etcd (API v3) or " +
      "ZooKeeper. A standby dashboard on another machine needs one of the latter two.",
    reloadable: false,
  },
  {
    key: "coordinator_addr",
    type: "string",
    default: "/tmp/codis",
    isRequired: true,
    doc:
      "Where that service is: a directory, or host:port, several of them with commas between. " +
      "The default is for trying things out; a directory under /tmp may be gone after a restart.",
    reloadable: false,
  },
  {
    ...TEXT,
    key: "coordinator_auth",
    isSecret: true,
    doc: 'The account at that service, "user:password".',
  },
  {
    key: "admin_addr",
    type: "string",
    default: "127.0.0.1:18080",
    chapter: "The dashboard",
    isRequired: true,
    doc:
      "Where the API and the metrics listen. Proxies that register by themselves and people on " +
      'other machines must be able to reach it; say "0.0.0.0:18080" then. Whoever reaches it ' +
      "and knows the name of the product can change the product.",
    reloadable: false,
  },
  {
    key: "product_name",
    type: "string",
    default: "codis-demo",
    isRequired: true,
    complaint: "bad product name",
    rule: {
      allows: (text) => PRODUCT_NAME.test(text),
      allowed: "letters, digits and underscores, after the first character also dots and dashes",
    },
    doc: "The product that this dashboard owns.",
    reloadable: false,
  },
  {
    ...TEXT,
    key: "product_auth",
    isSecret: true,
    doc:
      "The password of the servers, and part of the token that calls to proxies carry. The same " +
      "for the dashboard, all proxies and all servers of a product.",
  },
  {
    key: "migration_method",
    type: "string",
    default: "semi-async",
    chapter: "Migration of slots",
    isRequired: true,
    rule: {
      allows: (text) => /^(sync|semi-async)$/i.test(text),
      allowed: "one of sync, semi-async",
    },
    doc:
      "How keys move between two codis-servers: by its commands of the same name. Where source " +
      "or target is another server, keys move by MIGRATE whatever is said here.",
    reloadable: false,
  },
  {
    ...COUNT,
    key: "migration_parallel_slots",
    default: 100,
    doc: "The most slots that move together in one job. Requests for them are held once per job.",
  },
  {
    ...COUNT,
    key: "migration_async_maxbulks",
    default: 200,
    doc: "Between codis-servers, semi-async: the most bulk strings under way at a time.",
  },
  {
    ...SIZE,
    key: "migration_async_maxbytes",
    default: "32mb",
    doc: "Between codis-servers, semi-async: the most bytes under way at a time.",
  },
  {
    ...COUNT,
    key: "migration_async_numkeys",
    default: 500,
    doc: "Between codis-servers, semi-async: the most keys of one step.",
  },
  {
    ...TIME,
    key: "migration_timeout",
    default: "30s",
    doc: "How long one step of a migration may take before it counts as failed and is repeated.",
  },
  {
    ...TIME,
    key: "sentinel_client_timeout",
    default: "10s",
    chapter: "Redis Sentinel",
    doc: "How long a command to a sentinel may take.",
  },
  {
    ...COUNT,
    key: "sentinel_quorum",
    default: 2,
    doc: "How many sentinels must agree that a master is down.",
  },
  {
    ...COUNT,
    key: "sentinel_parallel_syncs",
    default: 1,
    doc: "How many replicas turn to a new master at the same time.",
  },
  {
    ...TIME,
    key: "sentinel_down_after",
    default: "30s",
    doc:
      "How long a master may be silent before a sentinel takes it for down. With a second or " +
      "less a new master may be taken for down at once.",
  },
  {
    ...TIME,
    key: "sentinel_failover_timeout",
    default: "5m",
    doc: "How long a failover may take before sentinels try it again.",
  },
  {
    ...TEXT,
    key: "sentinel_notification_script",
    doc: "A program on the machines of the sentinels that they call at events. Empty is none.",
  },
  {
    ...TEXT,
    key: "sentinel_client_reconfig_script",
    doc: "A program that sentinels call when a master has changed. Empty is none.",
  },
  {
    ...TEXT,
    key: "product_username",
    chapter: "Settings that the original does not have",
    doc:
      "The ACL user that product_auth belongs to. Empty is the default user. Servers before " +
      "Redis 6 get the password alone.",
  },
  ...SENTINEL_LOGIN,
  {
    ...TEXT,
    key: "coordinator_tls_ca",
    doc:
      "The PEM file of those who sign the certificates of etcd. With it an endpoint without a " +
      "scheme is https. Empty: say https:// in coordinator_addr, and the system's are trusted.",
  },
  {
    ...TEXT,
    key: "coordinator_tls_cert",
    doc: "The PEM file of the dashboard's own certificate, for an etcd that asks for one.",
  },
  {
    ...TEXT,
    key: "coordinator_tls_key",
    doc: "The PEM file of the key of that certificate.",
  },
  {
    ...TIME,
    key: "lease_timeout",
    default: "10s",
    min: 1_000,
    doc:
      "How long a dashboard that has died still counts as the leader: a standby takes over after " +
      "this time at the latest.",
  },
  {
    ...TIME,
    key: "migration_goal",
    default: "2ms",
    doc: "How long one MIGRATE may occupy the servers: batches are sized by it.",
  },
  {
    ...COUNT,
    key: "migration_duty_percent",
    default: 50,
    max: 100,
    doc: "The share of its time that a source may spend on MIGRATE. 100 is without pauses.",
  },
  {
    ...COUNT,
    key: "migration_scan_count",
    default: 200,
    max: 100_000,
    doc: "The COUNT of the SCAN that looks for keys to move.",
  },
  {
    ...TIME,
    key: "migration_hold_timeout",
    default: "1s",
    doc:
      "How long requests may be held for the switch of a job. If a proxy has not got there by " +
      "then, all go on as before, and the switch is tried again later.",
  },
  {
    ...SIZE,
    key: "migration_big_key",
    default: "1mb",
    doc: "A key that takes more memory than this is copied in pieces.",
  },
  {
    ...COUNT,
    key: "migration_big_key_elements",
    default: 5_000,
    doc: "A key with more elements than this is copied in pieces.",
  },
  {
    key: "migration_durable",
    type: "boolean",
    default: false,
    doc:
      "Remove a key from its source only when a replica of the target, or its disk, has it. " +
      "About half as fast; for targets that may lose their last writes.",
    reloadable: false,
  },
  {
    key: "replica_max_lag",
    type: "duration",
    default: "10s",
    doc: "A replica that is further behind its master gets no reads. 0 sets no limit.",
    reloadable: false,
  },
  {
    ...TIME,
    key: "promote_timeout",
    default: "10s",
    doc: "How long a promotion waits for the replica to have everything that its master has.",
  },
  {
    key: "watcher_enabled",
    type: "boolean",
    default: false,
    doc:
      "Promote a replica by itself when a master is down, by what the dashboard and the proxies " +
      "see. For products without Sentinel; refused where sentinels are registered.",
    reloadable: false,
  },
  {
    ...TIME,
    key: "watcher_down_after",
    default: "10s",
    doc: "How long a master must be silent for that.",
  },
] as const satisfies readonly Setting[];
