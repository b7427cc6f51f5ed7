/**
 * Which replicas get no reads although the operator lets reads go to them: those that are too far
 * behind their master, have lost it, or replicate somebody else. Judged from what the servers say
 * in their polls; nothing is asked or told here (`replica-lag.ts` does that).
 *
 * How far a replica is behind is a time, and no server knows it. So the offsets of each master are
 * kept with the moment they were seen:
 *
 *   master   100@0s   180@1s   250@2s   330@3s
 *   replica                    200@3s             it lacks what was written after 1s: 2s behind
 *
 * While a master does not answer, its replicas keep what they have: reads that are a little old are
 * better than none.
 */
import type { Group } from "../model/group.ts";
import type { RedisStats } from "../model/topom-stats.ts";
import { parseAddress } from "../lib/address.ts";
import { type Standing, standingOf } from "./replication.ts";

/** So many looks in a row must agree before a replica loses its reads, or gets them back. */
const LOOKS_TO_LOSE = 2;
const LOOKS_TO_RETURN = 3;

/** What is kept of a master, at one look a second: ten minutes. */
const MAX_SAMPLES = 600;

interface Sample {
  readonly ms: number;
  readonly offset: number;
}

interface Judgement {
  readonly isReadable: boolean;
  /** Looks in a row that say otherwise. */
  doubts: number;
}

/** The offsets of one master over time. */
export class OffsetHistory {
  readonly #samples: Sample[] = [];

  get last(): number | null {
    return this.#samples.at(-1)?.offset ?? null;
  }

  note(ms: number, offset: number): void {
    const { last } = this;
    if (last !== null && offset < last) this.#samples.length = 0; // Another stream begins.
    // Nothing was written between two looks: the later one counts.
    if (last === offset) this.#samples.pop();
    this.#samples.push({ ms, offset });
    if (this.#samples.length > MAX_SAMPLES) this.#samples.shift();
  }

  /** How long ago the first write was made that a replica at `offset` does not have. */
  lagMs(offset: number, nowMs: number): number {
    const missing = this.#samples.findIndex((sample) => sample.offset > offset);
    if (missing < 0) return 0;
    // It was made after the look before.
    const seenMs = this.#samples[Math.max(0, missing - 1)].ms;
    return Math.max(0, nowMs - seenMs);
  }
}

export class LagJudge {
  readonly #histories = new Map<string, OffsetHistory>();
  readonly #judgements = new Map<string, Judgement>();
  #unreadable: ReadonlySet<string> = new Set();

  /** Servers that views leave out. */
  get unreadable(): ReadonlySet<string> {
    return this.#unreadable;
  }

  /** How much a master had written when it was last seen; null when nobody knows. */
  lastOffset(address: string): number | null {
    return this.#histories.get(address)?.last ?? null;
  }

  /** No reads until it has been judged good again. */
  suspend(address: string): void {
    this.#judgements.set(address, { isReadable: false, doubts: 0 });
    this.#collect();
  }

  /** Groups whose proxies have to be told. `maxLagMs` 0 is no limit. */
  judge(
    groups: Iterable<Group>,
    polls: ReadonlyMap<string, RedisStats>,
    maxLagMs: number,
    nowMs: number,
  ): number[] {
    const changed: number[] = [];
    const known = new Set<string>();
    for (const group of groups) {
      for (const { server } of group.servers) known.add(server);
      if (this.#judgeGroup(group, polls, maxLagMs, nowMs)) changed.push(group.id);
    }
    for (const address of this.#judgements.keys()) {
      if (!known.has(address)) this.#judgements.delete(address);
    }
    for (const address of this.#histories.keys()) {
      if (!known.has(address)) this.#histories.delete(address);
    }
    this.#collect();
    return changed;
  }

  #judgeGroup(
    group: Group,
    polls: ReadonlyMap<string, RedisStats>,
    maxLagMs: number,
    nowMs: number,
  ): boolean {
    const [first, ...others] = group.servers;
    if (first === undefined) return false;
    const master = standingIn(polls.get(first.server));
    const history = this.#histories.get(first.server) ?? new OffsetHistory();
    this.#histories.set(first.server, history);
    if (master !== null) history.note(nowMs, master.offset);
    this.#judgements.delete(first.server); // What is said of replicas is not said of a master.
    let hasChanged = false;
    for (const { server, replica_group } of others) {
      if (!replica_group) {
        this.#judgements.delete(server);
        continue;
      }
      const poll = polls.get(server);
      if (poll === undefined || (master === null && poll.error === undefined)) continue;
      const replica = standingIn(poll);
      const isBehind = (limitMs: number): boolean =>
        limitMs > 0 && replica !== null && history.lagMs(replica.offset, nowMs) > limitMs;
      const present = this.#judgements.get(server);
      const isGood =
        isAttached(replica, first.server, master) &&
        // One that has come close to the limit must not come and go.
        !isBehind(present?.isReadable === false ? maxLagMs / 2 : maxLagMs);
      if (this.#look(server, isGood)) hasChanged = true;
    }
    return hasChanged;
  }

  /** True when the verdict has changed. */
  #look(server: string, isGood: boolean): boolean {
    const before = this.#judgements.get(server);
    if (before === undefined) {
      this.#judgements.set(server, { isReadable: isGood, doubts: 0 });
      return !isGood;
    }
    if (before.isReadable === isGood) {
      before.doubts = 0;
      return false;
    }
    before.doubts++;
    if (before.doubts < (isGood ? LOOKS_TO_RETURN : LOOKS_TO_LOSE)) return false;
    this.#judgements.set(server, { isReadable: isGood, doubts: 0 });
    return true;
  }

  #collect(): void {
    const bad = [...this.#judgements].filter(([, { isReadable }]) => !isReadable);
    this.#unreadable = new Set(bad.map(([address]) => address));
  }
}

function standingIn(poll: RedisStats | undefined): Standing | null {
  return poll?.stats === undefined ? null : standingOf(new Map(Object.entries(poll.stats)));
}

/** Follows the master of its group, directly or through another replica, and is in touch. */
function isAttached(replica: Standing | null, address: string, master: Standing | null): boolean {
  if (replica === null || replica.isMaster || !replica.isLinkUp || replica.isSyncing) return false;
  const sharesStream = master !== null && master.stream !== "" && replica.stream === master.stream;
  if (sharesStream || replica.masterAddress === address) return true;
  if (master === null || master.stream !== "") return false;
  // Before Redis 4 there is no name of the stream: a name of the same port must do.
  return parseAddress(replica.masterAddress)?.port === parseAddress(address)?.port;
}
