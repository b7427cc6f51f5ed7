/**
 * The right of a leader to change servers. A dashboard that stood still (a paused machine, a long
 * pause of its runtime) may have been replaced and wake up with a deletion in its hand; the
 * coordinator refuses what it writes, and this sees to it that no server carries out what it sends.
 *
 *   connection of a leader                   coordinator       server
 *   CLIENT SETNAME codis-leader-12.9f3c-...                ->  has its name
 *   does its owner lead?                 ->  yes, or LeadershipLost
 *   CLIENT LIST, CLIENT KILL ID                            ->  none of another leader is left
 *   only then: commands that change something
 *
 * Invariant: once `admit` has resolved for one connection to a server, nothing that an earlier
 * leader has sent to that server, or will send, is carried out there any more. Why that is so
 * stands in ARCHITECTURE.md ("A leader that wakes up late").
 */
import { randomBytes } from "node:crypto";
import { log } from "../lib/log.ts";
import { parseInfo } from "../redis/info.ts";
import type { RedisClient } from "../redis/client.ts";
import { ReplyError } from "../resp/value.ts";
import { endConnections } from "./connections.ts";
import { textOf } from "./server-kind.ts";

/** Also what connections were called before they said whose they are. */
const ANY_LEADER = /^codis-(leader|mover)-/;

export class Authority {
  /** Not the term alone: a store that was lost counts terms from the beginning. */
  readonly #mark: string;
  /** Address and run id of servers → no connection of another leader is left there. */
  readonly #takenOver = new Map<string, Promise<void>>();
  readonly #addresses = new Set<string>();
  readonly #warned = new Set<string>();
  #asking: Promise<void> = Promise.resolve();
  #next: Promise<void> | null = null;

  /**
   * `confirm` asks the coordinator: it rejects when another one leads, and with a
   * `ConnectionError` when there is no answer.
   */
  constructor(
    term: number,
    private readonly confirm: () => Promise<void>,
  ) {
    this.#mark = `${term}.${randomBytes(2).toString("hex")}`;
  }

  /** Of the connection of ours that is for this. */
  nameOf(part: string): string {
    return `codis-leader-${this.#mark}-${part}`;
  }

  /**
   * Names a new connection, which has said nothing yet, and makes it one that may change the
   * server. Rejects when its owner does not lead, or when that cannot be known now.
   */
  async admit(client: RedisClient, part: string): Promise<void> {
    const name = ["CLIENT", "SETNAME", this.nameOf(part)];
    const [named, info] = await client.pipeline([name, ["INFO", "server"]]);
    if (named instanceof ReplyError) this.#doWithout(client.address, named);
    await this.#confirmed();
    const runId = info instanceof ReplyError ? "" : parseInfo(textOf(info)).get("run_id");
    await this.#takeOver(client, runId ?? "");
  }

  /** The same for a server as such, over a connection that changes nothing. */
  async takeOver(client: RedisClient, runId: string): Promise<void> {
    if (this.#takenOver.has(serverKey(client, runId))) return;
    await this.#confirmed();
    await this.#takeOver(client, runId);
  }

  hasTakenOver(address: string): boolean {
    return this.#addresses.has(address);
  }

  /** Once for each process: later connections of former leaders are refused by the coordinator. */
  async #takeOver(client: RedisClient, runId: string): Promise<void> {
    const key = serverKey(client, runId);
    const ended = this.#takenOver.get(key) ?? this.#endOthers(client);
    this.#takenOver.set(key, ended);
    try {
      await ended;
      this.#addresses.add(client.address);
    } catch (error) {
      if (this.#takenOver.get(key) === ended) this.#takenOver.delete(key);
      throw error;
    }
  }

  async #endOthers(client: RedisClient): Promise<void> {
    const own = this.nameOf("");
    try {
      await endConnections(client, ({ name }) => ANY_LEADER.test(name) && !name.startsWith(own));
    } catch (error) {
      if (!(error instanceof ReplyError)) throw error;
      this.#doWithout(client.address, error);
    }
  }

  /** Where CLIENT is forbidden for good; a server that only cannot answer now is asked again. */
  #doWithout(address: string, refusal: ReplyError): void {
    const { code, message } = refusal;
    if (code !== "NOPERM" && !/^ERR unknown (sub)?command/i.test(message)) throw refusal;
    if (this.#warned.has(address)) return;
    this.#warned.add(address);
    log.warn(
      `${address} refuses CLIENT (${message}): what a dashboard sends after it was ` +
        `stopped and replaced cannot be held back there`,
    );
  }

  /** One question answers all who ask before it is sent. */
  #confirmed(): Promise<void> {
    this.#next ??= this.#asking.then(() => {
      this.#next = null;
      return this.confirm();
    });
    this.#asking = this.#next.catch(() => {});
    return this.#next;
  }
}

function serverKey({ address }: RedisClient, runId: string): string {
  return `${address} ${runId}`;
}
