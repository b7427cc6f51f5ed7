/**
 * Makes a replica the master of its group (contract 6.6; the states are in `promotion.ts`). While
 * the old master is alive no acknowledged write is lost: nobody writes while the slots are held,
 * and the new master takes over when it has applied every byte that the old one had made. When the
 * old master is dead, what it had not passed on is lost, and the log says how much that may be.
 */
import { callRoute } from "../api/client.ts";
import { PROXY_ROUTES } from "../api/routes.ts";
import { log } from "../lib/log.ts";
import { messageOf, OperatorError } from "../lib/operator-error.ts";
import { type Group, masterOf } from "../model/group.ts";
import { xauthOf } from "../model/xauth.ts";
import type { RedisClient } from "../redis/client.ts";
import { requireGroup, requireServer } from "./groups.ts";
import type { Part, Product } from "./product.ts";
import { begun, candidateOf, ended, givenUp, held, promotionStep, switched } from "./promotion.ts";
import {
  askStanding,
  follows,
  giveOrder,
  isSameAddress,
  orderFor,
  type Standing,
} from "./replication.ts";
import { Rounds } from "./rounds.ts";
import { nextActionIndex } from "./sync-actions.ts";
import { slotsOfGroup } from "./views.ts";

/** How long a server may take to answer in a promotion. */
const ASK_TIMEOUT_MS = 1_000;

const SILENT_TIMEOUT_MS = 300;

/** A master that has not answered for so long counts as dead. */
const DEAD_AFTER_MS = 2_000;

/** How far a replica may be behind when the slots are held: it gets the rest in no time. */
const CLOSE_BYTES = 256 * 1024;

/** Clients wait meanwhile, and would be told to try again later after ten seconds. */
const MAX_HOLD_MS = 5_000;

const POLL_MS = 10;

/** How often it is looked for promotions that a crash or an error has left half done. */
const RESUME_PERIOD_MS = 1_000;

/** Requests that wait for a dead master are given up after the proxies were told to hold. */
const ABANDON_AFTER_MS = 200;

/** Nobody waits longer for a replica to be re-pointed, or for the old master to be demoted. */
const REPOINT_PATIENCE_MS = 500;

/** What else has to know of a promotion. */
export interface PromotionWitness {
  /** The sentinels stop to monitor a group that is promoting, and begin again afterwards. */
  onGroupChanged(): Promise<void>;
  /** How much a master had written when it was last seen alive; null when nobody knows. */
  lastOffset(address: string): number | null;
}

export class Promotions implements Part {
  readonly #rounds = new Rounds(RESUME_PERIOD_MS, () => this.#resume());
  /** By group: a promotion that this process performs now. */
  readonly #running = new Map<number, Promise<void>>();

  constructor(
    private readonly product: Product,
    private readonly witness: PromotionWitness,
  ) {}

  start(): void {
    this.#rounds.start();
  }

  stop(): Promise<void> {
    return this.#rounds.stop();
  }

  /** Resolves when the new master serves. `why` goes to the log. */
  async promote(groupId: number, address: string, why: string): Promise<void> {
    const { records } = this.product;
    const group = requireGroup(records, groupId);
    const index = requireServer(group, address);
    if (group.promoting.state === undefined) {
      if (index === 0) throw new OperatorError(`group-[${groupId}] can't promote master`);
      requireNoCopy(this.product, groupId);
      await checkCandidate(this.product, group, address);
      await this.product.exclusive(`promote ${address}`, async () => {
        const present = requireGroup(records, groupId);
        if (present.promoting.state !== undefined || masterOf(present) !== masterOf(group)) {
          throw new OperatorError(`group-[${groupId}] has just been changed; look at it again`);
        }
        await records.save({ group: begun(present, requireServer(present, address)) });
      });
      log.warn(`audit: group-[${groupId}] ${masterOf(group)} → ${address}: ${why}`);
    } else if (index !== (group.promoting.index ?? 0)) {
      const busy = group.promoting.index ?? 0;
      throw new OperatorError(`group-[${groupId}] is promoting index = ${busy}`);
    }
    await this.#run(groupId);
  }

  /** Goes on with what a crash or an error has left. Never rejects. */
  async #resume(): Promise<void> {
    const left = [...this.product.records.groups.values()].filter(
      (group) => promotionStep(group) !== null,
    );
    await Promise.all(
      left.map(async ({ id }) => {
        try {
          await this.#run(id);
        } catch (error) {
          log.warn(`the promotion in group-[${id}] does not get on: ${messageOf(error)}`);
        }
      }),
    );
  }

  /** One runner a group; who comes later waits for the same end. */
  #run(groupId: number): Promise<void> {
    const running = this.#running.get(groupId);
    if (running !== undefined) return running;
    const task = this.#steps(groupId).finally(() => this.#running.delete(groupId));
    this.#running.set(groupId, task);
    return task;
  }

  async #steps(groupId: number): Promise<void> {
    for (;;) {
      const group = requireGroup(this.product.records, groupId);
      switch (promotionStep(group)) {
        case null:
          return;
        case "settle":
          await this.#settle(group);
          break;
        case "switch":
          await this.#switch(group);
          break;
        case "release":
          await this.#release(group);
          break;
      }
    }
  }

  // ------------------------------------------------------------------------------------- steps

  /** Nobody else changes the group from here on: sentinels forget it, jobs stop. */
  async #settle(group: Group): Promise<void> {
    await this.witness.onGroupChanged();
    await this.product.jobs.quiesce(group.id);
    await this.#store(group, held);
  }

  async #switch(group: Group): Promise<void> {
    const [master, candidate] = [masterOf(group), candidateOf(group).server];
    try {
      const old = await this.#askPatiently(master);
      await this.#hold(group, old === null ? master : null);
      if (old === null) await this.#settleForLess(group);
      else await this.#catchUp(master, candidate);
      await this.#makeMaster(candidate);
    } catch (error) {
      await this.#giveUp(group, messageOf(error));
      throw new OperatorError(
        `group-[${group.id}] keeps its master ${master}: ${messageOf(error)}`,
      );
    }
    const next = nextActionIndex(this.product.records);
    await this.#store(group, (present) => switched(present, next));
    log.warn(`audit: group-[${group.id}] has the master ${candidate} in the place of ${master}`);
  }

  async #release(group: Group): Promise<void> {
    const { fleet } = this.product;
    const master = masterOf(group);
    // The last one is the old master: it must not be one when requests flow again.
    const others = group.servers.slice(1).map(({ server }) => server);
    const silent = new Set(others);
    const repointing = Promise.all(
      others.map(async (server) => {
        if (await this.#repoint(server, master)) silent.delete(server);
      }),
    );
    await Promise.race([repointing, Bun.sleep(REPOINT_PATIENCE_MS)]);
    const gone = new Set([...silent].filter((server) => wasSilent(this.product, server)));
    await fleet.resync(slotsOfGroup(group.id, this.product.records), { gone });
    await this.#store(group, ended);
    await this.#tellReplicas(group.id);
    this.product.jobs.wake();
    await this.witness.onGroupChanged();
  }

  // -------------------------------------------------------------------------------- their parts

  async #hold(group: Group, deadMaster: string | null): Promise<void> {
    const slots = slotsOfGroup(group.id, this.product.records);
    const gone = new Set(deadMaster === null ? [] : [deadMaster]);
    const holding = this.product.fleet.resync(slots, { deadlineMs: MAX_HOLD_MS, gone });
    let isOver = false;
    const watch = holding.finally(() => (isOver = true)).catch(() => {});
    while (deadMaster !== null && !isOver) {
      await Promise.race([watch, Bun.sleep(ABANDON_AFTER_MS)]);
      if (!isOver) await abandonAt(this.product, deadMaster);
    }
    await holding;
  }

  /** What the old master has made until now is all there will be. */
  async #catchUp(master: string, candidate: string): Promise<void> {
    const { servers, config } = this.product;
    const limitMs = Math.min(config.promoteTimeoutMs, MAX_HOLD_MS);
    await pauseWrites(this.product, master, limitMs + MAX_HOLD_MS);
    const old = await askStanding(servers, master, ASK_TIMEOUT_MS);
    if (old === null) throw new OperatorError(`${master} has stopped to answer`);
    const deadlineMs = performance.now() + limitMs;
    for (;;) {
      const next = await askStanding(servers, candidate, ASK_TIMEOUT_MS);
      if (next !== null && next.offset >= old.offset && sharesStream(next, old)) return;
      // A dashboard died after it had made the candidate a master: that one gets no more.
      if (performance.now() > deadlineMs || next?.isMaster === true) {
        const behind =
          next === null ? "does not answer" : `lacks ${old.offset - next.offset} bytes`;
        throw new OperatorError(`after ${limitMs} ms ${candidate} ${behind}; try again later`);
      }
      await Bun.sleep(POLL_MS);
    }
  }

  /** The old master is dead: the candidate's data is what there is. */
  async #settleForLess(group: Group): Promise<void> {
    const { servers } = this.product;
    const [master, candidate] = [masterOf(group), candidateOf(group).server];
    const next = await askStanding(servers, candidate, ASK_TIMEOUT_MS);
    if (next === null) throw new OperatorError(`neither ${master} nor ${candidate} answers`);
    const last = this.witness.lastOffset(master);
    const lost =
      last === null
        ? "an unknown number of bytes"
        : `at least ${Math.max(0, last - next.offset)} bytes`;
    log.warn(
      `audit: ${master} is dead. ${candidate} has its writes up to offset ${next.offset}; by the ` +
        `last look at ${master}, ${lost} of later writes are lost, and writes since then`,
    );
    for (const { server } of group.servers.slice(1)) {
      const other = await askStanding(servers, server, ASK_TIMEOUT_MS);
      if (other === null || other.isMaster || other.offset <= next.offset) continue;
      log.warn(`audit: ${server} is ${other.offset - next.offset} bytes ahead of ${candidate}`);
    }
  }

  async #makeMaster(candidate: string): Promise<void> {
    const { servers } = this.product;
    const order = await orderFor(this.product, null);
    await servers.use(candidate, (client) => giveOrder(client, order), {
      timeoutMs: ASK_TIMEOUT_MS,
    });
    const now = await askStanding(servers, candidate, ASK_TIMEOUT_MS);
    if (now === null || !now.isMaster) throw new OperatorError(`${candidate} is no master yet`);
  }

  /** Whoever cannot be re-pointed now has a sync action that does it later. */
  async #repoint(server: string, master: string): Promise<boolean> {
    try {
      const order = await orderFor(this.product, master);
      const task = async (client: RedisClient): Promise<void> => {
        await giveOrder(client, order);
        await client.pipeline([["CLIENT", "UNPAUSE"]]);
      };
      await this.product.servers.use(server, task, { timeoutMs: ASK_TIMEOUT_MS });
      return true;
    } catch (error) {
      log.warn(`${server} is made a replica of ${master} later: ${messageOf(error)}`);
      return false;
    }
  }

  /** Replica reads go on as soon as the proxies hear of the replicas again. */
  async #tellReplicas(groupId: number): Promise<void> {
    const { records, fleet } = this.product;
    try {
      await fleet.resync(slotsOfGroup(groupId, records));
      await this.product.exclusive(`group-[${groupId}] is in sync`, async () => {
        const group = records.groups.get(groupId);
        if (group?.out_of_sync) await records.save({ group: { ...group, out_of_sync: false } });
      });
    } catch (error) {
      log.warn(`group-[${groupId}] has to be resynced: ${messageOf(error)}`);
    }
  }

  async #giveUp(group: Group, why: string): Promise<void> {
    log.warn(`audit: group-[${group.id}] keeps its master ${masterOf(group)}: ${why}`);
    const candidate = candidateOf(group).server;
    const standing = await askStanding(this.product.servers, candidate, ASK_TIMEOUT_MS);
    const wasTold = standing === null || standing.isMaster;
    const next = nextActionIndex(this.product.records);
    await this.#store(group, (present) => givenUp(present, next, wasTold));
    await this.product.servers
      .use(masterOf(group), (client) => client.pipeline([["CLIENT", "UNPAUSE"]]), {
        timeoutMs: ASK_TIMEOUT_MS,
      })
      .catch(() => {});
    await this.#tellReplicas(group.id);
    this.product.jobs.wake();
    await this.witness.onGroupChanged();
  }

  /** Stores the next state, if the group is still in the one that was acted upon. */
  async #store(group: Group, next: (present: Group) => Group): Promise<void> {
    await this.product.exclusive(`promotion in group-[${group.id}]`, async () => {
      const present = requireGroup(this.product.records, group.id);
      const { state, index } = present.promoting;
      if (state !== group.promoting.state || index !== group.promoting.index) {
        throw new OperatorError(`the promotion in group-[${group.id}] was changed by others`);
      }
      await this.product.records.save({ group: next(present) });
    });
  }

  /**
   * Null when the server is dead: one silent second is not enough to lose data for. Where polls
   * have been silent already, one more is: it may have come back since.
   */
  async #askPatiently(address: string): Promise<Standing | null> {
    const patienceMs = wasSilent(this.product, address) ? 0 : DEAD_AFTER_MS;
    const deadlineMs = performance.now() + patienceMs;
    for (;;) {
      const standing = await askStanding(this.product.servers, address, ASK_TIMEOUT_MS);
      if (standing !== null || performance.now() > deadlineMs) return standing;
      await Bun.sleep(POLL_MS * 10);
    }
  }
}

// ------------------------------------------------------------------------------------ the checks

/**
 * A group that is being filled by replication of another one has no master of its own. A job that
 * only tidies up may need the new master to get on.
 */
function requireNoCopy({ records }: Product, groupId: number): void {
  for (const { id, method, state, cancelled, source_id, target_id } of records.jobs.values()) {
    if (method !== "replica" || (source_id !== groupId && target_id !== groupId)) continue;
    if (state === "trimming" || (cancelled && state === "preparing")) continue;
    throw new OperatorError(
      `group-[${groupId}] is being copied by migration job ${id}: wait for its end or cancel it`,
    );
  }
}

/**
 * Before anything is stored: the candidate replicates this master and is close behind it, which is
 * waited for. With a dead master it must have been its replica.
 */
async function checkCandidate(product: Product, group: Group, candidate: string): Promise<void> {
  const { servers, config } = product;
  const master = masterOf(group);
  const deadlineMs = performance.now() + config.promoteTimeoutMs;
  for (;;) {
    const [old, next] = await Promise.all([
      askStanding(servers, master, patienceWith(product, master)),
      askStanding(servers, candidate, ASK_TIMEOUT_MS),
    ]);
    if (next === null) throw new OperatorError(`server-[${candidate}] does not answer`);
    const trouble = await troubleOf(master, old, candidate, next);
    if (trouble === null) return;
    if (trouble.isFinal || performance.now() > deadlineMs) throw new OperatorError(trouble.text);
    await Bun.sleep(POLL_MS * 10);
  }
}

/** A server that did not answer its last poll gets one short chance. */
function patienceWith(product: Product, address: string): number {
  return wasSilent(product, address) ? SILENT_TIMEOUT_MS : ASK_TIMEOUT_MS;
}

function wasSilent({ servers }: Product, address: string): boolean {
  return servers.polls.get(address)?.error !== undefined;
}

interface Trouble {
  readonly text: string;
  /** Waiting does not help. */
  readonly isFinal: boolean;
}

async function troubleOf(
  master: string,
  old: Standing | null,
  candidate: string,
  next: Standing,
): Promise<Trouble | null> {
  const isReplica = await follows(next, master, old);
  const advice = "order a sync action for it and wait until it is synced";
  const stranger = `server-[${candidate}] is not a replica of server-[${master}]; ${advice}`;
  if (old === null) {
    // Somebody may have made it a master already, when the old one died.
    const isHeir = next.isMaster && next.formerStream !== "";
    return isReplica || isHeir ? null : { text: stranger, isFinal: true };
  }
  if (next.isMaster && !old.isMaster && (await isSameAddress(old.masterAddress, candidate))) {
    return null; // They have changed places already.
  }
  if (!isReplica) return { text: stranger, isFinal: true };
  if (next.isSyncing || !next.isLinkUp) {
    const what = next.isSyncing ? "has not finished its first sync" : "has lost its master";
    return { text: `server-[${candidate}] ${what}; try again when it follows`, isFinal: false };
  }
  const behind = old.offset - next.offset;
  if (behind <= CLOSE_BYTES) return null;
  return {
    text: `server-[${candidate}] is ${behind} bytes behind server-[${master}]; nothing was changed`,
    isFinal: false,
  };
}

/** The candidate's offset counts in the stream of the old master, or in one that follows it. */
function sharesStream(next: Standing, old: Standing): boolean {
  if (next.stream === "" || old.stream === "") return true;
  return next.stream === old.stream || next.formerStream === old.stream;
}

/**
 * Clients that write to the server without a proxy wait as well, where it can make them wait. The
 * pause ends by itself if nobody ends it.
 */
async function pauseWrites(product: Product, address: string, limitMs: number): Promise<void> {
  await product.servers
    .use(address, (client) => client.pipeline([["CLIENT", "PAUSE", limitMs, "WRITE"]]), {
      timeoutMs: ASK_TIMEOUT_MS,
    })
    .catch(() => {});
}

/** Original proxies do not know the route, and wait until their own patience ends. */
async function abandonAt(product: Product, address: string): Promise<void> {
  const { records, config } = product;
  await Promise.allSettled(
    [...records.proxies.values()].map(({ token, admin_addr, product_name }) => {
      const xauth = xauthOf(product_name, config.productAuth, token);
      const options = { params: { xauth, addr: address }, timeoutMs: ASK_TIMEOUT_MS };
      return callRoute(admin_addr, PROXY_ROUTES.abandon, options);
    }),
  );
}
