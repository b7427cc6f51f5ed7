// The forms of the original codis-admin's command line, a row each. The functions behind them are
// those of `codis admin`; only the words, and what is printed, are the original's.

import { DASHBOARD_ROUTES as routes } from "../api/dashboard-routes.ts";
import type { AnyRoute } from "../api/route.ts";
import { PROXY_ROUTES as proxyRoutes } from "../api/routes.ts";
import { ETCD_TLS_OPTIONS } from "../coordinator/tls-options.ts";
import type { Arguments } from "../lib/args.ts";
import { OperatorError } from "../lib/operator-error.ts";
import { readLogLevel } from "../lib/program-options.ts";
import { encodeJson } from "../model/json.ts";
import { SLOT_COUNT } from "../model/slot.ts";
import { printDashboards, printDump, removeLock, restoreDump } from "./backup.ts";
import type { Call } from "./command.ts";
import type { DashboardParams } from "./dashboard-link.ts";
import { addServer, originalGroupLines, resyncAll } from "./groups.ts";
import { overviewPart } from "./one-dashboard.ts";
import { decodeFile, proxyPart, readSlots } from "./one-proxy.ts";
import type { Target } from "./original-options.ts";
import { originalProxyLines, originalTokens } from "./proxies.ts";
import { ProxyLink } from "./proxy-link.ts";
import { originalPlanLines, rebalanceBySlots } from "./rebalance.ts";
import { convertOldDump, parseDump } from "./records-file.ts";
import { mappingsOf } from "./slots.ts";
import { KINDS } from "./store-options.ts";

export interface Form {
  readonly target: Target;
  /** The options that choose it; none: it is what the target does without any. */
  readonly chosenBy: readonly string[];
  /** Options that it cannot do without; of a list, exactly one. */
  readonly needs?: readonly (string | readonly string[])[];
  readonly may?: readonly string[];
  readonly run: (call: Call) => Promise<void>;
}

const WHICH_PROXY = ["addr", "token", "pid"];
const WHICH_STORE = [...KINDS];
const STORE_AUTH = ["zookeeper-auth", "etcd-auth", ...ETCD_TLS_OPTIONS.map(({ name }) => name)];

// ------------------------------------------------------------------------------------ one proxy

function proxyOf(call: Call): ProxyLink {
  return new ProxyLink(call.given.must("proxy"), call.given.text("auth") ?? "");
}

const PROXY_FORMS: readonly Form[] = [
  {
    target: "proxy",
    chosenBy: [],
    may: ["PART"],
    run: async (call) => call.out.json(await proxyPart(proxyOf(call), call.given.text("PART"))),
  },
  {
    target: "proxy",
    chosenBy: ["start"],
    run: async (call) => void (await proxyOf(call).call(proxyRoutes.start, {})),
  },
  {
    target: "proxy",
    chosenBy: ["shutdown"],
    run: async (call) => void (await proxyOf(call).call(proxyRoutes.shutdown, {})),
  },
  {
    target: "proxy",
    chosenBy: ["reset-stats"],
    run: async (call) => void (await proxyOf(call).call(proxyRoutes.resetStats, {})),
  },
  {
    target: "proxy",
    chosenBy: ["forcegc"],
    run: async (call) => void (await proxyOf(call).call(proxyRoutes.forceGc, {})),
  },
  {
    target: "proxy",
    chosenBy: ["log-level"],
    run: async (call) => {
      const value = readLogLevel(call.given);
      await proxyOf(call).call(proxyRoutes.logLevel, { value });
    },
  },
  {
    target: "proxy",
    chosenBy: ["fillslots"],
    may: ["locked"],
    run: async (call) => {
      const slots = readSlots(call.given.must("fillslots"), call.given.has("locked"));
      await proxyOf(call).call(proxyRoutes.fillSlots, {}, slots);
    },
  },
];

// -------------------------------------------------------------------- the dashboard, its proxies

/** The form is one call of the dashboard, with what `params` takes from the flags. */
function order<R extends AnyRoute>(
  route: R,
  params: (given: Arguments) => DashboardParams<R>,
): Form["run"] {
  return async (call) => {
    await (await call.dashboard()).call(route, params(call.given));
  };
}

const DASHBOARD_FORMS: readonly Form[] = [
  {
    target: "dashboard",
    chosenBy: [],
    may: ["PART"],
    run: async (call) => {
      const overview = await (await call.dashboard()).overview();
      call.out.json(overviewPart(overview, call.given.text("PART")));
    },
  },
  {
    target: "dashboard",
    chosenBy: ["shutdown"],
    run: order(routes.shutdown, () => ({})),
  },
  {
    target: "dashboard",
    chosenBy: ["reload"],
    run: order(routes.reload, () => ({})),
  },
  {
    target: "dashboard",
    chosenBy: ["log-level"],
    run: order(routes.logLevel, (given) => ({ value: readLogLevel(given) })),
  },
  {
    target: "dashboard",
    chosenBy: ["list-proxy"],
    run: async (call) => call.out.json((await (await call.dashboard()).stats()).proxy.models),
  },
  {
    target: "dashboard",
    chosenBy: ["create-proxy"],
    needs: ["addr"],
    run: order(routes.createProxy, (given) => ({ addr: given.must("addr") })),
  },
  {
    target: "dashboard",
    chosenBy: ["online-proxy"],
    needs: ["addr"],
    run: order(routes.onlineProxy, (given) => ({ addr: given.must("addr") })),
  },
  {
    target: "dashboard",
    chosenBy: ["remove-proxy"],
    needs: [WHICH_PROXY],
    may: ["force"],
    run: async (call) => {
      const link = await call.dashboard();
      const force = call.given.has("force") ? 1 : 0;
      for (const token of await originalTokens(call, link)) {
        await link.call(routes.removeProxy, { token, force });
      }
    },
  },
  {
    target: "dashboard",
    chosenBy: ["reinit-proxy"],
    needs: [[...WHICH_PROXY, "all"]],
    may: ["force"],
    run: reinitProxies,
  },
  {
    target: "dashboard",
    chosenBy: ["proxy-status"],
    run: async (call) => {
      call.out.lines(originalProxyLines(await (await call.dashboard()).stats()));
    },
  },
];

async function reinitProxies(call: Call): Promise<void> {
  const link = await call.dashboard();
  if (!call.given.has("all")) {
    for (const token of await originalTokens(call, link)) {
      await link.call(routes.reinitProxy, { token });
    }
    return;
  }
  for (const model of (await link.stats()).proxy.models) {
    call.out.line(`reinit proxy: ${encodeJson(model)}`);
    await link.call(routes.reinitProxy, { token: model.token });
  }
}

// --------------------------------------------------------------------------- groups and sentinels

const GROUP_FORMS: readonly Form[] = [
  {
    target: "dashboard",
    chosenBy: ["list-group"],
    run: async (call) => call.out.json((await (await call.dashboard()).stats()).group.models),
  },
  {
    target: "dashboard",
    chosenBy: ["create-group"],
    needs: ["gid"],
    run: order(routes.createGroup, (given) => ({ gid: given.must("gid") })),
  },
  {
    target: "dashboard",
    chosenBy: ["remove-group"],
    needs: ["gid"],
    run: order(routes.removeGroup, (given) => ({ gid: given.must("gid") })),
  },
  {
    target: "dashboard",
    chosenBy: ["resync-group"],
    needs: [["gid", "all"]],
    run: async (call) => {
      const link = await call.dashboard();
      if (call.given.has("all")) await resyncAll(link);
      else await link.call(routes.resyncGroup, { gid: call.given.must("gid") });
    },
  },
  {
    target: "dashboard",
    chosenBy: ["group-add"],
    needs: ["gid", "addr"],
    may: ["datacenter"],
    run: async (call) => {
      const { given } = call;
      const link = await call.dashboard();
      await addServer(link, given.must("gid"), given.must("addr"), given.text("datacenter"));
    },
  },
  {
    target: "dashboard",
    chosenBy: ["group-del"],
    needs: ["gid", "addr"],
    run: order(routes.removeServer, serverOf),
  },
  {
    target: "dashboard",
    chosenBy: ["group-status"],
    run: printGroupStatus,
  },
  {
    target: "dashboard",
    chosenBy: ["replica-groups"],
    needs: ["gid", "addr", ["enable", "disable"]],
    run: order(routes.replicaGroups, (given) => {
      return { ...serverOf(given), value: given.has("enable") ? 1 : 0 };
    }),
  },
  {
    target: "dashboard",
    chosenBy: ["promote-server"],
    needs: ["gid", "addr"],
    run: async (call) => {
      await (await call.dashboard()).call(routes.promoteServer, serverOf(call.given));
      await printGroupStatus(call);
    },
  },
  {
    target: "dashboard",
    chosenBy: ["sync-action", "create"],
    needs: ["addr"],
    run: order(routes.createSyncAction, (given) => ({ addr: given.must("addr") })),
  },
  {
    target: "dashboard",
    chosenBy: ["sync-action", "remove"],
    needs: ["addr"],
    run: order(routes.removeSyncAction, (given) => ({ addr: given.must("addr") })),
  },
  {
    target: "dashboard",
    chosenBy: ["sentinel-add"],
    needs: ["addr"],
    run: order(routes.addSentinel, (given) => ({ addr: given.must("addr") })),
  },
  {
    target: "dashboard",
    chosenBy: ["sentinel-del"],
    needs: ["addr"],
    may: ["force"],
    run: order(routes.removeSentinel, (given) => {
      return { addr: given.must("addr"), force: given.has("force") ? 1 : 0 };
    }),
  },
  {
    target: "dashboard",
    chosenBy: ["sentinel-resync"],
    run: order(routes.resyncSentinels, () => ({})),
  },
];

function serverOf(given: Arguments): { gid: string; addr: string } {
  return { gid: given.must("gid"), addr: given.must("addr") };
}

async function printGroupStatus(call: Call): Promise<void> {
  call.out.lines(originalGroupLines(await (await call.dashboard()).stats()));
}

// ---------------------------------------------------------------------------------------- slots

const SLOT_FORMS: readonly Form[] = [
  {
    target: "dashboard",
    chosenBy: ["slots-status"],
    run: async (call) => call.out.json(await (await call.dashboard()).call(routes.slots, {})),
  },
  {
    target: "dashboard",
    chosenBy: ["slots-assign"],
    needs: ["beg", "end", ["gid", "offline"]],
    may: ["confirm"],
    run: async (call) => {
      const { given } = call;
      const mappings = mappingsOf(slotRange(call), given.integer("gid") ?? 0);
      if (!given.has("confirm")) return call.out.json(mappings);
      const route = given.has("offline") ? routes.offlineSlots : routes.assignSlots;
      await (await call.dashboard()).call(route, {}, mappings);
    },
  },
  {
    target: "dashboard",
    chosenBy: ["slot-action", "create"],
    needs: ["sid", "gid"],
    run: order(routes.createSlotAction, (given) => {
      return { sid: given.must("sid"), gid: given.must("gid") };
    }),
  },
  {
    target: "dashboard",
    chosenBy: ["slot-action", "remove"],
    needs: ["sid"],
    run: order(routes.removeSlotAction, (given) => ({ sid: given.must("sid") })),
  },
  {
    target: "dashboard",
    chosenBy: ["slot-action", "create-some"],
    needs: ["gid-from", "gid-to", "num-slots"],
    run: order(routes.createSlotActionSome, (given) => ({
      src: given.must("gid-from"),
      dst: given.must("gid-to"),
      num: given.must("num-slots"),
    })),
  },
  {
    target: "dashboard",
    chosenBy: ["slot-action", "create-range"],
    needs: ["beg", "end", "gid"],
    run: order(routes.createSlotActionRange, (given) => {
      return { beg: given.must("beg"), end: given.must("end"), gid: given.must("gid") };
    }),
  },
  {
    target: "dashboard",
    chosenBy: ["slot-action", "interval"],
    run: order(routes.slotActionInterval, (given) => ({ value: given.must("interval") })),
  },
  {
    target: "dashboard",
    chosenBy: ["slot-action", "disabled"],
    run: order(routes.slotActionDisabled, (given) => ({ value: given.must("disabled") })),
  },
  {
    target: "dashboard",
    chosenBy: ["rebalance"],
    may: ["confirm"],
    run: async (call) => {
      const link = await call.dashboard();
      const plan = await rebalanceBySlots(link, call.given.has("confirm"));
      call.out.lines(originalPlanLines(plan));
    },
  },
];

function slotRange(call: Call): number[] {
  const [beg, end] = [call.given.integer("beg") ?? 0, call.given.integer("end") ?? 0];
  if (beg > end || end >= SLOT_COUNT) {
    throw new OperatorError(
      `invalid slot range [${beg},${end}]: it must be within [0,${SLOT_COUNT - 1}]`,
    );
  }
  return Array.from({ length: end - beg + 1 }, (_, i) => beg + i);
}

// ------------------------------------------------------------------------------- the coordinator

const STORE_FORMS: readonly Form[] = [
  {
    target: "coordinator",
    chosenBy: ["remove-lock"],
    needs: ["product", WHICH_STORE],
    may: STORE_AUTH,
    run: removeLock,
  },
  {
    target: "coordinator",
    chosenBy: ["config-dump"],
    needs: ["product", WHICH_STORE],
    may: [...STORE_AUTH, "old"],
    run: printDump,
  },
  {
    target: "coordinator",
    chosenBy: ["config-convert"],
    run: async (call) => {
      const file = call.given.must("config-convert");
      call.out.json(convertOldDump(decodeFile(file), file));
    },
  },
  {
    target: "coordinator",
    chosenBy: ["config-restore"],
    needs: ["product", WHICH_STORE],
    may: [...STORE_AUTH, "confirm"],
    run: async (call) => {
      const file = call.given.must("config-restore");
      const dump = parseDump(decodeFile(file), file);
      if (call.given.has("confirm")) await restoreDump(call, dump);
      else call.out.json(dump);
    },
  },
  {
    target: "coordinator",
    chosenBy: ["dashboard-list"],
    needs: [WHICH_STORE],
    may: STORE_AUTH,
    run: printDashboards,
  },
];

export const FORMS: readonly Form[] = [
  ...PROXY_FORMS,
  ...DASHBOARD_FORMS,
  ...GROUP_FORMS,
  ...SLOT_FORMS,
  ...STORE_FORMS,
];
