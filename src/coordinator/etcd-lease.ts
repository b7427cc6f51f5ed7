// A lease of etcd that is kept alive: as long as beats get through, its keys stay. Used by leaders
// and announcements, which add what else they look at with every beat.

import { OperatorError } from "../lib/operator-error.ts";
import { type EtcdClient, EtcdRefusal } from "./etcd-client.ts";

const NOT_FOUND = 5;

/** Beats that fail are repeated in this rhythm. */
const RETRY_MS = 200;

interface LeaseReply {
  readonly ID?: string;
  readonly TTL?: string;
  readonly result?: { readonly TTL?: string };
}

export interface LeaseWatch {
  /** After each beat; throws `LeaseOver` when the key is gone, another error for "not sure". */
  readonly onBeat: (patienceMs: number) => Promise<void>;
  /** Called once, when the lease is over for certain or cannot be relied upon any more. */
  readonly onLost: (reason: string) => void;
}

export class EtcdLease {
  #timer: ReturnType<typeof setTimeout> | null = null;
  #isClosed = false;

  private constructor(
    private readonly client: EtcdClient,
    readonly id: string,
    readonly ttlMs: number,
    private goodUntilMs: number,
  ) {}

  static async grant(client: EtcdClient, ttlMs: number): Promise<EtcdLease> {
    const askedMs = performance.now();
    const seconds = Math.max(1, Math.ceil(ttlMs / 1000));
    // Repeating this is harmless: a lease without keys runs out by itself.
    const reply = await client.call<LeaseReply>("/v3/lease/grant", { TTL: seconds });
    if (reply.ID === undefined) throw new OperatorError("etcd granted a lease without a number");
    // etcd lengthens what is too short for it.
    const grantedMs = Number(reply.TTL ?? seconds) * 1000;
    return new EtcdLease(client, reply.ID, grantedMs, askedMs + grantedMs);
  }

  /** By our clock, which counts from before each beat: etcd's own end is never earlier. */
  get isGood(): boolean {
    return !this.#isClosed && performance.now() < this.goodUntilMs;
  }

  keepAlive(watch: LeaseWatch): void {
    const beat = async (): Promise<void> => {
      let pauseMs = this.ttlMs / 3;
      try {
        await this.#beat();
        await watch.onBeat(this.#leftMs());
      } catch (error) {
        if (this.#isClosed) return;
        if (isOver(error) || !this.isGood) {
          this.#isClosed = true;
          watch.onLost(error instanceof Error ? error.message : String(error));
          return;
        }
        pauseMs = RETRY_MS;
      }
      schedule(pauseMs);
    };
    const schedule = (pauseMs: number): void => {
      if (this.#isClosed) return;
      this.#timer = setTimeout(() => void beat(), pauseMs);
      this.#timer.unref();
    };
    schedule(this.ttlMs / 3);
  }

  /** Ends it, and removes its keys if etcd can be reached. */
  async revoke(): Promise<void> {
    this.stop();
    try {
      const options = { patienceMs: 1_000 };
      await this.client.call("/v3/lease/revoke", { ID: this.id }, options);
    } catch {
      // It runs out by itself.
    }
  }

  stop(): void {
    this.#isClosed = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
  }

  async #beat(): Promise<void> {
    if (!this.isGood) throw new LeaseOver("its lease at etcd ran out before it could be renewed");
    const askedMs = performance.now();
    const patienceMs = this.#leftMs();
    const body = { ID: this.id };
    const reply = await this.client.call<LeaseReply>("/v3/lease/keepalive", body, { patienceMs });
    const ttl = Number(reply.result?.TTL ?? 0);
    if (ttl <= 0) throw new LeaseOver("its lease at etcd has ended");
    if (!this.#isClosed) this.goodUntilMs = askedMs + ttl * 1000;
  }

  #leftMs(): number {
    return Math.max(0, this.goodUntilMs - performance.now());
  }
}

/** Nothing can bring the lease, or the key that it guards, back. */
export class LeaseOver extends OperatorError {}

function isOver(error: unknown): boolean {
  if (error instanceof LeaseOver) return true;
  return error instanceof EtcdRefusal && error.code === NOT_FOUND;
}
