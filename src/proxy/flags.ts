// The command line of codis-proxy: the options of the original and what they mean to us. Called by
// main.ts, before anything is opened. Options that print something are answered here; for a run the
// result is a typed record for `runProxy`.

import { availableParallelism } from "node:os";
import type { TlsFiles } from "../coordinator/tls.ts";
import { ETCD_TLS_OPTIONS, etcdTlsFiles } from "../coordinator/tls-options.ts";
import { type Arguments, type Program, usageText } from "../lib/args.ts";
import type { LogLevel } from "../lib/log.ts";
import { UsageError } from "../lib/operator-error.ts";
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
  readonly tls: TlsFiles;
}

const COORDINATORS = ["zookeeper", "etcd", "filesystem"] as const;
const REGISTRATIONS = ["dashboard", ...COORDINATORS, "fillslots"] as const;
const SETTING_OPTIONS = ["product_name", "product_auth", "session_auth"] as const;

export const PROXY_PROGRAM: Program = {
  name: "codis-proxy",
  synopsis: SYNOPSIS,
  options: [
    ...LOG_OPTIONS,
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
    ...ETCD_TLS_OPTIONS,
    { name: "filesystem", argument: "ROOT", doc: "Find the dashboard through this directory." },
    { name: "fillslots", argument: "FILE", doc: "Load these slots (JSON); use no dashboard." },
    PID_FILE_OPTION,
    ...settingOptions(SETTING_OPTIONS),
    ...PRINT_OPTIONS,
  ],
};

/** Parses what follows "codis-proxy" or "codis proxy". Throws `OperatorError` or `UsageError`. */
export function parseProxyFlags(
  argv: readonly string[],
  env: Environment = process.env,
): Task<ProxyFlags> {
  return parseTask(PROXY_PROGRAM, argv, {
    defaultFile: proxyDefaultFile,
    readFlags,
    loadConfig: (flags) => loadProxyConfig({ ...flags, env }),
  });
}

function readFlags(given: Arguments): ProxyFlags {
  checkCombinations(given);
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
    settings: readSettings(given, SETTING_OPTIONS),
    warnings: given.has("max-ncpu")
      ? ["option --max-ncpu has no effect: the number of workers is that of --ncpu and stays so"]
      : [],
  };
}

function readCoordinator(given: Arguments): CoordinatorFlags | null {
  const name = COORDINATORS.find((each) => given.has(each));
  if (name === undefined) return null;
  const auth = name === "filesystem" ? null : given.text(`${name}-auth`);
  return { name, address: given.text(name) ?? "", auth: auth ?? "", tls: etcdTlsFiles(given) };
}

function checkCombinations(given: Arguments): void {
  onlyOneOf(PROXY_PROGRAM, given, REGISTRATIONS);
  requireWith(given, "zookeeper-auth", "zookeeper");
  requireWith(given, "etcd-auth", "etcd");
  for (const { name } of ETCD_TLS_OPTIONS) requireWith(given, name, "etcd");
  requireWith(given, "max-ncpu", "ncpu");
}

function requireWith(given: Arguments, name: string, other: string): void {
  if (!given.has(name) || given.has(other)) return;
  throw new UsageError(
    `option --${name} has a meaning only together with --${other}`,
    usageText(PROXY_PROGRAM),
  );
}
