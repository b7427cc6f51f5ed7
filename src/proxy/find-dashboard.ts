// How a proxy that registers itself learns where the dashboard is: it was told (--dashboard), or it
// reads the node that the leading dashboard keeps in the coordinator (--etcd, --zookeeper,
// --filesystem; contract 2.1). The node is read anew for each attempt, because another dashboard
// may lead by then.

import { openCoordinator } from "../coordinator/open.ts";
import { decodeJson } from "../model/json.ts";
import { parseTopomModel } from "../model/proxy.ts";
import type { CoordinatorFlags, ProxyFlags } from "./flags.ts";

const DASHBOARD_ATTEMPTS = 10;
const COORDINATOR_ATTEMPTS = 30;

export interface DashboardSource {
  /** For messages. */
  readonly what: string;
  readonly attempts: number;
  /** Its admin address now. Throws when nobody knows. */
  find(): Promise<string>;
}

/** Null when the command line says nothing: then the proxy waits for a dashboard to find it. */
export function dashboardSource(flags: ProxyFlags, productName: string): DashboardSource | null {
  const { dashboard, coordinator } = flags;
  if (dashboard !== null) {
    const find = (): Promise<string> => Promise.resolve(dashboard);
    return { what: `the dashboard ${dashboard}`, attempts: DASHBOARD_ATTEMPTS, find };
  }
  if (coordinator === null) return null;
  return {
    what: `the dashboard that ${coordinator.name} at ${coordinator.address} names`,
    attempts: COORDINATOR_ATTEMPTS,
    find: () => readAddress(coordinator, productName),
  };
}

async function readAddress(flags: CoordinatorFlags, productName: string): Promise<string> {
  const path = `/codis3/${productName}/topom`;
  const coordinator = openCoordinator(flags);
  try {
    const text = await coordinator.read(path);
    if (text === null) throw new Error(`no dashboard leads ${productName}: there is no ${path}`);
    const { admin_addr } = parseTopomModel(decodeJson(text));
    if (admin_addr === "") throw new Error(`${path} names no admin_addr`);
    return admin_addr;
  } finally {
    await coordinator.close();
  }
}
