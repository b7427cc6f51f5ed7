/**
 * The parts of a dashboard as they see each other. `topom.ts` builds them; commands on each noun
 * (slots, groups, proxies, sentinels, jobs) take a `Product` and nothing else, so that tests can
 * give them one of their own making.
 *
 * The rule of all commands: check against `records`, compute the new records with pure functions,
 * `save` them, then tell the proxies. What is saved before it is told survives a crash in between;
 * telling again is harmless.
 */
import type { Authority } from "../migration/authority.ts";
import type { Group } from "../model/group.ts";
import type { MigrationJob } from "../model/migration-job.ts";
import type { ProxyModel, SentinelModel } from "../model/proxy.ts";
import type { SlotFill } from "../model/slot.ts";
import type { SlotMapping } from "../model/slot-mapping.ts";
import type { JobStat, ProxyPoll, RedisStats } from "../model/topom-stats.ts";
import type { RedisClient } from "../redis/client.ts";
import type { DashboardConfig } from "./settings.ts";

export interface Product {
  readonly config: DashboardConfig;
  /** Of this leader, to change something at a server. */
  readonly authority: Authority;
  readonly records: Records;
  readonly fleet: Fleet;
  readonly servers: Servers;
  readonly jobs: Jobs;
  /**
   * Runs changes of the topology one at a time, in order. Nothing that may take seconds (moving
   * keys, waiting for a replica) belongs inside; reads and polls never come here. Rejects with
   * `ApiError` "not-ready" while this dashboard does not lead.
   */
  exclusive<T>(what: string, task: () => Promise<T>): Promise<T>;
}

/** What the operator set and a restart must not forget. */
export interface ProductOptions {
  /** Counts the leaders this product has had; the upper part of every revision they push. */
  readonly term: number;
  readonly migration_interval: number; // microseconds
  readonly migration_disabled: boolean;
  /** The highest number that a migration job ever had; no two jobs may share one. */
  readonly last_job: number;
  /**
   * Tokens of proxies that were removed without their consent: they may live on with what they know
   * of the slots, so every server shuts them out until they are taken in again.
   */
  readonly shut_out: readonly string[];
}

/** One change of the store. A batch is written in order, each element whole or not at all. */
export type Change =
  | { readonly slots: readonly SlotMapping[] }
  | { readonly group: Group }
  | { readonly removedGroup: number }
  | { readonly proxy: ProxyModel }
  | { readonly removedProxy: string }
  | { readonly sentinel: SentinelModel }
  | { readonly job: MigrationJob }
  | { readonly removedJob: number }
  | { readonly options: ProductOptions };

/** The stored records, cached. Elements are replaced, never changed in place. */
export interface Records {
  /** 1024, by id. */
  readonly slots: readonly SlotMapping[];
  readonly groups: ReadonlyMap<number, Group>;
  readonly proxies: ReadonlyMap<string, ProxyModel>; // by token
  readonly sentinel: SentinelModel;
  readonly jobs: ReadonlyMap<number, MigrationJob>;
  readonly options: ProductOptions;
  /**
   * Writes with the fence of our lead, then updates the cache. Throws `LeadershipLost` when another
   * dashboard leads; after any error the cache is read anew before the next command.
   */
  save(...changes: Change[]): Promise<void>;
  /** The same for changes that depend on what is there: nobody writes in between. */
  amend(changesOf: () => readonly Change[]): Promise<void>;
}

export interface PushOptions {
  /** Proxies that have not answered by then count as failed. */
  readonly deadlineMs?: number;
  /**
   * Servers that are known to be down. A proxy that cannot be reached need not be fenced there now;
   * it is as soon as they answer.
   */
  readonly gone?: ReadonlySet<string>;
}

/** All proxies of the product. */
export interface Fleet {
  /**
   * Sends every proxy what `views.ts` derives for these slots from the records as they are now.
   * Resolves when all have acknowledged: all their workers route by it, and requests under the old
   * view have ended. A proxy that cannot be reached is fenced (`fence.ts`) and stops counting; if
   * it cannot be fenced, or has only not finished in time, this throws `ProxiesFailed` and the
   * others may have changed.
   */
  resync(slots: Iterable<number>, options?: PushOptions): Promise<void>;
  /** The same for the pinned and held keys of all jobs. */
  resyncPins(options?: PushOptions): Promise<void>;
  /** Tells all proxies which sentinels to watch. */
  resyncSentinels(): Promise<void>;
  /** A proxy of the original, which knows only its forward methods and no pins; null: none. */
  readonly legacyProxy: ProxyModel | null;
  /** The last polls, by token. */
  readonly polls: ReadonlyMap<string, ProxyPoll>;
  /** What a proxy without data center would get. */
  views(): readonly SlotFill[];
}

/** Some proxies did not acknowledge; the message names them. */
export class ProxiesFailed extends Error {
  override readonly name = "ProxiesFailed";

  constructor(
    message: string,
    readonly tokens: readonly string[],
  ) {
    super(message);
  }
}

export interface UseOptions {
  /** Of connecting, and of each call that says nothing else. */
  readonly timeoutMs?: number;
  /** The task changes nothing, so nobody has to confirm that we lead. */
  readonly isReading?: boolean;
}

/** Connections to servers, with the product's login. */
export interface Servers {
  /**
   * Opens (or reuses) a connection for `task`. Throws `ConnectionError` or `ReplyError`, and
   * `LeadershipLost` when another dashboard leads.
   */
  use<T>(
    address: string,
    task: (client: RedisClient) => Promise<T>,
    options?: UseOptions,
  ): Promise<T>;
  /**
   * Resolves when nothing that an earlier leader sent can change this server any more. Call it
   * before slots are given to a server that no job has prepared. Throws `OperatorError`.
   */
  claim(address: string): Promise<void>;
  /** The last polls, by address. */
  readonly polls: ReadonlyMap<string, RedisStats>;
}

/** The migration jobs (`jobs.ts`), as the other parts see them. */
export interface Jobs {
  /**
   * Resolves when no part of the engine touches the servers of this group any more. None starts
   * again while `promoting.state` of the group is set: store that first. Call it outside of
   * `exclusive`, because a step of a job may be waiting there.
   */
  quiesce(groupId: number): Promise<void>;
  /** Looks for new orders at once; called after each change of slots, groups or options. */
  wake(): void;
  /** Parts of the engine that run now. */
  readonly executor: number;
  /** The words of the original about the last step of any job. */
  readonly status: string;
  stats(): readonly JobStat[];
  /** Brings slots `from` to `to` back, and forgets orders for them that have not begun. */
  cancel(from: number, to: number): Promise<void>;
  /** Moves the highest `count` slots of a group (0: all) to an empty group by replication. */
  createReplicaJob(source: number, target: number, count: number): Promise<void>;
}

/** Something that runs as long as this dashboard leads. */
export interface Part {
  start(): void;
  /** Resolves when nothing of it runs any more. */
  stop(): Promise<void>;
}
