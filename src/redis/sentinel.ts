/**
 * The commands of Redis Sentinel that a product needs: what is monitored, under which names, and
 * how to change it. Each takes an open connection and asks one sentinel; what several sentinels
 * say together is `sentinel-watch.ts`.
 *
 * The master of a group is known to the sentinels as "<product>-<group>" (contract 6.7).
 */
import { lookup } from "node:dns/promises";
import { formatAddress, parseAddress } from "../lib/address.ts";
import { type Reply, ReplyError } from "../resp/value.ts";
import type { Argument, RedisClient } from "./client.ts";

/** A master or replica as a sentinel prints it. */
export type SentinelFields = Readonly<Record<string, string>>;

/** A master of ours as one sentinel sees it. */
export interface SentinelMaster {
  readonly groupId: number;
  /** host:port, of the promoted replica as soon as there is one. */
  readonly address: string;
  /** Rises with every failover; of two sentinels the one with the higher number is right. */
  readonly epoch: number;
  readonly fields: SentinelFields;
}

/** What a sentinel is told about one master. */
export interface MonitorOrder {
  readonly name: string;
  readonly address: string;
  readonly quorum: number;
  readonly parallelSyncs: number;
  readonly downAfterMs: number;
  readonly failoverTimeoutMs: number;
  /** Empty: the default user. */
  readonly username: string;
  /** Empty: the server asks for none. */
  readonly password: string;
  readonly notificationScript: string;
  readonly clientReconfigScript: string;
}

export function masterName(product: string, groupId: number): string {
  return `${product}-${groupId}`;
}

/** 0 when the name is not one of this product. */
export function groupOfMaster(product: string, name: string): number {
  const match = /^(.*)-([1-9]\d{0,3})$/.exec(name);
  return match !== null && match[1] === product ? Number(match[2]) : 0;
}

export function majorityOf(count: number): number {
  return 1 + Math.floor(count / 2);
}

/** SENTINEL MASTERS, the masters of other products as well. */
export async function listMasters(client: RedisClient): Promise<SentinelFields[]> {
  return rowsOf(await client.call(["SENTINEL", "masters"]));
}

/** SENTINEL SLAVES. */
export async function listReplicas(client: RedisClient, name: string): Promise<SentinelFields[]> {
  return rowsOf(await client.call(["SENTINEL", "slaves", name]));
}

/**
 * The masters of a product. The address is asked for by name: while a failover is under way the
 * sentinel that leads it still lists the old master under the new epoch, but gives the new address.
 */
export async function productMasters(
  client: RedisClient,
  product: string,
): Promise<SentinelMaster[]> {
  const rows = (await listMasters(client)).filter(({ name }) => groupOfMaster(product, name) > 0);
  const answers = await client.pipeline(rows.map(({ name }) => addressQuery(name)));
  return rows.flatMap((fields, index) => {
    const address = addressOf(answers[index]) ?? plainAddress(fields.ip, fields.port);
    const groupId = groupOfMaster(product, fields.name);
    const epoch = Number(fields["config-epoch"] ?? 0);
    return address === null ? [] : [{ groupId, address, epoch, fields }];
  });
}

/** Null when the sentinel does not know the name. */
export async function masterAddress(client: RedisClient, name: string): Promise<string | null> {
  return addressOf(await client.call(addressQuery(name)));
}

/** Writes its configuration; a sentinel whose disk refuses that is of no use. */
export async function flushConfig(client: RedisClient): Promise<void> {
  await client.call(["SENTINEL", "flushconfig"]);
}

/** A name that it does not monitor is fine. */
export async function removeMaster(client: RedisClient, name: string): Promise<void> {
  if ((await masterAddress(client, name)) === null) return;
  await client.call(["SENTINEL", "remove", name]);
}

/**
 * Makes the sentinel monitor exactly this. A master that it monitors at this address already keeps
 * its epoch and everything that was learned about its replicas.
 */
export async function monitorMaster(client: RedisClient, order: MonitorOrder): Promise<void> {
  const place = await resolveAddress(order.address);
  const present = await masterAddress(client, order.name);
  if (present !== formatAddress(place)) {
    if (present !== null) await client.call(["SENTINEL", "remove", order.name]);
    const { name, quorum } = order;
    await client.call(["SENTINEL", "monitor", name, place.host, place.port, quorum]);
  }
  await client.call(["SENTINEL", "set", order.name, ...optionsOf(order)]);
}

/** Host names become addresses here: a sentinel takes names only when it is told to. */
export async function resolveAddress(address: string): Promise<{ host: string; port: number }> {
  const place = parseAddress(address);
  if (place === null) throw new Error(`${address} is not host:port`);
  if (place.host === "") return { host: "127.0.0.1", port: place.port };
  const { address: host } = await lookup(place.host);
  return { host, port: place.port };
}

function optionsOf(order: MonitorOrder): Argument[] {
  const options: Argument[] = [
    ...["quorum", order.quorum],
    ...["parallel-syncs", order.parallelSyncs],
    ...["down-after-milliseconds", order.downAfterMs],
    ...["failover-timeout", order.failoverTimeoutMs],
  ];
  if (order.username !== "") options.push("auth-user", order.username);
  if (order.password !== "") options.push("auth-pass", order.password);
  if (order.notificationScript !== "") {
    options.push("notification-script", order.notificationScript);
  }
  if (order.clientReconfigScript !== "") {
    options.push("client-reconfig-script", order.clientReconfigScript);
  }
  return options;
}

function addressQuery(name: string): Argument[] {
  return ["SENTINEL", "get-master-addr-by-name", name];
}

function addressOf(reply: Reply): string | null {
  if (!Array.isArray(reply)) return null;
  return plainAddress(String(reply[0]), String(reply[1]));
}

function plainAddress(host: string | undefined, port: string | undefined): string | null {
  if (host === undefined || port === undefined) return null;
  return formatAddress({ host, port: Number(port) });
}

/** Each row is a flat list of names and values. */
function rowsOf(reply: Reply): SentinelFields[] {
  if (!Array.isArray(reply)) throw new ReplyError("ERR the sentinel answered with no list");
  return reply.map((row) => {
    const fields: Record<string, string> = {};
    if (!Array.isArray(row)) return fields;
    for (let i = 0; i + 1 < row.length; i += 2) fields[String(row[i])] = String(row[i + 1]);
    return fields;
  });
}
