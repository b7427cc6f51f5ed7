// Looks after the proxies: asks each for its statistics once a second, with a patience of its own,
// and brings up whichever waits to be put online, was restarted, missed a push, or was shut out and
// is back. Nobody has to be told that a proxy came back.

import { callRoute } from "../api/client.ts";
import { PROXY_ROUTES } from "../api/routes.ts";
import { log } from "../lib/log.ts";
import { messageOf } from "../lib/operator-error.ts";
import { parseProxyModel, type ProxyModel } from "../model/proxy.ts";
import type { ProxyStats } from "../model/proxy-stats.ts";
import type { ProxyFleet } from "./fleet.ts";
import type { Part, Records } from "./product.ts";
import { ProxyLink } from "./proxy-link.ts";

const POLL_PERIOD_MS = 1_000;
const TICK_MS = 50;

interface Seat {
  isBusy: boolean;
  dueMs: number;
  /** So that a proxy that stays away fills no log. */
  lastTrouble: string;
}

export class ProxyKeeper implements Part {
  readonly #seats = new Map<string, Seat>();
  #timer: Timer | null = null;

  constructor(
    private readonly fleet: ProxyFleet,
    private readonly records: Records,
  ) {}

  start(): void {
    this.#timer ??= setInterval(() => this.#tick(), TICK_MS);
    this.#tick();
  }

  async stop(): Promise<void> {
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#timer = null;
  }

  #tick(): void {
    const nowMs = performance.now();
    for (const token of this.#seats.keys()) {
      if (!this.records.proxies.has(token)) this.#seats.delete(token);
    }
    for (const link of this.fleet.links()) {
      const { token } = link.model;
      const seat = this.#seats.get(token) ?? { isBusy: false, dueMs: 0, lastTrouble: "" };
      this.#seats.set(token, seat);
      if (!seat.isBusy && seat.dueMs <= nowMs) void this.#look(link, seat);
    }
  }

  async #look(link: ProxyLink, seat: Seat): Promise<void> {
    seat.isBusy = true;
    seat.dueMs = performance.now() + POLL_PERIOD_MS;
    try {
      const stats = await link.askStats();
      if (stats === null) {
        this.#note(link, seat, link.poll?.error?.Cause ?? "");
        return;
      }
      if (this.#timer === null) return;
      await this.#noteKind(link, stats);
      await this.fleet.outbid(stats);
      // The figures of an original proxy do not tell what it has.
      if (link.isLegacy || !stats.online) await this.#noteRestart(link);
      if (!needsBringUp(link, stats)) {
        if (stats.fenced && !link.isLegacy) await this.fleet.letIn(link);
        this.#note(link, seat, "");
      } else if (!link.isComingUp) {
        // Polls go on meanwhile: they tell whether the proxy lives.
        this.#bringUp(link).catch((error: unknown) => {
          this.#note(link, seat, messageOf(error));
        });
      }
    } catch (error) {
      this.#note(link, seat, messageOf(error));
    } finally {
      seat.isBusy = false;
    }
  }

  async #bringUp(link: ProxyLink): Promise<void> {
    await this.fleet.bringUp(link);
    log.info(`${link.name} at ${link.model.admin_addr} has all slots and is online`);
  }

  /** A proxy of ours in the place of an original one, or the reverse. */
  async #noteKind(link: ProxyLink, stats: ProxyStats): Promise<void> {
    const isOurs = ProxyLink.knowsFence(stats);
    if (isOurs !== link.isLegacy) return;
    await this.#amend(link, ({ fencing: _, ...rest }) => {
      return isOurs ? { ...rest, fencing: true } : rest;
    });
  }

  /** The process and its start are others now; it may be online, but has no slots. */
  async #noteRestart(link: ProxyLink): Promise<void> {
    const { admin_addr, token, start_time } = link.model;
    const reply = await callRoute(admin_addr, PROXY_ROUTES.model, { params: {}, timeoutMs: 3_000 });
    const found = parseProxyModel(reply, "the proxy's model");
    if (found.token !== token || found.start_time === start_time) return;
    link.lacksSomething = true;
    await this.#amend(link, ({ id, fencing, fenced }) => ({ ...found, id, fencing, fenced }));
  }

  #amend(link: ProxyLink, change: (model: ProxyModel) => ProxyModel): Promise<void> {
    return this.records.amend(() => {
      const model = this.records.proxies.get(link.model.token);
      return model === undefined ? [] : [{ proxy: change(model) }];
    });
  }

  #note(link: ProxyLink, seat: Seat, trouble: string): void {
    if (trouble === seat.lastTrouble) return;
    if (trouble !== "") log.warn(`${link.name}: ${trouble}`);
    else if (seat.lastTrouble !== "") log.info(`${link.name} answers again`);
    seat.lastTrouble = trouble;
  }
}

function needsBringUp(link: ProxyLink, stats: ProxyStats): boolean {
  if (stats.closed) return false;
  const isFenced = link.model.fenced === true;
  return !stats.online || isFenced || link.lacksSomething || link.hasForgotten;
}
