// Connections to servers, with the product's login: opened when they are wanted, kept for the next
// one who wants them, closed when nobody has for a while. One task at a time has a connection.
// Those that may change something are admitted by `Authority` first.

import type { Authority } from "../migration/authority.ts";
import { type ConnectOptions, RedisClient } from "../redis/client.ts";
import type { UseOptions } from "./product.ts";

/** What the dashboard calls itself at a server when it only reads. */
const READER_NAME = "codis-dashboard";
/** In the name of a connection that may change something. */
const ORDERS = "orders";

const CONNECT_TIMEOUT_MS = 1_000;
const CALL_TIMEOUT_MS = 5_000;

/** Connections that wait for their next task, for each server. */
const MAX_IDLE = 4;
const IDLE_MS = 60_000;

interface Idle {
  readonly client: RedisClient;
  readonly sinceMs: number;
}

export class ServerPool {
  readonly #idle = new Map<string, Idle[]>();
  #isClosed = false;

  constructor(
    private readonly login: Pick<ConnectOptions, "username" | "password">,
    private readonly authority: Authority,
  ) {}

  async use<T>(
    address: string,
    task: (client: RedisClient) => Promise<T>,
    options: UseOptions = {},
  ): Promise<T> {
    // Only connections with the usual patience, and that may change something, can be used again.
    const isUsual = options.timeoutMs === undefined && options.isReading !== true;
    const client = (isUsual ? this.#take(address) : null) ?? (await this.#open(address, options));
    try {
      return await task(client);
    } finally {
      if (isUsual) this.#giveBack(client);
      else client.close();
    }
  }

  /** A connection that its owner closes, and that changes nothing. */
  open(address: string, timeoutMs: number): Promise<RedisClient> {
    return this.#open(address, { timeoutMs, isReading: true });
  }

  /** Closes what nobody has wanted lately. */
  sweep(): void {
    const oldestMs = performance.now() - IDLE_MS;
    for (const [address, idle] of this.#idle) {
      const kept = idle.filter(({ client, sinceMs }) => client.isOpen && sinceMs > oldestMs);
      for (const each of idle) if (!kept.includes(each)) each.client.close();
      if (kept.length > 0) this.#idle.set(address, kept);
      else this.#idle.delete(address);
    }
  }

  close(): void {
    this.#isClosed = true;
    for (const idle of this.#idle.values()) for (const { client } of idle) client.close();
    this.#idle.clear();
  }

  async #open(address: string, { timeoutMs, isReading }: UseOptions): Promise<RedisClient> {
    const client = await RedisClient.connect(address, {
      ...this.login,
      name: isReading ? READER_NAME : "",
      connectTimeoutMs: Math.min(timeoutMs ?? CONNECT_TIMEOUT_MS, CONNECT_TIMEOUT_MS),
      callTimeoutMs: timeoutMs ?? CALL_TIMEOUT_MS,
    });
    if (isReading) return client;
    try {
      await this.authority.admit(client, ORDERS);
      return client;
    } catch (error) {
      client.close();
      throw error;
    }
  }

  #take(address: string): RedisClient | null {
    const idle = this.#idle.get(address) ?? [];
    for (let last = idle.pop(); last !== undefined; last = idle.pop()) {
      if (last.client.isOpen) return last.client;
    }
    return null;
  }

  #giveBack(client: RedisClient): void {
    const idle = this.#idle.get(client.address) ?? [];
    if (!client.isOpen || this.#isClosed || idle.length >= MAX_IDLE) {
      client.close();
      return;
    }
    idle.push({ client, sinceMs: performance.now() });
    this.#idle.set(client.address, idle);
  }
}
