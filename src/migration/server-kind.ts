// What a server is: which product and version, whether it is a codis-server, which role it has.

import type { JobMethod } from "../model/migration-job.ts";
import { RedisClient } from "../redis/client.ts";
import { parseInfo, type Info } from "../redis/info.ts";
import { type Reply, ReplyError } from "../resp/value.ts";
import type { Login } from "./types.ts";

export interface ServerKind {
  /** It knows the commands of codis-server (SLOTSINFO, SLOTSMGRT...). */
  readonly isCodis: boolean;
  readonly product: "redis" | "valkey";
  /** As the server prints it: "7.0.15". */
  readonly version: string;
  readonly runId: string;
  readonly isMaster: boolean;
}

/** Throws `ConnectionError` or `ReplyError`. */
export async function describeServer(address: string, login: Login): Promise<ServerKind> {
  using client = await RedisClient.connect(address, { ...login, bytes: true });
  return (await askServer(client)).kind;
}

/** INFO and what it says about the server. */
export async function askServer(client: RedisClient): Promise<{ kind: ServerKind; info: Info }> {
  const [infoReply, slotsReply] = await client.pipeline([["INFO"], ["SLOTSINFO", 0, 1]]);
  if (infoReply instanceof ReplyError) throw infoReply;
  const info = parseInfo(textOf(infoReply));
  const valkey = info.get("valkey_version");
  const kind: ServerKind = {
    isCodis: Array.isArray(slotsReply),
    product: valkey === undefined ? "redis" : "valkey",
    version: valkey ?? info.get("redis_version") ?? "0.0.0",
    runId: info.get("run_id") ?? "",
    isMaster: info.get("role") === "master",
  };
  return { kind, info };
}

/** "Redis 7.0.15", for sentences. */
export function kindText(kind: ServerKind): string {
  if (kind.isCodis) return `codis-server ${kind.version}`;
  return `${kind.product === "valkey" ? "Valkey" : "Redis"} ${kind.version}`;
}

/** Whether it is at least that Redis version; a Valkey is at least 7.2 in what it can. */
export function isAtLeast(kind: ServerKind, major: number, minor: number): boolean {
  if (kind.product === "valkey") return major < 7 || (major === 7 && minor <= 2);
  const [ownMajor = 0, ownMinor = 0] = kind.version.split(".").map(Number);
  return ownMajor > major || (ownMajor === major && ownMinor >= minor);
}

/** codis where both ends are codis-server, else keys; replica is for the operator to choose. */
export function methodFor(source: ServerKind, target: ServerKind): JobMethod {
  return source.isCodis && target.isCodis ? "codis" : "keys";
}

/** A reply that must be text, from a connection that gives bytes. */
export function textOf(reply: Reply): string {
  if (reply instanceof ReplyError) throw reply;
  return reply instanceof Uint8Array ? Buffer.from(reply).toString() : String(reply);
}
