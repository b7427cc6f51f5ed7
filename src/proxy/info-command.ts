/**
 * INFO of the proxy in Redis' format, with the sections, names and units of Redis 7.0, so that
 * clients ("loading:0", "role:master") and exporters read it as they read a server's. The figures
 * are sums over all workers and come from the parent. What only a server has (keyspace,
 * persistence, replication) is answered as a master without keys and without replicas would.
 */
import { release } from "node:os";
import type { Args } from "../resp/args.ts";
import { ReplyWriter } from "../resp/write.ts";
import { E } from "./errors.ts";
import type {
  CommandFigures,
  Deferred,
  LocalSession,
  ProxyFigures,
  WorkerServices,
} from "./local-types.ts";
import type { ProxyConfig } from "./settings.ts";

type Section = (figures: ProxyFigures, config: ProxyConfig, nowMs: number) => string[];

/** In the order in which Redis prints them. */
const SECTIONS: ReadonlyMap<string, { title: string; lines: Section }> = new Map([
  ["server", { title: "Server", lines: serverLines }],
  ["clients", { title: "Clients", lines: clientLines }],
  ["memory", { title: "Memory", lines: memoryLines }],
  ["persistence", { title: "Persistence", lines: persistenceLines }],
  ["stats", { title: "Stats", lines: statsLines }],
  ["replication", { title: "Replication", lines: replicationLines }],
  ["cpu", { title: "CPU", lines: cpuLines }],
  ["modules", { title: "Modules", lines: () => [] }],
  ["commandstats", { title: "Commandstats", lines: commandLines }],
  ["errorstats", { title: "Errorstats", lines: errorLines }],
  ["latencystats", { title: "Latencystats", lines: latencyLines }],
  ["cluster", { title: "Cluster", lines: () => ["cluster_enabled:0"] }],
  ["keyspace", { title: "Keyspace", lines: () => [] }],
]);

/** Shown only by name, and by "all" or "everything". */
const NOT_BY_DEFAULT: ReadonlySet<string> = new Set(["commandstats", "latencystats"]);

interface Waiter {
  readonly deferred: Deferred;
  readonly proto: 2 | 3;
  readonly sections: ReadonlySet<string>;
}

/**
 * Who waits for the question under way, and who came after it was asked and needs newer figures.
 */
interface Asking {
  current: Waiter[];
  next: Waiter[];
}

const asking = new WeakMap<WorkerServices, Asking>();
const late = new ReplyWriter(2);

/**
 * INFO [section ...]. However many clients ask at once, for instance when all of them reconnect,
 * the parent has one question of this worker to answer at a time.
 */
export function answerInfo(
  session: LocalSession,
  args: Args,
  _out: ReplyWriter,
  services: WorkerServices,
): void {
  const waiter = {
    deferred: session.defer(),
    proto: session.proto,
    sections: askedSections(args),
  };
  const under = asking.get(services);
  if (under !== undefined) {
    under.next.push(waiter);
    return;
  }
  const fresh = { current: [waiter], next: [] };
  asking.set(services, fresh);
  ask(services, fresh);
}

function ask(services: WorkerServices, under: Asking): void {
  services.askParent({ kind: "info" }, (answer) => {
    const waiters = under.current;
    under.current = under.next;
    under.next = [];
    const isNeededAgain = under.current.length > 0;
    if (!isNeededAgain) asking.delete(services);
    const figures = isFigures(answer) ? answer : null;
    for (const waiter of waiters) finish(waiter, figures, services.config);
    if (isNeededAgain) ask(services, under);
  });
}

function finish(waiter: Waiter, figures: ProxyFigures | null, config: ProxyConfig): void {
  if (!waiter.deferred.isOpen) return;
  late.proto = waiter.proto;
  if (figures === null) late.raw(E.parentLost);
  else late.verbatim(infoText(figures, config, waiter.sections, Date.now()));
  waiter.deferred.finish(late.take());
}

/** Names in any case; unknown ones ask for nothing, as in Redis. */
function askedSections(args: Args): ReadonlySet<string> {
  const asked = new Set<string>();
  if (args.count === 1) addSections("default", asked);
  for (let i = 1; i < args.count; i++) addSections(args.text(i).toLowerCase(), asked);
  return asked;
}

function addSections(name: string, asked: Set<string>): void {
  const isAll = name === "all" || name === "everything";
  if (!isAll && name !== "default") {
    asked.add(name);
    return;
  }
  for (const section of SECTIONS.keys()) {
    if (isAll || !NOT_BY_DEFAULT.has(section)) asked.add(section);
  }
}

export function infoText(
  figures: ProxyFigures,
  config: ProxyConfig,
  asked: ReadonlySet<string>,
  nowMs: number,
): string {
  const parts: string[] = [];
  for (const [name, section] of SECTIONS) {
    if (!asked.has(name)) continue;
    const lines = [`# ${section.title}`, ...section.lines(figures, config, nowMs)];
    parts.push(lines.map((line) => `${line}\r\n`).join(""));
  }
  return parts.join("\r\n");
}

function serverLines(figures: ProxyFigures, config: ProxyConfig, nowMs: number): string[] {
  const uptime = Math.max(0, Math.floor((nowMs - figures.startedMs) / 1000));
  return [
    `redis_version:${config.proxyRedisVersion}`,
    "redis_git_sha1:00000000",
    "redis_git_dirty:0",
    "redis_build_id:0",
    "redis_mode:standalone",
    `codis_proxy_version:${figures.version}`,
    `os:Linux ${release()} ${process.arch === "x64" ? "x86_64" : process.arch}`,
    "arch_bits:64",
    "multiplexing_api:epoll",
    `process_id:${figures.parentPid}`,
    "process_supervised:no",
    `run_id:${figures.runId}`,
    `tcp_port:${figures.port}`,
    `server_time_usec:${nowMs}000`,
    `uptime_in_seconds:${uptime}`,
    `uptime_in_days:${Math.floor(uptime / 86_400)}`,
    `executable:${figures.executable}`,
    `config_file:${figures.configFile}`,
    "io_threads_active:0",
    `codis_workers:${figures.workers}`,
    `codis_product:${config.productName}`,
  ];
}

function clientLines(figures: ProxyFigures, config: ProxyConfig): string[] {
  return [
    `connected_clients:${figures.sessionsAlive}`,
    "cluster_connections:0",
    `maxclients:${config.proxyMaxClients}`,
    `client_recent_max_input_buffer:${figures.maxInputBytes}`,
    `client_recent_max_output_buffer:${figures.maxOutputBytes}`,
    "blocked_clients:0",
    "tracking_clients:0",
    "clients_in_timeout_table:0",
  ];
}

function memoryLines(figures: ProxyFigures): string[] {
  const used = figures.memoryBytes;
  const peak = Math.max(used, figures.memoryPeakBytes);
  return [
    `used_memory:${used}`,
    `used_memory_human:${humanBytes(used)}`,
    `used_memory_rss:${used}`,
    `used_memory_rss_human:${humanBytes(used)}`,
    `used_memory_peak:${peak}`,
    `used_memory_peak_human:${humanBytes(peak)}`,
    `used_memory_peak_perc:${(peak === 0 ? 100 : (100 * used) / peak).toFixed(2)}%`,
    "maxmemory:0",
    "maxmemory_human:0B",
    "maxmemory_policy:noeviction",
    "mem_fragmentation_ratio:1.00",
    "mem_allocator:libc",
  ];
}

function persistenceLines(): string[] {
  return [
    "loading:0",
    "async_loading:0",
    "rdb_changes_since_last_save:0",
    "rdb_bgsave_in_progress:0",
    "rdb_last_bgsave_status:ok",
    "aof_enabled:0",
    "aof_rewrite_in_progress:0",
    "aof_rewrite_scheduled:0",
    "aof_last_bgrewrite_status:ok",
    "aof_last_write_status:ok",
  ];
}

function statsLines(figures: ProxyFigures): string[] {
  return [
    `total_connections_received:${figures.sessionsTotal}`,
    `total_commands_processed:${figures.opsTotal}`,
    `instantaneous_ops_per_sec:${Math.round(figures.opsPerSecond)}`,
    `total_net_input_bytes:${figures.inputBytes}`,
    `total_net_output_bytes:${figures.outputBytes}`,
    `rejected_connections:${figures.sessionsRejected}`,
    "expired_keys:0",
    "evicted_keys:0",
    "evicted_clients:0",
    "keyspace_hits:0",
    "keyspace_misses:0",
    "pubsub_channels:0",
    "pubsub_patterns:0",
    "latest_fork_usec:0",
    `total_error_replies:${figures.redisErrors}`,
    `codis_failed_commands:${figures.opsFailed}`,
  ];
}

function replicationLines(figures: ProxyFigures): string[] {
  return [
    "role:master",
    "connected_slaves:0",
    "master_failover_state:no-failover",
    `master_replid:${figures.runId}`,
    `master_replid2:${"0".repeat(40)}`,
    "master_repl_offset:0",
    "second_repl_offset:-1",
    "repl_backlog_active:0",
    "repl_backlog_size:0",
    "repl_backlog_first_byte_offset:0",
    "repl_backlog_histlen:0",
  ];
}

function cpuLines(figures: ProxyFigures): string[] {
  return [
    `used_cpu_sys:${figures.cpuSystemSeconds.toFixed(6)}`,
    `used_cpu_user:${figures.cpuUserSeconds.toFixed(6)}`,
    "used_cpu_sys_children:0.000000",
    "used_cpu_user_children:0.000000",
  ];
}

function commandLines(figures: ProxyFigures): string[] {
  return figures.commands.map(
    (command) =>
      `cmdstat_${command.name}:calls=${command.calls},usec=${Math.round(command.usec)},` +
      `usec_per_call=${perCall(command)},rejected_calls=${command.rejected},` +
      `failed_calls=${command.failed}`,
  );
}

function perCall(command: CommandFigures): string {
  return (command.calls === 0 ? 0 : command.usec / command.calls).toFixed(2);
}

function errorLines(figures: ProxyFigures): string[] {
  return figures.errors.map((error) => `errorstat_${error.prefix}:count=${error.count}`);
}

function latencyLines(figures: ProxyFigures): string[] {
  return figures.commands
    .filter((command) => command.calls > 0)
    .map(
      (command) =>
        `latency_percentiles_usec_${command.name}:p50=${command.p50.toFixed(3)},` +
        `p99=${command.p99.toFixed(3)},p99.9=${command.p999.toFixed(3)}`,
    );
}

/** 1389208 → "1.32M", as Redis prints sizes for people. */
export function humanBytes(bytes: number): string {
  let value = bytes;
  const units = ["K", "M", "G", "T", "P"];
  if (value < 1024) return `${value}B`;
  let unit = -1;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit++;
  }
  return `${value.toFixed(2)}${units[unit]}`;
}

/** Made by our own parent from a typed record; this only tells an answer from none. */
function isFigures(answer: unknown): answer is ProxyFigures {
  return typeof answer === "object" && answer !== null && "sessionsAlive" in answer;
}
