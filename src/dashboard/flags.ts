// The command line of codis-dashboard: the options of the original and what they mean to us. Called
// by main.ts, before anything is opened. Options that print something are answered here; for a run
// the result is a typed record for `runDashboard`.

import type { Arguments, Program } from "../lib/args.ts";
import { parseArguments, usageText } from "../lib/args.ts";
import type { LogLevel } from "../lib/log.ts";
import { LOG_LEVELS, parseLogLevel } from "../lib/log.ts";
import { OperatorError, UsageError } from "../lib/operator-error.ts";
import { versionText } from "../lib/version.ts";
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

/** What the command line asks for. */
export type DashboardTask =
  | { readonly kind: "print"; readonly text: string }
  | { readonly kind: "run"; readonly flags: DashboardFlags };

const COORDINATORS = ["zookeeper", "etcd", "filesystem"] as const;
const SETTING_OPTIONS = ["product_name", "product_auth"] as const;

export const DASHBOARD_PROGRAM: Program = {
  name: "codis-dashboard",
  synopsis: ["[options]", "--default-config", "--check-config [options]", "--version"],
  options: [
    { name: "config", short: "c", argument: "FILE", doc: "Read the settings from this TOML file." },
    { name: "log", short: "l", argument: "FILE", doc: "Log to FILE.YYYY-MM-DD, not to stderr." },
    { name: "log-level", argument: "LEVEL", doc: `One of ${LOG_LEVELS.join(", ")}; default info.` },
    { name: "ncpu", argument: "N", integerFrom: 1, doc: "Accepted, no effect." },
    { name: "host-admin", argument: "ADDR", doc: "Publish this address of the API." },
    { name: "pidfile", argument: "FILE", doc: "Write the process id there while running." },
    { name: "zookeeper", argument: "ADDR", doc: "Keep the product in this ZooKeeper." },
    { name: "etcd", argument: "ADDR", doc: "Keep the product in this etcd." },
    { name: "filesystem", argument: "ROOT", doc: "Keep the product in this directory." },
    { name: "product_name", argument: "NAME", doc: "Stands above the setting of that name." },
    { name: "product_auth", argument: "AUTH", doc: "Stands above the setting of that name." },
    { name: "remove-lock", doc: "Take the product over from whoever holds its lock." },
    { name: "default-config", doc: "Print the default settings as commented TOML and exit." },
    { name: "check-config", doc: "Say whether the settings are right and exit." },
    { name: "version", doc: "Print the version and exit." },
  ],
};

/**
 * Parses what follows "codis-dashboard" or "codis dashboard". Throws `OperatorError` or
 * `UsageError`.
 */
export function parseDashboardFlags(
  argv: readonly string[],
  env: Environment = process.env,
): DashboardTask {
  const given = parseArguments(DASHBOARD_PROGRAM, argv);
  if (given.has("help")) return print(usageText(DASHBOARD_PROGRAM));
  if (given.has("default-config")) return print(dashboardDefaultFile());
  if (given.has("version")) return print(versionText());
  const flags = readFlags(given);
  if (!given.has("check-config")) return { kind: "run", flags };
  const { warnings } = loadDashboardConfig({ ...flags, env });
  return print([...warnings, "the settings are right"].map((line) => `${line}\n`).join(""));
}

function print(text: string): DashboardTask {
  return { kind: "print", text };
}

function readFlags(given: Arguments): DashboardFlags {
  return {
    configFile: given.text("config"),
    logFile: given.text("log"),
    logLevel: readLogLevel(given),
    hostAdmin: given.text("host-admin"),
    pidFile: given.text("pidfile"),
    removeLock: given.has("remove-lock"),
    settings: readSettings(given),
    warnings: given.has("ncpu") ? ["option --ncpu has no effect: the dashboard uses one CPU"] : [],
  };
}

function readSettings(given: Arguments): Record<string, string> {
  const settings: Record<string, string> = {};
  const ways = COORDINATORS.filter((name) => given.has(name));
  if (ways.length > 1) {
    const names = ways.map((name) => `--${name}`).join(" and ");
    throw new UsageError(
      `options ${names} exclude one another; give one of them`,
      usageText(DASHBOARD_PROGRAM),
    );
  }
  for (const name of ways) {
    settings.coordinator_name = name;
    settings.coordinator_addr = given.text(name) ?? "";
  }
  for (const key of SETTING_OPTIONS) {
    const text = given.text(key);
    if (text !== null) settings[key] = text;
  }
  return settings;
}

function readLogLevel(given: Arguments): LogLevel {
  const text = given.text("log-level") ?? "info";
  const level = parseLogLevel(text);
  if (level !== null) return level;
  throw new OperatorError(
    `option --log-level = ${text} is no level; allowed is one of ${LOG_LEVELS.join(", ")}`,
  );
}
