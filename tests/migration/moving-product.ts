// A product whose slots move: a real dashboard, proxies, and servers that keep what they
// acknowledge. Group 1 has all slots in the beginning.
//
//   await using product = await startMovingProduct();
//   await product.load(0, 511);
//   await product.move(0, 511, 2);
//   await product.untilAtRest();
import type { JobStat, TopomStats } from "../../src/model/topom-stats.ts";
import { SLOT_COUNT, slotOfKey } from "../../src/model/slot.ts";
import { type Dashboard, type DashboardOptions, startDashboard } from "../harness/dashboard.ts";
import { keyOf } from "../harness/keys.ts";
import type { Proxy, ProxyOptions } from "../harness/proxy.ts";
import { type Redis, startRedis } from "../harness/redis.ts";
import { connect } from "../harness/resp-client.ts";
import { until } from "../harness/until.ts";

export interface MovingProductOptions {
  readonly groups?: number;
  readonly proxies?: number;
  readonly config?: DashboardOptions["config"];
  readonly proxy?: ProxyOptions;
  readonly redisArgs?: readonly string[];
  /** False: nothing is kept over a kill, and everything is faster. */
  readonly isDurable?: boolean;
}

export class MovingProduct implements AsyncDisposable {
  readonly servers: Redis[] = [];
  readonly proxies: Proxy[] = [];
  protected readonly owned = new AsyncDisposableStack();
  #dashboard: Dashboard | null = null;

  /** By group, all of its servers. */
  get groups(): readonly (readonly Redis[])[] {
    return this.servers.map((server) => [server]);
  }

  get dashboard(): Dashboard {
    if (this.#dashboard === null) throw new Error("the dashboard was not started");
    return this.#dashboard;
  }

  async start(options: MovingProductOptions): Promise<void> {
    const { groups = 2, proxies = 2, config, redisArgs: args, isDurable: durable = true } = options;
    for (let i = 0; i < groups; i++) {
      this.servers.push(this.owned.use(await startRedis({ durable, args })));
    }
    this.#dashboard = this.owned.use(await startDashboard({ config }));
    for (const [i, server] of this.servers.entries()) {
      await this.dashboard.put("createGroup", { gid: i + 1 });
      await this.dashboard.put("addServer", { gid: i + 1, addr: server.address });
    }
    await this.dashboard.assign(0, SLOT_COUNT - 1, 1);
    for (let i = 0; i < proxies; i++) {
      this.proxies.push(this.owned.use(await this.dashboard.startProxy(options.proxy)));
    }
  }

  /** `perSlot` strings in each of these slots, by the server that has them. */
  async load(from: number, to: number, perSlot = 4, group = 1): Promise<void> {
    using client = await connect(this.servers[group - 1].port);
    for (let slot = from; slot <= to; slot++) {
      const keys = Array.from({ length: perSlot }, (_, i) => keyOf(slot, i));
      await client.pipeline(keys.map((key) => ["SET", key, `value of ${key}`]));
    }
  }

  /** Orders slots to move; they may be many jobs. */
  async move(from: number, to: number, group: number): Promise<void> {
    await this.dashboard.put("createSlotActionRange", { beg: from, end: to, gid: group });
  }

  async stats(): Promise<TopomStats> {
    return (await this.dashboard.overview()).stats;
  }

  async jobs(): Promise<readonly JobStat[]> {
    return (await this.stats()).slot_action.jobs ?? [];
  }

  /** Waits until nothing moves and nothing waits to. */
  async untilAtRest(timeoutMs = 60_000): Promise<void> {
    let last: TopomStats | null = null;
    await until(
      async () => {
        last = await this.stats();
        const { jobs = [] } = last.slot_action;
        return jobs.length === 0 && last.slots.every(({ action }) => action.state === undefined);
      },
      { timeoutMs, what: () => `nothing moves: ${JSON.stringify(last?.slot_action)}` },
    );
  }

  /** Waits until a job is in this state. */
  async untilState(state: JobStat["state"]): Promise<void> {
    let seen: readonly JobStat[] = [];
    await until(
      async () => {
        seen = await this.jobs();
        return seen.some((job) => job.state === state);
      },
      { timeoutMs: 30_000, what: () => `a job is ${state}: ${JSON.stringify(seen)}` },
    );
  }

  /** What is wrong with the places of keys: foreign ones, and hidden copies that stay. */
  async misplaced(): Promise<string[]> {
    const slots = await this.dashboard.slots();
    const wrong: string[] = [];
    for (const [i, servers] of this.groups.entries()) {
      for (const server of servers) {
        for (const key of await keysOf(server)) {
          const owner = slots[slotOfKey(key)].group_id;
          if (key.startsWith("\0codis:")) wrong.push(...(await wrongOfHidden(server, key)));
          else if (owner !== i + 1) wrong.push(`${key} at group ${i + 1} and not at ${owner}`);
        }
      }
    }
    return wrong;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.owned.disposeAsync();
  }
}

export async function startMovingProduct(
  options: MovingProductOptions = {},
): Promise<MovingProduct> {
  const product = new MovingProduct();
  try {
    await product.start(options);
  } catch (error) {
    await product[Symbol.asyncDispose]();
    throw error;
  }
  return product;
}

/** The set of fenced proxies stays; a copy that was broken off dies by itself within a minute. */
async function wrongOfHidden(server: Redis, key: string): Promise<string[]> {
  if (key === "\0codis:fence") return [];
  const leftMs = Number(await server.call("PTTL", key));
  return leftMs === -1 || leftMs > 60_000 ? [`hidden key ${key.slice(1)} stays`] : [];
}

async function keysOf(server: Redis): Promise<string[]> {
  const keys = await server.call("KEYS", "*");
  return Array.isArray(keys) ? keys.map(String) : [];
}
