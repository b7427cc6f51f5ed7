/**
 * What a server says of its place in the replication of its group, and how it is given another one.
 * Used by whatever changes masters and replicas; knows servers, and no record.
 */
import { lookup } from "node:dns/promises";
import { parseAddress } from "../lib/address.ts";
import { log } from "../lib/log.ts";
import { messageOf, OperatorError } from "../lib/operator-error.ts";
import type { Argument, RedisClient } from "../redis/client.ts";
import { type Info, masterAddressOf, parseInfo } from "../redis/info.ts";
import { type Reply, ReplyError } from "../resp/value.ts";
import { askServer, isAtLeast } from "../migration/server-kind.ts";
import type { Product, Servers } from "./product.ts";

/** A server's own words about its replication. */
export interface Standing {
  readonly isMaster: boolean;
  /** Of a replica: whom it replicates. */
  readonly masterAddress: string;
  readonly isLinkUp: boolean;
  /** The first synchronization, which replaces all data, is under way. */
  readonly isSyncing: boolean;
  /** Bytes of the stream of changes that it has made or applied. */
  readonly offset: number;
  /** Names the stream; "" before Redis 4. */
  readonly stream: string;
  /** The stream that it followed before it became a master; "" when there is none. */
  readonly formerStream: string;
  /** Seconds since it last heard of its master. */
  readonly silentSeconds: number;
  readonly runId: string;
}

const ASK_TIMEOUT_MS = 1_000;

const NO_STREAM = /^0*$/;

export function standingOf(info: Info): Standing {
  const text = (name: string): string => info.get(name) ?? "";
  const number = (name: string): number => Number(info.get(name) ?? 0);
  const isMaster = text("role") === "master";
  const former = text("master_replid2");
  return {
    isMaster,
    masterAddress: masterAddressOf(info),
    isLinkUp: text("master_link_status") === "up",
    isSyncing: text("master_sync_in_progress") === "1",
    offset: number(isMaster ? "master_repl_offset" : "slave_repl_offset"),
    stream: text("master_replid"),
    formerStream: NO_STREAM.test(former) ? "" : former,
    silentSeconds: number("master_last_io_seconds_ago"),
    runId: text("run_id"),
  };
}

/** Null when the server does not answer within the time. */
export async function askStanding(
  servers: Servers,
  address: string,
  timeoutMs: number,
): Promise<Standing | null> {
  try {
    return await servers.use(
      address,
      async (client) => standingOf(parseInfo(String(await client.call(["INFO"])))),
      { timeoutMs, isReading: true },
    );
  } catch (error) {
    log.debug(`${address} does not tell its standing: ${messageOf(error)}`);
    return null;
  }
}

/**
 * Whether a replica follows this master: by the name of their stream, which does not depend on how
 * anybody spells an address, or else by the address. A replica of a replica follows as well.
 */
export async function follows(
  replica: Standing,
  masterAddress: string,
  master: Standing | null,
): Promise<boolean> {
  if (replica.isMaster) return false;
  if (master !== null && master.stream !== "" && replica.stream === master.stream) return true;
  return await isSameAddress(replica.masterAddress, masterAddress);
}

/** Names are looked up; one that is not found equals nothing but itself. */
export async function isSameAddress(one: string, other: string): Promise<boolean> {
  if (one === other) return true;
  const [a, b] = [parseAddress(one), parseAddress(other)];
  if (a === null || b === null || a.port !== b.port) return false;
  try {
    const [x, y] = await Promise.all([lookup(a.host), lookup(b.host)]);
    return x.address === y.address;
  } catch {
    return false;
  }
}

// ------------------------------------------------------------------------- giving another place

export interface FollowOrder {
  /** Null: it becomes a master. */
  readonly master: string | null;
  readonly username: string;
  readonly password: string;
  /** Servers before Redis 6 refuse a replica that names a user. */
  readonly masterKnowsUsers: boolean;
}

/** With the login of the product. */
export async function orderFor(product: Product, master: string | null): Promise<FollowOrder> {
  const { productUsername: username, productAuth: password } = product.config;
  const masterKnowsUsers =
    username === "" || master === null || (await knowsUsers(product, master));
  return { master, username, password, masterKnowsUsers };
}

/** A master that does not answer is taken for a new one. */
async function knowsUsers({ servers }: Product, address: string): Promise<boolean> {
  try {
    const options = { timeoutMs: ASK_TIMEOUT_MS, isReading: true };
    const { kind } = await servers.use(address, askServer, options);
    return !kind.isCodis && isAtLeast(kind, 6, 0);
  } catch {
    return true;
  }
}

interface Step {
  readonly command: readonly Argument[];
  /** Without it the order has failed; the others are left out where a server does not know them. */
  readonly isNeeded: boolean;
}

/**
 * Makes the server a replica of another, or a master, as one transaction (contract 6.6). A server
 * that has CONFIG or MULTI renamed or forbidden does without: what counts is the one command that
 * is needed. Clients are cut off when the server changes its place, so that none goes on writing to
 * it by mistake. Throws what the server answered.
 */
export async function giveOrder(client: RedisClient, order: FollowOrder): Promise<void> {
  const present = standingOf(parseInfo(String(await client.call(["INFO"]))));
  const isThere =
    order.master === null
      ? present.isMaster
      : !present.isMaster && present.masterAddress === order.master;
  await transact(client, stepsOf(order, !isThere));
}

function stepsOf(order: FollowOrder, isMove: boolean): Step[] {
  const place = order.master === null ? null : parseAddress(order.master);
  if (order.master !== null && place === null) {
    throw new OperatorError(`${order.master} is not host:port`);
  }
  const user = order.masterKnowsUsers ? order.username : "";
  const optional = (...command: Argument[]): Step => ({ command, isNeeded: false });
  const target: Argument[] = place === null ? ["NO", "ONE"] : [place.host, place.port];
  return [
    ...(order.username === "" ? [] : [optional("CONFIG", "SET", "masteruser", user)]),
    optional("CONFIG", "SET", "masterauth", order.password),
    // The old name of REPLICAOF, which every version knows.
    { command: ["SLAVEOF", ...target], isNeeded: true },
    optional("CONFIG", "REWRITE"),
    ...(isMove ? [optional("CLIENT", "KILL", "TYPE", "normal")] : []),
  ];
}

/** All in one transaction; steps that are refused when they are queued are left out. */
async function transact(client: RedisClient, steps: readonly Step[]): Promise<void> {
  const replies = await client.pipeline([
    ["MULTI"],
    ...steps.map(({ command }) => command),
    ["EXEC"],
  ]);
  const [begun] = replies;
  if (begun instanceof ReplyError) {
    checkAll(steps, replies.slice(1, -1));
    return;
  }
  const results = replies.at(-1);
  if (Array.isArray(results)) {
    checkAll(steps, results);
    return;
  }
  const queued = replies.slice(1, -1);
  const kept = steps.filter((step, index) => step.isNeeded || !(queued[index] instanceof Error));
  if (kept.length === steps.length) {
    throw results instanceof Error ? results : new ReplyError("ERR the transaction was refused");
  }
  checkAll(steps, queued, false);
  await transact(client, kept);
}

/** Throws the error of a needed step; others are worth a line. */
function checkAll(steps: readonly Step[], replies: readonly Reply[], isFinal = true): void {
  for (const [index, { command, isNeeded }] of steps.entries()) {
    const reply = replies[index];
    if (!(reply instanceof ReplyError)) continue;
    if (isNeeded) throw reply;
    if (isFinal || command[0] === "CONFIG") {
      log.debug(`${command.slice(0, 2).join(" ")} was left out: ${reply.message}`);
    }
  }
}
