// The admin API of the proxy, one row a route (contract 3.1), and the two routes of a dashboard
// that a proxy calls when it registers. The server, the client, the handlers and docs/admin-api.md
// all take their types and words from here.

import { parsePinTable, type PinTable } from "../model/key-pin.ts";
import { type MergedFill, parseMergedFills } from "../model/merged-fill.ts";
import { parseSentinelModel, parseTopomModel } from "../model/proxy.ts";
import type { ProxyModel, SentinelModel, TopomModel } from "../model/proxy.ts";
import type { ProxyStats } from "../model/proxy-stats.ts";
import type { SlotFill } from "../model/slot.ts";
import { parseSlotFills } from "../model/slot-fill.ts";
import { type Ok, type PlainReply, type Redirect, route, routesPage } from "./route.ts";

/** Everything about one proxy. */
export interface ProxyOverview {
  readonly version: string;
  readonly compile: string;
  readonly config: Readonly<Record<string, unknown>>;
  readonly model: ProxyModel;
  readonly stats: ProxyStats;
  readonly slots?: readonly SlotFill[];
}

export interface VersionReply {
  readonly version: string;
  readonly compile: string;
}

const OVERVIEW = "version, compile, config, model, stats and slots";
const SLOTS = "the 1024 Slot objects; fields that are zero are left out";
const OK = 'the text "OK"';

export const PROXY_ROUTES = {
  home: route<Redirect>()({
    method: "GET",
    path: "/",
    doc: "Leads to the overview.",
    answers: "302 to /proxy",
  }),
  overview: route<ProxyOverview>()({
    method: "GET",
    path: "/proxy",
    doc: "Everything about the proxy at once.",
    answers: OVERVIEW,
  }),
  plainModel: route<ProxyModel>()({
    method: "GET",
    path: "/proxy/model",
    doc: "Who the proxy is: token, addresses, product, process.",
    answers: "the Proxy object",
  }),
  plainStats: route<ProxyStats>()({
    method: "GET",
    path: "/proxy/stats",
    doc: "All statistics, summed over the workers.",
    answers: "the Stats object with commands and runtime",
  }),
  plainSlots: route<readonly SlotFill[]>()({
    method: "GET",
    path: "/proxy/slots",
    doc: "The slot table.",
    answers: SLOTS,
  }),
  model: route<ProxyModel>()({
    method: "GET",
    path: "/api/proxy/model",
    doc: "As /proxy/model; a dashboard reads the token here before it can compute the xauth.",
    answers: "the Proxy object",
  }),
  xping: route<Ok>()({
    method: "GET",
    path: "/api/proxy/xping/:xauth",
    doc: "Tells whether the xauth is right and the proxy is not closed.",
    answers: OK,
  }),
  stats: route<ProxyStats>()({
    method: "GET",
    path: "/api/proxy/stats/:xauth",
    doc: "The statistics without commands, backends and runtime, as dashboards poll them.",
    answers: "the Stats object",
  }),
  statsWith: route<ProxyStats>()({
    method: "GET",
    path: "/api/proxy/stats/:xauth/:flags",
    doc:
      "The statistics with more parts: `flags` is the sum of 1 for commands and backends and 4 " +
      "for the runtime; -1 is everything.",
    answers: "the Stats object",
  }),
  slots: route<readonly SlotFill[]>()({
    method: "GET",
    path: "/api/proxy/slots/:xauth",
    doc: "The slot table.",
    answers: SLOTS,
  }),
  start: route<Ok>()({
    method: "PUT",
    path: "/api/proxy/start/:xauth",
    doc:
      "Goes online: clients are served from now on. To a proxy that is online it says that its " +
      "dashboard has taken its token from all servers that shut it out.",
    answers: OK,
  }),
  resetStats: route<Ok>()({
    method: "PUT",
    path: "/api/proxy/stats/reset/:xauth",
    doc:
      "Sets commands, totals, failures and errors to zero, and the total of sessions to those " +
      "that are open.",
    answers: OK,
  }),
  forceGc: route<Ok>()({
    method: "PUT",
    path: "/api/proxy/forcegc/:xauth",
    doc: "Collects garbage now, in the parent and in every worker.",
    answers: OK,
  }),
  shutdown: route<Ok>()({
    method: "PUT",
    path: "/api/proxy/shutdown/:xauth",
    doc:
      "Closes the proxy: no new clients, requests in flight finish within `shutdown_timeout`, " +
      "then the program ends with status 0. There is no way back.",
    answers: OK,
  }),
  logLevel: route<Ok>()({
    method: "PUT",
    path: "/api/proxy/loglevel/:xauth/:value",
    doc: "Sets the log level to none, error, warn, info or debug, until the program ends.",
    answers: OK,
  }),
  fillSlots: route<Ok>()({
    method: "PUT",
    path: "/api/proxy/fillslots/:xauth",
    body: (json: unknown): SlotFill[] => parseSlotFills(json),
    takes: "a list of Slot objects; slots that are not named stay as they are",
    doc:
      "Replaces slots. A list with anything wrong in it is refused with 400 as a whole. The " +
      "answer comes when every worker routes by the new slots and the requests that were on " +
      "their way under the old ones are answered; a worker that has not got there in 50 seconds " +
      "gives 504, and the change goes on. A slot whose `revision` is lower than that of its " +
      "present record stays as it is.",
    answers: OK,
  }),
  fillMerged: route<Ok>()({
    method: "PUT",
    path: "/api/proxy/fillmerged/:xauth",
    body: (json: unknown): MergedFill[] => parseMergedFills(json),
    takes:
      "a list of Slot objects that have `ids`, a list of numbers, in the place of `id`: each is " +
      "for all those slots",
    doc:
      "The same as `fillslots` for many slots at once, while requests wait. Ours; the original " +
      "has no such route.",
    answers: OK,
  }),
  pins: route<Ok>()({
    method: "PUT",
    path: "/api/proxy/pins/:xauth",
    body: (json: unknown): PinTable => parsePinTable(json),
    takes: "an object with `revision` and `pins`, a list of slot, db, key (base64) and state",
    doc:
      "Replaces the list of the keys that are too large to move in one step. A key that is " +
      "`pinned` is served where its slot comes from; while it is `held`, writes wait and reads " +
      "follow the key; one in no list moves like any other. A table with a lower revision than " +
      "the present one changes nothing. The answer comes when every worker goes by the list and " +
      "no request is in flight in the slots of keys whose state changed. Ours; the original has " +
      "no such route.",
    answers: OK,
  }),
  sentinels: route<Ok>()({
    method: "PUT",
    path: "/api/proxy/sentinels/:xauth",
    body: (json: unknown): SentinelModel => parseSentinelModel(json),
    takes: "a Sentinel object, of which `servers` counts",
    doc:
      "Replaces the list of sentinels and watches them. When they make another server the master " +
      "of a group, the proxy switches the slots of that group by itself; `sentinels.switched` in " +
      "the statistics tells so until the slots are filled again. An empty list ends the watch.",
    answers: OK,
  }),
  rewatch: route<Ok>()({
    method: "PUT",
    path: "/api/proxy/sentinels/:xauth/rewatch",
    doc: "Begins the watch of the sentinels anew.",
    answers: OK,
  }),
  abandon: route<Ok>()({
    method: "PUT",
    path: "/api/proxy/abandon/:xauth/:addr",
    doc:
      "Answers requests that wait for this server with an error, because the server is dead and " +
      "another one takes its place. Ours; the original has no such route.",
    answers: OK,
  }),
  metrics: route<PlainReply>()({
    method: "GET",
    path: "/metrics",
    doc: "The metrics of docs/metrics.md, for Prometheus.",
    answers: "the text exposition format, version 0.0.4",
  }),
  livez: route<PlainReply>()({
    method: "GET",
    path: "/livez",
    doc: "Tells that the parent process lives.",
    answers: "200 and `ok`",
  }),
  readyz: route<PlainReply>()({
    method: "GET",
    path: "/readyz",
    doc: "Tells whether clients should be sent here: the proxy is online and all workers serve.",
    answers: "200 and `ok`, or 503 and the reason",
  }),
  version: route<VersionReply>()({
    method: "GET",
    path: "/version",
    doc: "The version of the program and what runs it.",
    answers: "version and compile",
  }),
} as const;

/** What a proxy needs of a dashboard to register there (contract 2.1). */
export const REGISTRATION_ROUTES = {
  topomModel: route<TopomModel>()({
    method: "GET",
    path: "/api/topom/model",
    doc: "Who the dashboard is.",
    answers: "the Topom object",
  }),
  onlineProxy: route<Ok>()({
    method: "PUT",
    path: "/api/topom/proxy/online/:xauth/:addr",
    doc: "Takes a proxy, by its admin address, into the product.",
    answers: OK,
  }),
} as const;

/** Reads what a dashboard of any make answered to `topomModel`. */
export const readTopomModel = parseTopomModel;

/** The text of docs/admin-api.md. */
export function adminApiPage(): string {
  return routesPage(ADMIN_API_INTRODUCTION, PROXY_ROUTES);
}

const ADMIN_API_INTRODUCTION = `# Admin API of codis-proxy

This page is printed from the table in \`src/api/routes.ts\`. The routes, the fields and their order
are those of the original codis-proxy, so that its dashboard and tools work with this proxy; what
is ours comes in addition.

The API is served at \`admin_addr\`. It has no encryption: let it listen only where the dashboard
and the people who run the product can reach it.

## Rules for all routes

- Bodies are JSON, indented by four spaces, with \`&\`, \`<\` and \`>\` escaped inside of texts. A
  field that is zero is left out where the original leaves it out. Names of fields in what you send
  match in any letter case, and unknown fields are ignored.
- \`:xauth\` in a path is the first 32 hexadecimal digits of the SHA-256 of
  \`Codis-XAuth-[product_name]-[product_auth]-[token]\`; the token is in the answer of
  \`/api/proxy/model\`. It is compared in constant time and never logged.
- Every route also takes one slash at its end, and \`HEAD\` where it takes \`GET\`. Every other path
  is not found (404). Answers are compressed for callers that accept gzip.
- A call that fails has a status of its own, and its cause twice: in the reason phrase and as
  \`{"Cause": "…", "Stack": null}\`. 400: something in the call is malformed, and nothing was
  changed. 403: the xauth is wrong. 413: the body exceeds 16 MB. 503: the proxy is starting or
  closed. 504: not every worker confirmed in time. 500: a fault of ours; the log has it. Programs
  of the original (\`User-Agent: Go-http-client\`) get 800, the only one whose cause they read.
- Calls that change something are logged with the address of the caller.

## Routes`;
