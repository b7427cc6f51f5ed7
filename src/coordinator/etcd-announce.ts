// A key of etcd that is there as long as this process: with a lease, and put again when the lease
// ran out or somebody took the key away.

import { log } from "../lib/log.ts";
import { messageOf } from "../lib/operator-error.ts";
import type { Announcement } from "./coordinator.ts";
import type { EtcdClient, RangeReply } from "./etcd-client.ts";
import { EtcdLease } from "./etcd-lease.ts";
import { encode, putOf } from "./etcd-ops.ts";
import { backOff } from "./patience.ts";

export async function announceInEtcd(
  client: EtcdClient,
  path: string,
  data: string,
  ttlMs: number,
): Promise<Announcement> {
  const announcement = new EtcdAnnouncement(client, path, data, ttlMs);
  await announcement.put();
  return announcement;
}

class EtcdAnnouncement implements Announcement {
  readonly #abort = new AbortController();
  #lease: EtcdLease | null = null;

  constructor(
    private readonly client: EtcdClient,
    private readonly path: string,
    private readonly data: string,
    private readonly ttlMs: number,
  ) {}

  /** Replaces what an earlier run of this process left: its lease cannot take our key along. */
  async put(): Promise<void> {
    const lease = await EtcdLease.grant(this.client, this.ttlMs);
    await this.#putWith(lease);
    if (this.#abort.signal.aborted) return lease.revoke();
    this.#lease = lease;
    lease.keepAlive({
      onBeat: (patienceMs) => this.#look(lease, patienceMs),
      onLost: (reason) => void this.#again(reason),
    });
  }

  async close(): Promise<void> {
    this.#abort.abort();
    await this.#lease?.revoke();
  }

  async #look(lease: EtcdLease, patienceMs: number): Promise<void> {
    const body = { key: encode(this.path) };
    const reply = await this.client.call<RangeReply>("/v3/kv/range", body, { patienceMs });
    if (reply.kvs?.at(0)?.lease !== lease.id) await this.#putWith(lease);
  }

  async #putWith(lease: EtcdLease): Promise<void> {
    await this.client.call("/v3/kv/txn", { success: [putOf(this.path, this.data, lease.id)] });
  }

  async #again(reason: string): Promise<void> {
    log.warn(`${this.path} was lost at etcd and is made anew: ${reason}`);
    const onFailure = (error: unknown): void => {
      log.warn(`${this.path} cannot be made anew: ${messageOf(error)}`);
    };
    await backOff(() => this.put(), this.#abort.signal, onFailure);
  }
}
