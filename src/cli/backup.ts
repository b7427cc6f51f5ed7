// Commands on the stored records of a product, straight to the coordinator: dump, restore,
// convert, the lock, the list of products. Restoring takes the lead for a moment, so that no
// dashboard can be at work meanwhile.

import { DASHBOARD_ROUTES as routes, type ProductDump } from "../api/dashboard-routes.ts";
import type { Coordinator, Leadership, Write } from "../coordinator/coordinator.ts";
import { OperatorError } from "../lib/operator-error.ts";
import { parseGroup } from "../model/group.ts";
import { decodeJson, encodeJson } from "../model/json.ts";
import { parseProxyModel, parseSentinelModel, parseTopomModel } from "../model/proxy.ts";
import { SLOT_COUNT } from "../model/slot.ts";
import { idleMapping, parseSlotMapping } from "../model/slot-mapping.ts";
import * as layout from "../model/store-layout.ts";
import { timeText } from "../model/time.ts";
import type { Call, Command } from "./command.ts";
import { some } from "./format.ts";
import { decodeFile } from "./one-proxy.ts";
import { convertOldDump, parseDump, withoutEmpty } from "./records-file.ts";
import { ALL_KINDS } from "./store-options.ts";

const LEAD_TTL_MS = 10_000;
/** Where codis 1 and 2 kept their products. */
const OLD_ROOT = "/zk/codis/db_";

export const BACKUP_COMMANDS: readonly Command[] = [
  {
    name: "dump",
    doc: "Prints everything that is stored about a product, as JSON.",
    details:
      "Slots, groups, proxies, sentinels and options. Asks the dashboard; with a coordinator " +
      "and --product it needs no dashboard.",
    reach: "coordinator",
    options: [
      { name: "dashboard", argument: "ADDR", doc: "Ask this dashboard." },
      { name: "old", short: "1", doc: "The product is of codis 1 or 2." },
    ],
    run: async (call) => {
      if (ALL_KINDS.every((kind) => !call.given.has(kind))) {
        call.out.json(await (await call.dashboard()).call(routes.configDump, {}));
      } else await printDump(call);
    },
  },
  {
    name: "restore",
    doc: "Writes a dump into a coordinator in which the product has no groups and proxies yet.",
    details:
      "No dashboard may run meanwhile. Takes dumps of this program and of the original, version 3.",
    reach: "coordinator",
    asks: true,
    positionals: [{ name: "FILE", doc: "What dump printed." }],
    run: async (call) => {
      const file = call.given.must("FILE");
      const dump = parseDump(decodeFile(file), file);
      await call.confirm(`Restore ${sizeText(dump)} as product ${call.product}?`);
      await restoreDump(call, dump);
      call.done(`product ${call.product} is restored; start its dashboard now`);
    },
  },
  {
    name: "convert",
    doc: "Turns a dump of codis 1 into one that restore takes.",
    reach: "nobody",
    positionals: [{ name: "FILE", doc: "What dump --old printed." }],
    run: async (call) => {
      const file = call.given.must("FILE");
      call.out.json(convertOldDump(decodeFile(file), file));
    },
  },
  {
    name: "unlock",
    doc: "Removes the lock of a dashboard of the original that was killed.",
    details:
      "Our dashboards need it never: their lead ends with their process. A dashboard that runs " +
      "loses its lead by this.",
    reach: "coordinator",
    asks: true,
    run: async (call) => {
      await call.confirm(`Remove the lock of product ${call.product}?`);
      await removeLock(call);
      call.done(`product ${call.product} has no lock any more`);
    },
  },
  {
    name: "products",
    doc: "Lists the products of a coordinator and their dashboards, as JSON.",
    reach: "coordinator",
    run: printDashboards,
  },
];

async function withCoordinator<T>(
  call: Call,
  task: (coordinator: Coordinator) => Promise<T>,
): Promise<T> {
  const coordinator = await call.coordinator();
  try {
    return await task(coordinator);
  } finally {
    await coordinator.close();
  }
}

// ----------------------------------------------------------------------------------------- dump

export async function printDump(call: Call): Promise<void> {
  const { product } = call;
  const dump = await withCoordinator(call, async (coordinator) => {
    return call.given.has("old")
      ? await readOldDump(coordinator, `${OLD_ROOT}${product}`)
      : await readDump(coordinator, product);
  });
  const version = call.given.has("old") ? "v1" : "v3";
  if (dump === null) throw new OperatorError(`can't find product = ${product} [${version}]`);
  call.out.json(dump);
}

async function readDump(coordinator: Coordinator, product: string): Promise<ProductDump | null> {
  const rows = async <T>(
    path: string,
    parse: (json: unknown, where: string) => T,
  ): Promise<T[]> => {
    const texts = await coordinator.readAll(path);
    return [...texts].map(([name, text]) => parse(decodeJson(text), `${path}/${name}`));
  };
  const group = await rows(layout.groupsPath(product), parseGroup);
  const proxy = await rows(layout.proxiesPath(product), parseProxyModel);
  if (group.length === 0 && proxy.length === 0) return null;
  const slots = Array.from({ length: SLOT_COUNT }, (_, id) => idleMapping(id, 0));
  for (const slot of await rows(layout.slotsPath(product), parseSlotMapping)) slots[slot.id] = slot;
  const sentinel = await coordinator.read(layout.sentinelPath(product));
  const options = await coordinator.read(layout.optionsPath(product));
  return withoutEmpty({
    slots,
    group: group.sort((a, b) => a.id - b.id),
    proxy: proxy.sort((a, b) => (a.id ?? 0) - (b.id ?? 0)),
    ...(sentinel === null ? {} : { sentinel: parseSentinelModel(decodeJson(sentinel)) }),
    ...(options === null ? {} : { options: { ...Object(decodeJson(options)) } }),
  });
}

/** The tree below a path: objects by name, and at the leaves what is stored. */
async function readOldDump(coordinator: Coordinator, path: string): Promise<unknown> {
  const names = await coordinator.list(path);
  if (names.length === 0) {
    const text = await coordinator.read(path);
    return text === null || text === "" ? null : decodeJson(text);
  }
  const tree: Record<string, unknown> = {};
  for (const name of names) tree[name] = await readOldDump(coordinator, `${path}/${name}`);
  return tree;
}

// -------------------------------------------------------------------------------------- restore

/** Writes everything under a lead of our own, which shows that no dashboard is at work. */
export async function restoreDump(call: Call, dump: ProductDump): Promise<void> {
  const { product } = call;
  await withCoordinator(call, async (coordinator) => {
    const lead = await takeLead(coordinator, product);
    try {
      const groups = await coordinator.list(layout.groupsPath(product));
      const proxies = await coordinator.list(layout.proxiesPath(product));
      if (groups.length + proxies.length > 0) {
        throw new OperatorError(`product ${product} is not empty: restore under another name`);
      }
      await lead.write(writesOf(product, dump));
    } finally {
      await lead.release();
    }
  });
}

async function takeLead(coordinator: Coordinator, product: string): Promise<Leadership> {
  const waiting = new AbortController();
  const path = layout.leaderPath(product);
  let holder = "";
  try {
    return await coordinator.lead(path, encodeJson(ownModel(product)), {
      ttlMs: LEAD_TTL_MS,
      signal: waiting.signal,
      onWaiting: (data) => {
        holder = data;
        waiting.abort();
      },
    });
  } catch (error) {
    if (!waiting.signal.aborted) throw error;
    throw new OperatorError(
      `a dashboard (${adminAddressOf(holder) || "of unknown address"}) has product ${product}: ` +
        "end it first, or if it is one of the original that was killed, remove its lock",
    );
  }
}

/** What others see at the lock while we restore. */
function ownModel(product: string): Record<string, unknown> {
  const start_time = timeText(Date.now(), performance.now() / 1000);
  const who = { token: "restore", start_time, admin_addr: "", product_name: product };
  return { ...who, pid: process.pid, pwd: process.cwd(), sys: "codis-admin" };
}

function writesOf(product: string, dump: ProductDump): Write[] {
  const put = (path: string, record: unknown): Write => {
    return { kind: "put", path, data: encodeJson(record) };
  };
  const { slots = [], group = [], proxy = [], sentinel, options } = dump;
  return [
    ...(options === undefined ? [] : [put(layout.optionsPath(product), options)]),
    ...(sentinel === undefined ? [] : [put(layout.sentinelPath(product), sentinel)]),
    ...slots.map((slot) => put(layout.slotPath(product, slot.id), slot)),
    ...group.map((each) => put(layout.groupPath(product, each.id), each)),
    ...proxy.map((each) => put(layout.proxyPath(product, each.token), each)),
  ];
}

function sizeText({ slots = [], group = [], proxy = [] }: ProductDump): string {
  const counts = `${some(slots.length, "slot")}, ${some(group.length, "group")}`;
  return `${counts} and ${some(proxy.length, "proxy", "proxies")}`;
}

// ------------------------------------------------------------------------- the lock, the products

export async function removeLock(call: Call): Promise<void> {
  const path = layout.leaderPath(call.product);
  await withCoordinator(call, (coordinator) => coordinator.remove(path));
}

/** The list that codis-fe reads. */
export async function printDashboards(call: Call): Promise<void> {
  const products = await withCoordinator(call, async (coordinator) => {
    const names = await coordinator.list(layout.PRODUCTS_PATH);
    return await Promise.all(
      names.map(async (name) => {
        const text = (await coordinator.read(layout.leaderPath(name))) ?? "";
        return { name, dashboard: adminAddressOf(text) };
      }),
    );
  });
  call.out.json(products);
}

/** "" when the text is no record of a dashboard. */
function adminAddressOf(text: string): string {
  try {
    return parseTopomModel(decodeJson(text)).admin_addr;
  } catch {
    return "";
  }
}
