/**
 * The proxy follows a switch of master by itself, so that a failover of the sentinels needs no
 * dashboard (contract 2.10). Runs in the parent process only: it watches the sentinels that were
 * pushed, and fills the slots of a group whose master they have changed.
 *
 * A verdict is believed when the new master says that it is one; a sentinel that slept through a
 * promotion would otherwise send requests to a replica. What a dashboard pushes overwrites what was
 * switched here: a switched slot keeps the revision of its record.
 */
import { messageOf } from "../lib/operator-error.ts";
import { log } from "../lib/log.ts";
import type { ProxyStats } from "../model/proxy-stats.ts";
import type { SlotFill } from "../model/slot.ts";
import { RedisClient } from "../redis/client.ts";
import { parseInfo } from "../redis/info.ts";
import {
  type SentinelLogin,
  type SentinelVerdict,
  SentinelWatch,
} from "../redis/sentinel-watch.ts";

export interface FailoverOptions {
  readonly product: string;
  readonly username: string;
  readonly password: string;
  readonly sentinelLogin: SentinelLogin;
  readonly slots: () => readonly SlotFill[];
  /** Resolves when every worker routes by them. */
  readonly fill: (slots: readonly SlotFill[]) => Promise<void>;
  /** Answers the requests that wait for this server with an error: it is dead. */
  readonly abandon: (address: string) => Promise<void>;
}

/** How long a server may take to say who it is. */
const INFO_TIMEOUT_MS = 1_000;

/** A verdict that could not be followed yet is asked for again. */
const RETRY_MS = 1_000;

interface Switch {
  readonly from: string;
  readonly to: string;
  readonly isFromDead: boolean;
}

export class Failover {
  #servers: readonly string[] = [];
  #watch: SentinelWatch | null = null;
  #masters: SentinelVerdict = new Map();
  readonly #switched = new Set<number>();
  /** How often a dashboard has filled slots: what was decided before is void. */
  #fills = 0;
  #working: Promise<void> = Promise.resolve();
  #retryTimer: Timer | null = null;

  constructor(private readonly options: FailoverOptions) {}

  /** Replaces the sentinels and begins anew; without any the known masters are forgotten. */
  setSentinels(servers: readonly string[]): void {
    this.close();
    this.#servers = [...servers];
    if (servers.length === 0) {
      this.#masters = new Map();
      return;
    }
    const watch = new SentinelWatch({
      product: this.options.product,
      sentinels: servers,
      login: this.options.sentinelLogin,
      onMasters: (masters) => {
        if (watch === this.#watch) this.#onMasters(masters);
      },
      log: (text) => log.info(text),
    });
    this.#watch = watch;
  }

  rewatch(): void {
    this.setSentinels(this.#servers);
  }

  /** A dashboard has filled these slots; it knows better. */
  onFilled(slots: readonly SlotFill[]): void {
    this.#fills++;
    for (const { id } of slots) this.#switched.delete(id);
  }

  close(): void {
    this.#watch?.close();
    this.#watch = null;
    if (this.#retryTimer !== null) clearTimeout(this.#retryTimer);
    this.#retryTimer = null;
  }

  /** As the statistics show it. */
  get figures(): ProxyStats["sentinels"] {
    if (this.#servers.length === 0) return {};
    const masters = Object.fromEntries([...this.#masters].map(([id, to]) => [String(id), to]));
    return {
      servers: this.#servers,
      ...(this.#masters.size > 0 ? { masters } : {}),
      ...(this.#switched.size > 0 ? { switched: true } : {}),
      watching: this.#watch?.isWatching ?? false,
    };
  }

  #onMasters(masters: SentinelVerdict): void {
    this.#masters = masters;
    this.#working = this.#working.then(() => this.#follow(masters));
  }

  /** Never rejects. */
  async #follow(masters: SentinelVerdict): Promise<void> {
    if (this.#watch === null || masters !== this.#masters) return;
    try {
      const fills = this.#fills;
      const wanted = switchesOf(this.options.slots(), masters);
      const checked = await Promise.all(wanted.map(([from, to]) => this.#check(from, to)));
      if (this.#fills !== fills) return this.#askAgain();
      if (checked.includes("unclear")) this.#askAgain();
      const switches = checked.filter((each) => typeof each === "object");
      if (switches.length > 0) await this.#apply(switches, masters);
    } catch (error) {
      log.warn(`the slots could not be switched to the masters of the sentinels`, error);
      this.#askAgain();
    }
  }

  async #apply(switches: readonly Switch[], masters: SentinelVerdict): Promise<void> {
    const places = new Map(switches.map(({ from, to }) => [from, to]));
    const changed = this.options
      .slots()
      .map((slot) => switchedSlot(slot, masters, places))
      .filter((slot) => slot !== null);
    for (const { from, to } of switches) {
      log.warn(`the sentinels have made ${to} the master in the place of ${from}`);
    }
    const filled = this.options.fill(changed);
    // After the fill has gone out: what comes from now on waits for the new master.
    for (const { from, isFromDead } of switches) {
      if (isFromDead) void this.options.abandon(from);
    }
    for (const { id } of changed) this.#switched.add(id);
    await filled;
    log.warn(`${changed.length} slots have switched to the masters of the sentinels`);
  }

  /** "same" when both addresses are one server; "unclear" when the new one is no master yet. */
  async #check(from: string, to: string): Promise<Switch | "same" | "unclear"> {
    const [old, next] = await Promise.all([this.#identityOf(from), this.#identityOf(to)]);
    if (next === null || next.role !== "master") {
      const why = next === null ? "does not answer" : `says that its role is ${next.role}`;
      log.warn(`the sentinels call ${to} a master in the place of ${from}, but it ${why}`);
      return "unclear";
    }
    if (old !== null && old.runId === next.runId) return "same";
    return { from, to, isFromDead: old === null };
  }

  async #identityOf(address: string): Promise<{ role: string; runId: string } | null> {
    const { username, password } = this.options;
    try {
      using client = await RedisClient.connect(address, {
        username,
        password,
        connectTimeoutMs: INFO_TIMEOUT_MS,
        callTimeoutMs: INFO_TIMEOUT_MS,
      });
      const info = parseInfo(String(await client.call(["INFO"])));
      return { role: info.get("role") ?? "", runId: info.get("run_id") ?? "" };
    } catch (error) {
      log.debug(`${address} does not say who it is: ${messageOf(error)}`);
      return null;
    }
  }

  #askAgain(): void {
    if (this.#retryTimer !== null || this.#watch === null) return;
    this.#retryTimer = setTimeout(() => {
      this.#retryTimer = null;
      this.#watch?.ask();
    }, RETRY_MS);
  }
}

/** Pairs of addresses, from and to, for which the slots and the verdict differ; each once. */
export function switchesOf(
  slots: readonly SlotFill[],
  masters: SentinelVerdict,
): (readonly [from: string, to: string])[] {
  const pairs = new Map<string, string>();
  const note = (groupId: number | undefined, from: string | undefined): void => {
    const to = masters.get(groupId ?? 0);
    if (from !== undefined && to !== undefined && from !== to) pairs.set(from, to);
  };
  for (const slot of slots) {
    note(slot.backend_addr_group_id, slot.backend_addr);
    note(slot.migrate_from_group_id, slot.migrate_from);
  }
  return [...pairs];
}

/** The record of a slot after the switches; null when none concerns it. */
export function switchedSlot(
  slot: SlotFill,
  masters: SentinelVerdict,
  places: ReadonlyMap<string, string>,
): SlotFill | null {
  const moved = (groupId: number | undefined, from: string | undefined): string | undefined => {
    const to = masters.get(groupId ?? 0);
    return from !== undefined && to !== undefined && places.get(from) === to ? to : from;
  };
  const backend = moved(slot.backend_addr_group_id, slot.backend_addr);
  const source = moved(slot.migrate_from_group_id, slot.migrate_from);
  if (backend === slot.backend_addr && source === slot.migrate_from) return null;
  return { ...slot, backend_addr: backend, migrate_from: source };
}
