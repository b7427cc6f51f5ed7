// Commands on groups and their servers.

import { DASHBOARD_ROUTES as routes } from "../api/dashboard-routes.ts";
import { OperatorError } from "../lib/operator-error.ts";
import type { Group } from "../model/group.ts";
import { MAX_GROUP_ID } from "../model/slot-mapping.ts";
import type { TopomStats } from "../model/topom-stats.ts";
import type { Command } from "./command.ts";
import type { DashboardLink } from "./dashboard-link.ts";
import { markOf } from "./proxies.ts";
import { replicationOf } from "./summary.ts";
import { showSummary } from "./view.ts";
import { groupLines } from "./views.ts";

const GROUP = { name: "GROUP", integerFrom: 1, doc: `A number from 1 to ${MAX_GROUP_ID}.` };
const SERVER = { name: "ADDR", doc: "The server, as HOST:PORT." };

export const GROUP_COMMANDS: readonly Command[] = [
  {
    name: "groups",
    doc: "Shows the groups and their servers.",
    reach: "dashboard",
    isView: true,
    run: showSummary(groupLines, ({ groups, servers }) => ({ groups, servers })),
  },
  {
    name: "groups add",
    doc: "Adds an empty group.",
    reach: "dashboard",
    positionals: [GROUP],
    run: async (call) => {
      const gid = call.given.must("GROUP");
      await (await call.dashboard()).call(routes.createGroup, { gid });
      call.done(`group ${gid} is there; next: codis admin servers add ${gid} HOST:PORT`);
    },
  },
  {
    name: "groups remove",
    doc: "Removes an empty group.",
    reach: "dashboard",
    positionals: [GROUP],
    run: async (call) => {
      const gid = call.given.must("GROUP");
      await (await call.dashboard()).call(routes.removeGroup, { gid });
      call.done(`group ${gid} is gone`);
    },
  },
  {
    name: "groups resync",
    doc: "Tells all proxies again which servers a group has, or all groups.",
    reach: "dashboard",
    positionals: [{ ...GROUP, isOptional: true }],
    run: async (call) => {
      const gid = call.given.text("GROUP");
      const link = await call.dashboard();
      if (gid === null) await resyncAll(link);
      else await link.call(routes.resyncGroup, { gid });
      call.done("all proxies know");
    },
  },
  {
    name: "servers add",
    doc: "Adds a server to a group: the first is the master, the others are to be replicas.",
    details: "A replica replicates its master after codis admin sync ADDR.",
    reach: "dashboard",
    positionals: [GROUP, SERVER],
    options: [{ name: "datacenter", argument: "NAME", doc: "Where it stands." }],
    run: async (call) => {
      const [gid, addr] = [call.given.must("GROUP"), call.given.must("ADDR")];
      await addServer(await call.dashboard(), gid, addr, call.given.text("datacenter"));
      call.done(`${addr} is in group ${gid}`);
    },
  },
  {
    name: "servers remove",
    doc: "Removes a server from its group.",
    reach: "dashboard",
    asks: true,
    positionals: [SERVER],
    run: async (call) => {
      const addr = call.given.must("ADDR");
      const link = await call.dashboard();
      const group = await groupOf(link, addr);
      await call.confirm(`Remove ${addr} from group ${group.id}?`);
      await link.call(routes.removeServer, { gid: group.id, addr });
      call.done(`${addr} is gone from group ${group.id}; the server itself runs on`);
    },
  },
  {
    name: "promote",
    doc: "Makes a replica the master of its group.",
    details:
      "The dashboard waits until the replica has caught up, so that no acknowledged write is " +
      "lost while the old master lives.",
    reach: "dashboard",
    asks: true,
    positionals: [SERVER],
    run: async (call) => {
      const addr = call.given.must("ADDR");
      const link = await call.dashboard();
      const group = await groupOf(link, addr);
      await call.confirm(
        `Make ${addr} the master of group ${group.id}, in place of ${group.servers[0].server}?`,
      );
      await link.call(routes.promoteServer, { gid: group.id, addr });
      call.done(`${addr} is the master of group ${group.id}`);
    },
  },
  {
    name: "sync",
    doc: "Orders a server to replicate the master of its group.",
    reach: "dashboard",
    positionals: [SERVER],
    options: [{ name: "cancel", doc: "Forget that order." }],
    run: async (call) => {
      const addr = call.given.must("ADDR");
      const isCancelled = call.given.has("cancel");
      const route = isCancelled ? routes.removeSyncAction : routes.createSyncAction;
      await (await call.dashboard()).call(route, { addr });
      call.done(
        isCancelled ? "forgotten" : "ordered; codis admin groups --watch shows how it goes",
      );
    },
  },
  {
    name: "replicas",
    doc: "Lets reads go to a replica, or no longer; without an address to all replicas.",
    reach: "dashboard",
    positionals: [
      { name: "SWITCH", choices: ["on", "off"], doc: "on or off." },
      { ...SERVER, isOptional: true },
    ],
    run: async (call) => {
      const value = call.given.must("SWITCH") === "on" ? 1 : 0;
      const addr = call.given.text("ADDR");
      const link = await call.dashboard();
      if (addr === null) await link.call(routes.replicaGroupsAll, { value });
      else {
        const group = await groupOf(link, addr);
        await link.call(routes.replicaGroups, { gid: group.id, addr, value });
      }
      // The flag reaches the proxies with the next resync; nobody wants to wait for that.
      const models = (await link.stats()).group.models.filter((group) => group.out_of_sync);
      for (const { id } of models) await link.call(routes.resyncGroup, { gid: id });
      call.done(`reads ${value === 1 ? "go" : "do not go"} to ${addr ?? "replicas"}`);
    },
  },
];

export async function addServer(
  link: DashboardLink,
  gid: string,
  addr: string,
  datacenter: string | null,
): Promise<void> {
  if (datacenter === null) await link.call(routes.addServer, { gid, addr });
  else await link.call(routes.addServerIn, { gid, addr, datacenter });
}

/** One call a group, as the original does it: its dashboard has no other. */
export async function resyncAll(link: DashboardLink): Promise<void> {
  for (const { id } of (await link.stats()).group.models) {
    await link.call(routes.resyncGroup, { gid: id });
  }
}

async function groupOf(link: DashboardLink, addr: string): Promise<Group> {
  const { models } = (await link.stats()).group;
  const group = models.find((each) => each.servers.some((server) => server.server === addr));
  if (group !== undefined) return group;
  throw new OperatorError(`no group has a server ${addr}: codis admin groups shows them`);
}

/** --group-status, in the words of the original: one line a server. */
export function originalGroupLines(stats: TopomStats): string[] {
  const { models } = stats.group;
  const width = (texts: string[]): number => Math.max(0, ...texts.map((text) => text.length));
  const idWidth = width(models.map((group) => String(group.id)));
  const all = models.flatMap((group) => group.servers);
  const placeWidth = width(models.map((group) => String(Math.max(0, group.servers.length - 1))));
  const addressWidth = width(all.map((server) => server.server));
  return models.flatMap((group) =>
    group.servers.map(({ server }, i) => {
      const id = String(group.id).padStart(idWidth, "0");
      const place = String(i).padStart(placeWidth, "0");
      const line = `group-${id} [${place}] ${server.padEnd(addressWidth)}`;
      const poll = stats.group.stats[server];
      if (markOf(poll) !== " " || poll?.stats === undefined) return `[${markOf(poll)}] ${line}`;
      const found = replicationOf(poll.stats);
      const wanted = i === 0 ? "NO:ONE" : `${group.servers[0].server}:up`;
      return `[${found === wanted ? " " : "X"}] ${line}      ==> ${found}`;
    }),
  );
}
