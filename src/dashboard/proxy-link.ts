// One proxy as the fleet deals with it: the calls to its admin API, what it answered last, and what
// it has acknowledged. Which calls to make, and what a failure means, is for `fleet.ts`.

import { callRoute, RemoteError } from "../api/client.ts";
import { PROXY_ROUTES } from "../api/routes.ts";
import { messageOf } from "../lib/operator-error.ts";
import type { PinTable } from "../model/key-pin.ts";
import { type MergedFill, splitFills } from "../model/merged-fill.ts";
import type { ProxyModel, SentinelModel } from "../model/proxy.ts";
import type { ProxyStats } from "../model/proxy-stats.ts";
import type { ProxyPoll } from "../model/topom-stats.ts";
import { xauthOf } from "../model/xauth.ts";

/** A poll that takes longer is late, as the API says it; it is waited for all the same. */
const POLL_TIMEOUT_MS = 1_000;

/** How long an answer to a poll is waited for. */
const POLL_PATIENCE_MS = 3_000;

export class ProxyLink {
  poll: ProxyPoll | null = null;
  /** The highest revisions it has acknowledged. */
  slotRevision = 0;
  pinsRevision = 0;
  /** It missed a push, or was restarted: it gets everything anew at the next occasion. */
  lacksSomething = true;
  /** It has taken a whole table from this leader. */
  isUp = false;
  /** Its last answer lacks something that it had acknowledged before it was asked. */
  hasForgotten = false;
  /** One bring-up comes after the other; never rejects. */
  comingUp: Promise<void> = Promise.resolve();
  /** A bring-up is under way. */
  isComingUp = false;
  /** When it was asked first of all that it has not answered yet; null while nothing waits. */
  #silentSinceMs: number | null = null;
  #waiting = 0;
  readonly #xauth: string;
  /** An original proxy applies what comes in the order in which it comes. */
  #tail: Promise<unknown> = Promise.resolve();

  constructor(
    public model: ProxyModel,
    productAuth: string,
  ) {
    this.#xauth = xauthOf(model.product_name, productAuth, model.token);
  }

  /** How long it has left questions without any answer, be it a refusal. */
  get silenceMs(): number {
    return this.#silentSinceMs === null ? 0 : performance.now() - this.#silentSinceMs;
  }

  get name(): string {
    return `proxy-[${this.model.token}]`;
  }

  /** Of the original: no revisions, no pins, no fence. */
  get isLegacy(): boolean {
    return this.model.fencing !== true;
  }

  /** `revision` is that of all slots. */
  async fill(slots: readonly MergedFill[], revision: number, timeoutMs: number): Promise<void> {
    const params = { xauth: this.#xauth };
    const { admin_addr } = this.model;
    if (this.isLegacy) {
      const options = { params, body: splitFills(slots), timeoutMs };
      const send = (): Promise<unknown> => {
        return this.#call(() => callRoute(admin_addr, PROXY_ROUTES.fillSlots, options));
      };
      await (this.#tail = this.#tail.then(send, send));
    } else {
      const options = { params, body: [...slots], timeoutMs };
      await this.#call(() => callRoute(admin_addr, PROXY_ROUTES.fillMerged, options));
    }
    this.slotRevision = Math.max(this.slotRevision, revision);
  }

  async setPins(table: PinTable, timeoutMs: number): Promise<void> {
    if (this.isLegacy) return;
    const params = { xauth: this.#xauth };
    const { admin_addr } = this.model;
    await this.#call(() =>
      callRoute(admin_addr, PROXY_ROUTES.pins, { params, body: table, timeoutMs }),
    );
    this.pinsRevision = Math.max(this.pinsRevision, table.revision);
  }

  async setSentinels(sentinel: SentinelModel, timeoutMs: number): Promise<void> {
    const params = { xauth: this.#xauth };
    const { admin_addr } = this.model;
    const options = { params, body: sentinel, timeoutMs };
    await this.#call(() => callRoute(admin_addr, PROXY_ROUTES.sentinels, options));
  }

  async start(timeoutMs: number): Promise<void> {
    const options = { params: { xauth: this.#xauth }, timeoutMs };
    await this.#call(() => callRoute(this.model.admin_addr, PROXY_ROUTES.start, options));
  }

  async shutdown(timeoutMs: number): Promise<void> {
    const options = { params: { xauth: this.#xauth }, timeoutMs };
    await this.#call(() => callRoute(this.model.admin_addr, PROXY_ROUTES.shutdown, options));
  }

  /** Throws when the xauth is wrong, or nobody answers. */
  async ping(timeoutMs: number): Promise<void> {
    const options = { params: { xauth: this.#xauth }, timeoutMs };
    await this.#call(() => callRoute(this.model.admin_addr, PROXY_ROUTES.xping, options));
  }

  /** Asks for the statistics and notes what came of it; never throws. */
  async askStats(): Promise<ProxyStats | null> {
    const begunMs = performance.now();
    // What it acknowledges while the question is under way need not be in the answer.
    const acknowledged = [this.slotRevision, this.pinsRevision] as const;
    const isFenced = this.model.fenced ? { fenced: true } : {};
    const timing = (): Omit<ProxyPoll, "stats" | "error"> => ({
      unixtime: Math.floor(Date.now() / 1000),
      ...(performance.now() - begunMs >= POLL_TIMEOUT_MS ? { timeout: true } : {}),
      ...isFenced,
    });
    try {
      const options = { params: { xauth: this.#xauth }, timeoutMs: POLL_PATIENCE_MS };
      const { admin_addr } = this.model;
      const stats = await this.#call(() => callRoute(admin_addr, PROXY_ROUTES.stats, options));
      this.poll = { stats, ...timing() };
      this.hasForgotten = this.#lacks(stats, acknowledged);
      return stats;
    } catch (error) {
      this.poll = { error: { Cause: messageOf(error), Stack: null }, ...timing() };
      return null;
    }
  }

  /** Whether statistics come from a proxy that knows revisions and the fence. */
  static knowsFence(stats: ProxyStats): boolean {
    const { slot_revision }: Partial<ProxyStats> = stats;
    return slot_revision !== undefined;
  }

  #lacks(stats: ProxyStats, [slots, pins]: readonly [number, number]): boolean {
    const { slot_revision = 0, pins_revision = 0 }: Partial<ProxyStats> = stats;
    return !this.isLegacy && (slot_revision < slots || pins_revision < pins);
  }

  async #call<T>(call: () => Promise<T>): Promise<T> {
    this.#waiting++;
    this.#silentSinceMs ??= performance.now();
    let hasAnswered = true;
    try {
      return await call();
    } catch (error) {
      hasAnswered = error instanceof RemoteError && error.trouble === "refused";
      throw error;
    } finally {
      this.#waiting--;
      if (hasAnswered) this.#silentSinceMs = this.#waiting > 0 ? performance.now() : null;
    }
  }
}
