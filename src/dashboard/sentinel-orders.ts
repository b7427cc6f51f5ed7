// What a sentinel should monitor of the product, what it does monitor, and how to bring one to the
// other. Nothing here is remembered: every look begins with the records and the sentinel.

import { formatAddress } from "../lib/address.ts";
import { log } from "../lib/log.ts";
import { messageOf } from "../lib/operator-error.ts";
import { masterOf } from "../model/group.ts";
import type { SentinelGroup } from "../model/topom-stats.ts";
import type { RedisClient } from "../redis/client.ts";
import {
  listReplicas,
  masterName,
  monitorMaster,
  type MonitorOrder,
  productMasters,
  removeMaster,
  resolveAddress,
} from "../redis/sentinel.ts";
import type { Product } from "./product.ts";
import { askStanding } from "./replication.ts";

/** What a sentinel monitors of the product. */
export interface Monitored {
  /** Name → address. */
  readonly addresses: ReadonlyMap<string, string>;
  /** As the API shows it. */
  readonly shown: Record<string, SentinelGroup>;
}

export async function monitoredBy(client: RedisClient, product: Product): Promise<Monitored> {
  const masters = await productMasters(client, product.config.productName);
  const shown: Record<string, SentinelGroup> = {};
  const replicas = await Promise.all(
    masters.map(({ fields }) => listReplicas(client, fields.name)),
  );
  for (const [index, { fields }] of masters.entries()) {
    const slaves = replicas[index];
    shown[fields.name] = { master: fields, ...(slaves.length > 0 ? { slaves } : {}) };
  }
  return {
    addresses: new Map(masters.map(({ fields, address }) => [fields.name, address])),
    shown,
  };
}

/**
 * One for each group that has a master and is not promoting. A group that is about to be filled by
 * replication of another one has no master of its own meanwhile.
 */
export function ordersOf(product: Product): MonitorOrder[] {
  const { records, config } = product;
  const copies = new Set<number>();
  for (const { method, state, target_id } of records.jobs.values()) {
    if (method === "replica" && state !== "promoted") copies.add(target_id);
  }
  return [...records.groups.values()]
    .filter((group) => masterOf(group) !== "" && group.promoting.state === undefined)
    .filter(({ id }) => !copies.has(id))
    .map((group) => ({
      name: masterName(config.productName, group.id),
      address: masterOf(group),
      quorum: config.sentinelQuorum,
      parallelSyncs: config.sentinelParallelSyncs,
      downAfterMs: config.sentinelDownAfterMs,
      failoverTimeoutMs: config.sentinelFailoverTimeoutMs,
      username: config.productUsername,
      password: config.productAuth,
      notificationScript: config.sentinelNotificationScript,
      clientReconfigScript: config.sentinelClientReconfigScript,
    }));
}

/**
 * missing: what is not monitored, or should not be. moved: what is monitored at another address as
 * well, which may also be a failover that we are about to hear of. anew: everything.
 */
export type Mending = "missing" | "moved" | "anew";

/** In words; empty when the sentinel is right. */
export async function troublesOf(product: Product, monitored: Monitored): Promise<string[]> {
  const troubles: string[] = [];
  const orders = ordersOf(product);
  for (const { name, address } of orders) {
    const present = monitored.addresses.get(name);
    if (present === undefined) troubles.push(`${name} was missing`);
    else if (present !== (await plainAddress(address))) {
      if (await isReallyMaster(product, address)) troubles.push(`${name} was at ${present}`);
    }
  }
  const names = new Set(orders.map(({ name }) => name));
  for (const name of monitored.addresses.keys()) {
    if (!names.has(name)) troubles.push(`${name} was left over`);
  }
  return troubles;
}

/** Removes what the sentinel should not monitor, and monitors the rest. */
export async function mend(
  client: RedisClient,
  product: Product,
  monitored: Monitored,
  mending: Mending,
): Promise<void> {
  const orders = ordersOf(product);
  const names = new Set(orders.map(({ name }) => name));
  for (const name of monitored.addresses.keys()) {
    if (mending === "anew" || !names.has(name)) await removeMaster(client, name);
  }
  for (const order of orders) {
    if (mending === "anew" || (await needsOrder(product, order, monitored, mending))) {
      await monitorMaster(client, order);
    }
  }
}

/** A master at another address is left alone unless ours says that it is one. */
async function needsOrder(
  product: Product,
  { name, address }: MonitorOrder,
  monitored: Monitored,
  mending: Mending,
): Promise<boolean> {
  const present = monitored.addresses.get(name);
  if (present === undefined) return true;
  if (mending !== "moved" || present === (await plainAddress(address))) return false;
  return await isReallyMaster(product, address);
}

async function isReallyMaster(product: Product, address: string): Promise<boolean> {
  return (await askStanding(product.servers, address, 1_000))?.isMaster ?? false;
}

async function plainAddress(address: string): Promise<string> {
  try {
    return formatAddress(await resolveAddress(address));
  } catch (error) {
    log.warn(`${address} cannot be looked up: ${messageOf(error)}`);
    return address;
  }
}
