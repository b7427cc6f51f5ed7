// The command line of codis-proxy: the options of the original and what they mean to us. Called by
// main.ts, before anything is opened. Options that print something are answered here; for a run the
// result is a typed record for `runProxy`.

import { availableParallelism } from "node:os";
import type { Arguments, Program } from "../lib/args.ts";
import { parseArguments, usageText } from "../lib/args.ts";
import type { LogLevel } from "../lib/log.ts";
import { LOG_LEVELS, parseLogLevel } from "../lib/log.ts";
import { OperatorError, UsageError } from "../lib/operator-error.ts";
import { versionText } from "../lib/version.ts";
import type { Environment } from "../settings/load.ts";
import { loadProxyConfig, proxyDefaultFile } from "./settings.ts";

export interface ProxyFlags {
  readonly configFile: string | null;
  readonly logFile: string | null;
  readonly logLevel: LogLevel;
  /** How many workers to run: --ncpu, or one per CPU. */
  readonly workers: number;
  /** The least number of file descriptors the process must be allowed. */
  readonly ulimit: number | null;
  /** Addresses to publish instead of those the proxy listens on. */
  readonly hostAdmin: string | null;
  readonly hostProxy: string | null;
  /** The dashboard to register at. */
  readonly dashboard: string | null;
  /** The coordinator that knows the dashboard to register at. */
  readonly coordinator: CoordinatorFlags | null;
  /** A JSON file of slots to load instead of waiting for a dashboard. */
  readonly fillSlots: string | null;
  readonly pidFile: string | null;
  /** Settings given as options, by key, for `loadProxyConfig`. */
  readonly settings: Readonly<Record<string, string>>;
  /** Sentences for the log, once it is open. */
  readonly warnings: readonly string[];
}

export interface CoordinatorFlags {
  readonly name: (typeof COORDINATORS)[number];
  readonly address: string;
  /** "user:password" or "". */
  readonly auth: string;
}

/** What the command line asks for. */
export type ProxyTask =
  | { readonly kind: "print"; readonly text: string }
  | { readonly kind: "run"; readonly flags: ProxyFlags };

const COORDINATORS = ["zookeeper", "etcd", "filesystem"] as const;
const REGISTRATIONS = ["dashboard", ...COORDINATORS, "fillslots"] as const;
const SETTING_OPTIONS = ["product_name", "product_auth", "session_auth"] as const;

export const PROXY_PROGRAM: Program = {
  name: "codis-proxy",
  synopsis: ["[options]", "--default-config", "--check-config [options]", "--version"],
  options: [
    { name: "config", short: "c", argument: "FILE", doc: "Read the settings from this TOML file." },
    { name: "log", short: "l", argument: "FILE", doc: "Log to FILE.YYYY-MM-DD, not to stderr." },
    { name: "log-level", argument: "LEVEL", doc: `One of ${LOG_LEVELS.join(", ")}; default info.` },
    { name: "ncpu", argument: "N", integerFrom: 1, doc: "Run N workers; default one per CPU." },
    { name: "max-ncpu", argument: "N", integerFrom: 1, doc: "Accepted with --ncpu, no effect." },
    { name: "ulimit", argument: "N", integerFrom: 1, doc: "Fail when `ulimit -n` is below N." },
    { name: "host-admin", argument: "ADDR", doc: "Publish this address of the admin API." },
    { name: "host-proxy", argument: "ADDR", doc: "Publish this address for clients." },
    { name: "dashboard", argument: "ADDR", doc: "Register at this dashboard." },
    { name: "zookeeper", argument: "ADDR", doc: "Find the dashboard through ZooKeeper." },
    { name: "zookeeper-auth", argument: "USR:PWD", doc: "The account at ZooKeeper." },
    { name: "etcd", argument: "ADDR", doc: "Find the dashboard through etcd." },
    { name: "etcd-auth", argument: "USR:PWD", doc: "The account at etcd." },
    { name: "filesystem", argument: "ROOT", doc: "Find the dashboard through this directory." },
    { name: "fillslots", argument: "FILE", doc: "Load these slots (JSON); use no dashboard." },
    { name: "pidfile", argument: "FILE", doc: "Write the process id there while running." },
    { name: "product_name", argument: "NAME", doc: "Stands above the setting of that name." },
    { name: "product_auth", argument: "AUTH", doc: "Stands above the setting of that name." },
    { name: "session_auth", argument: "AUTH", doc: "Stands above the setting of that name." },
    { name: "default-config", doc: "Print the default settings as commented TOML and exit." },
    { name: "check-config", doc: "Say whether the settings are right and exit." },
    { name: "version", doc: "Print the version and exit." },
  ],
};

/** Parses what follows "codis-proxy" or "codis proxy". Throws `OperatorError` or `UsageError`. */
export function parseProxyFlags(
  argv: readonly string[],
  env: Environment = process.env,
): ProxyTask {
  const given = parseArguments(PROXY_PROGRAM, argv);
  if (given.has("help")) return print(usageText(PROXY_PROGRAM));
  if (given.has("default-config")) return print(proxyDefaultFile());
  if (given.has("version")) return print(versionText());
  checkCombinations(given);
  const flags = readFlags(given);
  if (!given.has("check-config")) return { kind: "run", flags };
  const { warnings } = loadProxyConfig({ ...flags, env });
  return print([...warnings, "the settings are right"].map((line) => `${line}\n`).join(""));
}

function print(text: string): ProxyTask {
  return { kind: "print", text };
}

function readFlags(given: Arguments): ProxyFlags {
  return {
    configFile: given.text("config"),
    logFile: given.text("log"),
    logLevel: readLogLevel(given),
    workers: given.integer("ncpu") ?? availableParallelism(),
    ulimit: given.integer("ulimit"),
    hostAdmin: given.text("host-admin"),
    hostProxy: given.text("host-proxy"),
    dashboard: given.text("dashboard"),
    coordinator: readCoordinator(given),
    fillSlots: given.text("fillslots"),
    pidFile: given.text("pidfile"),
    settings: readSettings(given),
    warnings: given.has("max-ncpu")
      ? ["option --max-ncpu has no effect: the number of workers is that of --ncpu and stays so"]
      : [],
  };
}

function readCoordinator(given: Arguments): CoordinatorFlags | null {
  const name = COORDINATORS.find((each) => given.has(each));
  if (name === undefined) return null;
  const auth = name === "filesystem" ? null : given.text(`${name}-auth`);
  return { name, address: given.text(name) ?? "", auth: auth ?? "" };
}

function readSettings(given: Arguments): Record<string, string> {
  const settings: Record<string, string> = {};
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

function checkCombinations(given: Arguments): void {
  const ways = REGISTRATIONS.filter((name) => given.has(name));
  if (ways.length > 1) {
    const names = ways.map((name) => `--${name}`).join(" and ");
    throw usageError(`options ${names} exclude one another; give one of them`);
  }
  requireWith(given, "zookeeper-auth", "zookeeper");
  requireWith(given, "etcd-auth", "etcd");
  requireWith(given, "max-ncpu", "ncpu");
}

function requireWith(given: Arguments, name: string, other: string): void {
  if (given.has(name) && !given.has(other)) {
    throw usageError(`option --${name} has a meaning only together with --${other}`);
  }
}

function usageError(message: string): UsageError {
  return new UsageError(message, usageText(PROXY_PROGRAM));
}
