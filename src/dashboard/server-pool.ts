// Connections to servers, with the product's login: opened when they are wanted, kept for the next
// one who wants them, closed when nobody has for a while. One task at a time has a connection.

import { type ConnectOptions, RedisClient } from "../redis/client.ts";

/** What the dashboard calls itself at a server. */
const CONNECTION_NAME = "codis-dashboard";

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

  constructor(private readonly login: Pick<ConnectOptions, "username" | "password">) {}

  /** `timeoutMs` bounds connecting and each call that says nothing else. */
  async use<T>(
    address: string,
    task: (client: RedisClient) => Promise<T>,
    options: { readonly timeoutMs?: number } = {},
  ): Promise<T> {
    // Only connections with the usual patience can be used again.
    const isUsual = options.timeoutMs === undefined;
    const client = (isUsual ? this.#take(address) : null) ?? (await this.#open(address, options));
    try {
      return await task(client);
    } finally {
      if (isUsual) this.#giveBack(client);
      else client.close();
    }
  }

  /** A connection that its owner closes. */
  open(address: string, timeoutMs: number): Promise<RedisClient> {
    return this.#open(address, { timeoutMs });
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

  #open(address: string, options: { readonly timeoutMs?: number }): Promise<RedisClient> {
    return RedisClient.connect(address, {
      ...this.login,
      name: CONNECTION_NAME,
      connectTimeoutMs: Math.min(options.timeoutMs ?? CONNECT_TIMEOUT_MS, CONNECT_TIMEOUT_MS),
      callTimeoutMs: options.timeoutMs ?? CALL_TIMEOUT_MS,
    });
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
