// Commands on the dashboard as a program.

import { DASHBOARD_ROUTES as routes, type TopomOverview } from "../api/dashboard-routes.ts";
import { type Command, LEVEL, partOf } from "./command.ts";
import { showSummary } from "./view.ts";
import { statusLines } from "./views.ts";

export const DASHBOARD_PARTS = ["config", "model", "stats", "slots", "group", "proxy"] as const;

export const STATUS_COMMANDS: readonly Command[] = [
  {
    name: "status",
    doc: "The whole product at a glance: what is wrong, proxies, groups, migrations.",
    reach: "dashboard",
    isView: true,
    run: showSummary(statusLines),
  },
];

export const DASHBOARD_COMMANDS: readonly Command[] = [
  {
    name: "dashboard show",
    doc: "Prints what the dashboard knows, or a part of it, as JSON.",
    reach: "dashboard",
    positionals: [partOf(DASHBOARD_PARTS)],
    run: async (call) => {
      const overview = await (await call.dashboard()).overview();
      call.out.json(overviewPart(overview, call.given.text("PART")));
    },
  },
  {
    name: "dashboard reload",
    doc: "Lets the dashboard read everything from the coordinator again.",
    reach: "dashboard",
    run: async (call) => {
      await (await call.dashboard()).call(routes.reload, {});
      call.done("read again");
    },
  },
  {
    name: "dashboard shutdown",
    doc: "Ends the dashboard. Proxies go on serving; a standby takes over.",
    reach: "dashboard",
    asks: true,
    run: async (call) => {
      const link = await call.dashboard();
      await call.confirm(`End the dashboard at ${link.address}?`);
      await link.call(routes.shutdown, {});
      call.done("it ends");
    },
  },
  {
    name: "dashboard log-level",
    doc: "Sets the log level of the dashboard until it ends.",
    reach: "dashboard",
    positionals: [LEVEL],
    run: async (call) => {
      const value = call.given.must("LEVEL");
      await (await call.dashboard()).call(routes.logLevel, { value });
      call.done(`it logs ${value} now`);
    },
  },
];

/** The parts that the original prints; null is everything. */
export function overviewPart(overview: TopomOverview, part: string | null): unknown {
  switch (part) {
    case "config":
      return overview.config;
    case "model":
      return overview.model;
    case "stats":
      return overview.stats;
    case "slots":
      return overview.stats.slots;
    case "group":
      return overview.stats.group;
    case "proxy":
      return overview.stats.proxy;
    default:
      return overview;
  }
}
