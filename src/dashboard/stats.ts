// The statistics of the API (contract 4.2), put together from what the parts know at this moment.
// Nothing is asked of anybody here, so that a slow proxy or server never makes a caller wait.

import type { TopomStats } from "../model/topom-stats.ts";
import { mirrored } from "./job-records.ts";
import type { Topom } from "./topom.ts";

export function topomStats(topom: Topom): TopomStats {
  const { records, servers, fleet, jobs, sentinels, leadership } = topom;
  const masters = [...sentinels.masters].sort(([a], [b]) => a - b);
  const jobStats = jobs.stats();
  return {
    closed: false,
    slots: mirrored(records.slots, records.jobs.values()),
    group: { models: [...records.groups.values()], stats: sorted(servers.polls) },
    proxy: { models: [...records.proxies.values()], stats: sorted(fleet.polls) },
    slot_action: {
      interval: records.options.migration_interval,
      disabled: records.options.migration_disabled,
      progress: { status: jobs.status },
      executor: jobs.executor,
      ...(jobStats.length === 0 ? {} : { jobs: jobStats }),
    },
    sentinels: {
      model: records.sentinel,
      stats: sorted(sentinels.polls),
      masters: Object.fromEntries(masters.map(([group, address]) => [String(group), address])),
    },
    leader: { is_leader: leadership.isHeld, fence: String(leadership.fence) },
  };
}

/** By name, as the original lists its maps. */
function sorted<T>(map: ReadonlyMap<string, T>): Record<string, T> {
  return Object.fromEntries([...map].sort(([a], [b]) => (a < b ? -1 : 1)));
}
