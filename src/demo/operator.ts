/**
 * What an operator does with a new product, through the API of the dashboard: groups, servers,
 * replication, proxies, slots. Whatever is there already stays, so that a second start finds the
 * product as it was left.
 */
import { callRoute, RemoteError } from "../api/client.ts";
import { DASHBOARD_ROUTES as routes, type RebalancePlan } from "../api/dashboard-routes.ts";
import type { AnyRoute, BodyOf, ParamsOf, PathOf, ReplyOf } from "../api/route.ts";
import { OperatorError } from "../lib/operator-error.ts";
import { masterOf } from "../model/group.ts";
import { SLOT_COUNT } from "../model/slot.ts";
import { idleMapping } from "../model/slot-mapping.ts";
import type { TopomStats } from "../model/topom-stats.ts";
import { xauthOf } from "../model/xauth.ts";

export interface PlannedGroup {
  readonly id: number;
  /** host:port; at first the first is the master. */
  readonly servers: readonly string[];
}

export class Operator {
  readonly #address: string;
  readonly #xauth: string;

  constructor(dashboard: string, product: string) {
    this.#address = dashboard;
    this.#xauth = xauthOf(product);
  }

  async stats(): Promise<TopomStats> {
    return await this.#call(routes.stats, {});
  }

  /** Adds the group and those of its servers that are missing. */
  async addGroup({ id, servers }: PlannedGroup): Promise<void> {
    const known = (await this.stats()).group.models.find((group) => group.id === id);
    if (known === undefined) await this.#call(routes.createGroup, { gid: id });
    for (const addr of servers) {
      const isThere = known?.servers.some(({ server }) => server === addr) ?? false;
      if (!isThere) await this.#call(routes.addServer, { gid: id, addr });
    }
  }

  /**
   * Orders servers to replicate their master that do not. A server that was started again has
   * forgotten whom it replicated, since it has no configuration file.
   */
  async orderReplication(): Promise<void> {
    const { models } = (await this.stats()).group;
    for (const group of models) {
      for (const { server, action } of group.servers.slice(1)) {
        const info = await this.#call(routes.serverInfo, { addr: server });
        if (info.master_addr === masterOf(group) || action.state === "pending") continue;
        await this.#call(routes.createSyncAction, { addr: server });
      }
    }
  }

  async addProxy(adminAddress: string): Promise<void> {
    await this.#call(routes.onlineProxy, { addr: adminAddress });
  }

  /** Gives slots that nobody has to the groups, in equal ranges, when no slot has a group yet. */
  async assignSlots(groups: readonly number[]): Promise<void> {
    const { slots } = await this.stats();
    if (slots.some((slot) => slot.group_id !== 0 || slot.action.state !== undefined)) return;
    const mappings = slots.map(({ id }) => {
      return idleMapping(id, groups[Math.floor((id * groups.length) / SLOT_COUNT)]);
    });
    await this.#call(routes.assignSlots, {}, mappings);
  }

  /** Plans an even distribution and orders it. */
  async rebalance(): Promise<RebalancePlan> {
    return await this.#call(routes.planRebalance, {}, { by: "slots", confirm: true });
  }

  async #call<R extends AnyRoute>(
    route: R,
    params: Readonly<Record<Exclude<ParamsOf<PathOf<R>>, "xauth">, string | number>>,
    body?: BodyOf<R>,
  ): Promise<ReplyOf<R>> {
    const texts = Object.entries<string | number>(params).map(([name, value]) => {
      return [name, String(value)];
    });
    const all = { ...Object.fromEntries(texts), xauth: this.#xauth };
    try {
      return await callRoute(this.#address, route, { params: all, body });
    } catch (error) {
      throw error instanceof RemoteError ? new OperatorError(error.message) : error;
    }
  }
}
