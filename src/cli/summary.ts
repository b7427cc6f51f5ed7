// What the dashboard knows, boiled down to what a person asks: who is there, how is everybody, what
// is wrong and what to do about it. Pure; `views.ts` draws it, `--json` prints it.

import type { TopomOverview } from "../api/dashboard-routes.ts";
import type { Group, GroupServer } from "../model/group.ts";
import { SLOT_COUNT } from "../model/slot.ts";
import type { JobStat, RedisStats, TopomStats } from "../model/topom-stats.ts";
import { some } from "./format.ts";

export interface Problem {
  readonly what: string;
  /** What to do, or "" when it mends itself or nothing can be said. */
  readonly next: string;
}

export interface ProxyRow {
  readonly id: number;
  readonly token: string;
  readonly admin: string;
  readonly address: string;
  readonly datacenter: string;
  readonly state: "online" | "waiting" | "closed" | "fenced" | "error" | "timeout" | "unknown";
  readonly error: string;
  readonly requests_per_second: number;
  readonly clients: number;
  readonly errors: number;
  /** 1 is one CPU. */
  readonly cpu: number;
  readonly memory: number;
}

export interface ServerRow {
  readonly group: number;
  /** 0 is the master. */
  readonly index: number;
  readonly address: string;
  readonly datacenter: string;
  readonly state: "ok" | "wrong" | "error" | "timeout" | "unknown";
  readonly error: string;
  /** "nobody", or whom it replicates and how that connection is. */
  readonly replicates: string;
  /** Bytes that it is behind its master, as far as the polls tell; 0 for a master. */
  readonly behind: number;
  readonly keys: number;
  readonly memory: number;
  readonly max_memory: number;
  readonly requests_per_second: number;
  readonly version: string;
  /** Reads may go to it although it is a replica. */
  readonly reads: boolean;
  /** The order to replicate, "" when there is none. */
  readonly action: string;
}

export interface GroupRow {
  readonly id: number;
  readonly slots: number;
  readonly arriving: number;
  readonly leaving: number;
  readonly promoting: string;
  readonly out_of_sync: boolean;
}

export interface Summary {
  readonly product: string;
  readonly dashboard: string;
  readonly version: string;
  readonly problems: readonly Problem[];
  readonly slots: { readonly total: number; readonly offline: number; readonly moving: number };
  readonly groups: readonly GroupRow[];
  readonly servers: readonly ServerRow[];
  readonly proxies: readonly ProxyRow[];
  readonly migration: MigrationSummary;
  readonly sentinels: readonly SentinelRow[];
}

export interface MigrationSummary {
  readonly paused: boolean;
  readonly interval_us: number;
  readonly status: string;
  /** Slots with an order: those that wait and those that are under way. */
  readonly waiting: number;
  readonly under_way: number;
  readonly jobs: readonly JobStat[];
}

export interface SentinelRow {
  readonly address: string;
  readonly state: "ok" | "error" | "timeout" | "unknown";
  readonly error: string;
  /** How many masters of this product it monitors. */
  readonly masters: number;
}

export function summarize(overview: TopomOverview, dashboard: string): Summary {
  const { stats, model } = overview;
  const rows = {
    groups: stats.group.models.map((group) => groupRow(group, stats)),
    servers: stats.group.models.flatMap((group) => {
      return group.servers.map((server, index) => serverRow(group, server, index, stats));
    }),
    proxies: stats.proxy.models.map((proxy) => proxyRow(proxy.token, stats)),
    sentinels: (stats.sentinels.model.servers ?? []).map((address) => sentinelRow(address, stats)),
    migration: migrationOf(stats),
  };
  const slots = {
    total: SLOT_COUNT,
    offline: stats.slots.filter((slot) => slot.group_id === 0).length,
    moving: rows.migration.waiting + rows.migration.under_way,
  };
  const problems = [
    ...proxyProblems(rows.proxies),
    ...serverProblems(rows.servers),
    ...groupProblems(rows.groups),
    ...slotProblems(stats, rows.migration),
    ...sentinelProblems(rows.sentinels, stats.sentinels.model.out_of_sync),
  ];
  const { version } = overview;
  return { product: model.product_name, dashboard, version, problems, slots, ...rows };
}

// ----------------------------------------------------------------------------------------- rows

function proxyRow(token: string, stats: TopomStats): ProxyRow {
  const model = stats.proxy.models.find((proxy) => proxy.token === token);
  const poll = stats.proxy.stats[token];
  const figures = poll?.stats;
  return {
    id: model?.id ?? 0,
    token,
    admin: model?.admin_addr ?? "",
    address: model?.proxy_addr ?? "",
    datacenter: model?.datacenter ?? "",
    state: proxyState(poll),
    error: poll?.error?.Cause ?? "",
    requests_per_second: figures?.ops.qps ?? 0,
    clients: figures?.sessions.alive ?? 0,
    errors: (figures?.ops.fails ?? 0) + (figures?.ops.redis.errors ?? 0),
    cpu: figures?.rusage.cpu ?? 0,
    memory: figures?.rusage.mem ?? 0,
  };
}

function proxyState(poll: TopomStats["proxy"]["stats"][string] | undefined): ProxyRow["state"] {
  if (poll === undefined) return "unknown";
  if (poll.fenced) return "fenced";
  if (poll.error !== undefined) return "error";
  if (poll.timeout || poll.stats === undefined) return "timeout";
  if (poll.stats.closed) return "closed";
  return poll.stats.online ? "online" : "waiting";
}

function serverRow(group: Group, server: GroupServer, index: number, stats: TopomStats): ServerRow {
  const poll = stats.group.stats[server.server];
  const info = poll?.stats ?? {};
  const master = stats.group.stats[group.servers[0].server]?.stats ?? {};
  const number = (name: string): number => Number(info[name] ?? 0) || 0;
  const isReplica = info.master_addr !== undefined;
  const lead = Number(master.master_repl_offset ?? 0) - number("slave_repl_offset");
  return {
    group: group.id,
    index,
    address: server.server,
    datacenter: server.datacenter,
    state: serverState(poll, index === 0 ? null : group.servers[0].server),
    error: poll?.error?.Cause ?? "",
    replicates: isReplica ? `${info.master_addr} (${info.master_link_status ?? "?"})` : "nobody",
    behind: isReplica && index > 0 ? Math.max(0, lead || 0) : 0,
    keys: keysOf(info),
    memory: number("used_memory"),
    max_memory: number("maxmemory"),
    requests_per_second: number("instantaneous_ops_per_sec"),
    version: info.valkey_version ?? info.redis_version ?? "",
    reads: server.replica_group,
    action: server.action.state ?? "",
  };
}

/** `master` is whom it should replicate; null: nobody. */
function serverState(poll: RedisStats | undefined, master: string | null): ServerRow["state"] {
  if (poll?.stats === undefined || pollState(poll) !== "ok") return pollState(poll);
  const wanted = master === null ? "NO:ONE" : `${master}:up`;
  return replicationOf(poll.stats) === wanted ? "ok" : "wrong";
}

/** In the words of the original: "NO:ONE" or "host:port:up". */
export function replicationOf(info: Readonly<Record<string, string>>): string {
  if (info.master_addr === undefined) return "NO:ONE";
  return `${info.master_addr}:${info.master_link_status ?? ""}`;
}

function keysOf(info: Readonly<Record<string, string>>): number {
  let keys = 0;
  for (const [name, value] of Object.entries(info)) {
    if (/^db\d+$/.test(name)) keys += Number(/(?:^|,)keys=(\d+)/.exec(value)?.[1] ?? 0);
  }
  return keys;
}

function groupRow(group: Group, stats: TopomStats): GroupRow {
  const own = stats.slots.filter((slot) => slot.group_id === group.id);
  const { state, index = 0 } = group.promoting;
  return {
    id: group.id,
    slots: own.length,
    arriving: stats.slots.filter((slot) => slot.action.target_id === group.id).length,
    leaving: own.filter((slot) => slot.action.state !== undefined).length,
    promoting: state === undefined ? "" : `${group.servers[index]?.server ?? "?"} (${state})`,
    out_of_sync: group.out_of_sync,
  };
}

function sentinelRow(address: string, stats: TopomStats): SentinelRow {
  const poll = stats.sentinels.stats[address];
  const masters = Object.keys(poll?.sentinel ?? {}).length;
  return { address, state: pollState(poll), error: poll?.error?.Cause ?? "", masters };
}

function pollState(poll: RedisStats | undefined): SentinelRow["state"] {
  if (poll === undefined) return "unknown";
  if (poll.error !== undefined) return "error";
  return poll.timeout || poll.stats === undefined ? "timeout" : "ok";
}

export function migrationOf(stats: TopomStats): MigrationSummary {
  const action = stats.slot_action;
  const states = stats.slots.map((slot) => slot.action.state);
  return {
    paused: action.disabled,
    interval_us: action.interval,
    status: action.progress.status,
    waiting: states.filter((state) => state === "pending").length,
    under_way: states.filter((state) => state !== undefined && state !== "pending").length,
    jobs: action.jobs ?? [],
  };
}

// ------------------------------------------------------------------------------------- problems

function proxyProblems(proxies: readonly ProxyRow[]): Problem[] {
  if (proxies.length === 0) {
    return [{ what: "there is no proxy", next: "codis admin proxies add HOST:ADMIN_PORT" }];
  }
  return proxies.flatMap((proxy): Problem[] => {
    const name = `proxy ${proxy.id} (${proxy.admin})`;
    const remove = `if it is gone for good: codis admin proxies remove ${proxy.id} --force`;
    switch (proxy.state) {
      case "online":
      case "unknown": // It has just been added.
        return [];
      case "waiting":
        return [{ what: `${name} waits to be put online`, next: "that happens by itself" }];
      case "closed":
        return [{ what: `${name} is closing`, next: remove }];
      case "fenced":
        return [
          { what: `${name} is lost and shut out of the servers until it is back`, next: remove },
        ];
      case "error":
        return [{ what: `${name} does not answer: ${proxy.error}`, next: remove }];
      case "timeout":
        return [{ what: `${name} did not answer in time`, next: "" }];
    }
  });
}

function serverProblems(servers: readonly ServerRow[]): Problem[] {
  return servers.flatMap((server): Problem[] => {
    const name = `${server.address} of group ${server.group}`;
    switch (server.state) {
      case "ok":
      case "unknown":
        return server.action === "synced_failed"
          ? [{ what: `${name} could not be made a replica`, next: syncAgain(server) }]
          : [];
      case "wrong":
        return [wrongReplication(server, name)];
      case "error":
        return [{ what: `${name} does not answer: ${server.error}`, next: afterLoss(server) }];
      case "timeout":
        return [{ what: `${name} did not answer in time`, next: "" }];
    }
  });
}

function wrongReplication(server: ServerRow, name: string): Problem {
  const what = `${name} should ${server.index === 0 ? "be a master" : "replicate its master"}`;
  const isBusy = server.action === "pending" || server.action === "syncing";
  const next = isBusy ? "that is under way" : syncAgain(server);
  return { what: `${what} but replicates ${server.replicates}`, next };
}

function syncAgain(server: ServerRow): string {
  return `codis admin sync ${server.address}`;
}

function afterLoss(server: ServerRow): string {
  if (server.index === 0) return "promote one of its replicas: codis admin promote ADDR";
  return `start it again, or: codis admin servers remove ${server.address}`;
}

function groupProblems(groups: readonly GroupRow[]): Problem[] {
  return groups.flatMap((group): Problem[] => [
    ...(group.out_of_sync
      ? [
          {
            what: `proxies do not know the newest servers of group ${group.id}`,
            next: `codis admin groups resync ${group.id}`,
          },
        ]
      : []),
    ...(group.promoting === ""
      ? []
      : [{ what: `group ${group.id} is promoting ${group.promoting}`, next: "" }]),
  ]);
}

function slotProblems({ slots }: TopomStats, migration: MigrationSummary): Problem[] {
  const problems: Problem[] = [];
  const offline = slots.filter((slot) => {
    return slot.group_id === 0 && slot.action.state === undefined;
  }).length;
  if (offline > 0) {
    problems.push({
      what: `${some(offline, "slot")} ${offline === 1 ? "has" : "have"} no group and no service`,
      next: "codis admin rebalance",
    });
  }
  if (migration.paused && migration.waiting + migration.under_way > 0) {
    problems.push({ what: "the migration is paused", next: "codis admin resume" });
  }
  for (const job of migration.jobs) {
    const name = `the migration from group ${job.source_id} to ${job.target_id}`;
    if (job.error !== "") problems.push({ what: `${name} has trouble: ${job.error}`, next: "" });
    for (const [slot, error] of Object.entries(job.slot_errors ?? {}).slice(0, 3)) {
      problems.push({ what: `slot ${slot} of ${name} does not get on: ${error}`, next: "" });
    }
  }
  if (migration.jobs.length === 0 && migration.status.startsWith("[ERROR]")) {
    problems.push({ what: `the migration has trouble: ${migration.status.slice(8)}`, next: "" });
  }
  return problems;
}

function sentinelProblems(sentinels: readonly SentinelRow[], isOutOfSync: boolean): Problem[] {
  const problems = sentinels.flatMap(({ address, state, error }): Problem[] => {
    if (state !== "error") return [];
    return [
      {
        what: `sentinel ${address} does not answer: ${error}`,
        next: `start it again, or: codis admin sentinels remove ${address} --force`,
      },
    ];
  });
  if (isOutOfSync && sentinels.length > 0) {
    problems.push({
      what: "the sentinels do not watch the newest servers",
      next: "codis admin sentinels resync",
    });
  }
  return problems;
}
