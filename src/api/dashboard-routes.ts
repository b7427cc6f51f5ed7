// The API of the dashboard, one row a route (contract 4.1); ours come at the end. The server, the
// command line, the web page and docs/dashboard-api.md take their types and words from here.

import type { Group } from "../model/group.ts";
import { RecordReader } from "../model/json.ts";
import type { ProxyModel, SentinelModel, TopomModel } from "../model/proxy.ts";
import type { SlotFill } from "../model/slot.ts";
import { MAX_GROUP_ID, parseSlotMappings, type SlotMapping } from "../model/slot-mapping.ts";
import type { SentinelGroup, TopomStats } from "../model/topom-stats.ts";
import { type Ok, type PlainReply, type Redirect, route, routesPage } from "./route.ts";

/** Everything about one product. */
export interface TopomOverview {
  readonly version: string;
  readonly compile: string;
  readonly config: Readonly<Record<string, unknown>>;
  readonly model: TopomModel;
  readonly stats: TopomStats;
}

/** What to even out. The original knows only slots. */
export const REBALANCE_MEASURES = ["slots", "keys", "memory"] as const;

export interface RebalanceOrder {
  readonly by: (typeof REBALANCE_MEASURES)[number];
  /** A group that shall end up without slots. */
  readonly drain?: number;
  readonly confirm: boolean;
}

export interface RebalancePlan {
  readonly moves: readonly { readonly slot: number; readonly from: number; readonly to: number }[];
  /** Group → its share of the measure before and after. */
  readonly shares: Readonly<Record<string, { readonly before: number; readonly after: number }>>;
}

/** The dump of codis-admin, with the sentinels that the original forgot. */
export interface ProductDump {
  readonly slots?: readonly SlotMapping[];
  readonly group?: readonly Group[];
  readonly proxy?: readonly ProxyModel[];
  readonly sentinel?: SentinelModel;
  /** Ours: what the operator set, and the number of leaders so far. */
  readonly options?: Readonly<Record<string, unknown>>;
}

const OK = 'the text "OK"';

export function parseRebalanceOrder(json: unknown): RebalanceOrder {
  const reader = new RecordReader(json, "the order");
  const drain = reader.integer("drain", 1, MAX_GROUP_ID);
  return {
    by: reader.choice("by", REBALANCE_MEASURES) ?? "slots",
    ...(drain === undefined ? {} : { drain }),
    confirm: reader.boolean("confirm") ?? false,
  };
}

export const DASHBOARD_ROUTES = {
  home: route<Redirect>()({
    method: "GET",
    path: "/",
    doc: "Leads to the overview.",
    answers: "302 to /topom",
  }),
  overview: route<TopomOverview>()({
    method: "GET",
    path: "/topom",
    doc: "Everything about the product at once.",
    answers: "version, compile, config, model and stats",
  }),
  plainModel: route<TopomModel>()({
    method: "GET",
    path: "/topom/model",
    doc: "Who the dashboard is.",
    answers: "the Topom object",
  }),
  plainStats: route<TopomStats>()({
    method: "GET",
    path: "/topom/stats",
    doc: "All statistics.",
    answers: "the Stats object",
  }),
  plainSlots: route<readonly SlotFill[]>()({
    method: "GET",
    path: "/topom/slots",
    doc: "The slots as a proxy without data center gets them.",
    answers: "1024 Slot objects",
  }),
  model: route<TopomModel>()({
    method: "GET",
    path: "/api/topom/model",
    doc:
      "Who the dashboard is; a caller learns the product's name here before it can " +
      "compute the xauth.",
    answers: "the Topom object",
  }),
  xping: route<Ok>()({
    method: "GET",
    path: "/api/topom/xping/:xauth",
    doc: "Tells whether the xauth is right.",
    answers: OK,
  }),
  stats: route<TopomStats>()({
    method: "GET",
    path: "/api/topom/stats/:xauth",
    doc: "All statistics.",
    answers: "the Stats object",
  }),
  slots: route<readonly SlotFill[]>()({
    method: "GET",
    path: "/api/topom/slots/:xauth",
    doc: "The slots as a proxy without data center gets them.",
    answers: "1024 Slot objects",
  }),
  reload: route<Ok>()({
    method: "PUT",
    path: "/api/topom/reload/:xauth",
    doc: "Reads everything from the coordinator again.",
    answers: OK,
  }),
  shutdown: route<Ok>()({
    method: "PUT",
    path: "/api/topom/shutdown/:xauth",
    doc: "Gives the lead up and ends the program.",
    answers: OK,
  }),
  logLevel: route<Ok>()({
    method: "PUT",
    path: "/api/topom/loglevel/:xauth/:value",
    doc: "Sets the log level until the program ends.",
    answers: OK,
  }),
  createProxy: route<Ok>()({
    method: "PUT",
    path: "/api/topom/proxy/create/:xauth/:addr",
    doc: "Takes a proxy, by its admin address, into the product; refuses a known one.",
    answers: OK,
  }),
  onlineProxy: route<Ok>()({
    method: "PUT",
    path: "/api/topom/proxy/online/:xauth/:addr",
    doc: "Takes a proxy into the product, or a known one back.",
    answers: OK,
  }),
  reinitProxy: route<Ok>()({
    method: "PUT",
    path: "/api/topom/proxy/reinit/:xauth/:token",
    doc: "Sends a proxy all slots and sentinels and puts it online.",
    answers: OK,
  }),
  removeProxy: route<Ok>()({
    method: "PUT",
    path: "/api/topom/proxy/remove/:xauth/:token/:force",
    doc:
      "Shuts a proxy down and forgets it. With `force` 1 also when it cannot be " +
      "reached: it is then shut out of the servers first.",
    answers: OK,
  }),
  createGroup: route<Ok>()({
    method: "PUT",
    path: "/api/topom/group/create/:xauth/:gid",
    doc: "Adds an empty group.",
    answers: OK,
  }),
  removeGroup: route<Ok>()({
    method: "PUT",
    path: "/api/topom/group/remove/:xauth/:gid",
    doc: "Removes an empty group.",
    answers: OK,
  }),
  resyncGroup: route<Ok>()({
    method: "PUT",
    path: "/api/topom/group/resync/:xauth/:gid",
    doc: "Sends the slots of a group to all proxies.",
    answers: OK,
  }),
  resyncGroups: route<Ok>()({
    method: "PUT",
    path: "/api/topom/group/resync-all/:xauth",
    doc: "Sends the slots of all groups to all proxies.",
    answers: OK,
  }),
  addServer: route<Ok>()({
    method: "PUT",
    path: "/api/topom/group/add/:xauth/:gid/:addr",
    doc: "Adds a server to a group, as its last.",
    answers: OK,
  }),
  addServerIn: route<Ok>()({
    method: "PUT",
    path: "/api/topom/group/add/:xauth/:gid/:addr/:datacenter",
    doc: "Adds a server of a data center to a group.",
    answers: OK,
  }),
  removeServer: route<Ok>()({
    method: "PUT",
    path: "/api/topom/group/del/:xauth/:gid/:addr",
    doc: "Removes a server from a group.",
    answers: OK,
  }),
  promoteServer: route<Ok>()({
    method: "PUT",
    path: "/api/topom/group/promote/:xauth/:gid/:addr",
    doc: "Makes a replica the master of its group.",
    answers: OK,
  }),
  replicaGroups: route<Ok>()({
    method: "PUT",
    path: "/api/topom/group/replica-groups/:xauth/:gid/:addr/:value",
    doc: "Lets reads go to a server (1) or not (0).",
    answers: OK,
  }),
  replicaGroupsAll: route<Ok>()({
    method: "PUT",
    path: "/api/topom/group/replica-groups-all/:xauth/:value",
    doc: "The same for all servers.",
    answers: OK,
  }),
  createSyncAction: route<Ok>()({
    method: "PUT",
    path: "/api/topom/group/action/create/:xauth/:addr",
    doc: "Orders a server to replicate its group's master.",
    answers: OK,
  }),
  removeSyncAction: route<Ok>()({
    method: "PUT",
    path: "/api/topom/group/action/remove/:xauth/:addr",
    doc: "Forgets that order.",
    answers: OK,
  }),
  serverInfo: route<Readonly<Record<string, string>>>()({
    method: "GET",
    path: "/api/topom/group/info/:addr",
    doc: "INFO of a server of the product; other addresses are refused.",
    answers: "a flat map",
  }),
  createSlotAction: route<Ok>()({
    method: "PUT",
    path: "/api/topom/slots/action/create/:xauth/:sid/:gid",
    doc: "Orders a slot to move to a group.",
    answers: OK,
  }),
  createSlotActionSome: route<Ok>()({
    method: "PUT",
    path: "/api/topom/slots/action/create-some/:xauth/:src/:dst/:num",
    doc: "Orders some slots of a group to move to another.",
    answers: OK,
  }),
  createSlotActionRange: route<Ok>()({
    method: "PUT",
    path: "/api/topom/slots/action/create-range/:xauth/:beg/:end/:gid",
    doc: "Orders a range of slots, both ends included, to move to a group.",
    answers: OK,
  }),
  removeSlotAction: route<Ok>()({
    method: "PUT",
    path: "/api/topom/slots/action/remove/:xauth/:sid",
    doc: "Takes back an order that has not begun.",
    answers: OK,
  }),
  slotActionInterval: route<Ok>()({
    method: "PUT",
    path: "/api/topom/slots/action/interval/:xauth/:value",
    doc:
      "Sets the pause between two steps of the migration, in microseconds, from 0 to " + "1000000.",
    answers: OK,
  }),
  slotActionDisabled: route<Ok>()({
    method: "PUT",
    path: "/api/topom/slots/action/disabled/:xauth/:value",
    doc: "Pauses the migration (1) or lets it go on (0).",
    answers: OK,
  }),
  assignSlots: route<Ok>()({
    method: "PUT",
    path: "/api/topom/slots/assign/:xauth",
    body: (json: unknown): SlotMapping[] => parseSlotMappings(json),
    takes: "a list of SlotMapping objects",
    doc: "Gives slots to groups at once, without moving keys; refused for slots that move.",
    answers: OK,
  }),
  offlineSlots: route<Ok>()({
    method: "PUT",
    path: "/api/topom/slots/assign/:xauth/offline",
    body: (json: unknown): SlotMapping[] => parseSlotMappings(json),
    takes: "a list of SlotMapping objects with `group_id` 0",
    doc: "Takes slots offline at once; refused for slots that move.",
    answers: OK,
  }),
  rebalance: route<Readonly<Record<string, number>>>()({
    method: "PUT",
    path: "/api/topom/slots/rebalance/:xauth/:confirm",
    doc: "Computes an even distribution of slots; with `confirm` 1 orders it.",
    answers: "a map of slot to group",
  }),
  addSentinel: route<Ok>()({
    method: "PUT",
    path: "/api/topom/sentinels/add/:xauth/:addr",
    doc: "Adds a sentinel.",
    answers: OK,
  }),
  removeSentinel: route<Ok>()({
    method: "PUT",
    path: "/api/topom/sentinels/del/:xauth/:addr/:force",
    doc: "Removes a sentinel, with `force` 1 also one that cannot be reached.",
    answers: OK,
  }),
  resyncSentinels: route<Ok>()({
    method: "PUT",
    path: "/api/topom/sentinels/resync-all/:xauth",
    doc: "Tells all sentinels what to monitor, and all proxies which sentinels to watch.",
    answers: OK,
  }),
  sentinelInfo: route<Readonly<Record<string, string>>>()({
    method: "GET",
    path: "/api/topom/sentinels/info/:addr",
    doc: "INFO of a sentinel of the product.",
    answers: "a flat map",
  }),
  sentinelMonitored: route<Readonly<Record<string, SentinelGroup>>>()({
    method: "GET",
    path: "/api/topom/sentinels/info/:addr/monitored",
    doc: "What a sentinel monitors of this product.",
    answers: "a map of master name to its state",
  }),
  cancelSlotActions: route<Ok>()({
    method: "PUT",
    path: "/api/topom/slots/action/cancel/:xauth/:beg/:end",
    doc:
      "Ours. Brings slots that are moving back to where they came from, and forgets " +
      "orders that have not begun.",
    answers: OK,
  }),
  createReplicaJob: route<Ok>()({
    method: "PUT",
    path: "/api/topom/slots/action/create-replica/:xauth/:src/:dst/:num",
    doc:
      "Ours. Moves the highest `num` slots of a group (0: all of them) to a group without slots " +
      "by replication: its master replicates the source, is promoted, and both then lose what " +
      "is not theirs.",
    answers: OK,
  }),
  planRebalance: route<RebalancePlan>()({
    method: "PUT",
    path: "/api/topom/slots/plan/:xauth",
    body: (json: unknown): RebalanceOrder => parseRebalanceOrder(json),
    takes: "a RebalanceOrder object",
    doc:
      "Ours. Computes moves by slots, keys or memory, optionally emptying a group; with " +
      "`confirm` orders them.",
    answers: "a plan",
  }),
  configDump: route<ProductDump>()({
    method: "GET",
    path: "/api/topom/dump/:xauth",
    doc: "Ours. Everything that is stored, for a backup.",
    answers: "a ProductDump object",
  }),
  livez: route<PlainReply>()({
    method: "GET",
    path: "/livez",
    doc: "Tells that the program lives.",
    answers: "200 and `ok`",
  }),
  readyz: route<PlainReply>()({
    method: "GET",
    path: "/readyz",
    doc: "Tells whether this dashboard leads the product.",
    answers: "200 and `ok`, or 503 and the reason",
  }),
  metrics: route<PlainReply>()({
    method: "GET",
    path: "/metrics",
    doc: "Figures of the control plane, for Prometheus.",
    answers: "the text exposition format",
  }),
} as const;

/** The text of docs/dashboard-api.md. */
export function dashboardApiPage(): string {
  return routesPage(DASHBOARD_API_INTRODUCTION, DASHBOARD_ROUTES);
}

const DASHBOARD_API_INTRODUCTION = `# API of codis-dashboard

This page is printed from the table in \`src/api/dashboard-routes.ts\`. The routes, the fields and
their order are those of the original codis-dashboard, so that its tools work with this one; what is
ours says so, and comes in addition.

The rules for all routes are those of [the admin API of the proxy](admin-api.md), with these
differences:

- \`:xauth\` is the first 32 hexadecimal digits of the SHA-256 of \`Codis-XAuth-[product_name]\`.
  It keeps mistakes away and not people: whoever reaches the port can change the product. Let the
  API listen only where those are who may.
- While another dashboard leads the product, the routes for the model, xping and the log level work,
  and every other answers 503 with the cause \`topom is not online\`.
- 400: the call is malformed, or the product is not in a state for it; the cause says why, in the
  words of the original where it has them. 502: a proxy or a server that had to take part did not;
  what was stored stays stored, and the change is carried on when it is back.
- Parameters that are numbers (gid, sid, value, src, dst, num, beg, end, force, confirm) are
  decimal.

## Routes`;
