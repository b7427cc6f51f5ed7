// The product that everything happens to: two groups and two proxies, and by the seed a replica in
// each group, a second dashboard that stands by, and etcd in the place of a directory.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { callRoute } from "../../src/api/client.ts";
import { DASHBOARD_ROUTES } from "../../src/api/dashboard-routes.ts";
import type { Group } from "../../src/model/group.ts";
import { SLOT_COUNT } from "../../src/model/slot.ts";
import type { TopomStats } from "../../src/model/topom-stats.ts";
import { type Dashboard, startDashboard } from "../harness/dashboard.ts";
import { type Etcd, startEtcd } from "../harness/etcd.ts";
import { type Redis, startRedis } from "../harness/redis.ts";
import { AT_ONCE } from "../harness/replicated-product.ts";
import { infoOf } from "../harness/replication.ts";
import { tempDir } from "../harness/temp-dir.ts";
import { until } from "../harness/until.ts";
import { MovingProduct } from "../migration/moving-product.ts";

export interface Setup {
  readonly hasReplicas: boolean;
  readonly hasStandby: boolean;
  readonly coordinator: "filesystem" | "etcd";
}

/** Small, so that keys of an ordinary size take the way of large ones too. */
const CONFIG = { migration_big_key_elements: 300, migration_parallel_slots: 300 };
const GROUPS = 2;
const PROXIES = 2;
const ASK_TIMEOUT_MS = 2_000;
const SYNC_TIMEOUT_MS = 30_000;

/** Every third seed of each kind; without etcd a directory does. */
export function setupOf(seed: number): Setup {
  const kind = seed % 3;
  const isInstalled = Bun.which("etcd", { PATH: `${process.env.PATH}:/usr/sbin` }) !== null;
  return {
    hasReplicas: kind > 0,
    hasStandby: kind > 0,
    coordinator: kind === 2 && isInstalled ? "etcd" : "filesystem",
  };
}

export async function startSoakProduct(setup: Setup): Promise<SoakProduct> {
  const product = new SoakProduct(setup);
  try {
    await product.start();
  } catch (error) {
    await product[Symbol.asyncDispose]();
    throw error;
  }
  return product;
}

export class SoakProduct extends MovingProduct {
  readonly dashboards: Dashboard[] = [];
  etcd: Etcd | null = null;
  readonly #groups: Redis[][] = [];
  #leader = 0;

  constructor(readonly setup: Setup) {
    super();
  }

  override get groups(): readonly (readonly Redis[])[] {
    return this.#groups;
  }

  /** The one that has answered as the leader last. */
  override get dashboard(): Dashboard {
    return this.dashboards[this.#leader];
  }

  override async start(): Promise<void> {
    await this.#startDashboards();
    for (let id = 1; id <= GROUPS; id++) await this.#startGroup(id);
    await this.dashboard.assign(0, SLOT_COUNT - 1, 1);
    for (let i = 0; i < PROXIES; i++) {
      this.proxies.push(this.owned.use(await this.dashboard.startProxy({ ncpu: 2 })));
    }
    await this.untilSynced();
  }

  override async stats(): Promise<TopomStats> {
    let trouble: unknown;
    for (let i = 0; i < this.dashboards.length; i++) {
      const at = (this.#leader + i) % this.dashboards.length;
      const { address } = this.dashboards[at];
      try {
        const options = { params: {}, timeoutMs: ASK_TIMEOUT_MS };
        const { stats } = await callRoute(address, DASHBOARD_ROUTES.overview, options);
        if (stats === undefined) throw new Error(`${address} stands by`);
        this.#leader = at;
        return stats;
      } catch (error) {
        trouble = error;
      }
    }
    throw trouble;
  }

  async group(id: number): Promise<Group> {
    const { group } = await this.stats();
    const found = group.models.find((each) => each.id === id);
    if (found === undefined) throw new Error(`there is no group ${id}`);
    return found;
  }

  /** Waits until every replica has what the master of its group has. */
  async untilSynced(): Promise<void> {
    let last: readonly Group[] = [];
    await until(
      async () => {
        last = (await this.stats()).group.models;
        for (const { servers, promoting } of last) {
          if (promoting.state !== undefined) return false;
          const [master, ...replicas] = servers.map(({ server }) => this.#at(server));
          const offset = Number((await infoOf(master)).get("master_repl_offset"));
          for (const replica of replicas) {
            const info = await infoOf(replica);
            if (info.get("master_port") !== String(master.port)) return false;
            if (Number(info.get("slave_repl_offset")) < offset) return false;
          }
        }
        return true;
      },
      { timeoutMs: SYNC_TIMEOUT_MS, what: () => `replicas are in sync: ${JSON.stringify(last)}` },
    );
  }

  #at(address: string): Redis {
    const server = this.#groups.flat().find((each) => each.address === address);
    if (server === undefined) throw new Error(`there is no server ${address}`);
    return server;
  }

  async #startDashboards(): Promise<void> {
    const { coordinator, hasStandby } = this.setup;
    const etcd = coordinator === "etcd" ? this.owned.use(await startEtcd()) : null;
    this.etcd = etcd;
    const config: Record<string, string | number> = { ...CONFIG, lease_timeout: "2s" };
    if (etcd !== null) {
      config.coordinator_name = "etcd";
      config.coordinator_addr = etcd.address;
    }
    const first = this.owned.use(await startDashboard({ config, leads: !hasStandby }));
    this.dashboards.push(first);
    await first.untilLeading();
    if (!hasStandby) return;
    const options = { config, root: first.root, leads: false };
    this.dashboards.push(this.owned.use(await startDashboard(options)));
  }

  async #startGroup(id: number): Promise<void> {
    await this.dashboard.put("createGroup", { gid: id });
    const servers: Redis[] = [];
    for (let i = 0; i < (this.setup.hasReplicas ? 2 : 1); i++) {
      const server = this.owned.use(await this.#startServer());
      servers.push(server);
      await this.dashboard.put("addServer", { gid: id, addr: server.address });
      if (i > 0) await this.dashboard.put("createSyncAction", { addr: server.address });
    }
    this.#groups.push(servers);
    this.servers.push(servers[0]);
  }

  /** With a file, in which a server keeps whom it follows. */
  #startServer(): Promise<Redis> {
    const configFile = join(this.owned.use(tempDir()).path, "redis.conf");
    writeFileSync(configFile, "");
    return startRedis({ durable: true, args: AT_ONCE, configFile });
  }
}
