/**
 * The coordinator in etcd, by version 3 of its interface: a path is a key, a directory is what its
 * keys begin with. Who leads has a key with a lease at its path (`etcd-lead.ts`).
 *
 * The original uses version 2, whose data is another tree of the same server: the two do not see
 * each other. `etcd-v2.ts` reads the old tree.
 */
import { assert } from "../lib/assert.ts";
import {
  type Announcement,
  type Coordinator,
  type LeadOptions,
  type Leadership,
  NodeExists,
} from "./coordinator.ts";
import { announceInEtcd } from "./etcd-announce.ts";
import { EtcdClient, type KeyValue, type RangeReply, type TxnReply } from "./etcd-client.ts";
import { decode, deleteOf, encode, endOf, putOf } from "./etcd-ops.ts";
import { leadInEtcd } from "./etcd-lead.ts";
import type { TlsMaterial } from "./tls.ts";
import { checkPath } from "./tree-path.ts";

export class EtcdCoordinator implements Coordinator {
  readonly kind = "etcd";
  readonly #client: EtcdClient;

  constructor(address: string, auth: string, tls: TlsMaterial | null) {
    this.#client = new EtcdClient(address, auth, tls);
  }

  async read(path: string): Promise<string | null> {
    checkPath(path);
    const reply = await this.#client.call<RangeReply>("/v3/kv/range", { key: encode(path) });
    const found = reply.kvs?.at(0);
    return found === undefined ? null : decode(found.value);
  }

  async list(path: string): Promise<string[]> {
    const found = await this.#below(path, true);
    const names = found.map(({ key }) => nameIn(path, key).replace(/\/.*/, ""));
    return [...new Set(names)].sort();
  }

  async readAll(path: string): Promise<Map<string, string>> {
    const texts = new Map<string, string>();
    for (const { key, value } of await this.#below(path, false)) {
      const name = nameIn(path, key);
      if (!name.includes("/")) texts.set(name, decode(value));
    }
    return texts;
  }

  async create(path: string, data: string): Promise<void> {
    const put = checkedPut(path, data);
    const body = {
      compare: [{ key: encode(path), target: "VERSION", result: "EQUAL", version: "0" }],
      success: [put],
    };
    const reply = await this.#client.call<TxnReply>("/v3/kv/txn", body, { isOnce: true });
    if (reply.succeeded !== true) throw new NodeExists(`${path} exists already in etcd`);
  }

  async update(path: string, data: string): Promise<void> {
    await this.#change(checkedPut(path, data));
  }

  async remove(path: string): Promise<void> {
    checkPath(path);
    await this.#change(...deleteOf(path));
  }

  announce(path: string, data: string, ttlMs: number): Promise<Announcement> {
    checkPath(path);
    return announceInEtcd(this.#client, path, data, ttlMs);
  }

  lead(path: string, data: string, options: LeadOptions): Promise<Leadership> {
    checkPath(path);
    return leadInEtcd(this.#client, path, data, options);
  }

  async close(): Promise<void> {
    this.#client.close();
  }

  async #change(...success: unknown[]): Promise<void> {
    await this.#client.call<TxnReply>("/v3/kv/txn", { success }, { isOnce: true });
  }

  /** What is below the path, sorted by key. */
  async #below(path: string, keysOnly: boolean): Promise<readonly KeyValue[]> {
    checkPath(path);
    const folder = `${path}/`;
    const body = { key: encode(folder), range_end: endOf(folder), keys_only: keysOnly };
    const reply = await this.#client.call<RangeReply>("/v3/kv/range", body);
    return reply.kvs ?? [];
  }
}

function nameIn(folder: string, key: string | undefined): string {
  return decode(key).slice(folder.length + 1);
}

function checkedPut(path: string, data: string): unknown {
  checkPath(path);
  assert(data !== "", "a node has a text");
  return putOf(path, data);
}
