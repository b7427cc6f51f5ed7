// What the proxy says of itself in figures: the Stats object of the admin API (contract 2.11), the
// metrics for Prometheus, the figures that are pushed, and those behind the INFO command. All are
// views of the same sources, which `proxy.ts` owns; nothing is counted here.

import { randomBytes } from "node:crypto";
import { VERSION } from "../lib/version.ts";
import { PrometheusText } from "../metrics/prometheus.ts";
import type { PushFields } from "../metrics/push.ts";
import { COUNTERS, METRICS } from "../metrics/registry.ts";
import {
  type BackendStat,
  type CommandStat,
  type ProxyStats,
  type RuntimeStat,
  type ServerSight,
  StatsFlag,
  type WorkerStat,
} from "../model/proxy-stats.ts";
import { timeText } from "../model/time.ts";
import type { BackendStats, KeyPlace } from "./ipc.ts";
import type { ProxyFigures } from "./local-types.ts";
import type { ResourceMeter } from "./rusage.ts";
import { type CommandTotals, percentile, type Totals } from "./worker-totals.ts";
import type { Workers } from "./workers.ts";

/** Finer and coarser buckets than these add nothing to a dashboard: 16 microseconds, 17 seconds. */
const FIRST_BUCKET = 4;
const LAST_BUCKET = 24;

const NS_PER_SECOND = 1e9;

export interface ReportSources {
  readonly workers: Workers;
  readonly meter: ResourceMeter;
  readonly startedMs: number;
  readonly primaryOnly: boolean;
  readonly configFile: string;
  readonly port: number;
  /** Read when a report is made. */
  readonly isClosed: () => boolean;
  readonly sentinels: () => ProxyStats["sentinels"];
}

export class ProxyReport {
  /** Changes with every start, like Redis' run_id. */
  readonly #runId = randomBytes(20).toString("hex");

  constructor(private readonly from: ReportSources) {}

  /** The Stats object; `flags` says which of the larger parts it has. Call `refresh` first. */
  stats(flags: number): ProxyStats {
    const { workers, meter } = this.from;
    const totals = workers.totals();
    const { usage } = meter;
    const withCommands = (flags & StatsFlag.COMMANDS) !== 0;
    const sinceStart = (meter.sampledMs - this.from.startedMs) / 1000;
    return {
      online: workers.isOnline && !this.from.isClosed(),
      closed: this.from.isClosed(),
      sentinels: this.from.sentinels(),
      ops: {
        total: totals.opsTotal,
        fails: totals.opsFails,
        redis: { errors: totals.redisErrors },
        qps: workers.opsPerSecond,
        ...(withCommands && totals.commands.size > 0 ? { cmd: commandList(totals) } : {}),
      },
      sessions: { total: totals.sessionsTotal, alive: totals.sessionsAlive },
      rusage: {
        now: timeText(meter.sampledMs, sinceStart),
        cpu: meter.cpu,
        mem: usage.vm_rss,
        raw: usage,
      },
      backend: {
        primary_only: this.from.primaryOnly,
        servers: serverSights(workers.reports.flatMap((report) => report?.backends ?? [])),
      },
      ...((flags & StatsFlag.RUNTIME) !== 0 ? { runtime: this.#runtime() } : {}),
      fenced: this.fencedBy().length > 0,
      slot_revision: workers.table.newestRecord,
      pins_revision: workers.table.pins.revision,
      migration: { big_keys: this.#bigKeys() },
      counters: Object.fromEntries([...totals.counters].sort()),
      workers: this.#workerList(),
      ...(withCommands ? { backends: this.#backendList() } : {}),
    };
  }

  /** The servers that refuse this proxy, as of the last report of each worker. */
  fencedBy(): string[] {
    const { reports } = this.from.workers;
    return [...new Set(reports.flatMap((report) => report?.fencedBy ?? []))].sort();
  }

  /** Each once, although several workers may have met it. */
  #bigKeys(): KeyPlace[] {
    const { reports } = this.from.workers;
    const keys = reports.flatMap((report) => report?.bigKeys ?? []);
    return [...new Map(keys.map((each) => [`${each.db} ${each.key}`, each])).values()];
  }

  #runtime(): RuntimeStat {
    const { heapUsed, heapTotal } = process.memoryUsage();
    const { usage } = this.from.meter;
    return {
      general: { alloc: heapUsed, sys: usage.vm_rss, lookups: 0, mallocs: 0, frees: 0 },
      heap: {
        alloc: heapUsed,
        sys: heapTotal,
        idle: Math.max(0, heapTotal - heapUsed),
        inuse: heapUsed,
        objects: 0,
      },
      gc: { num: 0, cpu_fraction: 0, total_pausems: 0 },
      num_procs: this.from.workers.seats.length,
      num_goroutines: 0,
      num_cgo_call: 0,
      mem_offheap: 0,
    };
  }

  #workerList(): WorkerStat[] {
    const { seats, reports, table } = this.from.workers;
    return seats.map((seat, index) => {
      const report = reports[index];
      return {
        index,
        pid: seat.pid,
        state: seat.state,
        restarts: Math.max(0, seat.incarnations - 1),
        slots_applied: seat.isConfigured && seat.appliedRevision >= table.revision,
        sessions_alive: report?.sessionsAlive ?? 0,
        ops_total: report?.opsTotal ?? 0,
        rss: report?.rssBytes ?? 0,
        cpu_seconds: report?.cpuSeconds ?? 0,
      };
    });
  }

  #backendList(): BackendStat[] {
    return this.from.workers.reports.flatMap((report, worker) =>
      (report?.backends ?? []).map((backend) => ({
        worker,
        addr: backend.addr,
        state: backend.state,
        database: backend.database,
        proto: backend.proto,
        inflight: backend.inflight,
        is_replica: backend.isReplica,
      })),
    );
  }

  /** The fields that InfluxDB and statsd get. */
  pushFields(): PushFields {
    const stats = this.stats(0);
    const runtime = this.#runtime();
    return {
      ops_total: stats.ops.total,
      ops_fails: stats.ops.fails,
      ops_redis_errors: stats.ops.redis.errors,
      ops_qps: stats.ops.qps,
      sessions_total: stats.sessions.total,
      sessions_alive: stats.sessions.alive,
      rusage_mem: stats.rusage.mem,
      rusage_cpu: stats.rusage.cpu,
      runtime_gc_num: runtime.gc.num,
      runtime_gc_total_pausems: runtime.gc.total_pausems,
      runtime_num_procs: runtime.num_procs,
      runtime_num_goroutines: runtime.num_goroutines,
      runtime_num_cgo_call: runtime.num_cgo_call,
      runtime_num_mem_offheap: runtime.mem_offheap,
    };
  }

  /** What INFO is made of. */
  figures(): ProxyFigures {
    const { workers, meter, startedMs, port, configFile } = this.from;
    const totals = workers.totals();
    const { usage } = meter;
    const { user, system } = cpuSeconds(meter);
    return {
      version: VERSION,
      runId: this.#runId,
      parentPid: process.pid,
      workers: workers.seats.length,
      startedMs,
      port,
      executable: process.execPath,
      configFile,
      sessionsAlive: totals.sessionsAlive,
      sessionsTotal: totals.sessionsTotal,
      sessionsRejected: totals.counter("rejectedMaxClients"),
      maxInputBytes: totals.counter("maxInputBytes"),
      maxOutputBytes: totals.counter("maxOutputBytes"),
      memoryBytes: usage.vm_rss,
      memoryPeakBytes: meter.peakRssBytes,
      cpuUserSeconds: user,
      cpuSystemSeconds: system,
      opsTotal: totals.opsTotal,
      opsPerSecond: workers.opsPerSecond,
      opsFailed: totals.opsFails,
      redisErrors: totals.redisErrors,
      inputBytes: totals.counter("bytesIn"),
      outputBytes: totals.counter("bytesOut"),
      commands: sortedCommands(totals).map((command) => ({
        name: command.name,
        calls: command.calls,
        usec: command.usecs,
        rejected: command.rejected,
        failed: Math.max(0, command.errors - command.rejected),
        ...latencyOf(command),
      })),
      errors: [...totals.errors].sort().map(([prefix, count]) => ({ prefix, count })),
    };
  }

  /** The text of GET /metrics. */
  prometheus(): string {
    const text = new PrometheusText();
    const { workers, meter, startedMs } = this.from;
    const totals = workers.totals();
    const isUp = workers.isOnline && !this.from.isClosed() && workers.areAllServing;
    const seconds = cpuSeconds(meter);
    text.add(METRICS.up, {}, isUp ? 1 : 0);
    text.add(METRICS.buildInfo, { version: VERSION, runtime: `bun ${process.versions.bun}` }, 1);
    text.add(METRICS.startTime, {}, startedMs / 1000);
    this.#addWorkers(text);
    text.add(METRICS.accepted, { result: "accepted" }, acceptedSessions(totals));
    addCounters(text, totals);
    addCommands(text, totals);
    this.#addBackends(text);
    const slots = workers.table.countByState();
    for (const [state, count] of Object.entries(slots)) text.add(METRICS.slots, { state }, count);
    text.add(METRICS.slotRevision, {}, workers.table.revision);
    text.add(METRICS.cpu, {}, seconds.user + seconds.system);
    text.add(METRICS.memory, {}, meter.usage.vm_rss);
    text.add(METRICS.processStart, {}, startedMs / 1000);
    return text.toString();
  }

  #addWorkers(text: PrometheusText): void {
    const { seats, reports } = this.from.workers;
    for (const state of ["serving", "starting", "dead", "ending"]) {
      const count = seats.filter((seat) => seat.state === state).length;
      text.add(METRICS.workers, { state }, count);
    }
    const restarts = seats.reduce((sum, seat) => sum + Math.max(0, seat.incarnations - 1), 0);
    text.add(METRICS.workerRestarts, {}, restarts);
    reports.forEach((report, worker) => {
      text.add(METRICS.connections, { worker: String(worker) }, report?.sessionsAlive ?? 0);
    });
  }

  #addBackends(text: PrometheusText): void {
    const groups = this.from.workers.table.groupsByAddress();
    const servers = new Map<string, { states: Map<string, number>; inflight: number }>();
    for (const report of this.from.workers.reports) {
      for (const backend of report?.backends ?? []) {
        const key = `${roleOf(backend)} ${backend.addr}`;
        const server = servers.get(key) ?? { states: new Map<string, number>(), inflight: 0 };
        servers.set(key, server);
        server.inflight += backend.inflight;
        server.states.set(backend.state, (server.states.get(backend.state) ?? 0) + 1);
      }
    }
    for (const [key, { states, inflight }] of [...servers].sort()) {
      const [role, addr] = key.split(" ");
      const labels = { group: String(groups.get(addr) ?? 0), addr, role };
      const isUp = states.size === 1 && states.has("connected");
      text.add(METRICS.backendUp, labels, isUp ? 1 : 0);
      for (const [state, count] of [...states].sort()) {
        text.add(METRICS.backendConnections, { ...labels, state }, count);
      }
      text.add(METRICS.backendInflight, labels, inflight);
    }
  }
}

function roleOf(backend: BackendStats): string {
  return backend.isReplica ? "replica" : "master";
}

/** Every connection counts as a session of the original, also one that was refused. */
function acceptedSessions(totals: Totals): number {
  const refused = totals.counter("rejectedMaxClients") + totals.counter("rejectedNotOnline");
  return Math.max(0, totals.sessionsTotal - refused);
}

function addCounters(text: PrometheusText, totals: Totals): void {
  for (const [name, value] of [...totals.counters].sort()) {
    if (name.startsWith("max")) continue; // for INFO; they are no counters
    const row = COUNTERS[name];
    if (row === undefined) text.add(METRICS.other, { name }, value);
    else text.add(row.metric, row.labels, value);
  }
}

function addCommands(text: PrometheusText, totals: Totals): void {
  const bounds: number[] = [];
  for (let bucket = FIRST_BUCKET; bucket <= LAST_BUCKET; bucket++) {
    bounds.push(2 ** bucket / 1e6);
  }
  for (const command of sortedCommands(totals)) {
    const cmd = command.name;
    const ok = Math.max(0, command.calls - command.errors);
    text.add(METRICS.commands, { cmd, result: "ok" }, ok);
    text.add(METRICS.commands, { cmd, result: "error" }, command.errors);
    text.add(METRICS.commands, { cmd, result: "failed" }, command.fails);
    const counts = [sum(command.histogram.slice(0, FIRST_BUCKET + 1))];
    counts.push(...command.histogram.slice(FIRST_BUCKET + 1, LAST_BUCKET + 1));
    counts.push(sum(command.histogram.slice(LAST_BUCKET + 1)));
    const seconds = command.usecs / 1e6;
    text.histogram(METRICS.commandDuration, { cmd }, { bounds, counts, sum: seconds });
  }
}

function commandList(totals: Totals): CommandStat[] {
  return sortedCommands(totals).map((command) => ({
    opstr: command.name.toUpperCase(),
    calls: command.calls,
    usecs: command.usecs,
    usecs_percall: command.calls === 0 ? 0 : Math.floor(command.usecs / command.calls),
    fails: command.fails,
    redis_errtype: command.errors,
    latency: latencyOf(command),
  }));
}

function sortedCommands(totals: Totals): CommandTotals[] {
  return [...totals.commands.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
}

function latencyOf({ histogram }: CommandTotals): { p50: number; p99: number; p999: number } {
  return {
    p50: percentile(histogram, 0.5),
    p99: percentile(histogram, 0.99),
    p999: percentile(histogram, 0.999),
  };
}

function cpuSeconds({ usage }: ResourceMeter): { user: number; system: number } {
  return {
    user: (usage.utime + usage.cutime) / NS_PER_SECOND,
    system: (usage.stime + usage.cstime) / NS_PER_SECOND,
  };
}

function sum(counts: readonly number[]): number {
  return counts.reduce((total, count) => total + count, 0);
}

/** Sums up the connections to each server. */
export function serverSights(backends: readonly BackendStats[]): Record<string, ServerSight> {
  const sights: Record<string, ServerSight> = {};
  for (const { addr, state, silentMs } of backends) {
    if (state === "idle" || state === "closed") continue;
    const known = sights[addr] ?? { connected: 0, down: 0, silent_ms: 0 };
    const isConnected = state === "connected";
    sights[addr] = {
      connected: known.connected + (isConnected ? 1 : 0),
      down: known.down + (isConnected ? 0 : 1),
      silent_ms: Math.max(known.silent_ms, silentMs),
    };
  }
  return sights;
}
