/**
 * What proxies do with a slot, derived from the records and never stored (contract 6.3). Pure: the
 * same records give the same view, whoever asks and however often it is sent.
 *
 *   state               backend   migrate_from   replica groups   held
 *   none, pending       group     -              yes              while the group is "prepared"
 *   preparing           group     -              yes              the same
 *   prepared            target    group          no               always
 *   migrating           target    group          no               while either is "prepared"
 *   finished            target    -              yes              while the target is "prepared"
 *
 * "prepared" of a group is the state of its promotion in which nobody may write to either master.
 * In the state prepared of a slot every proxy holds it, so that none still writes to the old master
 * when the first one writes to the new. The original sends no replica groups from preparing on.
 */
import { parseAddress } from "../lib/address.ts";
import { type Group, type GroupServer, masterOf } from "../model/group.ts";
import type { MergedFill } from "../model/merged-fill.ts";
import type { MigrationJob } from "../model/migration-job.ts";
import { ForwardMethod, type SlotPlace } from "../model/slot.ts";
import { normalizePlace } from "../model/slot-fill.ts";
import type { SlotMapping } from "../model/slot-mapping.ts";
import { jobsBySlot, phaseOf } from "./job-records.ts";

/** What a view is derived from. */
export interface ViewSource {
  readonly slots: readonly SlotMapping[];
  readonly groups: ReadonlyMap<number, Group>;
  readonly jobs: ReadonlyMap<number, MigrationJob>;
  readonly migrationMethod: "sync" | "semi-async";
  readonly migrationDurable: boolean;
  /** Replicas that get no reads now, because they are behind or replicate nobody. */
  readonly unreadable: ReadonlySet<string>;
  /** The IP address of "host:port"; "" while it is not known. */
  readonly ipOf: (address: string) => string;
}

/** Who looks. Replicas in the same place come first. */
export interface Viewer {
  readonly datacenter: string;
  /** "" when it is not known. */
  readonly ip: string;
}

/** Of whom the original asks when nobody does: a proxy without data center and address. */
export const NOBODY: Viewer = { datacenter: "", ip: "" };

/** The views of these slots; requests may wait for them, so slots that are alike have one. */
export function viewsOf(ids: Iterable<number>, source: ViewSource, viewer: Viewer): MergedFill[] {
  const jobs = jobsBySlot(source.jobs.values());
  const lists = new Map<number, string[][]>();
  const replicasOf = (groupId: number): string[][] => {
    const known = lists.get(groupId);
    if (known !== undefined) return known;
    const list = replicaGroups(source.groups.get(groupId), source, viewer);
    lists.set(groupId, list);
    return list;
  };
  const views = new Map<unknown, { readonly view: SlotPlace; readonly ids: number[] }>();
  for (const id of ids) {
    const { group_id, action } = source.slots[id];
    const job = jobs.get(id);
    // All that `viewOf` looks at.
    const place = job ?? `${group_id} ${action.state} ${action.target_id}`;
    let found = views.get(place);
    if (found === undefined) {
      found = { view: viewOf(source.slots[id], job, source, replicasOf), ids: [] };
      views.set(place, found);
    }
    found.ids.push(id);
  }
  return [...views.values()].map(({ view, ids: alike }) => ({ ids: alike, ...view }));
}

function viewOf(
  mapping: SlotMapping,
  job: MigrationJob | undefined,
  source: ViewSource,
  replicasOf: (groupId: number) => string[][],
): SlotPlace {
  // The mapping mirrors its job and may be one step behind.
  const phase = job === undefined ? null : phaseOf(job);
  const state = phase?.state ?? mapping.action.state ?? "none";
  const from = phase === null ? mapping.group_id : (job?.source_id ?? 0);
  const to = phase === null ? (mapping.action.target_id ?? 0) : (job?.target_id ?? 0);
  const isStopped = (groupId: number): boolean => {
    return source.groups.get(groupId)?.promoting.state === "prepared";
  };
  const at = (groupId: number): SlotPlace => ({
    backend_addr: masterOf(source.groups.get(groupId)),
    backend_addr_group_id: masterOf(source.groups.get(groupId)) === "" ? 0 : groupId,
  });
  const common = { forward_method: methodOf(source, null) };
  switch (state) {
    case "none":
    case "pending":
    case "preparing":
      return normalizePlace({
        ...common,
        ...at(from),
        locked: isStopped(from) || (phase?.isHeld ?? false),
        replica_groups: replicasOf(from),
      });
    case "prepared":
    case "migrating":
      return normalizePlace({
        ...common,
        ...at(to),
        locked: state === "prepared" || isStopped(from) || isStopped(to),
        migrate_from: masterOf(source.groups.get(from)),
        migrate_from_group_id: masterOf(source.groups.get(from)) === "" ? 0 : from,
        forward_method: methodOf(source, job ?? null),
        migrate_epoch: job?.epoch,
        // The commands of codis-server cannot leave a copy behind.
        migrate_durable: job?.method === "keys" && source.migrationDurable,
      });
    case "finished":
      return normalizePlace({
        ...common,
        ...at(to),
        locked: isStopped(to),
        replica_groups: replicasOf(to),
      });
  }
}

/** MIGRATE for jobs that move keys by it, else as configured, which only codis-servers know. */
function methodOf(source: ViewSource, job: MigrationJob | null): number {
  if (job?.method === "keys") return ForwardMethod.MIGRATE;
  return source.migrationMethod === "sync" ? ForwardMethod.SYNC : ForwardMethod.SEMI_ASYNC;
}

/** Same machine, same data center, elsewhere; lists without a server are left out. */
function replicaGroups(group: Group | undefined, source: ViewSource, viewer: Viewer): string[][] {
  if (group === undefined || group.servers.length < 2) return [];
  const { state } = group.promoting;
  if (state === "prepared" || state === "finished") return [];
  const lists: string[][] = [[], [], []];
  for (const server of group.servers) {
    if (!server.replica_group || source.unreadable.has(server.server)) continue;
    lists[distance(server, source, viewer)].push(server.server);
  }
  return lists.filter((list) => list.length > 0);
}

function distance(server: GroupServer, source: ViewSource, viewer: Viewer): number {
  if (server.datacenter !== viewer.datacenter) return 2;
  return viewer.ip !== "" && source.ipOf(server.server) === viewer.ip ? 0 : 1;
}

/** The slots of which a group is the present or the coming place. */
export function slotsOfGroup(
  groupId: number,
  source: Pick<ViewSource, "slots" | "jobs">,
): number[] {
  const jobs = jobsBySlot(source.jobs.values());
  return source.slots
    .filter(({ id, group_id, action }) => {
      const job = jobs.get(id);
      if (group_id === groupId || action.target_id === groupId) return true;
      return job !== undefined && (job.source_id === groupId || job.target_id === groupId);
    })
    .map(({ id }) => id);
}

/** Every server to which a proxy with this view may send requests. */
export function placesOf(view: SlotPlace): string[] {
  const { backend_addr = "", migrate_from = "", replica_groups = [] } = view;
  return [backend_addr, migrate_from, ...replica_groups.flat()].filter((place) => place !== "");
}

/** The host of "host:port" when it is an IP address, else "". */
export function literalIp(address: string): string {
  const host = parseAddress(address)?.host ?? "";
  return /^[\d.]+$/.test(host) || host.includes(":") ? host : "";
}
