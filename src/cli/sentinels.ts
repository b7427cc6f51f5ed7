// Commands on the sentinels of a product.

import { DASHBOARD_ROUTES as routes } from "../api/dashboard-routes.ts";
import type { Command } from "./command.ts";
import { showSummary } from "./view.ts";
import { sentinelLines } from "./views.ts";

const SENTINEL = { name: "ADDR", doc: "The sentinel, as HOST:PORT." };

export const SENTINEL_COMMANDS: readonly Command[] = [
  {
    name: "sentinels",
    doc: "Shows the sentinels.",
    reach: "dashboard",
    isView: true,
    run: showSummary(sentinelLines, (summary) => summary.sentinels),
  },
  {
    name: "sentinels add",
    doc: "Adds a sentinel; it watches after codis admin sentinels resync.",
    reach: "dashboard",
    positionals: [SENTINEL],
    run: async (call) => {
      const addr = call.given.must("ADDR");
      await (await call.dashboard()).call(routes.addSentinel, { addr });
      call.done(`sentinel ${addr} is there; next: codis admin sentinels resync`);
    },
  },
  {
    name: "sentinels remove",
    doc: "Removes a sentinel.",
    reach: "dashboard",
    asks: true,
    positionals: [SENTINEL],
    options: [{ name: "force", doc: "Also when it does not answer." }],
    run: async (call) => {
      const addr = call.given.must("ADDR");
      const link = await call.dashboard();
      await call.confirm(`Remove sentinel ${addr}?`);
      await link.call(routes.removeSentinel, { addr, force: call.given.has("force") ? 1 : 0 });
      call.done(`sentinel ${addr} is gone; next: codis admin sentinels resync`);
    },
  },
  {
    name: "sentinels resync",
    doc: "Tells all sentinels what to watch, and all proxies which sentinels there are.",
    reach: "dashboard",
    run: async (call) => {
      await (await call.dashboard()).call(routes.resyncSentinels, {});
      call.done("all sentinels and proxies know");
    },
  },
];
