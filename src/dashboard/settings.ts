// The configuration of codis-dashboard: the record that the whole control plane reads, how it is
// loaded, and how it is shown. What each setting means stands in settings-table.ts. Field names are
// the keys of the TOML file in camel case, with `Bytes` behind sizes and `Ms` behind durations.

import { parseAddress } from "../lib/address.ts";
import { OperatorError } from "../lib/operator-error.ts";
import type { Environment, Loaded } from "../settings/load.ts";
import { loadSettings } from "../settings/load.ts";
import * as print from "../settings/print.ts";
import type { SettingValue } from "../settings/table.ts";
import { DASHBOARD_SETTINGS } from "./settings-table.ts";

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
  readonly migrationAsyncMaxbytesBytes: number;
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
  readonly sentinelAuth: string; // secret, of the sentinels themselves
  readonly sentinelUsername: string;
  readonly coordinatorTlsCa: string; // names of files; "" for none
  readonly coordinatorTlsCert: string;
  readonly coordinatorTlsKey: string;
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

/** Where a configuration comes from; `DashboardFlags` has the first two. */
export interface DashboardSources {
  readonly configFile?: string | null;
  /** Settings given as options, by key. */
  readonly settings?: Readonly<Record<string, string>>;
  readonly env?: Environment;
}

/**
 * Defaults < TOML file < environment < flags. Throws an `OperatorError` for anything that is not
 * understood. Reads files at once, without waiting; called at start only.
 */
export function loadDashboardConfig(sources: DashboardSources): Loaded<DashboardConfig> {
  const { config, warnings } = loadSettings(DASHBOARD_SETTINGS, {
    file: sources.configFile ?? null,
    env: sources.env ?? process.env,
    flags: sources.settings ?? {},
  });
  if (parseAddress(config.adminAddr) === null) {
    throw new OperatorError(
      `invalid admin_addr: ${JSON.stringify(config.adminAddr)} is no address; allowed is ` +
        'host:port such as "127.0.0.1:18080", "[::1]:18080" or ":18080" for all interfaces',
    );
  }
  const isSync = config.migrationMethod.toLowerCase() === "sync";
  return { config: { ...config, migrationMethod: isSync ? "sync" : "semi-async" }, warnings };
}

/** The built-in defaults alone, for tests to change. */
export function defaultDashboardConfig(): DashboardConfig {
  return loadDashboardConfig({ env: {} }).config;
}

/** The `config` object of the API: keys and order of the table, no secrets. */
export function dashboardConfigJson(config: DashboardConfig): Record<string, SettingValue> {
  return print.configJson(DASHBOARD_SETTINGS, { ...config });
}

/** For one line in the log at start: what differs from the defaults, secrets only as "is set". */
export function describeDashboardConfig(config: DashboardConfig): string {
  return print.describeChanges(DASHBOARD_SETTINGS, { ...config });
}

/** For `log.hideSecrets`. */
export function dashboardSecrets(config: DashboardConfig): string[] {
  return print.secretsOf(DASHBOARD_SETTINGS, { ...config });
}

/** The text of `--default-config` and of config/dashboard.toml. */
export function dashboardDefaultFile(): string {
  return print.printDefaultFile(DASHBOARD_SETTINGS, DEFAULT_FILE_TITLE);
}

const DEFAULT_FILE_TITLE =
  "The settings of codis-dashboard with their defaults, as `codis-dashboard --default-config` " +
  "prints them; docs/config.md says more. The environment (CODIS_ADMIN_ADDR for admin_addr) " +
  "stands above this file, options of the command line stand above both.";

/** The second part of docs/config.md. */
export function dashboardConfigPage(): string {
  return `${CONFIG_PAGE_INTRODUCTION}\n${print.printMarkdown(DASHBOARD_SETTINGS)}`;
}

const CONFIG_PAGE_INTRODUCTION = `# Settings of codis-dashboard

This part is printed from the table in \`src/dashboard/settings-table.ts\`. Everything that is said
above about files, environment, sizes, durations and secrets holds here too; the command line of
the dashboard sets \`--product_name\`, \`--product_auth\` and, with \`--filesystem\`, \`--etcd\` or
\`--zookeeper\`, name and address of the coordinator. Proxy and dashboard each refuse a variable
that only the other one knows, so give each its own environment.
`;
