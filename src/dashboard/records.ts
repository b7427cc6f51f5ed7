/**
 * The stored records of a product, typed and cached; the only file of the dashboard that writes to
 * the coordinator. Whatever is read or written passes the reader of its model, so that a record is
 * right, and its JSON in the order of the contract, whoever made it.
 *
 * Writes go through the lead (`Leadership.write`): a dashboard that another one has replaced gets
 * `LeadershipLost` and nothing is written.
 */
import { ApiError } from "../api/errors.ts";
import {
  type Coordinator,
  type Leadership,
  LeadershipLost,
  type Write,
} from "../coordinator/coordinator.ts";
import { messageOf, OperatorError } from "../lib/operator-error.ts";
import { type Group, parseGroup } from "../model/group.ts";
import { decodeJson, encodeJson, RecordReader } from "../model/json.ts";
import { type MigrationJob, parseMigrationJob } from "../model/migration-job.ts";
import {
  parseProxyModel,
  parseSentinelModel,
  type ProxyModel,
  type SentinelModel,
} from "../model/proxy.ts";
import { SLOT_COUNT } from "../model/slot.ts";
import { idleMapping, parseSlotMapping, type SlotMapping } from "../model/slot-mapping.ts";
import * as layout from "../model/store-layout.ts";
import { repairJobs } from "./job-records.ts";
import type { Change, ProductOptions, Records } from "./product.ts";

/** All records at one moment. */
interface Snapshot {
  readonly slots: readonly SlotMapping[];
  readonly groups: ReadonlyMap<number, Group>;
  readonly proxies: ReadonlyMap<string, ProxyModel>;
  readonly sentinel: SentinelModel;
  readonly jobs: ReadonlyMap<number, MigrationJob>;
  readonly options: ProductOptions;
}

const NO_OPTIONS: ProductOptions = {
  term: 0,
  migration_interval: 0,
  migration_disabled: false,
  last_job: 0,
  shut_out: [],
};

export class StoredRecords implements Records {
  #snapshot: Snapshot;
  #isStale = false;
  /** Writes happen one after the other, whoever asks for them. */
  #tail: Promise<void> = Promise.resolve();

  private constructor(
    private readonly coordinator: Coordinator,
    private readonly leadership: Leadership,
    private readonly product: string,
    snapshot: Snapshot,
  ) {
    this.#snapshot = snapshot;
  }

  /** Throws `OperatorError` naming the node that cannot be read. */
  static async load(
    coordinator: Coordinator,
    leadership: Leadership,
    product: string,
  ): Promise<StoredRecords> {
    const snapshot = await readSnapshot(coordinator, product);
    const records = new StoredRecords(coordinator, leadership, product, snapshot);
    await records.#repair();
    return records;
  }

  get slots(): readonly SlotMapping[] {
    return this.#snapshot.slots;
  }

  get groups(): ReadonlyMap<number, Group> {
    return this.#snapshot.groups;
  }

  get proxies(): ReadonlyMap<string, ProxyModel> {
    return this.#snapshot.proxies;
  }

  get sentinel(): SentinelModel {
    return this.#snapshot.sentinel;
  }

  get jobs(): ReadonlyMap<number, MigrationJob> {
    return this.#snapshot.jobs;
  }

  get options(): ProductOptions {
    return this.#snapshot.options;
  }

  save(...changes: Change[]): Promise<void> {
    return this.amend(() => changes);
  }

  /** For changes that depend on what is there: no other write comes between reading and writing. */
  amend(changesOf: () => readonly Change[]): Promise<void> {
    return this.#inOrder(async () => {
      const checked = changesOf().map(normalized);
      if (checked.length === 0) return;
      try {
        await this.leadership.write(checked.flatMap((change) => writesOf(this.product, change)));
      } catch (error) {
        this.#isStale = true; // A part of it may have been written.
        if (error instanceof LeadershipLost) throw error;
        throw new ApiError(
          "bad-gateway",
          `store: update ${nameOf(checked[0])} failed: ${messageOf(error)}`,
        );
      }
      this.#snapshot = checked.reduce(applied, this.#snapshot);
    });
  }

  /** Reads everything anew when a write failed half way; called before each command. */
  async refresh(): Promise<void> {
    if (!this.#isStale) return;
    await this.reload();
    await this.#repair();
  }

  reload(): Promise<void> {
    return this.#inOrder(async () => {
      this.#snapshot = await readSnapshot(this.coordinator, this.product);
      this.#isStale = false;
    });
  }

  /** Two jobs may share slots only where a batch was written in part, so only what was read can. */
  async #repair(): Promise<void> {
    const changes = repairJobs(this.jobs.values()).map((job): Change => {
      return job.slots.length > 0 ? { job } : { removedJob: job.id };
    });
    await this.save(...changes);
  }

  #inOrder(task: () => Promise<void>): Promise<void> {
    const done = this.#tail.then(task);
    this.#tail = done.catch(() => {});
    return done;
  }
}

// ------------------------------------------------------------------------------------- reading

async function readSnapshot(coordinator: Coordinator, product: string): Promise<Snapshot> {
  const [slots, groups, proxies, jobs, sentinel, options] = await Promise.all([
    readAll(coordinator, layout.slotsPath(product), parseSlotMapping),
    readAll(coordinator, layout.groupsPath(product), parseGroup),
    readAll(coordinator, layout.proxiesPath(product), parseProxyModel),
    readAll(coordinator, layout.jobsPath(product), parseMigrationJob),
    readOne(coordinator, layout.sentinelPath(product), parseSentinelModel),
    readOne(coordinator, layout.optionsPath(product), parseOptions),
  ]);
  const mappings = Array.from({ length: SLOT_COUNT }, (_, id) => idleMapping(id, 0));
  for (const mapping of slots) mappings[mapping.id] = mapping;
  return {
    slots: mappings,
    groups: new Map(groups.sort((a, b) => a.id - b.id).map((group) => [group.id, group])),
    proxies: proxyMap(proxies),
    sentinel: sentinel ?? { out_of_sync: false },
    jobs: new Map(jobs.sort((a, b) => a.id - b.id).map((job) => [job.id, job])),
    options: options ?? NO_OPTIONS,
  };
}

type Parse<T> = (json: unknown, where: string) => T;

async function readAll<T>(coordinator: Coordinator, path: string, parse: Parse<T>): Promise<T[]> {
  const texts = await coordinator.readAll(path);
  return [...texts].map(([name, text]) => parsed(text, `${path}/${name}`, parse));
}

async function readOne<T>(
  coordinator: Coordinator,
  path: string,
  parse: Parse<T>,
): Promise<T | null> {
  const text = await coordinator.read(path);
  return text === null ? null : parsed(text, path, parse);
}

function parsed<T>(text: string, path: string, parse: Parse<T>): T {
  try {
    return parse(decodeJson(text), path);
  } catch (error) {
    throw new OperatorError(`the stored record ${path} is not right: ${messageOf(error)}`);
  }
}

function parseOptions(json: unknown, where: string): ProductOptions {
  const reader = new RecordReader(json, where);
  const count = (name: string): number => reader.integer(name, 0, Number.MAX_SAFE_INTEGER) ?? 0;
  return {
    term: count("term"),
    migration_interval: reader.integer("migration_interval", 0, 1_000_000) ?? 0,
    migration_disabled: reader.boolean("migration_disabled") ?? false,
    last_job: count("last_job"),
    shut_out: (reader.list("shut_out") ?? []).map(String),
  };
}

// ------------------------------------------------------------------------------------- writing

/** The record as its own reader sees it: checked, and with the fields in order. */
function normalized(change: Change): Change {
  if ("slots" in change) {
    return { slots: change.slots.map((each) => parseSlotMapping(each, `slot ${each.id}`)) };
  }
  if ("group" in change) return { group: parseGroup(change.group, `group ${change.group.id}`) };
  if ("proxy" in change) return { proxy: parseProxyModel(change.proxy, "the proxy") };
  if ("sentinel" in change) return { sentinel: parseSentinelModel(change.sentinel) };
  if ("job" in change) return { job: parseMigrationJob(change.job, `job ${change.job.id}`) };
  if ("options" in change) return { options: parseOptions(change.options, "the options") };
  return change;
}

function writesOf(product: string, change: Change): Write[] {
  const put = (path: string, record: unknown): Write[] => [
    { kind: "put", path, data: encodeJson(record) },
  ];
  const gone = (path: string): Write[] => [{ kind: "delete", path }];
  if ("slots" in change) {
    return change.slots.flatMap((slot) => put(layout.slotPath(product, slot.id), slot));
  }
  if ("group" in change) return put(layout.groupPath(product, change.group.id), change.group);
  if ("removedGroup" in change) return gone(layout.groupPath(product, change.removedGroup));
  if ("proxy" in change) return put(layout.proxyPath(product, change.proxy.token), change.proxy);
  if ("removedProxy" in change) return gone(layout.proxyPath(product, change.removedProxy));
  if ("sentinel" in change) return put(layout.sentinelPath(product), change.sentinel);
  if ("job" in change) return put(layout.jobPath(product, change.job.id), change.job);
  if ("removedJob" in change) return gone(layout.jobPath(product, change.removedJob));
  return put(layout.optionsPath(product), change.options);
}

/** As the original calls it in its errors. */
function nameOf(change: Change): string {
  if ("slots" in change)
    return change.slots.length === 1 ? `slot-[${change.slots[0].id}]` : "slots";
  if ("group" in change) return `group-[${change.group.id}]`;
  if ("removedGroup" in change) return `group-[${change.removedGroup}]`;
  if ("proxy" in change) return `proxy-[${change.proxy.token}]`;
  if ("removedProxy" in change) return `proxy-[${change.removedProxy}]`;
  if ("sentinel" in change) return "sentinel";
  if ("job" in change) return `job-[${change.job.id}]`;
  return "removedJob" in change ? `job-[${change.removedJob}]` : "options";
}

/** The snapshot after the change; neither is changed in place. */
function applied(before: Snapshot, change: Change): Snapshot {
  if ("slots" in change) {
    const slots = [...before.slots];
    for (const slot of change.slots) slots[slot.id] = slot;
    return { ...before, slots };
  }
  if ("group" in change) {
    const groups = [...before.groups.values()].filter((group) => group.id !== change.group.id);
    const sorted = [...groups, change.group].sort((a, b) => a.id - b.id);
    return { ...before, groups: new Map(sorted.map((group) => [group.id, group])) };
  }
  if ("removedGroup" in change) {
    return { ...before, groups: without(before.groups, change.removedGroup) };
  }
  if ("proxy" in change) {
    const proxies = [...without(before.proxies, change.proxy.token).values(), change.proxy];
    return { ...before, proxies: proxyMap(proxies) };
  }
  if ("removedProxy" in change) {
    return { ...before, proxies: without(before.proxies, change.removedProxy) };
  }
  if ("sentinel" in change) return { ...before, sentinel: change.sentinel };
  if ("job" in change) {
    return { ...before, jobs: new Map(before.jobs).set(change.job.id, change.job) };
  }
  if ("removedJob" in change) return { ...before, jobs: without(before.jobs, change.removedJob) };
  return { ...before, options: change.options };
}

function without<K, V>(map: ReadonlyMap<K, V>, key: K): Map<K, V> {
  const copy = new Map(map);
  copy.delete(key);
  return copy;
}

/** By token, in the order of their ids, as they are listed. */
function proxyMap(proxies: readonly ProxyModel[]): Map<string, ProxyModel> {
  const sorted = [...proxies].sort((a, b) => (a.id ?? 0) - (b.id ?? 0));
  return new Map(sorted.map((proxy) => [proxy.token, proxy]));
}
