/**
 * Commands on groups and their servers (contract 6.6): they change records and tell the proxies.
 * Who becomes master is for `promote.ts`, who replicates whom for `sync-actions.ts`. The sentences
 * for mistakes are the original's, with what to do behind them where that is not plain.
 */
import { log } from "../lib/log.ts";
import { parseAddress } from "../lib/address.ts";
import { messageOf, OperatorError } from "../lib/operator-error.ts";
import { type Group, type GroupServer, newServer } from "../model/group.ts";
import { MAX_GROUP_ID } from "../model/slot-mapping.ts";
import { askServer, kindText, type ServerKind } from "../migration/server-kind.ts";
import type { Product, Records } from "./product.ts";
import { slotsOfGroup } from "./views.ts";

/** A server that takes longer to say what it is would not be of use. */
const ADD_TIMEOUT_MS = 1_000;

// ------------------------------------------------------------------------------- what is there

export function requireGroup(records: Records, id: number): Group {
  const group = records.groups.get(id);
  if (group === undefined) throw new OperatorError(`group-[${id}] doesn't exist`);
  return group;
}

export function requireServer(group: Group, address: string): number {
  const index = group.servers.findIndex(({ server }) => server === address);
  if (index < 0) throw new OperatorError(`group-[${group.id}] doesn't have server-[${address}]`);
  return index;
}

export function requireNoPromotion(group: Group): void {
  if (group.promoting.state !== undefined) {
    throw new OperatorError(`group-[${group.id}] is promoting`);
  }
}

/** The group of a server, whichever it is. */
export function groupOf(records: Records, address: string): Group | undefined {
  return [...records.groups.values()].find(({ servers }) =>
    servers.some(({ server }) => server === address),
  );
}

/** The group with one server replaced. */
export function withServer(group: Group, index: number, changes: Partial<GroupServer>): Group {
  const servers = group.servers.map((each, at) => (at === index ? { ...each, ...changes } : each));
  return { ...group, servers };
}

// -------------------------------------------------------------------------------------- groups

export async function createGroup(product: Product, id: number): Promise<void> {
  if (!Number.isInteger(id) || id < 1 || id > MAX_GROUP_ID) {
    throw new OperatorError(`invalid group id = ${id}, out of range`);
  }
  await product.exclusive(`create group-[${id}]`, async () => {
    const { records } = product;
    if (records.groups.has(id)) throw new OperatorError(`group-[${id}] already exists`);
    await records.save({ group: { id, servers: [], promoting: {}, out_of_sync: false } });
  });
}

export async function removeGroup(product: Product, id: number): Promise<void> {
  await product.exclusive(`remove group-[${id}]`, async () => {
    const { records } = product;
    const group = requireGroup(records, id);
    if (group.servers.length > 0) {
      throw new OperatorError(`group-[${id}] isn't empty; delete its servers first`);
    }
    if (slotsOfGroup(id, records).length > 0) {
      throw new OperatorError(`group-[${id}] still has slots; take them offline first`);
    }
    await records.save({ removedGroup: id });
  });
}

/** Tells all proxies of the slots of a group. */
export async function resyncGroup(product: Product, id: number): Promise<void> {
  await product.exclusive(`resync group-[${id}]`, async () => {
    await resync(product, requireGroup(product.records, id));
  });
}

export async function resyncGroups(product: Product): Promise<void> {
  await product.exclusive("resync all groups", async () => {
    const { records, fleet } = product;
    const groups = [...records.groups.values()];
    await fleet.resync(groups.flatMap(({ id }) => slotsOfGroup(id, records)));
    for (const { id } of groups) await markInSync(product, id);
  });
}

async function resync(product: Product, group: Group): Promise<void> {
  await product.fleet.resync(slotsOfGroup(group.id, product.records));
  await markInSync(product, group.id);
}

async function markInSync(product: Product, id: number): Promise<void> {
  const group = product.records.groups.get(id);
  if (group?.out_of_sync) await product.records.save({ group: { ...group, out_of_sync: false } });
}

/**
 * Stores a group that proxies have to hear of, and tells them. If they cannot be told the change
 * stands, marked as out of sync, and is told by whatever resyncs the group next.
 */
async function saveAndTell(product: Product, group: Group): Promise<void> {
  const isUsed = group.servers.length > 0 && slotsOfGroup(group.id, product.records).length > 0;
  await product.records.save({ group: { ...group, out_of_sync: isUsed } });
  if (!isUsed) return;
  try {
    await resync(product, group);
  } catch (error) {
    log.warn(`group-[${group.id}] is stored, but not every proxy knows: ${messageOf(error)}`);
  }
}

// ------------------------------------------------------------------------------------- servers

/** Takes stock Redis and Valkey as well as codis-server; the server must answer. */
export async function addServer(
  product: Product,
  groupId: number,
  address: string,
  datacenter: string,
): Promise<void> {
  const place = parseAddress(address);
  if (place === null || place.host === "" || place.port === 0) {
    throw new OperatorError(`${address} is not the host:port of a server`);
  }
  const kind = await askKind(product, address);
  await product.exclusive(`add ${address} to group-[${groupId}]`, async () => {
    const { records } = product;
    if (groupOf(records, address) !== undefined) {
      throw new OperatorError(`server-[${address}] already exists`);
    }
    const group = requireGroup(records, groupId);
    requireNoPromotion(group);
    const servers = [...group.servers, newServer(address, datacenter)];
    await records.save({ group: { ...group, servers } });
    log.info(`group-[${groupId}] has a new server ${address}: ${kindText(kind)}`);
  });
  product.jobs.wake();
}

async function askKind(product: Product, address: string): Promise<ServerKind> {
  try {
    const { kind, info } = await product.servers.use(address, askServer, {
      timeoutMs: ADD_TIMEOUT_MS,
    });
    if (info.get("redis_mode") === "sentinel") {
      throw new OperatorError("it is a sentinel; add it with --sentinel-add");
    }
    if (info.get("cluster_enabled") === "1") {
      throw new OperatorError("it runs in cluster mode; set cluster-enabled no");
    }
    return kind;
  } catch (error) {
    throw new OperatorError(`server-[${address}] cannot be added: ${messageOf(error)}`);
  }
}

export async function removeServer(
  product: Product,
  groupId: number,
  address: string,
): Promise<void> {
  await product.exclusive(`delete ${address} from group-[${groupId}]`, async () => {
    const { records } = product;
    const group = requireGroup(records, groupId);
    const index = requireServer(group, address);
    requireNoPromotion(group);
    const isLast = group.servers.length === 1;
    if (index === 0 && (!isLast || slotsOfGroup(groupId, records).length > 0)) {
      throw new OperatorError(
        `group-[${groupId}] can't remove master, still in use; ` +
          (isLast ? "move its slots away first" : "promote another server first"),
      );
    }
    const servers = group.servers.filter((_, at) => at !== index);
    const changed = { ...group, servers, out_of_sync: servers.length > 0 && group.out_of_sync };
    if (group.servers[index].replica_group) await saveAndTell(product, changed);
    else await records.save({ group: changed });
  });
}

// --------------------------------------------------------------------------------- replica reads

/** Lets reads go to a server or not. */
export async function setReplicaReads(
  product: Product,
  groupId: number,
  address: string,
  isOn: boolean,
): Promise<void> {
  await product.exclusive(`replica reads of ${address}`, async () => {
    const group = requireGroup(product.records, groupId);
    const index = requireServer(group, address);
    requireNoPromotion(group);
    await saveAndTell(product, withServer(group, index, { replica_group: isOn }));
  });
}

/** The same for every server of every group; only those that change are touched. */
export async function setAllReplicaReads(product: Product, isOn: boolean): Promise<void> {
  await product.exclusive("replica reads of all servers", async () => {
    for (const group of product.records.groups.values()) {
      requireNoPromotion(group);
      if (group.servers.every(({ replica_group }) => replica_group === isOn)) continue;
      const servers = group.servers.map((each) => ({ ...each, replica_group: isOn }));
      await saveAndTell(product, { ...group, servers });
    }
  });
}
