/**
 * Redis Sentinel for the groups of the product (contract 6.7): what the operator may order, and the
 * part of the dashboard that watches the sentinels.
 *
 *   once a second   each sentinel is asked what it monitors; what it should monitor and does not,
 *                   or monitors and should not, is put right, without anybody ordering a resync
 *   a switch        when a majority names another master for a group, and that server agrees, it
 *                   changes places with the old one; stored, and told to all proxies
 *
 * A group that is promoting is monitored by nobody: its master is about to change by our hand.
 */
import { log } from "../lib/log.ts";
import { messageOf, OperatorError } from "../lib/operator-error.ts";
import type { SentinelModel } from "../model/proxy.ts";
import type { RedisStats, SentinelGroup } from "../model/topom-stats.ts";
import { RedisClient } from "../redis/client.ts";
import { parseInfo } from "../redis/info.ts";
import { flushConfig, productMasters, removeMaster } from "../redis/sentinel.ts";
import {
  askSentinels,
  type SentinelLogin,
  type SentinelVerdict,
  SentinelWatch,
} from "../redis/sentinel-watch.ts";
import { ReplyError } from "../resp/value.ts";
import type { Part, Product } from "./product.ts";
import { swapped } from "./promotion.ts";
import { askStanding, isSameAddress } from "./replication.ts";
import { Rounds } from "./rounds.ts";
import { mend, type Mending, monitoredBy, troublesOf } from "./sentinel-orders.ts";
import { slotsOfGroup } from "./views.ts";

const PERIOD_MS = 1_000;
const ASK_TIMEOUT_MS = 1_000;

/** Looks in a row at which a sentinel is wrong before it is put right: gossip takes a moment. */
const LOOKS_TO_MEND = 3;

// ------------------------------------------------------------------------------------- commands

/** Monitors and is watched within a second or two; it must be able to write its configuration. */
export async function addSentinel(product: Product, address: string): Promise<void> {
  await ask(address, product, (client) => flushConfig(client));
  await product.exclusive(`add sentinel ${address}`, async () => {
    const { servers = [] } = product.records.sentinel;
    if (servers.includes(address)) {
      throw new OperatorError(`sentinel-[${address}] already exists`);
    }
    await save(product, [...servers, address]);
  });
}

/** It stops to monitor the product first; one that cannot be reached only goes by force. */
export async function removeSentinel(
  product: Product,
  address: string,
  isForced: boolean,
): Promise<void> {
  await product.exclusive(`delete sentinel ${address}`, async () => {
    const { servers = [] } = product.records.sentinel;
    if (!servers.includes(address)) throw new OperatorError(`sentinel-[${address}] not found`);
    try {
      await ask(address, product, async (client) => {
        const masters = await productMasters(client, product.config.productName);
        for (const { fields } of masters) await removeMaster(client, fields.name);
      });
    } catch (error) {
      if (!isForced) throw error;
      log.warn(`sentinel-[${address}] is deleted by force: ${messageOf(error)}`);
    }
    await save(
      product,
      servers.filter((each) => each !== address),
    );
  });
}

/** Tells every sentinel everything anew, and every proxy whom to watch. */
export async function resyncSentinels(product: Product): Promise<void> {
  await product.exclusive("resync sentinels", async () => {
    const { servers = [] } = product.records.sentinel;
    await save(product, servers);
  });
  const { servers = [] } = product.records.sentinel;
  const results = await Promise.allSettled(
    servers.map((address) =>
      ask(address, product, async (client) => {
        await mend(client, product, await monitoredBy(client, product), "anew");
      }),
    ),
  );
  const failed = results.find((result) => result.status === "rejected");
  if (failed !== undefined) throw failed.reason;
  await product.fleet.resyncSentinels();
  await markInSync(product, servers);
}

export async function sentinelInfo(
  product: Product,
  address: string,
): Promise<Record<string, string>> {
  requireSentinel(product, address);
  return await ask(address, product, async (client) =>
    Object.fromEntries(parseInfo(String(await client.call(["INFO"])))),
  );
}

export async function sentinelMonitored(
  product: Product,
  address: string,
): Promise<Record<string, SentinelGroup>> {
  requireSentinel(product, address);
  return await ask(address, product, async (client) => (await monitoredBy(client, product)).shown);
}

/** Nobody may send us to other addresses. */
function requireSentinel(product: Product, address: string): void {
  if (product.records.sentinel.servers?.includes(address)) return;
  throw new OperatorError(`sentinel-[${address}] not found`);
}

async function save(product: Product, servers: readonly string[]): Promise<void> {
  const sentinel: SentinelModel = {
    ...(servers.length > 0 ? { servers } : {}),
    out_of_sync: true,
  };
  await product.records.save({ sentinel });
}

async function markInSync(product: Product, servers: readonly string[]): Promise<void> {
  await product.exclusive("sentinels are in sync", async () => {
    const present = product.records.sentinel;
    if (!present.out_of_sync || String(present.servers ?? []) !== String(servers)) return;
    await product.records.save({ sentinel: { ...present, out_of_sync: false } });
  });
}

function loginOf({ config }: Product): SentinelLogin {
  return { username: config.sentinelUsername, password: config.sentinelAuth };
}

async function ask<T>(
  address: string,
  product: Product,
  task: (client: RedisClient) => Promise<T>,
  timeoutMs = product.config.sentinelClientTimeoutMs,
): Promise<T> {
  const timeouts = { connectTimeoutMs: Math.min(timeoutMs, 3_000), callTimeoutMs: timeoutMs };
  try {
    using client = await RedisClient.connect(address, { ...loginOf(product), ...timeouts });
    return await task(client);
  } catch (error) {
    if (!(error instanceof ReplyError) || !/^(NOAUTH|WRONGPASS)/.test(error.message)) throw error;
    throw new OperatorError(
      `sentinel-[${address}] refuses the login (${error.message}): set sentinel_auth, for the ` +
        `dashboard and for every proxy`,
    );
  }
}

// ------------------------------------------------------------------------------------- the part

export class Sentinels implements Part {
  readonly #polls = new Map<string, RedisStats>();
  readonly #rounds = new Rounds(PERIOD_MS, () => this.#round());
  #watch: SentinelWatch | null = null;
  #watched = "";
  #masters: SentinelVerdict = new Map();
  /** Sentinel → looks in a row at which something was wrong with it. */
  readonly #troubled = new Map<string, number>();
  #following: Promise<void> = Promise.resolve();

  constructor(private readonly product: Product) {}

  /** The last polls, by address. */
  get polls(): ReadonlyMap<string, RedisStats> {
    return this.#polls;
  }

  /** Group → the master that the sentinels agree on. */
  get masters(): ReadonlyMap<number, string> {
    return this.#masters;
  }

  start(): void {
    this.#rounds.start();
  }

  /**
   * Before a dashboard that has just come to lead tells any proxy anything: what the sentinels have
   * switched while nobody led, the proxies know already. Never rejects.
   */
  async catchUp(): Promise<void> {
    const { servers = [] } = this.product.records.sentinel;
    if (servers.length === 0) return;
    const { productName } = this.product.config;
    const login = loginOf(this.product);
    const masters = await askSentinels(servers, productName, login, ASK_TIMEOUT_MS);
    for (const [groupId, address] of masters ?? []) {
      try {
        await followSwitch(this.product, groupId, address);
      } catch (error) {
        log.warn(`group-[${groupId}] does not follow the sentinels yet: ${messageOf(error)}`);
      }
    }
  }

  async stop(): Promise<void> {
    this.#watch?.close();
    this.#watch = null;
    await this.#rounds.stop();
    await this.#following;
  }

  /**
   * A group has begun or ended to be promoted: resolves when every sentinel that answers has been
   * told. Never rejects.
   */
  async onGroupChanged(): Promise<void> {
    const { servers = [] } = this.product.records.sentinel;
    await Promise.all(
      servers.map(async (address) => {
        try {
          await this.#mend(address, "missing");
        } catch (error) {
          log.warn(`sentinel-[${address}] is told later: ${messageOf(error)}`);
        }
      }),
    );
  }

  async #round(): Promise<void> {
    const { servers = [], out_of_sync } = this.product.records.sentinel;
    this.#rewatch(servers);
    for (const address of this.#polls.keys()) {
      if (!servers.includes(address)) this.#polls.delete(address);
    }
    const isRight = await Promise.all(servers.map((address) => this.#look(address, out_of_sync)));
    if (!out_of_sync || isRight.includes(false)) return;
    await this.product.fleet.resyncSentinels();
    await markInSync(this.product, servers);
  }

  /** Polls one sentinel and puts it right; false while it is not. */
  async #look(address: string, isUrgent: boolean): Promise<boolean> {
    try {
      const { info, monitored } = await ask(
        address,
        this.product,
        async (client) => ({
          info: parseInfo(String(await client.call(["INFO"]))),
          monitored: await monitoredBy(client, this.product),
        }),
        ASK_TIMEOUT_MS,
      );
      const stats = Object.fromEntries([...info].sort(([a], [b]) => (a < b ? -1 : 1)));
      this.#polls.set(address, { stats, sentinel: monitored.shown, unixtime: unixtime() });
      const troubles = await troublesOf(this.product, monitored);
      if (troubles.length === 0) {
        this.#troubled.delete(address);
        return true;
      }
      const looks = (this.#troubled.get(address) ?? 0) + 1;
      this.#troubled.set(address, looks);
      if (!isUrgent && looks < LOOKS_TO_MEND) return true;
      await this.#mend(address, looks < LOOKS_TO_MEND ? "missing" : "moved");
      this.#troubled.delete(address);
      log.info(`sentinel-[${address}] was put right: ${troubles.join(", ")}`);
      return true;
    } catch (error) {
      const failure = { Cause: messageOf(error), Stack: null };
      this.#polls.set(address, { error: failure, unixtime: unixtime() });
      return false;
    }
  }

  async #mend(address: string, mending: Mending): Promise<void> {
    await ask(
      address,
      this.product,
      async (client) => {
        await mend(client, this.product, await monitoredBy(client, this.product), mending);
      },
      ASK_TIMEOUT_MS,
    );
  }

  // -------------------------------------------------------------------------------- the watch

  #rewatch(servers: readonly string[]): void {
    const wanted = String(servers);
    if (wanted === this.#watched) return;
    this.#watched = wanted;
    this.#watch?.close();
    this.#watch = null;
    this.#masters = new Map();
    if (servers.length === 0) return;
    const watch = new SentinelWatch({
      product: this.product.config.productName,
      sentinels: servers,
      login: loginOf(this.product),
      onMasters: (masters) => {
        if (watch === this.#watch) this.#onMasters(masters);
      },
      log: (text) => log.info(text),
    });
    this.#watch = watch;
  }

  #onMasters(masters: SentinelVerdict): void {
    this.#masters = masters;
    this.#following = this.#following.then(() => this.#follow(masters));
  }

  /** Never rejects. */
  async #follow(masters: SentinelVerdict): Promise<void> {
    for (const [groupId, address] of masters) {
      if (masters !== this.#masters || this.#watch === null) return;
      try {
        await followSwitch(this.product, groupId, address);
      } catch (error) {
        log.warn(`group-[${groupId}] does not follow the sentinels: ${messageOf(error)}`);
        setTimeout(() => this.#watch?.ask(), PERIOD_MS);
      }
    }
  }
}

/** What the sentinels have switched is stored, and told to all proxies with its replicas. */
async function followSwitch(product: Product, groupId: number, verdict: string): Promise<void> {
  const { records, servers, fleet } = product;
  const group = records.groups.get(groupId);
  if (group === undefined || group.promoting.state !== undefined) return;
  const [master] = group.servers;
  if (master === undefined || (await isSameAddress(master.server, verdict))) return;
  let index = -1;
  for (const [at, { server }] of group.servers.entries()) {
    if (index < 0 && (await isSameAddress(server, verdict))) index = at;
  }
  const [old, next] = await Promise.all([
    askStanding(servers, master.server, ASK_TIMEOUT_MS),
    askStanding(servers, index < 0 ? verdict : group.servers[index].server, ASK_TIMEOUT_MS),
  ]);
  if (old !== null && next !== null && old.runId === next.runId) return;
  if (index < 0) {
    log.warn(`the sentinels name ${verdict} as master, but group-[${groupId}] does not have it`);
    return;
  }
  const { server } = group.servers[index];
  if (next === null || !next.isMaster) {
    throw new OperatorError(`the sentinels call ${server} its master, but it is none`);
  }
  await product.exclusive(`follow the sentinels in group-[${groupId}]`, async () => {
    if (records.groups.get(groupId) !== group) return;
    const changed = swapped(group, index);
    await records.save({ group: changed });
    log.warn(`audit: group-[${groupId}] ${master.server} → ${server}: the sentinels switched`);
  });
  const gone = new Set(old === null ? [master.server] : []);
  await fleet.resync(slotsOfGroup(groupId, records), { gone });
  await product.exclusive(`group-[${groupId}] is in sync`, async () => {
    const present = records.groups.get(groupId);
    if (present?.out_of_sync) await records.save({ group: { ...present, out_of_sync: false } });
  });
  product.jobs.wake();
}

function unixtime(): number {
  return Math.floor(Date.now() / 1000);
}
