// A whole product for tests of groups: a dashboard, groups of a master and replicas that follow it,
// and proxies in front, everything real.
//
//   await using product = await startReplicatedProduct({ replicas: 1 });
//   const [master, replica] = product.groups[0];
//   await product.dashboard.put("promoteServer", { gid: 1, addr: replica.address });
import type { Group } from "../../src/model/group.ts";
import { type Dashboard, type DashboardOptions, startDashboard } from "./dashboard.ts";
import type { Proxy, ProxyOptions } from "./proxy.ts";
import { type Redis, type RedisOptions, startRedis } from "./redis.ts";
import { infoOf } from "./replication.ts";
import { until } from "./until.ts";

/** A master does not wait for more replicas before it sends its data to the first. */
export const AT_ONCE = ["--repl-diskless-sync-delay", "0", "--repl-ping-replica-period", "1"];

export interface ReplicatedOptions {
  readonly groups?: number;
  /** Of each group. */
  readonly replicas?: number;
  readonly proxies?: number;
  readonly config?: DashboardOptions["config"];
  readonly proxy?: ProxyOptions;
  readonly redis?: RedisOptions;
}

export class ReplicatedProduct implements AsyncDisposable {
  constructor(
    readonly dashboard: Dashboard,
    /** By group: the master first. */
    readonly groups: readonly (readonly Redis[])[],
    readonly proxies: readonly Proxy[],
    private readonly owned: AsyncDisposableStack,
  ) {}

  get ports(): number[] {
    return this.proxies.map(({ port }) => port);
  }

  /** The group as it is stored. */
  async group(id: number): Promise<Group> {
    const { stats } = await this.dashboard.overview();
    const group = stats.group.models.find((each) => each.id === id);
    if (group === undefined) throw new Error(`there is no group ${id}`);
    return group;
  }

  /** The addresses of its servers, the master first. */
  async order(id: number): Promise<string[]> {
    return (await this.group(id)).servers.map(({ server }) => server);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.owned.disposeAsync();
  }
}

export async function startReplicatedProduct(
  options: ReplicatedOptions = {},
): Promise<ReplicatedProduct> {
  const { groups: count = 1, replicas = 1, proxies: proxyCount = 1 } = options;
  const redisArgs = options.redis?.args ?? [];
  await using stack = new AsyncDisposableStack();
  const dashboard = stack.use(await startDashboard({ config: options.config }));
  const groups: Redis[][] = [];
  for (let id = 1; id <= count; id++) {
    const servers = await Promise.all(
      Array.from({ length: replicas + 1 }, async () =>
        stack.use(await startRedis({ ...options.redis, args: [...AT_ONCE, ...redisArgs] })),
      ),
    );
    groups.push(servers);
    await dashboard.put("createGroup", { gid: id });
    for (const { address } of servers) {
      await dashboard.put("addServer", { gid: id, addr: address });
    }
    for (const { address } of servers.slice(1)) {
      await dashboard.put("createSyncAction", { addr: address });
    }
    const from = Math.floor(((id - 1) * 1024) / count);
    await dashboard.assign(from, Math.floor((id * 1024) / count) - 1, id);
  }
  const proxies: Proxy[] = [];
  for (let i = 0; i < proxyCount; i++) {
    proxies.push(stack.use(await dashboard.startProxy(options.proxy)));
  }
  const owned = stack.move();
  const product = new ReplicatedProduct(dashboard, groups, proxies, owned);
  for (const [index, [master, ...others]] of groups.entries()) {
    for (const replica of others) await awaitSynced(product, index + 1, replica, master);
  }
  return product;
}

/** The stored action says "synced", and the replica says the same. */
export async function awaitSynced(
  product: ReplicatedProduct,
  groupId: number,
  replica: Redis,
  master: Redis,
): Promise<void> {
  await until(
    async () => {
      const group = await product.group(groupId);
      const server = group.servers.find((each) => each.server === replica.address);
      const info = await infoOf(replica);
      return (
        server?.action.state === "synced" &&
        info.get("master_link_status") === "up" &&
        info.get("master_port") === String(master.port)
      );
    },
    { what: `${replica.address} is synced with ${master.address}`, timeoutMs: 20_000 },
  );
}
