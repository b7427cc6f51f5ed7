// The configuration of codis-proxy: the record that the whole data plane reads, how it is loaded,
// and how it is shown. What each setting means stands in settings-table.ts. Field names are the
// keys in camel case, with `Bytes` behind sizes and `Ms` behind durations.

import { parseAddress } from "../lib/address.ts";
import { OperatorError } from "../lib/operator-error.ts";
import type { Environment, Loaded } from "../settings/load.ts";
import { loadSettings } from "../settings/load.ts";
import * as print from "../settings/print.ts";
import type { SettingValue } from "../settings/table.ts";
import { PROXY_SETTINGS } from "./settings-table.ts";

/** The effective configuration. Sizes in bytes, durations in milliseconds; 0 ms switches off. */
export interface ProxyConfig {
  readonly protoType: string; // tcp, tcp4, tcp6 or unix
  readonly proxyAddr: string; // host:port; a path with protoType unix
  readonly adminAddr: string;
  readonly jodisName: string;
  readonly jodisAddr: string; // "" = not registered
  readonly jodisAuth: string; // secret
  readonly jodisTimeoutMs: number;
  readonly jodisCompatible: boolean;
  readonly productName: string;
  readonly productAuth: string; // secret
  readonly sessionAuth: string; // secret
  readonly proxyDatacenter: string;
  readonly proxyMaxClients: number; // 0 = as many as the descriptor limit allows
  readonly proxyMaxOffheapSizeBytes: number; // retired
  readonly proxyHeapPlaceholderBytes: number; // retired
  readonly backendPingPeriodMs: number;
  readonly backendRecvBufsizeBytes: number; // never 0
  readonly backendRecvTimeoutMs: number;
  readonly backendSendBufsizeBytes: number; // never 0
  readonly backendSendTimeoutMs: number;
  readonly backendMaxPipeline: number; // UNLIMITED for 0
  readonly backendPrimaryOnly: boolean;
  readonly backendPrimaryParallel: number; // at least 1
  readonly backendReplicaParallel: number; // at least 1
  readonly backendKeepalivePeriodMs: number;
  readonly backendNumberDatabases: number; // at least 1
  readonly sessionRecvBufsizeBytes: number; // never 0
  readonly sessionRecvTimeoutMs: number;
  readonly sessionSendBufsizeBytes: number; // never 0
  readonly sessionSendTimeoutMs: number;
  readonly sessionMaxPipeline: number; // UNLIMITED for 0
  readonly sessionKeepalivePeriodMs: number;
  readonly sessionBreakOnFailure: boolean;
  readonly metricsReportServer: string; // may hold a password
  readonly metricsReportPeriodMs: number;
  readonly metricsReportInfluxdbServer: string; // may hold a password
  readonly metricsReportInfluxdbPeriodMs: number;
  readonly metricsReportInfluxdbUsername: string;
  readonly metricsReportInfluxdbPassword: string; // secret
  readonly metricsReportInfluxdbDatabase: string;
  readonly metricsReportStatsdServer: string;
  readonly metricsReportStatsdPeriodMs: number;
  readonly metricsReportStatsdPrefix: string;
  readonly sessionMaxInputBufferBytes: number; // UNLIMITED for 0
  readonly sessionMaxOutputBufferBytes: number; // UNLIMITED for 0
  readonly shutdownTimeoutMs: number;
  readonly slotHoldMaxRequests: number; // per slot and worker; UNLIMITED for 0
  readonly slotHoldMaxBufferBytes: number; // per slot and worker; UNLIMITED for 0
  readonly backendConnectTimeoutMs: number; // never 0
  readonly proxyRedisVersion: string;
  readonly productUsername: string; // "" is the default user
  readonly sentinelAuth: string; // secret, of the sentinels themselves
  readonly sentinelUsername: string;
  readonly jodisTlsCa: string; // names of files; "" for none
  readonly jodisTlsCert: string;
  readonly jodisTlsKey: string;
  readonly slotHoldTimeoutMs: number; // 0 = no limit
  readonly migrationOnDemandTimeoutMs: number; // never 0
  readonly migrationBigKeyBytes: number;
}

/** Where a configuration comes from; `ProxyFlags` has the first two. */
export interface ProxySources {
  readonly configFile?: string | null;
  /** Settings given as options, by key: product_name, product_auth, session_auth. */
  readonly settings?: Readonly<Record<string, string>>;
  readonly env?: Environment;
}

/**
 * Defaults < TOML file < environment < flags. Throws an `OperatorError` for anything that is not
 * understood. Reads files at once, without waiting; called at start and on reload only.
 */
export function loadProxyConfig(sources: ProxySources): Loaded<ProxyConfig> {
  const loaded: Loaded<ProxyConfig> = loadSettings(PROXY_SETTINGS, {
    file: sources.configFile ?? null,
    env: sources.env ?? process.env,
    flags: sources.settings ?? {},
  });
  checkAddresses(loaded.config);
  return loaded;
}

/** The built-in defaults alone, for tests and for the demo to change. */
export function defaultProxyConfig(): ProxyConfig {
  return loadProxyConfig({ env: {} }).config;
}

/** Rules that involve more than one setting. */
function checkAddresses(config: ProxyConfig): void {
  if (config.jodisName !== "" && config.jodisAddr === "") {
    throw new OperatorError(
      "invalid jodis_addr: it is empty although jodis_name is set; give the coordinator's address",
    );
  }
  if (config.jodisName === "" && config.jodisAddr !== "") {
    throw new OperatorError(
      "invalid jodis_name: it is empty although jodis_addr is set; say etcd or zookeeper",
    );
  }
  requireHostPort("admin_addr", config.adminAddr);
  if (config.protoType !== "unix") requireHostPort("proxy_addr", config.proxyAddr);
}

function requireHostPort(key: string, text: string): void {
  if (parseAddress(text) !== null) return;
  throw new OperatorError(
    `invalid ${key}: ${JSON.stringify(text)} is no address; allowed is host:port ` +
      'such as "127.0.0.1:19000", "[::1]:19000" or ":19000" for all interfaces',
  );
}

/** The `config` object of the admin API: keys and order of the table, no secrets. */
export function proxyConfigJson(config: ProxyConfig): Record<string, SettingValue> {
  return print.configJson(PROXY_SETTINGS, { ...config });
}

/** For one line in the log at start: what differs from the defaults, secrets only as "is set". */
export function describeProxyConfig(config: ProxyConfig): string {
  return print.describeChanges(PROXY_SETTINGS, { ...config });
}

/** For `log.hideSecrets`, in the parent and in every worker. */
export function proxySecrets(config: ProxyConfig): string[] {
  return print.secretsOf(PROXY_SETTINGS, { ...config });
}

/** The text of `--default-config` and of config/proxy.toml. */
export function proxyDefaultFile(): string {
  return print.printDefaultFile(PROXY_SETTINGS, DEFAULT_FILE_TITLE);
}

const DEFAULT_FILE_TITLE =
  "The settings of codis-proxy with their defaults, as `codis-proxy --default-config` prints " +
  "them; docs/config.md says more. The environment (CODIS_PROXY_ADDR for proxy_addr) stands " +
  "above this file, options of the command line stand above both.";

/** The text of docs/config.md. */
export function proxyConfigPage(): string {
  return `${CONFIG_PAGE_INTRODUCTION}\n${print.printMarkdown(PROXY_SETTINGS)}`;
}

const CONFIG_PAGE_INTRODUCTION = `# Settings of codis-proxy

This page is printed from the table in \`src/proxy/settings-table.ts\`. \`codis-proxy
--default-config\` prints a commented file with all defaults, and \`codis-proxy --check-config\`
with the other options says whether a configuration is right, without starting anything.

A value is taken from the last of these that gives one:

1. the built-in default;
2. the TOML file of \`--config=FILE\`;
3. the environment: \`CODIS_\` and the key in upper case, such as \`CODIS_PROXY_ADDR\`;
4. the command line: \`--product_name\`, \`--product_auth\`, \`--session_auth\`.

Nothing is guessed. A key that is not on this page, a value of the wrong type or outside its
bounds, or an unknown variable that begins with \`CODIS_\` ends the program with status 1 and
one sentence that names the place and what is allowed. Exempt are variables that begin with
\`CODIS_DEMO_\`, \`CODIS_TEST_\` or \`CODIS_BENCH_\`; \`CODIS_DASHBOARD\`, which is for
\`codis admin\`; and those that Kubernetes and Docker set for a service whose name begins with
"codis", such as \`CODIS_PROXY_SERVICE_HOST\` or \`CODIS_PROXY_PORT_19000_TCP\`.

**Sizes** are numbers with one of the units b, k, kb, m, mb, g, gb, t, tb, p, pb (powers of
1024): \`"128kb"\`, \`"1.5gb"\`. A bare number is bytes. **Durations** are numbers with one of
the units ns, us, ms, s, m, h: \`"500ms"\`, \`"30m"\`. A bare number is seconds.

**Secrets** never appear in logs or in the answers of the admin API. Besides file, environment
and command line they may come from a file of their own, whose name the variable
\`CODIS_<KEY>_FILE\` gives, such as \`CODIS_SESSION_AUTH_FILE=/run/secrets/session\`; one line
feed at its end is dropped. Options of the command line can be seen by every user of a machine,
so prefer the other ways.

**Reloadable** settings are made to change while the program runs. This version reads its
configuration at start only.
`;
