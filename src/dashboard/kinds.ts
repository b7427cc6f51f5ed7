/**
 * What program a server is: codis-server, which moves slots by commands of its own, or a stock
 * Redis or Valkey, of which the version counts. Asked when a server is added, and shown with its
 * figures.
 */
import { messageOf, OperatorError } from "../lib/operator-error.ts";
import { parseInfo, type Info } from "../redis/info.ts";
import { ReplyError } from "../resp/value.ts";
import type { Servers } from "./product.ts";

export interface ServerKind {
  readonly name: "redis" | "valkey" | "codis-server";
  readonly version: string;
}

const ASK_TIMEOUT_MS = 1_000;

/** By what INFO says; a codis-server is told apart by its slots command. */
export function kindOf(info: Info, knowsSlots: boolean): ServerKind {
  const valkey = info.get("valkey_version");
  if (knowsSlots) return { name: "codis-server", version: info.get("redis_version") ?? "" };
  if (valkey !== undefined) return { name: "valkey", version: valkey };
  return { name: "redis", version: info.get("redis_version") ?? "" };
}

/** Throws `OperatorError` when nobody answers there, or nobody whom we could use. */
export async function askKind(servers: Servers, address: string): Promise<ServerKind> {
  try {
    return await servers.use(
      address,
      async (client) => {
        const info = parseInfo(String(await client.call(["INFO"])));
        if (info.get("redis_mode") === "sentinel") {
          throw new OperatorError(`${address} is a sentinel; add it with sentinel-add`);
        }
        if (info.get("cluster_enabled") === "1") {
          throw new OperatorError(`${address} runs in cluster mode; switch cluster-enabled off`);
        }
        const [reply] = await client.pipeline([["SLOTSINFO", 0, 1]]);
        return kindOf(info, !(reply instanceof ReplyError));
      },
      { timeoutMs: ASK_TIMEOUT_MS },
    );
  } catch (error) {
    if (error instanceof OperatorError) throw error;
    throw new OperatorError(`server-[${address}] cannot be added: ${messageOf(error)}`);
  }
}
