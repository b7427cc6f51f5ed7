// What tests of proxies and their dashboard start with: two groups of one server, all slots at the
// first.
import { type Dashboard, startDashboard } from "../harness/dashboard.ts";
import { owning } from "../harness/owning.ts";
import type { Proxy } from "../harness/proxy.ts";
import { type Redis, startRedis } from "../harness/redis.ts";

export interface Lab extends AsyncDisposable {
  readonly dashboard: Dashboard;
  readonly first: Redis;
  readonly second: Redis;
  readonly proxies: readonly Proxy[];
}

export async function startLab(options: { readonly proxies: number }): Promise<Lab> {
  return await owning(async (stack) => {
    const dashboard = stack.use(await startDashboard());
    const first = stack.use(await startRedis());
    const second = stack.use(await startRedis());
    await dashboard.storeGroups([[first.address], [second.address]]);
    await dashboard.assign(0, 1023, 1);
    const proxies: Proxy[] = [];
    while (proxies.length < options.proxies) {
      proxies.push(stack.use(await dashboard.startProxy()));
    }
    return { dashboard, first, second, proxies };
  });
}
