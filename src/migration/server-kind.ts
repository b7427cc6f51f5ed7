// What a server is: which product and version, whether it is a codis-server, which role it has.

import type { JobMethod } from "../model/migration-job.ts";
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
  throw new Error(`not here yet: ${address} ${login.username}`);
}

/** codis where both ends are codis-server, else keys; replica is for the operator to choose. */
export function methodFor(source: ServerKind, target: ServerKind): JobMethod {
  return source.isCodis && target.isCodis ? "codis" : "keys";
}
