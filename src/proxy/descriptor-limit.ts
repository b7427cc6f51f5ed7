// Whether this process may open as many files as the proxy needs (`ulimit -n`). Looked at once, at
// start: an operator should hear of it then and not when the thousandth client is refused. Bun has
// raised the soft limit to the hard one before any code of ours runs.

import { readFileSync } from "node:fs";
import { OperatorError } from "../lib/operator-error.ts";

/** Per worker, for servers, logs, the parent and the runtime. */
export const SPARE_DESCRIPTORS = 256;

/** Infinity when there is no limit, or none that can be read. */
export function descriptorLimit(): number {
  try {
    const limits = readFileSync("/proc/self/limits", "latin1");
    const soft = Number(/^Max open files\s+(\S+)/m.exec(limits)?.[1]);
    return Number.isFinite(soft) ? soft : Infinity;
  } catch {
    return Infinity;
  }
}

/** `demanded` is --ulimit; `maxClients` is for the whole proxy, 0 = as many as there can be. */
export function checkDescriptorLimit(
  demanded: number | null,
  maxClients: number,
  workers: number,
  limit = descriptorLimit(),
): void {
  if (demanded !== null && limit < demanded) {
    throw new OperatorError(
      `this process may open ${limit} files, --ulimit demands ${demanded}; raise \`ulimit -n\``,
    );
  }
  if (limit < 2 * SPARE_DESCRIPTORS) {
    throw new OperatorError(
      `this process may open ${limit} files, which is too few for a proxy; raise \`ulimit -n\` ` +
        `to ${2 * SPARE_DESCRIPTORS} or more`,
    );
  }
  const room = (limit - SPARE_DESCRIPTORS) * workers;
  if (maxClients <= room) return;
  const needed = Math.ceil(maxClients / workers) + SPARE_DESCRIPTORS;
  throw new OperatorError(
    `proxy_max_clients = ${maxClients} with ${workers} workers needs ${needed} open files each, ` +
      `but \`ulimit -n\` allows ${limit}; raise it or lower proxy_max_clients`,
  );
}
