/**
 * All proxies of the product: tells them what the records say, and knows how they are.
 *
 *   resync ──┬─▶ every proxy acknowledges                    done
 *            ├─▶ one refuses, or is late but alive           ProxiesFailed; it lacks something
 *            └─▶ one is gone: fence.ts shuts it out          done without it
 *
 *   poll, each second ──▶ gone, and back: bring it up (all slots, pins, start, sentinels),
 *                         let it in again                                    proxy-keeper.ts
 *
 * Views are derived, and get their revision, in the same turn in which the records are read. So a
 * higher revision never shows an older state, and proxies may get pushes in any order.
 */
import { RemoteError } from "../api/client.ts";
import { log } from "../lib/log.ts";
import { messageOf } from "../lib/operator-error.ts";
import type { KeyPin, PinTable } from "../model/key-pin.ts";
import { type MergedFill, splitFills } from "../model/merged-fill.ts";
import { REVISIONS_PER_TERM, SLOT_COUNT, type SlotFill, slotOfKey, termOf } from "../model/slot.ts";
import type { ProxyModel } from "../model/proxy.ts";
import type { ProxyStats } from "../model/proxy-stats.ts";
import type { ProxyPoll } from "../model/topom-stats.ts";
import type { Fences } from "./fence.ts";
import type { Hosts } from "./hosts.ts";
import { type Fleet, ProxiesFailed, type PushOptions, type Records } from "./product.ts";
import { ProxyLink } from "./proxy-link.ts";
import type { DashboardConfig } from "./settings.ts";
import { NOBODY, placesOf, type Viewer, type ViewSource, viewsOf } from "./views.ts";

/** How long a proxy may take to let requests in flight end. */
const PUSH_TIMEOUT_MS = 30_000;

/** A proxy that was asked and has not said anything for so long gets one last question. */
const SILENCE_MS = 2_000;
const LAST_QUESTION_MS = 1_000;
const SILENCE_CHECK_MS = 100;
/** A connection that is refused is tried once more, for proxies that are being restarted. */
const RETRY_MS = 200;

const ALL_SLOTS: readonly number[] = Array.from({ length: SLOT_COUNT }, (_, id) => id);

/** What one push is made of. */
interface Derived {
  readonly fillsOf: (link: ProxyLink) => MergedFill[];
  readonly revision: number;
  /** As nobody sees them, for the places. */
  readonly views: readonly MergedFill[];
}

interface Places {
  /** What this leader has told anybody since all proxies last agreed on the slot. */
  readonly known: ReadonlySet<string>;
  /** False: an earlier leader may have told a proxy of any other place. */
  readonly isComplete: boolean;
  /** The revision of the last push. */
  readonly push: number;
}

const ANYWHERE: Places = { known: new Set(), isComplete: false, push: 0 };

export interface FleetOptions {
  readonly config: DashboardConfig;
  readonly records: Records;
  readonly fences: Fences;
  readonly hosts: Hosts;
  /** Replicas that get no reads now. */
  readonly unreadable: () => ReadonlySet<string>;
}

export class ProxyFleet implements Fleet {
  readonly #links = new Map<string, ProxyLink>();
  /** Fenced proxies that are being brought up: they get every push again. */
  readonly #returning = new Set<string>();
  /** Where requests for a slot may go since all proxies last agreed on it. */
  readonly #places: Places[] = Array.from({ length: SLOT_COUNT }, () => ANYWHERE);
  #counter = 0;

  constructor(readonly options: FleetOptions) {}

  // --------------------------------------------------------------------------------- who there is

  /** The links, in step with the records. */
  links(): readonly ProxyLink[] {
    const { records, config } = this.options;
    for (const token of this.#links.keys()) {
      if (!records.proxies.has(token)) this.#links.delete(token);
    }
    for (const model of records.proxies.values()) {
      const link = this.#links.get(model.token);
      if (link === undefined) {
        this.#links.set(model.token, new ProxyLink(model, config.productAuth));
      } else link.model = model;
    }
    return [...this.#links.values()];
  }

  link(token: string): ProxyLink | undefined {
    return this.links().find(({ model }) => model.token === token);
  }

  get legacyProxy(): ProxyModel | null {
    return this.links().find((link) => link.isLegacy)?.model ?? null;
  }

  get polls(): ReadonlyMap<string, ProxyPoll> {
    const polls = new Map<string, ProxyPoll>();
    for (const link of this.links()) {
      if (link.poll !== null) polls.set(link.model.token, link.poll);
    }
    return polls;
  }

  // ---------------------------------------------------------------------------------- what is told

  views(): readonly SlotFill[] {
    const views = splitFills(viewsOf(ALL_SLOTS, this.#source(), NOBODY));
    return views.sort((one, other) => one.id - other.id);
  }

  async resync(slots: Iterable<number>, options: PushOptions = {}): Promise<void> {
    const ids = [...new Set(slots)].sort((a, b) => a - b);
    if (ids.length === 0) return;
    const deadlineMs = options.deadlineMs ?? PUSH_TIMEOUT_MS;
    const { fillsOf, revision, views } = this.#derive(ids);
    const required = this.#widenPlaces(views, revision);
    await this.#toAll("slots", required, options, (link) => {
      return link.fill(fillsOf(link), revision, deadlineMs);
    });
    for (const view of views) {
      const places = { known: new Set(placesOf(view)), isComplete: true, push: revision };
      // Unless a newer push is on its way.
      for (const id of view.ids) if (this.#places[id].push === revision) this.#places[id] = places;
    }
  }

  async resyncPins(options: PushOptions = {}): Promise<void> {
    const table = this.#pinTable();
    const deadlineMs = options.deadlineMs ?? PUSH_TIMEOUT_MS;
    const slots = [...this.options.records.jobs.values()].flatMap((job) => job.slots);
    const required = this.#placesOf([...new Set(slots)]);
    await this.#toAll("pins", required, options, (link) => link.setPins(table, deadlineMs));
  }

  async resyncSentinels(): Promise<void> {
    const { sentinel } = this.options.records;
    await this.#toAll("sentinels", new Set(), {}, (link) => {
      return link.setSentinels(sentinel, PUSH_TIMEOUT_MS);
    });
  }

  /** Sends one proxy everything; it takes part in every push from here on. */
  bringUp(link: ProxyLink): Promise<void> {
    const done = link.comingUp.then(() => this.#bringUp(link));
    link.comingUp = done.catch(() => {});
    return done;
  }

  async #bringUp(link: ProxyLink): Promise<void> {
    const { token } = link.model;
    const { hosts, fences, records } = this.options;
    this.#returning.add(token);
    link.lacksSomething = false;
    link.isComingUp = true;
    try {
      await hosts.learn([link.model.admin_addr, ...this.#allServers()]);
      const { fillsOf, revision, views } = this.#derive(ALL_SLOTS);
      this.#widenPlaces(views, revision);
      await step(link, "fillslots failed", link.fill(fillsOf(link), revision, PUSH_TIMEOUT_MS));
      link.isUp = true;
      this.#noteAgreement();
      await step(link, "set pins failed", link.setPins(this.#pinTable(), PUSH_TIMEOUT_MS));
      const mayEnter = (): boolean => this.#returning.has(token) && !link.lacksSomething;
      await fences.letIn(token, mayEnter);
      // It would take the order to start for the word that no server shuts it out.
      if (!mayEnter()) throw new ProxiesFailed(`${link.name} missed a change`, [token]);
      await step(link, "start failed", link.start(PUSH_TIMEOUT_MS));
      const { sentinel } = records;
      await step(link, "set sentinels failed", link.setSentinels(sentinel, PUSH_TIMEOUT_MS));
    } catch (error) {
      link.lacksSomething = true;
      throw error;
    } finally {
      link.isComingUp = false;
      this.#returning.delete(token);
    }
  }

  /**
   * A proxy that lacks nothing says that some server shuts it out: that one did not answer when it
   * was let in. A proxy believes only us that a fence is gone, so it is told again.
   */
  async letIn(link: ProxyLink): Promise<void> {
    const mayEnter = (): boolean => link.model.fenced !== true && !link.lacksSomething;
    await this.options.fences.letIn(link.model.token, mayEnter);
    if (mayEnter()) await link.start(PUSH_TIMEOUT_MS);
  }

  /**
   * A proxy has heard of a later term than ours: the record of it was lost, or the product restored
   * from a copy. It refuses what we tell it, so our term becomes the latest of all.
   */
  async outbid({ slot_revision = 0, pins_revision = 0 }: Partial<ProxyStats>): Promise<void> {
    const { records } = this.options;
    const heard = termOf(Math.max(slot_revision, pins_revision));
    if (heard <= records.options.term) return;
    log.warn(
      `a proxy has heard of term ${heard}, and ours is ${records.options.term}: it is raised`,
    );
    await records.amend(() => {
      const term = Math.max(records.options.term, heard + 1);
      return [{ options: { ...records.options, term } }];
    });
  }

  /** Shuts a proxy out of every server that a slot may be served from. */
  async shutOut(link: ProxyLink): Promise<void> {
    this.#returning.delete(link.model.token);
    link.lacksSomething = true;
    await this.options.fences.shutOut(link.model.token, this.#placesOf(ALL_SLOTS));
  }

  // ---------------------------------------------------------------------------------------- pushes

  async #toAll(
    what: string,
    required: ReadonlySet<string>,
    options: PushOptions,
    send: (link: ProxyLink) => Promise<void>,
  ): Promise<void> {
    const { gone = new Set() } = options;
    const needed = new Set([...required].filter((server) => !gone.has(server)));
    const failures = new Map<string, string>();
    const toOne = async (link: ProxyLink): Promise<void> => {
      try {
        if (link.model.fenced && !this.#returning.has(link.model.token)) {
          await this.options.fences.shutOut(link.model.token, needed);
        } else await this.#sendOrGoOnWithout(link, send, needed);
      } catch (reason) {
        const text = `${link.name} resync ${what} failed: ${messageOf(reason)}`;
        failures.set(link.model.token, text);
      }
    };
    await Promise.all(this.links().map(toOne));
    if (failures.size === 0) return;
    const error = new ProxiesFailed([...failures.values()].join("; "), [...failures.keys()]);
    log.warn(error.message);
    throw error;
  }

  /** Rejects as soon as the proxy is known to be gone, although the call may still be under way. */
  async #send(link: ProxyLink, send: (link: ProxyLink) => Promise<void>): Promise<void> {
    const gone = Promise.withResolvers<never>();
    let isAsking = false;
    const look = async (): Promise<void> => {
      if (isAsking || link.silenceMs < SILENCE_MS) return;
      isAsking = true;
      const error = await lastQuestion(link);
      if (error !== null) gone.reject(error);
      isAsking = false;
    };
    const timer = setInterval(() => void look(), SILENCE_CHECK_MS);
    const sent = send(link).catch(async (error: unknown) => {
      if (!isUnreachable(error)) throw error;
      await Bun.sleep(RETRY_MS);
      return send(link);
    });
    sent.catch(() => {});
    try {
      await Promise.race([sent, gone.promise]);
    } finally {
      clearInterval(timer);
    }
  }

  async #sendOrGoOnWithout(
    link: ProxyLink,
    send: (link: ProxyLink) => Promise<void>,
    needed: ReadonlySet<string>,
  ): Promise<void> {
    try {
      await this.#send(link, send);
    } catch (error) {
      link.lacksSomething = true;
      if (!(await isGone(link, error))) throw error;
      if (link.isLegacy) {
        throw new Error(
          `${messageOf(error)}; it is a proxy of the original, which cannot be shut out of the ` +
            "servers: end it and remove it with force",
        );
      }
      this.#returning.delete(link.model.token);
      await this.options.fences.shutOut(link.model.token, needed);
    }
  }

  // ------------------------------------------------------------------------- views and revisions

  #source(): ViewSource {
    const { records, config, hosts, unreadable } = this.options;
    return {
      slots: records.slots,
      groups: records.groups,
      jobs: records.jobs,
      migrationMethod: config.migrationMethod,
      migrationDurable: config.migrationDurable,
      unreadable: unreadable(),
      ipOf: (address) => hosts.ipOf(address),
    };
  }

  #nextRevision(): number {
    this.#counter++;
    return this.options.records.options.term * REVISIONS_PER_TERM + this.#counter;
  }

  /** The views of this moment, under one revision; proxies in the same place share one. */
  #derive(ids: readonly number[]): Derived {
    const source = this.#source();
    const revision = this.#nextRevision();
    const shared = new Map<string, MergedFill[]>();
    const fillsOf = ({ model }: ProxyLink): MergedFill[] => {
      const viewer: Viewer = { datacenter: model.datacenter, ip: source.ipOf(model.admin_addr) };
      const place = `${viewer.datacenter} ${viewer.ip}`;
      let fills = shared.get(place);
      if (fills === undefined) {
        fills = viewsOf(ids, source, viewer).map((view) => ({ ...view, revision }));
        shared.set(place, fills);
      }
      return fills;
    };
    return { fillsOf, revision, views: viewsOf(ids, source, NOBODY) };
  }

  #pinTable(): PinTable {
    const pins: KeyPin[] = [];
    for (const job of this.options.records.jobs.values()) {
      for (const { db, key, state } of job.pins) {
        const slot = slotOfKey(Buffer.from(key, "base64"));
        // A copied key stays held until its source copy is gone and the job forgets it.
        pins.push({ slot, db, key, state: state === "copied" ? "held" : state });
      }
    }
    return { revision: this.#nextRevision(), pins };
  }

  /** From now on requests for these slots may also go where the views say; returns all places. */
  #widenPlaces(views: readonly MergedFill[], push: number): Set<string> {
    for (const view of views) {
      const added = placesOf(view);
      // Slots that went together mostly share what is known.
      const widened = new Map<Places, Places>();
      for (const id of view.ids) {
        const { [id]: old } = this.#places;
        let places = widened.get(old);
        if (places === undefined) {
          places = { known: new Set([...old.known, ...added]), isComplete: old.isComplete, push };
          widened.set(old, places);
        }
        this.#places[id] = places;
      }
    }
    return this.#placesOf(views.flatMap(({ ids }) => ids));
  }

  #placesOf(ids: readonly number[]): Set<string> {
    const found = [...new Set(ids.map((id) => this.#places[id]))];
    const isAnywhere = found.some(({ isComplete }) => !isComplete);
    return new Set([
      ...found.flatMap(({ known }) => [...known]),
      ...(isAnywhere ? this.#allServers() : []),
    ]);
  }

  /** When all proxies have taken a whole table from us, nobody goes by an earlier leader's word. */
  #noteAgreement(): void {
    if (!this.links().every((link) => link.isUp || link.model.fenced)) return;
    this.#places.forEach((places, id) => {
      if (!places.isComplete) this.#places[id] = { ...places, isComplete: true };
    });
  }

  #allServers(): string[] {
    const groups = [...this.options.records.groups.values()];
    return groups.flatMap(({ servers }) => servers.map(({ server }) => server));
  }
}

async function step(link: ProxyLink, what: string, call: Promise<void>): Promise<void> {
  try {
    await call;
  } catch (error) {
    throw new ProxiesFailed(`${link.name} ${what}: ${messageOf(error)}`, [link.model.token]);
  }
}

function isUnreachable(error: unknown): boolean {
  return error instanceof RemoteError && error.trouble === "unreachable";
}

/** A call that did not finish in time says nothing; a proxy that answers nothing at all is gone. */
async function isGone(link: ProxyLink, error: unknown): Promise<boolean> {
  if (isUnreachable(error)) return true;
  const isLate = error instanceof RemoteError && error.trouble === "late";
  return isLate && link.silenceMs >= SILENCE_MS && (await lastQuestion(link)) !== null;
}

/** Null: it answered. Our own silence, after a pause of this process, must not count as its. */
async function lastQuestion(link: ProxyLink): Promise<unknown> {
  try {
    await link.ping(LAST_QUESTION_MS);
    return null;
  } catch (error) {
    return error instanceof RemoteError && error.trouble === "refused" ? null : error;
  }
}
