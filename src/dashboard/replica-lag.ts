/**
 * Keeps reads away from replicas that are too far behind, and gives them back: judges them once a
 * second (`lag-judge.ts`) and tells the proxies of the groups where something has changed.
 */
import { log } from "../lib/log.ts";
import { messageOf } from "../lib/operator-error.ts";
import { LagJudge } from "./lag-judge.ts";
import type { Part, Product } from "./product.ts";
import { Rounds } from "./rounds.ts";
import { slotsOfGroup } from "./views.ts";

const PERIOD_MS = 1_000;

export class ReplicaLag implements Part {
  readonly #judge = new LagJudge();
  readonly #rounds = new Rounds(PERIOD_MS, () => this.#round());
  /** Groups of which not every proxy knows the newest verdict. */
  readonly #untold = new Set<number>();

  constructor(private readonly product: Product) {}

  /** Addresses; views leave them out. */
  get unreadable(): ReadonlySet<string> {
    return this.#judge.unreadable;
  }

  start(): void {
    this.#rounds.start();
  }

  stop(): Promise<void> {
    return this.#rounds.stop();
  }

  /** How much a master had written when it was last seen; null when nobody knows. */
  lastOffset(address: string): number | null {
    return this.#judge.lastOffset(address);
  }

  /** No reads for this replica until it is found good again; the caller tells the proxies. */
  suspend(address: string): void {
    this.#judge.suspend(address);
  }

  async #round(): Promise<void> {
    const { records, servers, config, fleet } = this.product;
    const before = this.unreadable;
    const changed = this.#judge.judge(
      records.groups.values(),
      servers.polls,
      config.replicaMaxLagMs,
      performance.now(),
    );
    for (const address of this.unreadable) {
      if (!before.has(address)) log.warn(`replica ${address} gets no reads until it follows again`);
    }
    for (const address of before) {
      if (!this.unreadable.has(address)) log.info(`replica ${address} gets reads again`);
    }
    for (const id of changed) this.#untold.add(id);
    for (const id of this.#untold) {
      try {
        await fleet.resync(slotsOfGroup(id, records));
        this.#untold.delete(id);
      } catch (error) {
        log.warn(`replicas of group-[${id}] are told later: ${messageOf(error)}`);
      }
    }
  }
}
