/**
 * Leading in etcd. The lead is a key at the path, made with a lease in a transaction that demands
 * that it is not there; its create revision is the fence. Every write is a transaction that
 * compares that revision, so etcd refuses a leader whose lease ran out, however late it wakes up.
 *
 * Every write also writes the leader's key anew and compares its last mod revision. So the writes
 * of one leader take effect in their order, and at most once: one whose answer got lost, and which
 * is repeated, cannot come a second time after a newer one.
 */
import { type LeadOptions, type Leadership, LeadershipLost, type Write } from "./coordinator.ts";
import { type EtcdClient, type KeyValue, type RangeReply, type TxnReply } from "./etcd-client.ts";
import { EtcdLease, LeaseOver } from "./etcd-lease.ts";
import { decode, encode, putOf, transactionsOf } from "./etcd-ops.ts";
import { awaitOriginalHolder } from "./original-holder.ts";
import { OutcomeUnknown, Sequence, sleep, Tenure, throwIfAborted } from "./patience.ts";
import { checkPath } from "./tree-path.ts";

/** How often one that waits looks whether the key is gone. */
const LOOK_MS = 200;

export async function leadInEtcd(
  client: EtcdClient,
  path: string,
  data: string,
  options: LeadOptions,
): Promise<Leadership> {
  const { signal } = options;
  let hasTold = false;
  const onWaiting = (holder: string): void => {
    if (!hasTold) options.onWaiting?.(holder);
    hasTold = true;
  };
  for (;;) {
    throwIfAborted(signal);
    const holder = await readKey(client, path);
    if (holder === null) {
      const lead = await tryToLead(client, path, data, options.ttlMs);
      if (lead !== null) return lead;
    } else if (Number(holder.lease ?? 0) === 0) {
      // A plain key: an import, or whatever wrote it without a lease. It does not go by itself.
      await removePlain(client, path, { ...options, onWaiting }, data);
    } else {
      onWaiting(decode(holder.value));
      await sleep(LOOK_MS, signal);
    }
  }
}

/** Null when another one was faster. */
async function tryToLead(
  client: EtcdClient,
  path: string,
  data: string,
  ttlMs: number,
): Promise<Leadership | null> {
  const lease = await EtcdLease.grant(client, ttlMs);
  try {
    const key = encode(path);
    const body = {
      compare: [{ key, target: "VERSION", result: "EQUAL", version: "0" }],
      success: [putOf(path, data, lease.id)],
    };
    // An attempt without an answer shows in the key itself: the lease in it is ours or not.
    await client.call<TxnReply>("/v3/kv/txn", body);
    const holder = await readKey(client, path);
    if (holder?.lease === lease.id) return new EtcdLead(client, path, data, lease, holder);
  } catch (error) {
    await lease.revoke();
    throw error;
  }
  await lease.revoke();
  return null;
}

async function removePlain(
  client: EtcdClient,
  path: string,
  options: LeadOptions & { readonly onWaiting: (data: string) => void },
  ownData: string,
): Promise<void> {
  let last: KeyValue | null = null;
  const read = async (): Promise<string | null> => {
    last = await readKey(client, path);
    return last === null || Number(last.lease ?? 0) !== 0 ? null : decode(last.value);
  };
  await awaitOriginalHolder({ ...options, read, ownData });
  const plain = last as KeyValue | null;
  if (plain === null || Number(plain.lease ?? 0) !== 0) return;
  const key = encode(path);
  await client.call<TxnReply>("/v3/kv/txn", {
    compare: [{ key, target: "MOD", result: "EQUAL", mod_revision: plain.mod_revision }],
    success: [{ request_delete_range: { key } }],
  });
}

async function readKey(
  client: EtcdClient,
  path: string,
  patienceMs?: number,
): Promise<KeyValue | null> {
  const body = { key: encode(path) };
  const reply = await client.call<RangeReply>("/v3/kv/range", body, { patienceMs });
  return reply.kvs?.at(0) ?? null;
}

class EtcdLead implements Leadership {
  readonly fence: bigint;
  readonly #key: string;
  readonly #sequence = new Sequence();
  readonly #tenure = new Tenure();
  #modRevision: string;
  #isInDoubt = false; // a write has no answer yet, and may have changed the mod revision

  constructor(
    private readonly client: EtcdClient,
    private readonly path: string,
    private readonly data: string,
    private readonly lease: EtcdLease,
    holder: KeyValue,
  ) {
    this.#key = encode(path);
    this.fence = BigInt(holder.create_revision ?? 0);
    this.#modRevision = holder.mod_revision ?? "0";
    lease.keepAlive({
      onBeat: (patienceMs) => this.#look(patienceMs),
      onLost: (reason) => this.#end(reason),
    });
  }

  get isHeld(): boolean {
    return !this.#tenure.hasEnded && this.lease.isGood;
  }

  get lost(): Promise<string> {
    return this.#tenure.lost;
  }

  write(writes: readonly Write[]): Promise<void> {
    for (const { path } of writes) checkPath(path);
    return this.#sequence.run(async () => {
      for (const batch of transactionsOf(writes)) await this.#commit(batch);
    });
  }

  /** A write of nothing: it compares, and changes, what every write does. */
  confirm(): Promise<void> {
    return this.#sequence.run(() => this.#commit([]));
  }

  release(): Promise<void> {
    return this.#sequence.run(async () => {
      if (this.#tenure.hasEnded) return;
      await this.lease.revoke();
      this.#end("the lead was given up");
    });
  }

  async #commit(batch: unknown[]): Promise<void> {
    const key = this.#key;
    const ofKey = { key, result: "EQUAL" };
    if (this.#isInDoubt) await this.#hasLanded();
    for (let isRepeated = false; ; isRepeated = true) {
      if (!this.isHeld) throw this.#lostError("its lease at etcd ran out");
      const body = {
        compare: [
          { ...ofKey, target: "CREATE", create_revision: this.fence.toString() },
          { ...ofKey, target: "MOD", mod_revision: this.#modRevision },
        ],
        success: [...batch, putOf(this.path, this.data, this.lease.id)],
        failure: [{ request_range: { key } }],
      };
      try {
        const reply = await this.client.call<TxnReply>("/v3/kv/txn", body, { isOnce: true });
        if (reply.succeeded === true) {
          this.#modRevision = reply.header?.revision ?? "0";
          return;
        }
        const holder = reply.responses?.at(0)?.response_range?.kvs?.at(0) ?? null;
        if (!isRepeated || !this.#isOurs(holder)) throw this.#lostError(this.#reasonIn(holder));
        // The first attempt came late, but before this one.
        this.#modRevision = holder?.mod_revision ?? "0";
        return;
      } catch (error) {
        if (!(error instanceof OutcomeUnknown)) throw error;
        this.#isInDoubt = true;
        if (await this.#hasLanded()) return;
      }
    }
  }

  /** After an answer that did not come: only our own writes change the mod revision. */
  async #hasLanded(): Promise<boolean> {
    const holder = await readKey(this.client, this.path);
    if (holder === null || !this.#isOurs(holder)) throw this.#lostError(this.#reasonIn(holder));
    this.#isInDoubt = false;
    const { mod_revision = "0" } = holder;
    if (mod_revision === this.#modRevision) return false;
    this.#modRevision = mod_revision;
    return true;
  }

  async #look(patienceMs: number): Promise<void> {
    const holder = await readKey(this.client, this.path, patienceMs);
    if (!this.#isOurs(holder)) throw new LeaseOver(this.#reasonIn(holder));
  }

  #isOurs(holder: KeyValue | null): boolean {
    return holder !== null && BigInt(holder.create_revision ?? 0) === this.fence;
  }

  #reasonIn(holder: KeyValue | null): string {
    if (this.#isOurs(holder)) return `the node ${this.path} was written by another one`;
    return holder !== null ? `another one leads ${this.path}` : `the node ${this.path} is gone`;
  }

  #lostError(reason: string): LeadershipLost {
    this.#end(reason);
    return new LeadershipLost(`nothing was written, because ${reason}`);
  }

  #end(reason: string): void {
    if (this.#tenure.hasEnded) return;
    this.#tenure.end(reason);
    // Whoever waits need not wait for the lease to run out.
    void this.lease.revoke();
  }
}
