// Draws the summary for people: the whole product, proxies, groups, slots, migrations, sentinels.

import { SLOT_COUNT } from "../model/slot.ts";
import type { SlotMapping } from "../model/slot-mapping.ts";
import type { JobStat } from "../model/topom-stats.ts";
import {
  bar,
  bytesText,
  type Cell,
  countText,
  durationText,
  percentText,
  rangesText,
  shortened,
  some,
  table,
} from "./format.ts";
import type { Screen } from "./print.ts";
import type { MigrationSummary, ProxyRow, ServerRow, Summary } from "./summary.ts";

const BAR_WIDTH = 24;
const WIDTH_BEFORE_SLOTS = 24;

/** The whole product at a glance. */
export function statusLines(screen: Screen, summary: Summary): string[] {
  const { product, dashboard, slots, groups, servers, proxies, migration, sentinels } = summary;
  const title = `Product ${screen.paint("bold", product)}, dashboard ${dashboard}`;
  const rate = proxies.reduce((sum, proxy) => sum + proxy.requests_per_second, 0);
  const clients = proxies.reduce((sum, proxy) => sum + proxy.clients, 0);
  const keys = servers.filter((each) => each.index === 0).reduce((sum, each) => sum + each.keys, 0);
  const lines = [
    title,
    `${some(SLOT_COUNT - slots.offline, "slot")} in ${some(groups.length, "group")} of ` +
      `${some(servers.length, "server")}, ${some(keys, "key")}`,
    `${some(Math.round(rate), "request")}/s from ${some(clients, "client")}`,
    ...problemLines(screen, summary),
    "",
    ...proxyLines(screen, proxies),
    "",
    ...groupLines(screen, summary),
  ];
  if (slots.moving > 0) lines.push("", ...migrationLines(screen, migration));
  if (sentinels.length > 0) lines.push("", ...sentinelLines(screen, summary));
  return lines;
}

function problemLines(screen: Screen, { problems }: Summary): string[] {
  if (problems.length === 0) return [screen.paint("green", "Nothing is wrong.")];
  return problems.map(({ what, next }) => {
    const step = next === "" ? "" : screen.paint("dim", ` → ${next}`);
    return `${screen.paint("red", "!")} ${what}${step}`;
  });
}

export function proxyLines(screen: Screen, proxies: readonly ProxyRow[]): string[] {
  if (proxies.length === 0) return ["No proxies."];
  return table(
    screen,
    [
      { title: "PROXY", isNumber: true },
      { title: "STATE" },
      { title: "CLIENTS AT" },
      { title: "ADMIN API", isSpare: true },
      { title: "REQ/S", isNumber: true },
      { title: "CLIENTS", isNumber: true },
      { title: "ERRORS", isNumber: true },
      { title: "CPU", isNumber: true, isSpare: true },
      { title: "MEMORY", isNumber: true },
    ],
    proxies.map((proxy) => [
      String(proxy.id),
      stateCell(proxy.state),
      proxy.address,
      proxy.admin,
      countText(proxy.requests_per_second),
      countText(proxy.clients),
      countText(proxy.errors),
      `${Math.round(proxy.cpu * 100)}%`,
      bytesText(proxy.memory),
    ]),
  );
}

/** Groups and servers in one table; what is of the group stands in its first row. */
export function groupLines(screen: Screen, { groups, servers }: Summary): string[] {
  if (groups.length === 0) return ["No groups: codis admin groups add 1"];
  const rows = groups.flatMap((group) => {
    const own = servers.filter((server) => server.group === group.id);
    const moves = [
      group.arriving > 0 ? `+${group.arriving}` : "",
      group.leaving > 0 ? `-${group.leaving}` : "",
    ].join("");
    const head = [String(group.id), `${group.slots}${moves === "" ? "" : ` (${moves})`}`];
    if (own.length === 0) return [[...head, { text: "no servers", colour: "dim" as const }]];
    return own.map((server, i) => [...(i === 0 ? head : ["", ""]), ...serverCells(server)]);
  });
  return table(
    screen,
    [
      { title: "GROUP", isNumber: true },
      { title: "SLOTS", isNumber: true },
      { title: "SERVER" },
      { title: "ROLE" },
      { title: "STATE" },
      { title: "KEYS", isNumber: true },
      { title: "MEMORY", isNumber: true },
      { title: "REQ/S", isNumber: true, isSpare: true },
      { title: "BEHIND", isNumber: true },
      { title: "READS", isSpare: true },
    ],
    rows,
  );
}

function serverCells(server: ServerRow): (string | Cell)[] {
  const { max_memory: most } = server;
  const memory = bytesText(server.memory) + (most > 0 ? ` of ${bytesText(most)}` : "");
  const isPolled = server.state === "ok" || server.state === "wrong";
  const state =
    server.action === "pending" || server.action === "syncing" ? "syncing" : server.state;
  return [
    server.address,
    server.index === 0 ? "master" : "replica",
    stateCell(state),
    isPolled ? countText(server.keys) : "",
    isPolled ? memory : "",
    isPolled ? countText(server.requests_per_second) : "",
    isPolled && server.index > 0 ? bytesText(server.behind) : "",
    server.index === 0 || server.reads ? "yes" : "no",
  ];
}

function stateCell(state: string): Cell {
  if (state === "ok" || state === "online") return { text: state, colour: "green" };
  const isWaiting = ["unknown", "waiting", "syncing"].includes(state);
  return { text: state, colour: isWaiting ? "yellow" : "red" };
}

export function sentinelLines(screen: Screen, { sentinels }: Summary): string[] {
  if (sentinels.length === 0) return ["No sentinels."];
  return table(
    screen,
    [{ title: "SENTINEL" }, { title: "STATE" }, { title: "MASTERS", isNumber: true }],
    sentinels.map(({ address, state, masters }) => [address, stateCell(state), String(masters)]),
  );
}

// ---------------------------------------------------------------------------------------- slots

/** Which group has which slots. */
export function slotLines(screen: Screen, slots: readonly SlotMapping[]): string[] {
  const groups = [...new Set(slots.map((slot) => slot.group_id))].sort((a, b) => a - b);
  const rows = groups.map((group) => {
    const own = slots.filter((slot) => slot.group_id === group).map((slot) => slot.id);
    const name = group === 0 ? { text: "none", colour: "red" as const } : String(group);
    return [
      name,
      String(own.length),
      `${Math.round((100 * own.length) / SLOT_COUNT)}%`,
      whichText(screen, own),
    ];
  });
  const columns = [
    { title: "GROUP", isNumber: true as const },
    { title: "SLOTS", isNumber: true as const },
    { title: "SHARE", isNumber: true as const },
    { title: "WHICH" },
  ];
  const lines = table(screen, columns, rows);
  const moving = slots.filter((slot) => slot.action.state !== undefined);
  if (moving.length === 0) return lines;
  const kinds = new Map<string, number[]>();
  for (const slot of moving) {
    const from = slot.group_id === 0 ? "none" : slot.group_id;
    const kind = `${from} → ${slot.action.target_id ?? 0}  ${slot.action.state}`;
    kinds.set(kind, [...(kinds.get(kind) ?? []), slot.id]);
  }
  return [...lines, "", ...[...kinds].map(([kind, ids]) => `${kind}  ${whichText(screen, ids)}`)];
}

/** On a terminal the begin of a long list; whoever reads a pipe wants it all. */
function whichText(screen: Screen, ids: readonly number[]): string {
  const text = rangesText(ids);
  return screen.isTerminal ? shortened(text, screen.columns - WIDTH_BEFORE_SLOTS) : text;
}

// ----------------------------------------------------------------------------------- migrations

export function migrationLines(screen: Screen, migration: MigrationSummary): string[] {
  const { waiting, under_way: underWay, jobs } = migration;
  if (waiting + underWay === 0) return ["Nothing is being moved."];
  const paused = migration.paused ? screen.paint("yellow", " (paused: codis admin resume)") : "";
  const lines = [
    `Moving ${some(underWay, "slot")}, ${some(waiting, "slot")} waiting${paused}`,
    ...jobs.flatMap((job) => jobLines(screen, job)),
  ];
  // Dashboards of the original have no jobs, only a line about the slot that they work on.
  if (jobs.length === 0 && migration.status !== "") lines.push(migration.status);
  return lines;
}

function jobLines(screen: Screen, job: JobStat): string[] {
  const share = shareOf(job);
  const total = job.keys_total > 0 ? ` of about ${countText(job.keys_total)}` : "";
  const facts = [
    `${job.slots_done} of ${some(job.slots, "slot")}`,
    `${countText(job.keys_moved)}${total} keys`,
    bytesText(job.bytes_moved),
    ...(job.keys_per_second > 0 ? [`${countText(job.keys_per_second)} keys/s`] : []),
    ...(job.eta === undefined ? [] : [`${durationText(job.eta)} left`]),
  ];
  const state = job.paused ? "paused" : job.state;
  const head = `group ${job.source_id} → ${job.target_id}  `;
  return [
    `${head}${bar(screen, share, BAR_WIDTH)} ${percentText(share).padStart(4)}  ${state}`,
    `  ${facts.join(", ")}`,
    ...(job.error === "" ? [] : [screen.paint("red", `  ${job.error}`)]),
    ...slotErrorLines(screen, job),
  ];
}

/** By keys while their number is known, because slots arrive together at the end. */
export function shareOf(job: JobStat): number {
  const bySlots = job.slots === 0 ? 0 : job.slots_done / job.slots;
  if (job.keys_total === 0) return bySlots;
  return Math.max(bySlots, Math.min(0.99, job.keys_moved / job.keys_total));
}

function slotErrorLines(screen: Screen, job: JobStat): string[] {
  const shown = 3;
  const errors = Object.entries(job.slot_errors ?? {});
  const lines = errors.slice(0, shown).map(([slot, error]) => {
    return screen.paint("red", shortened(`  slot ${slot}: ${error}`, screen.columns));
  });
  if (errors.length > shown) lines.push(`  and ${some(errors.length - shown, "more slot")}`);
  return lines;
}
