// Every metric of the proxy, declared once: name, kind, meaning and labels. The Prometheus text,
// the names of the counters that workers report, and docs/metrics.md all come from these tables. No
// label ever holds anything a client sent.

export type MetricKind = "counter" | "gauge" | "histogram";

export interface Metric<Label extends string> {
  readonly name: string;
  readonly kind: MetricKind;
  /** Full sentences. */
  readonly help: string;
  readonly labels: readonly Label[];
}

export function metric<const Label extends string = never>(
  kind: MetricKind,
  name: string,
  help: string,
  labels: readonly Label[] = [],
): Metric<Label> {
  return { kind, name, help, labels };
}

export const METRICS = {
  up: metric(
    "gauge",
    "codis_proxy_up",
    "1 while the proxy is online and every worker serves, else 0.",
  ),
  buildInfo: metric(
    "gauge",
    "codis_proxy_build_info",
    "Always 1; the labels tell what is running.",
    ["version", "runtime"],
  ),
  startTime: metric(
    "gauge",
    "codis_proxy_start_time_seconds",
    "When the proxy started, in seconds since 1970.",
  ),
  workers: metric("gauge", "codis_proxy_workers", "Worker processes by state.", ["state"]),
  workerRestarts: metric(
    "counter",
    "codis_proxy_worker_restarts_total",
    "How often a worker that died was replaced.",
  ),
  connections: metric(
    "gauge",
    "codis_proxy_client_connections",
    "Sessions that are open, by worker.",
    ["worker"],
  ),
  accepted: metric(
    "counter",
    "codis_proxy_client_connections_total",
    "Connections of clients by what became of them: accepted, or refused because there were " +
      "too many (max_clients) or because the proxy was not online (not_online).",
    ["result"],
  ),
  closed: metric(
    "counter",
    "codis_proxy_client_closes_total",
    "Sessions that the proxy ended, by reason.",
    ["reason"],
  ),
  commands: metric(
    "counter",
    "codis_proxy_commands_total",
    "Requests by command and result: ok, error (a reply of type error, from a server or from the " +
      "proxy) or failed (no reply could be delivered).",
    ["cmd", "result"],
  ),
  commandDuration: metric(
    "histogram",
    "codis_proxy_command_duration_seconds",
    "Time from decoding a request to its reply, in the proxy and behind it together.",
    ["cmd"],
  ),
  pauses: metric(
    "counter",
    "codis_proxy_session_pauses_total",
    "How often the proxy stopped reading a session, by reason: too many requests of the session " +
      "in flight (pipeline) or too many on a backend (backend).",
    ["reason"],
  ),
  held: metric(
    "counter",
    "codis_proxy_held_requests_total",
    "Requests that came while their slot was held, or before their key was moved: waited, " +
      "refused because too many did, or given up after slot_hold_timeout (too_long).",
    ["result"],
  ),
  keysMoved: metric(
    "counter",
    "codis_proxy_keys_moved_total",
    "Keys of requests that were asked for at the source of a moving slot and are not there any " +
      "more, whether they were moved or had never been there.",
  ),
  moves: metric(
    "counter",
    "codis_proxy_moves_total",
    "What happened when the proxy moved keys for requests: batches that were begun, keys that " +
      "the target had already (busy_key), refusals of a server, batches whose outcome is " +
      "unknown, fences of a target after those, and keys that were too large.",
    ["event"],
  ),
  retried: metric(
    "counter",
    "codis_proxy_requests_retried_total",
    "Requests sent again after a connection to a server was lost before they were written.",
  ),
  bytes: metric(
    "counter",
    "codis_proxy_bytes_total",
    "Bytes exchanged with clients, by direction: in (requests) and out (replies).",
    ["direction"],
  ),
  backendUp: metric(
    "gauge",
    "codis_proxy_backend_up",
    "1 when every connection of the proxy to that server takes requests, else 0. The group is 0 " +
      "when no slot names the server any more.",
    ["group", "addr", "role"],
  ),
  backendConnections: metric(
    "gauge",
    "codis_proxy_backend_connections",
    "Connections to that server over all workers, by state.",
    ["group", "addr", "role", "state"],
  ),
  backendInflight: metric(
    "gauge",
    "codis_proxy_backend_inflight",
    "Requests that wait for a reply of that server.",
    ["group", "addr", "role"],
  ),
  backendEvents: metric(
    "counter",
    "codis_proxy_backend_events_total",
    "What happened to connections to servers: connected, connect_failed, lost or timeout.",
    ["event"],
  ),
  slots: metric("gauge", "codis_proxy_slots", "Slots by state.", ["state"]),
  slotRevision: metric(
    "gauge",
    "codis_proxy_slot_revision",
    "How many times the slot table was changed since the start.",
  ),
  other: metric(
    "counter",
    "codis_proxy_other_events_total",
    "Counters of the workers that have no metric of their own yet, by name.",
    ["name"],
  ),
  cpu: metric(
    "counter",
    "process_cpu_seconds_total",
    "Processor time of parent and workers, user and system together.",
  ),
  memory: metric(
    "gauge",
    "process_resident_memory_bytes",
    "Resident memory of parent and workers together; pages they share count in each.",
  ),
  processStart: metric(
    "gauge",
    "process_start_time_seconds",
    "When the parent process started, in seconds since 1970.",
  ),
} as const;

type LabelOf<M> = M extends Metric<infer Label> ? Label : never;

/** Where a counter that workers report by name goes. */
interface CounterRow {
  readonly metric: Metric<string>;
  readonly labels: Readonly<Record<string, string>>;
}

function counter<M extends Metric<string>>(
  of: M,
  labels: Readonly<Record<LabelOf<M>, string>>,
): CounterRow {
  return { metric: of, labels };
}

/**
 * The counters of `stats.ts`, by their names there. One that is missing here ends up in `other`.
 */
export const COUNTERS: Readonly<Record<string, CounterRow>> = {
  rejectedMaxClients: counter(METRICS.accepted, { result: "max_clients" }),
  rejectedNotOnline: counter(METRICS.accepted, { result: "not_online" }),
  closedProtocolError: counter(METRICS.closed, { reason: "protocol_error" }),
  closedOutputLimit: counter(METRICS.closed, { reason: "output_limit" }),
  closedInputLimit: counter(METRICS.closed, { reason: "input_limit" }),
  closedSendTimeout: counter(METRICS.closed, { reason: "send_timeout" }),
  closedIdle: counter(METRICS.closed, { reason: "idle" }),
  closedSlowRequest: counter(METRICS.closed, { reason: "slow_request" }),
  pausedPipeline: counter(METRICS.pauses, { reason: "pipeline" }),
  pausedBackend: counter(METRICS.pauses, { reason: "backend" }),
  heldRequests: counter(METRICS.held, { result: "waited" }),
  heldOverflow: counter(METRICS.held, { result: "refused" }),
  heldTooLong: counter(METRICS.held, { result: "too_long" }),
  keysMoved: counter(METRICS.keysMoved, {}),
  moveBatches: counter(METRICS.moves, { event: "batch" }),
  moveBusy: counter(METRICS.moves, { event: "busy_key" }),
  moveFailed: counter(METRICS.moves, { event: "refused" }),
  moveUnknown: counter(METRICS.moves, { event: "unknown" }),
  moveFences: counter(METRICS.moves, { event: "fence" }),
  bigKeysMet: counter(METRICS.moves, { event: "big_key" }),
  backendConnects: counter(METRICS.backendEvents, { event: "connected" }),
  backendConnectFails: counter(METRICS.backendEvents, { event: "connect_failed" }),
  backendLost: counter(METRICS.backendEvents, { event: "lost" }),
  backendTimeouts: counter(METRICS.backendEvents, { event: "timeout" }),
  requestsRetried: counter(METRICS.retried, {}),
  bytesIn: counter(METRICS.bytes, { direction: "in" }),
  bytesOut: counter(METRICS.bytes, { direction: "out" }),
};

/** The text of docs/metrics.md; the metrics of the dashboard have a table of their own. */
export function metricsPage(dashboard: Readonly<Record<string, Metric<string>>>): string {
  const proxyRows: Metric<string>[] = Object.values(METRICS);
  return [METRICS_INTRODUCTION, ...chapters(proxyRows), DASHBOARD_INTRODUCTION]
    .concat(chapters(Object.values(dashboard)))
    .map((part) => `${part}\n`)
    .join("\n");
}

function chapters(rows: readonly Metric<string>[]): string[] {
  const parts: string[] = [];
  for (const row of rows) {
    const labels = row.labels.map((label) => `\`${label}\``).join(", ");
    const kind = `- A ${row.kind}${labels === "" ? "" : `, by ${labels}`}.`;
    parts.push(`### ${row.name}`, row.help, [kind, ...labelFacts(row)].join("\n"));
  }
  return parts;
}

/** Which label values come from which counter of the workers. */
function labelFacts(row: Metric<string>): string[] {
  return Object.entries(COUNTERS)
    .filter(([, { metric: of }]) => of === row)
    .map(([name, { labels }]) => {
      const values = Object.entries(labels).map(([label, value]) => `\`${label}="${value}"\``);
      const what = values.join(", ") || "Its value";
      return `- ${what}: \`${name}\` in the statistics of the admin API.`;
    });
}

const METRICS_INTRODUCTION = `# Metrics of codis-proxy

This page is printed from the tables in \`src/metrics/registry.ts\`. \`GET /metrics\` at
\`admin_addr\` gives all of them in the text format of Prometheus, summed over the workers. Counters
go on when a worker dies and is replaced; what it counted in the second before is lost. They begin
anew when the proxy starts, and those of requests and errors when the statistics are reset.

No label holds a key, a value or anything else that a client sent.

## Reports that are pushed

Apart from being scraped, the proxy reports by itself where the settings name a receiver:

- \`metrics_report_server\`: the overview (\`GET /proxy\`, without commands, backends and slots) as
  JSON by HTTP POST.
- \`metrics_report_influxdb_server\`: the measurement \`codis_usage\` in the line protocol, with the
  tags admin_addr, hostname, product_name, proxy_addr and token.
- \`metrics_report_statsd_server\`: gauges by UDP, named
  \`<prefix>.<product>.<admin_addr>.<proxy_addr>.<field>\`.

The last two have the fields of the original: ops_total, ops_fails, ops_redis_errors, ops_qps,
sessions_total, sessions_alive, rusage_mem, rusage_cpu, and six that begin with runtime_. Periods
are at least a second; a receiver that fails is tried again after 1, 2, 4 … 15 seconds.

## Metrics`;

const DASHBOARD_INTRODUCTION = `# Metrics of codis-dashboard

\`GET /metrics\` at the dashboard's \`admin_addr\`, from the table in
\`src/metrics/dashboard-registry.ts\`. A standby shows only that it does not lead.`;
