/**
 * Shuts a proxy that nobody can reach out of the servers, and lets it in again. Why this is enough
 * stands in ARCHITECTURE.md: a connection of a proxy gives itself a name before it asks whether it
 * is fenced, so whichever connection asked before the set was changed is found by its name after.
 *
 *   dashboard                       server                        proxy's connection
 *   stores "fenced"                                               CLIENT SETNAME codis-proxy-T
 *   SADD fence T              ->    T is in the set               SISMEMBER fence T
 *   CLIENT LIST, CLIENT KILL  ->    no connection of that name    answers 1: never used
 *
 * A replica takes no SADD; it gets the set from its master, and is waited for.
 */
import { log } from "../lib/log.ts";
import { messageOf, OperatorError } from "../lib/operator-error.ts";
import { FENCE_KEY, proxyConnectionName } from "../model/fence.ts";
import type { RedisClient } from "../redis/client.ts";
import { type Reply, ReplyError } from "../resp/value.ts";
import { Batches } from "./batches.ts";
import type { Records, Servers } from "./product.ts";
import type { ServerAnswer } from "./servers.ts";

/** A server that does not do its part in this time cannot be fenced. */
const FENCE_TIMEOUT_MS = 2_000;
const REPLICA_POLL_MS = 10;
const PATIENCE = { timeoutMs: FENCE_TIMEOUT_MS };

/**
 * SADD where the server is full. From Redis 7 on the flag allows it; before, a script that has
 * written something may go on writing.
 */
const SADD_WHEN_FULL = [
  "#!lua flags=allow-oom\nreturn redis.call('SADD', KEYS[1], unpack(ARGV))",
  "redis.call('DEL', KEYS[2]) return redis.call('SADD', KEYS[1], unpack(ARGV))",
] as const;

export class Fences {
  /** Token → servers at which its fence stands, as far as we know. */
  readonly #confirmed = new Map<string, Set<string>>();
  readonly #fencing = new Batches((server, tokens) => {
    return this.servers.use(server, (client) => fenceAt(client, tokens), PATIENCE);
  });
  readonly #freeing = new Batches((server, tokens) => {
    return this.servers.use(server, (client) => freeAt(client, tokens), PATIENCE);
  });
  /** Proxies that are being shut out or let in right now; nobody else touches their fences. */
  readonly #busy = new Map<string, Promise<void>>();

  constructor(
    private readonly records: Records,
    private readonly servers: Servers,
  ) {}

  /**
   * Afterwards no connection of the proxy is left at any server of the product, and no new one is
   * used. Throws `OperatorError` when that could not be had at one of `required`; the proxy stays
   * stored as fenced, and the others are fenced.
   */
  shutOut(token: string, required: ReadonlySet<string>): Promise<void> {
    return this.#alone(token, async () => {
      const proxy = this.records.proxies.get(token);
      if (proxy === undefined) return;
      if (!proxy.fenced) await this.#note(token, true);
      const confirmed = this.#confirmed.get(token) ?? new Set();
      this.#confirmed.set(token, confirmed);
      const missing = [...new Set([...this.#servers(), ...required])].filter((server) => {
        return !confirmed.has(server);
      });
      const failures: string[] = [];
      const shutOutAt = async (server: string): Promise<void> => {
        try {
          await this.#fenceAt(server, token);
        } catch (error) {
          if (required.has(server)) failures.push(messageOf(error));
          else log.warn(`proxy-[${token}] is not fenced at ${server} yet: ${messageOf(error)}`);
        }
      };
      // The others are fenced as well, but a change that does not concern them need not wait.
      const isNeeded = missing.some((server) => required.has(server)) || !proxy.fenced;
      if (!isNeeded) return;
      await Promise.all(missing.map(shutOutAt));
      if (failures.length > 0) throw new OperatorError(failures.sort().join("; "));
      log.warn(`proxy-[${token}] at ${proxy.admin_addr} is shut out of ${confirmed.size} servers`);
    });
  }

  /** A server that does not answer may come back without what it knew. */
  forget(server: string): void {
    for (const servers of this.#confirmed.values()) servers.delete(server);
  }

  /** `mayEnter` is asked when nobody else can change the fence any more. */
  letIn(token: string, mayEnter: () => boolean): Promise<void> {
    return this.#alone(token, async () => {
      if (!mayEnter()) return;
      this.#confirmed.delete(token);
      await Promise.all([...this.#servers()].map((server) => this.#removeAt(server, token)));
      if (this.records.proxies.get(token)?.fenced !== true) return;
      await this.#note(token, false);
      log.info(`proxy-[${token}] is no longer fenced`);
    });
  }

  /**
   * Brings a server in line with the records after each poll: one that was down, was restarted,
   * emptied or added has yet to learn who is fenced, or who no longer is. Tokens that no record
   * knows stay.
   */
  reconcile({ address, info, fenced }: ServerAnswer): void {
    if (fenced === null) return;
    const present = new Set(fenced);
    const isReplica = info.get("role") === "slave";
    for (const [token, isFenced] of this.#wanted()) {
      // It may have begun anew with a master that had lost the set.
      if (isReplica && isFenced && !present.has(token)) this.#confirmed.get(token)?.delete(address);
      if (isReplica) continue;
      if (this.#busy.has(token) || isFenced === present.has(token)) continue;
      const task = (): Promise<void> => {
        if (!isFenced) return this.#removeAt(address, token);
        this.#confirmed.get(token)?.delete(address);
        return this.#fenceAt(address, token);
      };
      this.#alone(token, task).catch((error: unknown) => {
        log.warn(`the fence of proxy-[${token}] at ${address} is not right: ${messageOf(error)}`);
      });
    }
  }

  /** Token → whether it is to be shut out, for everybody of whom something is known. */
  #wanted(): Map<string, boolean> {
    const { proxies, options } = this.records;
    const wanted = new Map(options.shut_out.map((token) => [token, true]));
    for (const { token, fenced } of proxies.values()) wanted.set(token, fenced ?? false);
    return wanted;
  }

  #note(token: string, isFenced: boolean): Promise<void> {
    return this.records.amend(() => {
      const proxy = this.records.proxies.get(token);
      if (proxy === undefined) return [];
      const { fenced: _, ...rest } = proxy;
      return [{ proxy: isFenced ? { ...rest, fenced: true } : rest }];
    });
  }

  async #fenceAt(server: string, token: string): Promise<void> {
    await this.#fencing.add(server, token);
    this.#confirmed.get(token)?.add(server);
  }

  async #removeAt(server: string, token: string): Promise<void> {
    try {
      await this.#freeing.add(server, token);
    } catch {
      // A replica follows its master; a server that is down is put right when it answers.
    }
  }

  #servers(): Set<string> {
    const groups = [...this.records.groups.values()];
    return new Set(groups.flatMap(({ servers }) => servers.map(({ server }) => server)));
  }

  #alone(token: string, task: () => Promise<void>): Promise<void> {
    const before = this.#busy.get(token) ?? Promise.resolve();
    const done = before.then(task);
    const settled = done
      .catch(() => {})
      .then(() => {
        if (this.#busy.get(token) === settled) this.#busy.delete(token);
      });
    this.#busy.set(token, settled);
    return done;
  }
}

async function freeAt(client: RedisClient, tokens: readonly string[]): Promise<void> {
  const reply = await client.call(["SREM", FENCE_KEY, ...tokens]);
  if (typeof reply === "number" && reply > 0) {
    log.info(`${client.address} may be used again by ${reply} of the proxies ${tokens.join(" ")}`);
  }
}

async function fenceAt(client: RedisClient, tokens: readonly string[]): Promise<void> {
  const reply = await addTo(client, tokens);
  if (reply instanceof ReplyError) {
    if (reply.code !== "READONLY") throw reply;
    await awaitReplica(client, tokens);
  }
  const list = await checkedList(client, tokens);
  const names = new Set(tokens.map(proxyConnectionName));
  const kills = idsOf(list, names).map((id) => ["CLIENT", "KILL", "ID", id]);
  if (kills.length === 0) return;
  const failed = (await client.pipeline(kills)).find((each) => each instanceof ReplyError);
  if (failed instanceof ReplyError) throw failed;
}

/**
 * All connections of the server, once it has shown that it does for us what it has to do for the
 * proxies, which have the same login: one that cannot ask, or has no name, is not shut out. The
 * connection keeps the name that says whose it is.
 */
async function checkedList(client: RedisClient, tokens: readonly string[]): Promise<string> {
  const replies = await client.pipeline([
    ["CLIENT", "GETNAME"],
    ["SISMEMBER", FENCE_KEY, tokens[0]],
    ["CLIENT", "LIST"],
  ]);
  for (const reply of replies) if (reply instanceof ReplyError) throw reply;
  const [name, asked, list] = replies;
  const isNamed = String(name ?? "") !== "" && String(list).includes(` name=${String(name)} `);
  if (asked === 1 && isNamed) return String(list);
  throw new OperatorError(`${client.address} does not keep a fence`);
}

async function addTo(client: RedisClient, tokens: readonly string[]): Promise<Reply> {
  let [reply] = await client.pipeline([["SADD", FENCE_KEY, ...tokens]]);
  if (!(reply instanceof ReplyError) || reply.code !== "OOM") return reply;
  for (const script of SADD_WHEN_FULL) {
    const keys = [2, FENCE_KEY, `${FENCE_KEY}:`];
    [reply] = await client.pipeline([["EVAL", script, ...keys, ...tokens]]);
    if (!(reply instanceof ReplyError)) return reply;
  }
  return reply;
}

async function awaitReplica(client: RedisClient, tokens: readonly string[]): Promise<void> {
  const deadlineMs = performance.now() + FENCE_TIMEOUT_MS;
  for (;;) {
    const members = await client.call(["SMEMBERS", FENCE_KEY]);
    if (Array.isArray(members) && tokens.every((token) => members.includes(token))) return;
    if (performance.now() > deadlineMs) {
      throw new OperatorError(`the replica ${client.address} does not get the fence of its master`);
    }
    await Bun.sleep(REPLICA_POLL_MS);
  }
}

/** The ids of the connections of those names. */
function idsOf(list: string, names: ReadonlySet<string>): string[] {
  return list
    .split("\n")
    .filter((line) => names.has(/ name=(\S*) /.exec(line)?.[1] ?? ""))
    .map((line) => /^id=(\d+) /.exec(line)?.[1] ?? "")
    .filter((id) => id !== "");
}
