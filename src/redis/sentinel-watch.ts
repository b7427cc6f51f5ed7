/**
 * Watches the sentinels of a product for a switch of master, for as long as it is open. The
 * dashboard and every proxy have one each; what follows from a verdict is their business.
 *
 *   sentinel 1 ──SUBSCRIBE +switch-master──▶┐
 *   sentinel 2 ────────────────────────────▶├─ a message, or a majority that has just come
 *   sentinel 3 ────────────────────────────▶┘   together: ask all sentinels for their masters
 *                                                        │ a majority has answered
 *                                                        ▼
 *                              onMasters(group → address, the highest epoch of each group wins)
 *
 * Any majority of the sentinels has one in it that agreed to the last failover, so that its epoch
 * is the highest. A verdict is given as soon as a majority has answered and again when a late
 * answer changes it; each question is repeated, because a switch spreads among them by gossip.
 */
import { messageOf } from "../lib/operator-error.ts";
import type { Reply } from "../resp/value.ts";
import { RedisClient } from "./client.ts";
import { groupOfMaster, majorityOf, productMasters, type SentinelMaster } from "./sentinel.ts";

/** Group → address of its master. */
export type SentinelVerdict = ReadonlyMap<number, string>;

/** At the sentinels themselves; both are "" when they ask for nothing. */
export interface SentinelLogin {
  readonly username: string;
  readonly password: string;
}

export interface SentinelWatchOptions {
  readonly product: string;
  readonly sentinels: readonly string[];
  readonly login: SentinelLogin;
  readonly onMasters: (masters: SentinelVerdict) => void;
  /** One line at each change: who is watched, who is lost. */
  readonly log: (text: string) => void;
}

const CONNECT_TIMEOUT_MS = 2_000;
const ANSWER_TIMEOUT_MS = 5_000;
const PING_PERIOD_MS = 3_000;
const RECONNECT_MS = 1_000;

/** When a question is asked again after a message: soon, and when gossip has surely arrived. */
const REPEAT_MS = [1_000, 5_000] as const;

/** Without any message: a lost one is made good by then. */
const IDLE_QUESTION_MS = 60_000;

export class SentinelWatch {
  readonly #subscribed = new Set<string>();
  /** Those of which the log says already that they cannot be watched. */
  readonly #unwatched = new Set<string>();
  readonly #clients = new Set<RedisClient>();
  readonly #timers = new Set<Timer>();
  #isOpen = true;
  #lastQuestionMs = -Infinity;
  #questions = 0;
  /** The newest question that led to a verdict; answers to older ones come too late. */
  #answered = 0;

  constructor(private readonly options: SentinelWatchOptions) {
    for (const address of options.sentinels) void this.#follow(address);
    this.#every(IDLE_QUESTION_MS, () => {
      if (performance.now() - this.#lastQuestionMs >= IDLE_QUESTION_MS) void this.#ask();
    });
  }

  /** A majority of the sentinels would tell us of a switch. */
  get isWatching(): boolean {
    const { sentinels } = this.options;
    return sentinels.length > 0 && this.#subscribed.size >= majorityOf(sentinels.length);
  }

  /** Asks now, once. */
  ask(): void {
    if (this.#isOpen) void this.#ask();
  }

  close(): void {
    this.#isOpen = false;
    for (const timer of this.#timers) clearTimeout(timer);
    for (const client of this.#clients) client.close();
  }

  // ------------------------------------------------------------------------------ subscriptions

  /** Subscribes to one sentinel again and again. */
  async #follow(address: string): Promise<void> {
    while (this.#isOpen) {
      try {
        await this.#subscribe(address);
      } catch (error) {
        this.#lost(address, messageOf(error));
      }
      await this.#pause(RECONNECT_MS);
    }
  }

  /** Returns or throws when the connection is gone. */
  async #subscribe(address: string): Promise<void> {
    const client = await this.#connect(address);
    try {
      client.onMessage = (message) => this.#onMessage(message);
      await client.call(["SUBSCRIBE", "+switch-master"]);
      this.#joined(address);
      while (client.isOpen && this.#isOpen) {
        // A message may come before the answer to the PING, which is then the next message.
        this.#onMessage(await client.call(["PING"], ANSWER_TIMEOUT_MS));
        await Promise.race([client.closed, this.#pause(PING_PERIOD_MS)]);
      }
      this.#lost(address, "it closed the connection");
    } finally {
      this.#clients.delete(client);
      client.close();
    }
  }

  #joined(address: string): void {
    const wasWatching = this.isWatching;
    this.#subscribed.add(address);
    this.#unwatched.delete(address);
    this.options.log(`sentinel ${address} is watched`);
    if (this.isWatching && !wasWatching) this.#askRepeatedly();
  }

  #lost(address: string, why: string): void {
    if (!this.#isOpen) return;
    const wasWatched = this.#subscribed.delete(address);
    if (!wasWatched && this.#unwatched.has(address)) return;
    this.#unwatched.add(address);
    this.options.log(`sentinel ${address} ${wasWatched ? "is lost" : "cannot be watched"}: ${why}`);
  }

  /** `+switch-master` brings "<name> <old host> <old port> <new host> <new port>". */
  #onMessage(message: Reply): void {
    if (!Array.isArray(message) || message[0] !== "message") return;
    const [name] = String(message[2]).split(" ");
    if (groupOfMaster(this.options.product, name) === 0) return;
    this.options.log(`a sentinel reports: +switch-master ${String(message[2])}`);
    this.#askRepeatedly();
  }

  // ---------------------------------------------------------------------------------- questions

  #askRepeatedly(): void {
    void this.#ask();
    for (const delayMs of REPEAT_MS) this.#later(delayMs, () => void this.#ask());
  }

  async #ask(): Promise<void> {
    this.#lastQuestionMs = performance.now();
    const question = ++this.#questions;
    const { sentinels, product, onMasters } = this.options;
    const answers: SentinelMaster[][] = [];
    let last = "";
    await Promise.all(
      sentinels.map(async (address) => {
        const answer = await this.#mastersOf(address, product);
        if (answer === null || !this.#isOpen) return;
        answers.push(answer);
        if (answers.length < majorityOf(sentinels.length) || question < this.#answered) return;
        this.#answered = question;
        const masters = mastersByEpoch(answers);
        const text = JSON.stringify([...masters]);
        if (text !== last) onMasters(masters);
        last = text;
      }),
    );
  }

  async #mastersOf(address: string, product: string): Promise<SentinelMaster[] | null> {
    try {
      const client = await this.#connect(address);
      try {
        return await productMasters(client, product);
      } finally {
        this.#clients.delete(client);
        client.close();
      }
    } catch {
      return null; // its subscription says why
    }
  }

  async #connect(address: string): Promise<RedisClient> {
    const client = await RedisClient.connect(address, {
      ...this.options.login,
      connectTimeoutMs: CONNECT_TIMEOUT_MS,
      callTimeoutMs: ANSWER_TIMEOUT_MS,
    });
    if (!this.#isOpen) client.close();
    else this.#clients.add(client);
    return client;
  }

  // ------------------------------------------------------------------------------------- timers

  #later(delayMs: number, task: () => void): void {
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      if (this.#isOpen) task();
    }, delayMs);
    this.#timers.add(timer);
  }

  #every(periodMs: number, task: () => void): void {
    this.#later(periodMs, () => {
      task();
      this.#every(periodMs, task);
    });
  }

  /** Never resolves once the watch is closed; whoever waits is forgotten with it. */
  #pause(delayMs: number): Promise<void> {
    return new Promise((resolve) => this.#later(delayMs, resolve));
  }
}

/** One question to all; null when no majority has answered in time. */
export async function askSentinels(
  sentinels: readonly string[],
  product: string,
  login: SentinelLogin,
  timeoutMs: number,
): Promise<SentinelVerdict | null> {
  const options = { ...login, connectTimeoutMs: timeoutMs, callTimeoutMs: timeoutMs };
  const results = await Promise.allSettled(
    sentinels.map(async (address) => {
      using client = await RedisClient.connect(address, options);
      return await productMasters(client, product);
    }),
  );
  const answers = results.flatMap((each) => (each.status === "fulfilled" ? [each.value] : []));
  return answers.length < majorityOf(sentinels.length) ? null : mastersByEpoch(answers);
}

/** Of what several sentinels say of a group, the highest epoch counts. */
export function mastersByEpoch(
  answers: readonly (readonly SentinelMaster[])[],
): Map<number, string> {
  const best = new Map<number, SentinelMaster>();
  for (const master of answers.flat()) {
    const known = best.get(master.groupId);
    if (known === undefined || master.epoch > known.epoch) best.set(master.groupId, master);
  }
  const sorted = [...best.values()].sort((a, b) => a.groupId - b.groupId);
  return new Map(sorted.map(({ groupId, address }) => [groupId, address]));
}
