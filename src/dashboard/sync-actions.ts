/**
 * Orders to replicate the master of the group, one a server (contract 6.6):
 *
 *   pending ──▶ syncing ──▶ synced          the link is up and the first sync is done
 *                  └──────▶ synced_failed   the server refused, or its link does not come up
 *
 * An order for a server that cannot be reached stays pending until it can. In "syncing" the command
 * is sent, and sent again by a dashboard that takes over, which does no harm. A group has one
 * server at a time in its first sync, because each costs the master a copy of its memory.
 */
import { log } from "../lib/log.ts";
import { messageOf, OperatorError } from "../lib/operator-error.ts";
import { type Group, masterOf, type SyncState } from "../model/group.ts";
import { ConnectionError, type RedisClient } from "../redis/client.ts";
import { groupOf, requireNoPromotion, requireServer, withServer } from "./groups.ts";
import type { Part, Product, Records } from "./product.ts";
import type { ReplicaLag } from "./replica-lag.ts";
import { askStanding, follows, giveOrder, orderFor } from "./replication.ts";
import { Rounds } from "./rounds.ts";
import { slotsOfGroup } from "./views.ts";

const PERIOD_MS = 1_000;
const ASK_TIMEOUT_MS = 1_000;

/** A replica whose link does not come up, and that does not load a copy either, has failed. */
const LINK_PATIENCE_MS = 60_000;

/** The number for the next order: orders are carried out in their order. */
export function nextActionIndex(records: Records): number {
  let highest = 0;
  for (const { servers } of records.groups.values()) {
    for (const { action } of servers) highest = Math.max(highest, action.index ?? 0);
  }
  return highest + 1;
}

export async function createSyncAction(product: Product, address: string): Promise<void> {
  await product.exclusive(`sync ${address}`, async () => {
    const { group, index } = find(product.records, address);
    requireNoPromotion(group);
    if (group.servers[index].action.state === "pending") {
      throw new OperatorError(`server-[${address}] action already exist`);
    }
    const action = { index: nextActionIndex(product.records), state: "pending" as const };
    await product.records.save({ group: withServer(group, index, { action }) });
  });
}

export async function removeSyncAction(product: Product, address: string): Promise<void> {
  await product.exclusive(`forget the sync of ${address}`, async () => {
    const { group, index } = find(product.records, address);
    requireNoPromotion(group);
    if (group.servers[index].action.state === undefined) {
      throw new OperatorError(`server-[${address}] action doesn't exist`);
    }
    await product.records.save({ group: withServer(group, index, { action: {} }) });
  });
}

function find(records: Records, address: string): { group: Group; index: number } {
  const group = groupOf(records, address);
  if (group === undefined) throw new OperatorError(`server-[${address}] doesn't exist`);
  return { group, index: requireServer(group, address) };
}

/** An order that is to be carried out or looked after. */
interface Order {
  readonly groupId: number;
  readonly address: string;
  readonly master: string;
  readonly index: number;
  readonly state: SyncState;
}

/** By group the order that is under way, or else the one that comes first. Pure. */
export function dueOrders(
  groups: Iterable<Group>,
  isReachable: (address: string) => boolean,
): Order[] {
  const due: Order[] = [];
  for (const group of groups) {
    if (group.promoting.state !== undefined) continue;
    const orders = group.servers
      .map(({ server, action }) => ({
        groupId: group.id,
        address: server,
        master: masterOf(group),
        index: action.index ?? 0,
        state: action.state,
      }))
      .filter((each): each is Order => each.state === "pending" || each.state === "syncing")
      .filter(({ state, address }) => state === "syncing" || isReachable(address))
      .sort((a, b) => a.index - b.index);
    const first = orders.find(({ state }) => state === "syncing") ?? orders[0];
    if (first !== undefined) due.push(first);
  }
  return due.sort((a, b) => a.index - b.index);
}

export class SyncActions implements Part {
  readonly #rounds = new Rounds(PERIOD_MS, () => this.#round());
  /** Address → since when its link has been down, for orders whose command was sent by us. */
  readonly #sent = new Map<string, number>();

  constructor(
    private readonly product: Product,
    private readonly lag: ReplicaLag,
  ) {}

  start(): void {
    this.#rounds.start();
  }

  stop(): Promise<void> {
    return this.#rounds.stop();
  }

  /** One round over all groups. Never rejects. */
  async #round(): Promise<void> {
    const { records, servers } = this.product;
    const isReachable = (address: string): boolean =>
      servers.polls.get(address)?.error === undefined;
    const orders = dueOrders(records.groups.values(), isReachable);
    const known = new Set(orders.map(({ address }) => address));
    for (const address of this.#sent.keys()) if (!known.has(address)) this.#sent.delete(address);
    await Promise.all(
      orders.map(async (order) => {
        try {
          await this.#advance(order);
        } catch (error) {
          log.warn(`the sync of server-[${order.address}] does not get on: ${messageOf(error)}`);
        }
      }),
    );
  }

  async #advance(order: Order): Promise<void> {
    if (order.state === "pending") {
      await this.#become(order, "syncing");
      await this.#stopReads(order);
      await this.#send({ ...order, state: "syncing" });
    } else if (!this.#sent.has(order.address)) {
      await this.#stopReads(order);
      await this.#send(order); // Another dashboard may have died before it did.
    } else {
      await this.#look(order);
    }
  }

  async #send(order: Order): Promise<void> {
    const { servers } = this.product;
    const isMaster = order.address === order.master;
    try {
      const words = await orderFor(this.product, isMaster ? null : order.master);
      const task = (client: RedisClient): Promise<void> => giveOrder(client, words);
      await servers.use(order.address, task, { timeoutMs: ASK_TIMEOUT_MS });
      this.#sent.set(order.address, performance.now());
      await this.#look(order);
    } catch (error) {
      if (error instanceof ConnectionError) await this.#become(order, "pending");
      else await this.#fail(order, messageOf(error));
    }
  }

  /** Is it done? */
  async #look(order: Order): Promise<void> {
    const { servers } = this.product;
    const [standing, master] = await Promise.all([
      askStanding(servers, order.address, ASK_TIMEOUT_MS),
      askStanding(servers, order.master, ASK_TIMEOUT_MS),
    ]);
    if (standing === null) return;
    if (order.address === order.master) {
      if (standing.isMaster) await this.#become(order, "synced");
      else await this.#fail(order, "it is no master");
      return;
    }
    if (!(await follows(standing, order.master, master))) {
      if (standing.isMaster) await this.#fail(order, "it is a master");
      else if (standing.isLinkUp) await this.#fail(order, `it follows ${standing.masterAddress}`);
      return;
    }
    if (standing.isLinkUp && !standing.isSyncing) {
      await this.#become(order, "synced");
      return;
    }
    const nowMs = performance.now();
    if (standing.isSyncing || master === null) this.#sent.set(order.address, nowMs);
    const sinceMs = this.#sent.get(order.address) ?? nowMs;
    if (nowMs - sinceMs > LINK_PATIENCE_MS) {
      await this.#fail(order, `it has no connection to ${order.master}; its log says why`);
    }
  }

  /** What it serves while it copies its master is old, and then nothing for a moment. */
  async #stopReads(order: Order): Promise<void> {
    const { records, fleet, servers } = this.product;
    const group = records.groups.get(order.groupId);
    if (!group?.servers.some((each) => each.server === order.address && each.replica_group)) return;
    const standing = await askStanding(servers, order.address, ASK_TIMEOUT_MS);
    if (standing !== null && (await follows(standing, order.master, null))) return;
    if (order.address === order.master) return;
    this.lag.suspend(order.address);
    try {
      await fleet.resync(slotsOfGroup(order.groupId, records));
    } catch (error) {
      log.warn(`not every proxy has stopped to read from ${order.address}: ${messageOf(error)}`);
    }
  }

  async #fail(order: Order, why: string): Promise<void> {
    log.warn(`server-[${order.address}] does not replicate ${order.master}: ${why}`);
    await this.#become(order, "synced_failed");
  }

  /** Does nothing when the order is not the one that was acted upon any more. */
  async #become(order: Order, state: SyncState): Promise<void> {
    await this.product.exclusive(`sync ${order.address}`, async () => {
      const group = this.product.records.groups.get(order.groupId);
      const index = group?.servers.findIndex(({ server }) => server === order.address) ?? -1;
      if (group === undefined || index < 0 || group.promoting.state !== undefined) return;
      const { action } = group.servers[index];
      if (action.index !== order.index || masterOf(group) !== order.master) return;
      const next = { ...action, state };
      await this.product.records.save({ group: withServer(group, index, { action: next }) });
      log.info(`server-[${order.address}] ${action.state} → ${state}`);
    });
    if (state !== "syncing") this.#sent.delete(order.address);
  }
}
