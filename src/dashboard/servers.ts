// All servers of the product as the dashboard sees them: connections for whoever needs one
// (server-pool.ts), and the figures of each server, asked once a second. Every server is asked on a
// connection and with a patience of its own, so that a slow one delays nobody.

import { log } from "../lib/log.ts";
import { messageOf, OperatorError } from "../lib/operator-error.ts";
import type { Authority } from "../migration/authority.ts";
import { askServer } from "../migration/server-kind.ts";
import { FENCE_KEY } from "../model/fence.ts";
import type { RedisStats } from "../model/topom-stats.ts";
import { ConnectionError, type RedisClient } from "../redis/client.ts";
import { masterAddressOf, parseInfo } from "../redis/info.ts";
import type { DashboardConfig } from "./settings.ts";
import type { Servers, UseOptions } from "./product.ts";
import { ServerPool } from "./server-pool.ts";

const POLL_PERIOD_MS = 1_000;
const POLL_TIMEOUT_MS = 1_000;
/** How often it is looked whose time has come. */
const TICK_MS = 50;

/** Redis before 4 may not say in INFO how much memory it may use. */
const MAXMEMORY = ["CONFIG", "GET", "maxmemory"] as const;

interface Seat {
  client: RedisClient | null;
  isBusy: boolean;
  dueMs: number;
  make: Pick<RedisStats, "kind" | "version">;
  wasReachable: boolean;
}

export interface ServerAnswer {
  readonly address: string;
  readonly info: ReadonlyMap<string, string>;
  /** Tokens of proxies that the server refuses; null when it would not say. */
  readonly fenced: readonly string[] | null;
}

export interface ServersOptions {
  readonly config: DashboardConfig;
  readonly authority: Authority;
  /** The servers of all groups, as of now. */
  readonly addresses: () => Iterable<string>;
  /** Called with each answer; must not throw. */
  readonly onAnswer: (answer: ServerAnswer) => void;
  /** Called each time that one does not answer; must not throw. */
  readonly onSilence: (address: string) => void;
}

export class ProductServers implements Servers {
  readonly #pool: ServerPool;
  readonly #seats = new Map<string, Seat>();
  readonly #polls = new Map<string, RedisStats>();
  #timer: Timer | null = null;
  #sweptMs = 0;

  constructor(private readonly options: ServersOptions) {
    const { productUsername, productAuth } = options.config;
    const login = { username: productUsername, password: productAuth };
    this.#pool = new ServerPool(login, options.authority);
  }

  get polls(): ReadonlyMap<string, RedisStats> {
    return this.#polls;
  }

  use<T>(
    address: string,
    task: (client: RedisClient) => Promise<T>,
    options?: UseOptions,
  ): Promise<T> {
    return this.#pool.use(address, task, options);
  }

  async claim(address: string): Promise<void> {
    if (this.options.authority.hasTakenOver(address)) return;
    try {
      // Opening the connection is all that it takes.
      await this.#pool.use(address, () => Promise.resolve(), { timeoutMs: POLL_TIMEOUT_MS });
    } catch (error) {
      throw new OperatorError(
        `no slots are given to ${address} before it answers this dashboard: ${messageOf(error)}`,
      );
    }
  }

  start(): void {
    this.#timer ??= setInterval(() => this.#tick(), TICK_MS);
    this.#tick();
  }

  stop(): void {
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#timer = null;
    for (const seat of this.#seats.values()) seat.client?.close();
    this.#seats.clear();
    this.#pool.close();
  }

  /** INFO of a server as the API shows it, asked now. */
  async infoOf(address: string): Promise<Record<string, string>> {
    const { info } = await this.#pool.use(address, (client) => ask(client), {
      timeoutMs: POLL_TIMEOUT_MS,
      isReading: true,
    });
    return flat(info);
  }

  #tick(): void {
    const nowMs = performance.now();
    const wanted = new Set(this.options.addresses());
    for (const [address, seat] of this.#seats) {
      if (wanted.has(address)) continue;
      seat.client?.close();
      this.#seats.delete(address);
      this.#polls.delete(address);
    }
    for (const address of wanted) {
      const seat = this.#seats.get(address) ?? {
        client: null,
        isBusy: false,
        dueMs: 0,
        make: {},
        wasReachable: true,
      };
      this.#seats.set(address, seat);
      if (!seat.isBusy && seat.dueMs <= nowMs) void this.#poll(address, seat);
    }
    if (nowMs - this.#sweptMs < POLL_PERIOD_MS) return;
    this.#sweptMs = nowMs;
    this.#pool.sweep();
  }

  async #poll(address: string, seat: Seat): Promise<void> {
    seat.isBusy = true;
    const begunMs = performance.now();
    try {
      if (seat.client === null || !seat.client.isOpen) {
        seat.client = await this.#pool.open(address, POLL_TIMEOUT_MS);
        // Another program may answer there only after a new connection.
        const { kind } = await askServer(seat.client);
        const name = kind.isCodis ? "codis-server" : kind.product;
        seat.make = { kind: name, version: kind.version };
      }
      const { info, fenced } = await ask(seat.client);
      if (this.#seats.get(address) !== seat) return;
      this.#polls.set(address, { stats: flat(info), unixtime: unixtime(), ...seat.make });
      if (!seat.wasReachable) log.info(`server ${address} answers again`);
      seat.wasReachable = true;
      this.options.onAnswer({ address, info, fenced });
      void this.#takeOver(seat.client, info.get("run_id") ?? "");
    } catch (error) {
      seat.client?.close();
      seat.client = null;
      if (this.#seats.get(address) !== seat) return;
      this.options.onSilence(address);
      const isLate = performance.now() - begunMs >= POLL_TIMEOUT_MS;
      this.#polls.set(address, {
        error: { Cause: messageOf(error), Stack: null },
        unixtime: unixtime(),
        ...(isLate && error instanceof ConnectionError ? { timeout: true } : {}),
      });
      if (seat.wasReachable) log.warn(`server ${address} does not answer: ${messageOf(error)}`);
      seat.wasReachable = false;
    } finally {
      seat.isBusy = false;
      seat.dueMs = begunMs + POLL_PERIOD_MS;
    }
  }

  /** Servers that nobody uses yet as well: an earlier leader may have been at work there. */
  async #takeOver(client: RedisClient, runId: string): Promise<void> {
    try {
      await this.options.authority.takeOver(client, runId);
    } catch (error) {
      log.debug(`${client.address} is not taken over yet: ${messageOf(error)}`);
    }
  }
}

async function ask(
  client: RedisClient,
): Promise<{ info: Map<string, string>; fenced: string[] | null }> {
  const [text, members] = await client.pipeline([["INFO"], ["SMEMBERS", FENCE_KEY]]);
  if (text instanceof Error) throw text;
  const info = parseInfo(String(text));
  if (!info.has("maxmemory")) {
    const [limit] = await client.pipeline([MAXMEMORY]);
    if (Array.isArray(limit) && limit.length > 1) info.set("maxmemory", String(limit[1]));
  }
  const master = masterAddressOf(info);
  if (master !== "") info.set("master_addr", master);
  return { info, fenced: Array.isArray(members) ? members.map(String) : null };
}

/** Sorted by name, as the original's are. */
function flat(info: ReadonlyMap<string, string>): Record<string, string> {
  return Object.fromEntries([...info].sort(([a], [b]) => (a < b ? -1 : 1)));
}

function unixtime(): number {
  return Math.floor(Date.now() / 1000);
}
