// What each route of the dashboard does (contract 4). The paths, the types and the words are in
// `api/dashboard-routes.ts`, the HTTP in `api/server.ts`; here are only the calls into the product.

import type { DASHBOARD_ROUTES, ProductDump } from "../api/dashboard-routes.ts";
import { RemoteError } from "../api/client.ts";
import { ApiError } from "../api/errors.ts";
import { LeadershipLost } from "../coordinator/coordinator.ts";
import { type Handlers, type Ok, PlainReply, Redirect } from "../api/route.ts";
import { type LogLevel, log, parseLogLevel } from "../lib/log.ts";
import { COMPILE, VERSION } from "../lib/version.ts";
import { PROMETHEUS_TYPE } from "../metrics/prometheus.ts";
import type { TopomModel } from "../model/proxy.ts";
import { ConnectionError } from "../redis/client.ts";
import { ReplyError } from "../resp/value.ts";
import * as groups from "./groups.ts";
import { prometheusText } from "./metrics.ts";
import { ProxiesFailed } from "./product.ts";
import * as proxies from "./proxies.ts";
import { planSlots, rebalanceSlots } from "./rebalance-orders.ts";
import * as sentinels from "./sentinels.ts";
import * as slots from "./slots.ts";
import { topomStats } from "./stats.ts";
import * as syncActions from "./sync-actions.ts";
import type { Topom } from "./topom.ts";

/** What the API may do to the program; implemented in `dashboard.ts`. */
export interface DashboardControl {
  readonly model: TopomModel;
  readonly configJson: Readonly<Record<string, unknown>>;
  /** The product, while this dashboard leads it; throws `ApiError` otherwise. */
  topom(): Topom;
  /** Null while somebody else leads. */
  readonly leading: Topom | null;
  /** "" when this dashboard leads, or why not. */
  notReadyBecause(): string;
  /** Begins to end; returns at once. */
  shutdown(): void;
}

const OK: Ok = "OK";

export function dashboardHandlers(dashboard: DashboardControl): Handlers<typeof DASHBOARD_ROUTES> {
  return {
    ...pages(dashboard),
    ...programCommands(dashboard),
    ...proxyCommands(dashboard),
    ...groupCommands(dashboard),
    ...slotCommands(dashboard),
    ...sentinelCommands(dashboard),
  };
}

type All = Handlers<typeof DASHBOARD_ROUTES>;

function pages(dashboard: DashboardControl) {
  const stats = () => topomStats(dashboard.topom());
  return {
    home: () => new Redirect("/topom"),
    overview: () => ({
      version: VERSION,
      compile: COMPILE,
      config: dashboard.configJson,
      model: dashboard.model,
      stats: stats(),
    }),
    plainModel: () => dashboard.model,
    plainStats: stats,
    plainSlots: () => dashboard.topom().fleet.views(),
    model: () => dashboard.model,
    stats,
    slots: () => dashboard.topom().fleet.views(),
    livez: () => new PlainReply("ok\n"),
    readyz: () => {
      const reason = dashboard.notReadyBecause();
      return reason === "" ? new PlainReply("ok\n") : new PlainReply(`${reason}\n`, undefined, 503);
    },
    metrics: () => new PlainReply(prometheusText(dashboard.leading), PROMETHEUS_TYPE),
  } satisfies Partial<All>;
}

function programCommands(dashboard: DashboardControl) {
  return {
    xping: () => OK,
    reload: () => done(reload(dashboard.topom())),
    shutdown: () => {
      dashboard.shutdown();
      return OK;
    },
    logLevel: ({ params }) => {
      log.setLevel(requireLogLevel(params.value));
      return OK;
    },
    configDump: () => dump(dashboard.topom()),
  } satisfies Partial<All>;
}

function proxyCommands(dashboard: DashboardControl) {
  return {
    createProxy: ({ params }) => done(proxies.createProxy(dashboard.topom(), params.addr)),
    onlineProxy: ({ params }) => done(proxies.onlineProxy(dashboard.topom(), params.addr)),
    reinitProxy: ({ params }) => done(proxies.reinitProxy(dashboard.topom(), params.token)),
    removeProxy: ({ params }) => {
      const isForced = integer("force", params.force) !== 0;
      return done(proxies.removeProxy(dashboard.topom(), params.token, isForced));
    },
  } satisfies Partial<All>;
}

function groupCommands(dashboard: DashboardControl) {
  const on = (text: string): boolean => integer("value", text) !== 0;
  const gidOf = ({ gid }: { readonly gid: string }): number => integer("gid", gid);
  const topom = (): Topom => dashboard.topom();
  return {
    createGroup: ({ params }) => done(groups.createGroup(topom(), gidOf(params))),
    removeGroup: ({ params }) => done(groups.removeGroup(topom(), gidOf(params))),
    resyncGroup: ({ params }) => done(groups.resyncGroup(topom(), gidOf(params))),
    resyncGroups: () => done(groups.resyncGroups(topom())),
    addServer: ({ params }) => {
      return done(groups.addServer(topom(), gidOf(params), params.addr, ""));
    },
    addServerIn: ({ params }) => {
      const { addr, datacenter } = params;
      return done(groups.addServer(topom(), gidOf(params), addr, datacenter));
    },
    removeServer: ({ params }) => {
      return done(groups.removeServer(topom(), gidOf(params), params.addr));
    },
    promoteServer: ({ params }) => {
      const { addr } = params;
      return done(topom().promotions.promote(gidOf(params), addr, "an operator ordered it"));
    },
    replicaGroups: ({ params }) => {
      const { addr, value } = params;
      return done(groups.setReplicaReads(topom(), gidOf(params), addr, on(value)));
    },
    replicaGroupsAll: ({ params }) => done(groups.setAllReplicaReads(topom(), on(params.value))),
    createSyncAction: ({ params }) => done(syncActions.createSyncAction(topom(), params.addr)),
    removeSyncAction: ({ params }) => done(syncActions.removeSyncAction(topom(), params.addr)),
    serverInfo: ({ params }) => told(serverInfo(topom(), params.addr)),
  } satisfies Partial<All>;
}

function slotCommands(dashboard: DashboardControl) {
  const topom = (): Topom => dashboard.topom();
  return {
    createSlotAction: ({ params }) => {
      const [sid, gid] = [integer("sid", params.sid), integer("gid", params.gid)];
      return done(slots.createSlotAction(topom(), sid, gid));
    },
    createSlotActionSome: ({ params }) => {
      const [src, dst] = [integer("src", params.src), integer("dst", params.dst)];
      return done(slots.createSlotActionSome(topom(), src, dst, integer("num", params.num)));
    },
    createSlotActionRange: ({ params }) => {
      const [beg, end] = [integer("beg", params.beg), integer("end", params.end)];
      return done(slots.createSlotActionRange(topom(), beg, end, integer("gid", params.gid)));
    },
    removeSlotAction: ({ params }) => {
      return done(slots.removeSlotAction(topom(), integer("sid", params.sid)));
    },
    slotActionInterval: ({ params }) => {
      return done(slots.setSlotActionInterval(topom(), integer("value", params.value)));
    },
    slotActionDisabled: ({ params }) => {
      return done(slots.setSlotActionDisabled(topom(), integer("value", params.value) !== 0));
    },
    assignSlots: ({ body }) => done(slots.assignSlots(topom(), body)),
    offlineSlots: ({ body }) => done(slots.offlineSlots(topom(), body)),
    rebalance: ({ params }) => {
      return told(rebalanceSlots(topom(), integer("confirm", params.confirm) !== 0));
    },
    cancelSlotActions: ({ params }) => {
      const [beg, end] = [integer("beg", params.beg), integer("end", params.end)];
      return done(topom().jobs.cancel(beg, end));
    },
    createReplicaJob: ({ params }) => {
      const [src, dst] = [integer("src", params.src), integer("dst", params.dst)];
      return done(topom().jobs.createReplicaJob(src, dst, integer("num", params.num)));
    },
    planRebalance: ({ body }) => told(planSlots(topom(), body)),
  } satisfies Partial<All>;
}

function sentinelCommands(dashboard: DashboardControl) {
  const topom = (): Topom => dashboard.topom();
  return {
    addSentinel: ({ params }) => done(sentinels.addSentinel(topom(), params.addr)),
    removeSentinel: ({ params }) => {
      const isForced = integer("force", params.force) !== 0;
      return done(sentinels.removeSentinel(topom(), params.addr, isForced));
    },
    resyncSentinels: () => done(sentinels.resyncSentinels(topom())),
    sentinelInfo: ({ params }) => told(sentinels.sentinelInfo(topom(), params.addr)),
    sentinelMonitored: ({ params }) => told(sentinels.sentinelMonitored(topom(), params.addr)),
  } satisfies Partial<All>;
}

// ------------------------------------------------------------------------------------- effects

async function reload(topom: Topom): Promise<void> {
  await topom.exclusive("reload", () => topom.records.reload());
  topom.jobs.wake();
}

function dump({ records }: Topom): ProductDump {
  return {
    slots: records.slots,
    group: [...records.groups.values()],
    proxy: [...records.proxies.values()],
    sentinel: records.sentinel,
    options: { ...records.options },
  };
}

/** Only of the product's own servers: nobody may send us elsewhere with the product's password. */
async function serverInfo(topom: Topom, address: string): Promise<Record<string, string>> {
  const servers = [...topom.records.groups.values()].flatMap((group) => group.servers);
  if (!servers.some(({ server }) => server === address)) {
    throw new ApiError("not-found", `server-[${address}] doesn't exist`);
  }
  return await topom.servers.infoOf(address);
}

async function done(effect: Promise<void>): Promise<Ok> {
  await told(effect);
  return OK;
}

/** Trouble of somebody else is told to the caller, with its cause. */
async function told<T>(effect: Promise<T>): Promise<T> {
  try {
    return await effect;
  } catch (error) {
    if (error instanceof LeadershipLost) throw new ApiError("not-ready", "topom is not online");
    if (error instanceof ProxiesFailed) throw new ApiError("bad-gateway", error.message);
    const isRemote =
      error instanceof ConnectionError ||
      error instanceof ReplyError ||
      error instanceof RemoteError;
    if (isRemote) throw new ApiError("bad-gateway", error.message);
    throw error;
  }
}

function integer(name: string, text: string): number {
  if (/^[+-]?\d{1,15}$/.test(text)) return Number(text);
  throw new ApiError("bad-request", `invalid ${name}`);
}

function requireLogLevel(text: string): LogLevel {
  const level = parseLogLevel(text);
  if (level === null) throw new ApiError("bad-request", "invalid loglevel");
  return level;
}
