/**
 * The built-in failover, for products without Sentinel (`watcher_enabled`): when a master is down
 * by what the dashboard and the proxies see, the replica with most of its data takes its place.
 *
 * The dashboard never acts on its own view alone, because it may be the one that is cut off. It and
 * the proxies vote; a majority must see the master down for the whole of `watcher_down_after`. A
 * registered proxy that cannot be reached votes against; one that has no connection to the server,
 * and so cannot know, does not vote. A replica that still hears its master has a veto.
 */
import { log } from "../lib/log.ts";
import { messageOf } from "../lib/operator-error.ts";
import { type Group, masterOf } from "../model/group.ts";
import type { ProxyPoll, RedisStats } from "../model/topom-stats.ts";
import type { Part, Product } from "./product.ts";
import type { Promotions } from "./promote.ts";
import { askStanding, follows, type Standing } from "./replication.ts";
import { Rounds } from "./rounds.ts";

const PERIOD_MS = 500;
const ASK_TIMEOUT_MS = 1_000;

/** What a voter sees of a server at this moment. */
export type Sight = "up" | "down" | "unknown";

/** A server is down from the moment at which it was seen up last, if that is not long ago. */
const MAX_CREDIT_MS = 1_500;

interface Seen {
  upMs: number;
  /** Infinity while it is up. */
  downMs: number;
}

/** Address → what each voter has seen. */
export class DownWatch {
  readonly #seen = new Map<string, Map<string, Seen>>();

  note(address: string, voter: string, sight: Sight, nowMs: number): void {
    const voters = this.#seen.get(address) ?? new Map<string, Seen>();
    this.#seen.set(address, voters);
    const seen = voters.get(voter) ?? { upMs: nowMs, downMs: Infinity };
    voters.set(voter, seen);
    if (sight === "down") {
      if (seen.downMs === Infinity) seen.downMs = Math.max(seen.upMs, nowMs - MAX_CREDIT_MS);
    } else if (sight === "up") {
      seen.upMs = nowMs;
      seen.downMs = Infinity;
    } else voters.delete(voter);
  }

  /** How many have seen it down for so long. */
  votes(address: string, forMs: number, nowMs: number): number {
    const voters = this.#seen.get(address) ?? new Map<string, Seen>();
    return [...voters.values()].filter(({ downMs }) => nowMs - downMs >= forMs).length;
  }

  keepOnly(addresses: ReadonlySet<string>): void {
    for (const address of this.#seen.keys()) {
      if (!addresses.has(address)) this.#seen.delete(address);
    }
  }
}

/** By the poll of a proxy: a server to which every connection is lost, or silent for too long. */
export function proxySight(poll: ProxyPoll | undefined, address: string, silentMs: number): Sight {
  if (poll?.stats === undefined || poll.error !== undefined) return "up"; // votes against
  // Original proxies tell nothing of servers.
  const servers: typeof poll.stats.backend.servers | undefined = poll.stats.backend.servers;
  const sight = servers?.[address];
  if (sight === undefined) return "unknown";
  if (sight.connected === 0) return "down";
  return sight.silent_ms >= silentMs ? "down" : "up";
}

export function dashboardSight(poll: RedisStats | undefined): Sight {
  if (poll === undefined) return "unknown";
  return poll.error === undefined ? "up" : "down";
}

/** More than half of those who vote, the dashboard and at least one proxy among them. */
export function isQuorum(votes: number, voters: number): boolean {
  return votes >= 2 && votes > voters / 2;
}

const DASHBOARD = "dashboard";

export class Watcher implements Part {
  readonly #rounds = new Rounds(PERIOD_MS, () => this.#round());
  readonly #down = new DownWatch();
  /** Group → when it may be tried again. */
  readonly #quietUntil = new Map<number, number>();

  constructor(
    private readonly product: Product,
    private readonly promotions: Promotions,
  ) {}

  start(): void {
    if (this.product.config.watcherEnabled) this.#rounds.start();
  }

  stop(): Promise<void> {
    return this.#rounds.stop();
  }

  async #round(): Promise<void> {
    const { records } = this.product;
    const groups = [...records.groups.values()].filter((group) => group.servers.length > 1);
    this.#down.keepOnly(new Set(groups.map(masterOf)));
    if ((records.sentinel.servers ?? []).length > 0) return; // They decide.
    await Promise.all(groups.map((group) => this.#watch(group)));
  }

  async #watch(group: Group): Promise<void> {
    const { config } = this.product;
    const nowMs = performance.now();
    const { votes, voters } = this.#vote(masterOf(group), nowMs);
    if (!isQuorum(votes, voters) || group.promoting.state !== undefined) return;
    if (nowMs < (this.#quietUntil.get(group.id) ?? 0)) return;
    this.#quietUntil.set(group.id, nowMs + config.watcherDownAfterMs);
    const heir = await this.#heirOf(group);
    if (heir === null) return;
    const why = `the watcher: ${votes} of ${voters} see ${masterOf(group)} down`;
    try {
      await this.promotions.promote(group.id, heir, why);
    } catch (error) {
      log.warn(`the watcher could not promote ${heir} in group-[${group.id}]: ${messageOf(error)}`);
    }
    // A group that has just changed its master gets time to settle.
    const settledMs = performance.now() + 3 * config.watcherDownAfterMs;
    this.#quietUntil.set(group.id, settledMs);
  }

  #vote(address: string, nowMs: number): { votes: number; voters: number } {
    const { records, fleet, servers, config } = this.product;
    const forMs = config.watcherDownAfterMs;
    this.#down.note(address, DASHBOARD, dashboardSight(servers.polls.get(address)), nowMs);
    let voters = 1;
    for (const token of records.proxies.keys()) {
      const silentMs = Math.min(MAX_CREDIT_MS / 2, forMs / 2);
      const sight = proxySight(fleet.polls.get(token), address, silentMs);
      this.#down.note(address, token, sight, nowMs);
      if (sight !== "unknown") voters++;
    }
    const sees = dashboardSight(servers.polls.get(address)) === "down";
    return { votes: sees ? this.#down.votes(address, forMs, nowMs) : 0, voters };
  }

  /** The replica that has most; null when there is none, or one still hears the master. */
  async #heirOf(group: Group): Promise<string | null> {
    const { servers, config } = this.product;
    const master = masterOf(group);
    const claims = await Promise.all(
      group.servers.slice(1).map(async ({ server }): Promise<Claim | null> => {
        const standing = await askStanding(servers, server, ASK_TIMEOUT_MS);
        if (standing === null || !(await follows(standing, master, null))) return null;
        return { address: server, standing };
      }),
    );
    const found = claims.filter((claim) => claim !== null);
    const heir = heirOf(found, config.watcherDownAfterMs);
    if (heir === null) log.warn(`group-[${group.id}] has no replica to take over from ${master}`);
    else if (heir.isVeto) {
      log.warn(`the watcher leaves group-[${group.id}] alone: ${heir.address} hears ${master}`);
    }
    return heir === null || heir.isVeto ? null : heir.address;
  }
}

interface Claim {
  readonly address: string;
  readonly standing: Pick<Standing, "isLinkUp" | "isSyncing" | "silentSeconds" | "offset">;
}

/**
 * Of the replicas of a dead master the one that has applied most. One that has heard of the master
 * lately has a veto instead; half a first copy is no claim.
 */
export function heirOf(
  claims: readonly Claim[],
  silentMs: number,
): { readonly address: string; readonly isVeto: boolean } | null {
  const hears = claims.find(
    ({ standing }) => standing.isLinkUp && standing.silentSeconds * 1000 < silentMs - 1_000,
  );
  if (hears !== undefined) return { address: hears.address, isVeto: true };
  let best: Claim | null = null;
  for (const claim of claims) {
    if (claim.standing.isSyncing) continue;
    if (best === null || claim.standing.offset > best.standing.offset) best = claim;
  }
  return best === null ? null : { address: best.address, isVeto: false };
}
