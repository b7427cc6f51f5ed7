// What the tests of the migration engine share: a passage between two servers, a watch that keeps
// what it is told, and data of every type.
import { Authority } from "../../src/migration/authority.ts";
import type { PinnedKey } from "../../src/model/migration-job.ts";
import { SLOT_COUNT } from "../../src/model/slot.ts";
import type { KeySize, Pace, Passage, Watch } from "../../src/migration/types.ts";
import { parseInfo, totalKeys } from "../../src/redis/info.ts";
import { replicate } from "../harness/replication.ts";
import { startRedis, type Redis, type RedisOptions } from "../harness/redis.ts";

export const ALL_SLOTS: ReadonlySet<number> = new Set(
  Array.from({ length: SLOT_COUNT }, (_, i) => i),
);

/** Leads, whoever asks. */
export function leader(term: number): Authority {
  return new Authority(term, () => Promise.resolve());
}

export function passageOf(
  source: { readonly address: string },
  target: { readonly address: string },
  rest: Partial<Passage> = {},
): Passage {
  return {
    source: source.address,
    target: target.address,
    login: { username: "", password: "" },
    authority: leader(1),
    slots: ALL_SLOTS,
    jobId: 7,
    bigKeys: { bytes: 1024 * 1024, elements: 5_000 },
    ...rest,
  };
}

/** Counts everything, and is as fast as the servers allow. */
export class TestWatch implements Watch {
  readonly abort = new AbortController();
  readonly signal = this.abort.signal;
  readonly errors: { readonly slot: number; readonly reason: string }[] = [];
  readonly bigKeys: { readonly pin: PinnedKey; readonly size: KeySize }[] = [];
  readonly pinned = new Set<string>();
  keys = 0;
  bytes = 0;
  scanned = 0;
  settings: Pace = {
    ...{ goalMs: 5, duty: 1, scanCount: 200, intervalUs: 0 },
    ...{ isPaused: false, isDurable: false },
  };

  pace(): Pace {
    return this.settings;
  }

  onProgress(delta: { keys: number; bytes: number; scanned: number }): void {
    this.keys += delta.keys;
    this.bytes += delta.bytes;
    this.scanned += delta.scanned;
  }

  onSlotError(slot: number, reason: string): void {
    this.errors.push({ slot, reason });
  }

  isPinned(db: number, key: Uint8Array): boolean {
    return this.pinned.has(`${db}:${Buffer.from(key).toString("base64")}`);
  }

  onBigKey(_slot: number, pin: PinnedKey, size: KeySize): void {
    this.bigKeys.push({ pin, size });
  }
}

export async function keysAt(redis: Redis): Promise<number> {
  return totalKeys(parseInfo(String(await redis.call("INFO", "keyspace"))));
}

/** A server that allows DEBUG (POPULATE, DIGEST-VALUE) and whose replicas need not wait. */
export async function startServer(options: RedisOptions = {}): Promise<Redis> {
  const debug = ["--enable-debug-command", "yes", "--repl-diskless-sync-delay", "0"];
  const args = [...debug, ...(options.args ?? [])];
  return await startRedis({ ...options, args });
}

/** A replica that has the data of its master. */
export async function startReplica(master: Redis): Promise<Redis> {
  const replica = await startServer();
  await replicate(replica, master);
  return replica;
}
