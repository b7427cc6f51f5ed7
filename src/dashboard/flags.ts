// The command line of codis-dashboard: the options of the original and what they mean to us. Called
// by main.ts, before anything is opened. Options that print something are answered here; for a run
// the result is a typed record for `runDashboard`.

import type { Arguments, Program } from "../lib/args.ts";
import type { LogLevel } from "../lib/log.ts";
import {
  LOG_OPTIONS,
  onlyOneOf,
  parseTask,
  PID_FILE_OPTION,
  PRINT_OPTIONS,
  readLogLevel,
  readSettings,
  settingOptions,
  SYNOPSIS,
  type Task,
} from "../lib/program-options.ts";
import type { Environment } from "../settings/load.ts";
import { dashboardDefaultFile, loadDashboardConfig } from "./settings.ts";

export interface DashboardFlags {
  readonly configFile: string | null;
  readonly logFile: string | null;
  readonly logLevel: LogLevel;
  /** The address to publish instead of the one the dashboard listens on. */
  readonly hostAdmin: string | null;
  readonly pidFile: string | null;
  /** Take away the node of a leader, whoever it is, before trying to lead. */
  readonly removeLock: boolean;
  /** Settings given as options, by key, for `loadDashboardConfig`. */
  readonly settings: Readonly<Record<string, string>>;
  /** Sentences for the log, once it is open. */
  readonly warnings: readonly string[];
}

const COORDINATORS = ["zookeeper", "etcd", "filesystem"] as const;
const SETTING_OPTIONS = ["product_name", "product_auth"] as const;

export const DASHBOARD_PROGRAM: Program = {
  name: "codis-dashboard",
  synopsis: SYNOPSIS,
  options: [
    ...LOG_OPTIONS,
    { name: "ncpu", argument: "N", integerFrom: 1, doc: "Accepted, no effect." },
    { name: "host-admin", argument: "ADDR", doc: "Publish this address of the API." },
    PID_FILE_OPTION,
    { name: "zookeeper", argument: "ADDR", doc: "Keep the product in this ZooKeeper." },
    { name: "etcd", argument: "ADDR", doc: "Keep the product in this etcd." },
    { name: "filesystem", argument: "ROOT", doc: "Keep the product in this directory." },
    ...settingOptions(SETTING_OPTIONS),
    { name: "remove-lock", doc: "Take the product over from whoever holds its lock." },
    ...PRINT_OPTIONS,
  ],
};

/**
 * Parses what follows "codis-dashboard" or "codis dashboard". Throws `OperatorError` or
 * `UsageError`.
 */
export function parseDashboardFlags(
  argv: readonly string[],
  env: Environment = process.env,
): Task<DashboardFlags> {
  return parseTask(DASHBOARD_PROGRAM, argv, {
    defaultFile: dashboardDefaultFile,
    readFlags,
    loadConfig: (flags) => loadDashboardConfig({ ...flags, env }),
  });
}

function readFlags(given: Arguments): DashboardFlags {
  return {
    configFile: given.text("config"),
    logFile: given.text("log"),
    logLevel: readLogLevel(given),
    hostAdmin: given.text("host-admin"),
    pidFile: given.text("pidfile"),
    removeLock: given.has("remove-lock"),
    settings: { ...readCoordinator(given), ...readSettings(given, SETTING_OPTIONS) },
    warnings: given.has("ncpu") ? ["option --ncpu has no effect: the dashboard uses one CPU"] : [],
  };
}

function readCoordinator(given: Arguments): Record<string, string> {
  const name = onlyOneOf(DASHBOARD_PROGRAM, given, COORDINATORS);
  return name === null ? {} : { coordinator_name: name, coordinator_addr: given.must(name) };
}
