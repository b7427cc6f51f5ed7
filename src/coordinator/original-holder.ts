// The lock of the original's dashboard is a plain node: it stays when its owner dies, and nothing
// in it tells the two apart. Before we lead over such a node, its owner must not answer any more.
// (Two of our own leaders never come here: the service tells which of them is alive.)

import { parseAddress } from "../lib/address.ts";
import { sleep } from "./patience.ts";

const PROBE_PERIOD_MS = 300;
const PROBE_TIMEOUT_MS = 1_000;

export interface HolderWait {
  /** The node as it is now; null when it is gone. */
  readonly read: () => Promise<string | null>;
  /** What we are about to write there. */
  readonly ownData: string;
  /** Its address must refuse for so long before its owner counts as dead. */
  readonly ttlMs: number;
  readonly signal?: AbortSignal;
  readonly onWaiting: (data: string) => void;
}

/**
 * Returns when the node is gone, or its owner has not answered at its `admin_addr` for `ttlMs`. An
 * owner with our own address is dead, because the port is ours now.
 */
export async function awaitOriginalHolder(wait: HolderWait): Promise<void> {
  const ownAddress = adminAddressOf(wait.ownData);
  let silentSinceMs = performance.now();
  for (;;) {
    const data = await wait.read();
    if (data === null) return;
    const address = adminAddressOf(data);
    if (address === "" || address === ownAddress) return;
    wait.onWaiting(data);
    const askedMs = performance.now();
    if (await answers(address)) silentSinceMs = performance.now();
    else if (askedMs - silentSinceMs >= wait.ttlMs) return;
    await sleep(PROBE_PERIOD_MS, wait.signal);
  }
}

function adminAddressOf(data: string): string {
  try {
    const model: unknown = JSON.parse(data);
    if (typeof model !== "object" || model === null || !("admin_addr" in model)) return "";
    return typeof model.admin_addr === "string" ? model.admin_addr : "";
  } catch {
    return "";
  }
}

/** True when something listens there. */
function answers(address: string): Promise<boolean> {
  const parsed = parseAddress(address);
  if (parsed === null) return Promise.resolve(false);
  return new Promise((resolve) => {
    const timer = setTimeout(() => resolve(false), PROBE_TIMEOUT_MS);
    const settle = (isThere: boolean): void => {
      clearTimeout(timer);
      resolve(isThere);
    };
    Bun.connect({
      hostname: parsed.host === "" ? "127.0.0.1" : parsed.host,
      port: parsed.port,
      socket: {
        open(socket) {
          socket.end();
          settle(true);
        },
        data() {},
        error: () => settle(false),
        connectError: () => settle(false),
      },
    }).catch(() => settle(false));
  });
}
