/**
 * The owner of one product, for as long as this dashboard leads it: builds the parts, starts them
 * in order, and stops them before anything else when the lead is lost. `dashboard.ts` makes one
 * each time that it comes to lead.
 *
 *   Topom ─┬─ records   what is stored                  servers ─ figures of each server
 *          ├─ fleet     what proxies are told           keeper ── figures of each proxy, its return
 *          ├─ jobs      slots that move                 sync actions, sentinels, lag, watcher
 *          └─ exclusive: one change of the topology at a time
 */
import { ApiError } from "../api/errors.ts";
import { type Coordinator, type Leadership, LeadershipLost } from "../coordinator/coordinator.ts";
import { log } from "../lib/log.ts";
import { messageOf } from "../lib/operator-error.ts";
import { Authority } from "../migration/authority.ts";
import { ConnectionError } from "../redis/client.ts";
import { Fences } from "./fence.ts";
import { ProxyFleet } from "./fleet.ts";
import { Hosts } from "./hosts.ts";
import { MigrationJobs } from "./jobs.ts";
import type { Part, Product } from "./product.ts";
import { Promotions } from "./promote.ts";
import { ProxyKeeper } from "./proxy-keeper.ts";
import { StoredRecords } from "./records.ts";
import { ReplicaLag } from "./replica-lag.ts";
import { Sentinels } from "./sentinels.ts";
import { ProductServers } from "./servers.ts";
import type { DashboardConfig } from "./settings.ts";
import { SyncActions } from "./sync-actions.ts";
import { Watcher } from "./watcher.ts";

/** A change that takes longer than this has something wrong inside, and the log should say so. */
const SLOW_CHANGE_MS = 5_000;

export class Topom implements Product {
  readonly authority: Authority;
  readonly fleet: ProxyFleet;
  readonly servers: ProductServers;
  readonly jobs: MigrationJobs;
  readonly sentinels: Sentinels;
  readonly promotions: Promotions;
  readonly #fences: Fences;
  readonly #parts: readonly Part[];
  #tail: Promise<unknown> = Promise.resolve();
  #isStopped = false;

  private constructor(
    readonly config: DashboardConfig,
    readonly records: StoredRecords,
    readonly leadership: Leadership,
  ) {
    this.authority = new Authority(records.options.term, () => confirmed(leadership));
    this.servers = new ProductServers({
      config,
      authority: this.authority,
      addresses: () => serversOf(records),
      onAnswer: (answer) => this.#fences.reconcile(answer),
      onSilence: (address) => this.#fences.forget(address),
    });
    this.#fences = new Fences(records, this.servers);
    const lag = new ReplicaLag(this);
    this.fleet = new ProxyFleet({
      config,
      records,
      fences: this.#fences,
      hosts: new Hosts(),
      unreadable: () => lag.unreadable,
    });
    this.jobs = new MigrationJobs(this);
    this.sentinels = new Sentinels(this);
    const keeper = new ProxyKeeper(this.fleet, records);
    this.promotions = new Promotions(this, {
      onGroupChanged: () => this.sentinels.onGroupChanged(),
      lastOffset: (address) => lag.lastOffset(address),
    });
    const care = [lag, this.sentinels, this.promotions, new SyncActions(this, lag)];
    this.#parts = [keeper, ...care, new Watcher(this, this.promotions), this.jobs];
  }

  /** Reads everything and raises the term, so that proxies take our word over an older leader's. */
  static async open(
    config: DashboardConfig,
    coordinator: Coordinator,
    leadership: Leadership,
  ): Promise<Topom> {
    const records = await StoredRecords.load(coordinator, leadership, config.productName);
    const { options } = records;
    // Numbers of jobs are never given twice, even when the options were lost.
    const last_job = Math.max(options.last_job, ...records.jobs.keys());
    await records.save({ options: { ...options, term: options.term + 1, last_job } });
    log.info(
      `product ${config.productName} loaded: term ${records.options.term}, ` +
        `${records.groups.size} groups, ${records.proxies.size} proxies, ${records.jobs.size} jobs`,
    );
    return new Topom(config, records, leadership);
  }

  start(): void {
    this.servers.start();
    void this.#startParts();
  }

  async #startParts(): Promise<void> {
    await this.sentinels.catchUp();
    if (this.#isStopped) return;
    for (const part of this.#parts) part.start();
  }

  /** From here on nothing is written or told any more; resolves when all loops have ended. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    await Promise.all(this.#parts.map((part) => part.stop()));
    this.servers.stop();
  }

  exclusive<T>(what: string, task: () => Promise<T>): Promise<T> {
    const run = async (): Promise<T> => {
      if (this.#isStopped || !this.leadership.isHeld) {
        throw new ApiError("not-ready", "topom is not online");
      }
      const begunMs = performance.now();
      try {
        await this.records.refresh();
        return await task();
      } catch (error) {
        log.info(`refused or failed: ${what}: ${messageOf(error)}`);
        throw error;
      } finally {
        const tookMs = Math.round(performance.now() - begunMs);
        if (tookMs > SLOW_CHANGE_MS)
          log.warn(`slow change of the topology (${tookMs} ms): ${what}`);
      }
    };
    const done = this.#tail.then(run);
    this.#tail = done.catch(() => {});
    return done;
  }
}

/** Whether we lead, in the words of those who use connections to servers. */
async function confirmed(leadership: Leadership): Promise<void> {
  try {
    await leadership.confirm();
  } catch (error) {
    if (error instanceof LeadershipLost) throw error;
    throw new ConnectionError(`the coordinator does not say who leads: ${messageOf(error)}`);
  }
}

function* serversOf(records: StoredRecords): Generator<string> {
  for (const { servers } of records.groups.values()) for (const { server } of servers) yield server;
}
