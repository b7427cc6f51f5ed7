// What must be in the product: every write that was sent, and whether it was acknowledged. Each
// write carries a token of its own, so that in the end it can be found, or not, and counted. What a
// write is stands in book.ts.
import { type Reply, ReplyError } from "../../src/resp/value.ts";
import type { Random } from "../harness/random.ts";
import { type Ask, type Book, isAcknowledged, isRefusal, newToken, type Write } from "./book.ts";
import { Deletions, Expiries } from "./ended-keys.ts";

const KEYS_OF_A_KIND = 12;

/** The outcome of writes to one key, by token. */
class Outcomes {
  readonly acknowledged = new Set<string>();
  readonly unknown = new Set<string>();
  readonly refused = new Set<string>();

  settle(token: string, reply: Reply | null): void {
    if (isRefusal(reply)) this.refused.add(token);
    else if (reply === null || reply instanceof ReplyError) this.unknown.add(token);
    else this.acknowledged.add(token);
  }

  /** Every token at most once, acknowledged ones exactly once. */
  compare(key: string, found: readonly string[]): string[] {
    const wrong: string[] = [];
    const seen = new Set<string>();
    for (const token of found) {
      if (seen.has(token)) wrong.push(`${key}: ${token} is there twice`);
      seen.add(token);
      if (this.refused.has(token)) wrong.push(`${key}: ${token} was refused and is there`);
    }
    for (const token of this.acknowledged) {
      if (!seen.has(token)) wrong.push(`${key}: ${token} was acknowledged and is lost`);
    }
    return wrong;
  }
}

class Keys<T> {
  readonly all: readonly (readonly [string, T])[];

  constructor(kind: string, make: () => T, count = KEYS_OF_A_KIND) {
    this.all = Array.from({ length: count }, (_, i) => [`${kind}:${i}`, make()] as const);
  }

  pick(random: Random): readonly [string, T] {
    return random.pick(this.all);
  }

  async check(one: (key: string, state: T) => Promise<string[]>): Promise<string[]> {
    const lists = await Promise.all(this.all.map(([key, state]) => one(key, state)));
    return lists.flat();
  }
}

/** INCR: the value counts the writes, and no two of them get the same answer. */
class Counters implements Book {
  readonly name = "INCR";
  readonly #keys = new Keys("counter", () => ({
    outcomes: new Outcomes(),
    answers: [] as number[],
  }));

  write(random: Random, writer: number): Write {
    const [key, { outcomes, answers }] = this.#keys.pick(random);
    const token = newToken(writer);
    const settle = (reply: Reply | null): void => {
      outcomes.settle(token, reply);
      if (isAcknowledged(reply)) answers.push(Number(reply));
    };
    return { args: ["INCR", key], settle };
  }

  check(ask: Ask): Promise<string[]> {
    return this.#keys.check(async (key, { outcomes, answers }) => {
      const value = Number((await ask("GET", key)) ?? 0);
      const least = outcomes.acknowledged.size;
      const most = least + outcomes.unknown.size;
      const wrong: string[] = [];
      if (new Set(answers).size < answers.length) wrong.push(`${key}: two writes got one answer`);
      if (value < least || value > most) {
        wrong.push(`${key}: ${value} is not between ${least} and ${most}`);
      }
      return wrong;
    });
  }
}

/** APPEND, LPUSH and SADD of tokens. */
class Collections implements Book {
  readonly #keys: Keys<Outcomes>;

  constructor(
    readonly name: string,
    private readonly read: readonly [string, ...string[]],
    count?: number,
  ) {
    this.#keys = new Keys(name.toLowerCase(), () => new Outcomes(), count);
  }

  write(random: Random, writer: number): Write {
    const [key, outcomes] = this.#keys.pick(random);
    const token = newToken(writer);
    const settle = (reply: Reply | null): void => {
      // A new member makes the set larger, unless it was there before it was sent.
      if (this.name === "SADD" && reply === 0) outcomes.settle(token, null);
      else outcomes.settle(token, reply);
    };
    return { args: [this.name, key, token], settle };
  }

  check(ask: Ask): Promise<string[]> {
    const [command, ...rest] = this.read;
    return this.#keys.check(async (key, outcomes) => {
      const value = await ask(command, key, ...rest);
      return outcomes.compare(key, Array.isArray(value) ? value.map(String) : split(value));
    });
  }
}

function split(value: Reply): string[] {
  return typeof value === "string" ? (value.match(/[^.]*\./g) ?? []) : [];
}

/** What only one writer writes: it holds the last acknowledged value, or an unknown one. */
class Register {
  last: string | null = null;
  readonly unknown = new Set<string>();

  settle(token: string, reply: Reply | null): void {
    if (isRefusal(reply)) return;
    if (isAcknowledged(reply)) this.last = token;
    else this.unknown.add(token);
  }

  check(what: string, value: Reply): string[] {
    // What is unknown may have been executed at any time since, also after what came later.
    const isRight = value === this.last || (typeof value === "string" && this.unknown.has(value));
    return isRight ? [] : [`${what}: holds ${String(value)} instead of ${String(this.last)}`];
  }
}

/** HSET: every writer has its field in each hash. */
class Hashes implements Book {
  readonly name = "HSET";
  readonly #keys = new Keys("hash", () => new Map<string, Register>());

  write(random: Random, writer: number): Write {
    const [key, fields] = this.#keys.pick(random);
    const field = `f${writer}`;
    const register = fields.get(field) ?? new Register();
    fields.set(field, register);
    const token = newToken(writer);
    return {
      args: ["HSET", key, field, token],
      settle: (reply) => register.settle(token, reply),
    };
  }

  check(ask: Ask): Promise<string[]> {
    return this.#keys.check(async (key, fields) => {
      const lists = await Promise.all(
        [...fields].map(async ([field, register]) => {
          return register.check(`${key} ${field}`, await ask("HGET", key, field));
        }),
      );
      return lists.flat();
    });
  }
}

/** MSET of two keys of one writer, most often in two slots. */
class Pairs implements Book {
  readonly name = "MSET";
  readonly #registers = new Map<string, Register>();

  write(random: Random, writer: number): Write {
    const keys = [0, 1].map((i) => `pair:${writer}:${random.below(KEYS_OF_A_KIND)}:${i}`);
    const token = newToken(writer);
    const settle = (reply: Reply | null): void => {
      // An error of one part says nothing of the other.
      const outcome = reply instanceof ReplyError ? null : reply;
      for (const key of keys) this.#at(key).settle(token, outcome);
    };
    return { args: ["MSET", ...keys.flatMap((key) => [key, token])], settle };
  }

  async check(ask: Ask): Promise<string[]> {
    const lists = await Promise.all(
      [...this.#registers].map(async ([key, register]) => {
        return register.check(key, await ask("GET", key));
      }),
    );
    return lists.flat();
  }

  #at(key: string): Register {
    const register = this.#registers.get(key) ?? new Register();
    this.#registers.set(key, register);
    return register;
  }
}

/** EVAL: a counter and a list under one tag, which only a script that ran half way can part. */
class Scripts implements Book {
  readonly name = "EVAL";
  readonly #keys = new Keys("script", () => new Outcomes());

  static readonly #SOURCE =
    "redis.call('INCR', KEYS[1]) return redis.call('RPUSH', KEYS[2], ARGV[1])";

  write(random: Random, writer: number): Write {
    const [key, outcomes] = this.#keys.pick(random);
    const token = newToken(writer);
    const places = [`{${key}}:count`, `{${key}}:list`];
    return {
      args: ["EVAL", Scripts.#SOURCE, "2", ...places, token],
      settle: (reply) => outcomes.settle(token, reply),
    };
  }

  check(ask: Ask): Promise<string[]> {
    return this.#keys.check(async (key, outcomes) => {
      const list = await ask("LRANGE", `{${key}}:list`, "0", "-1");
      const count = Number((await ask("GET", `{${key}}:count`)) ?? 0);
      const found = Array.isArray(list) ? list.map(String) : [];
      const wrong = outcomes.compare(key, found);
      if (count !== found.length) wrong.push(`${key}: counted ${count}, listed ${found.length}`);
      return wrong;
    });
  }
}

/** EXPIRE: a lifetime that was given must neither vanish nor grow. */
class Lifetimes implements Book {
  readonly name = "EXPIRE";
  readonly #keys = new Keys("life", () => ({ isGiven: false }));

  static readonly #SECONDS = 100_000;

  write(random: Random): Write {
    const [key, state] = this.#keys.pick(random);
    const source =
      "redis.call('SETNX', KEYS[1], 'x') return redis.call('EXPIRE', KEYS[1], ARGV[1])";
    const args = random.chance(0.5)
      ? ["EVAL", source, "1", key, String(Lifetimes.#SECONDS)]
      : ["EXPIRE", key, String(Lifetimes.#SECONDS)];
    return {
      args,
      settle: (reply) => {
        if (reply === 1) state.isGiven = true;
      },
    };
  }

  check(ask: Ask): Promise<string[]> {
    return this.#keys.check(async (key, { isGiven }) => {
      const seconds = Number(await ask("TTL", key));
      // -2: no such key, -1: for ever. A minute of stretching is far more than stalls can explain.
      const isRight = seconds <= Lifetimes.#SECONDS + 60 && (seconds > 0 || !isGiven);
      return isRight ? [] : [`${key}: lives for ${seconds} s`];
    });
  }
}

export class Ledger {
  readonly #books: readonly Book[] = [
    new Counters(),
    new Collections("APPEND", ["GET"]),
    // Few, so that some grow large enough to be moved in pieces.
    new Collections("LPUSH", ["LRANGE", "0", "-1"], 3),
    new Collections("SADD", ["SMEMBERS"], 3),
    new Hashes(),
    new Pairs(),
    new Scripts(),
    new Lifetimes(),
    new Deletions(),
    new Expiries(),
  ];
  readonly counts = { acknowledged: 0, refused: 0, unknown: 0 };
  /** The errors that were answered, with their number. */
  readonly errors = new Map<string, number>();

  /** Errors that nobody should see while no program dies. */
  get surprises(): string[] {
    // A script names a large key beside a small one: no server has both for a while.
    return [...this.errors.keys()].filter((text) => !/^TRYAGAIN one of the keys/.test(text));
  }

  next(random: Random, writer: number): Write {
    const { settle, ...rest } = random.pick(this.#books).write(random, writer);
    return {
      ...rest,
      settle: (reply) => {
        if (!rest.isLook || reply instanceof ReplyError) this.#count(reply);
        settle(reply);
      },
    };
  }

  async check(ask: Ask): Promise<string[]> {
    const wrong: string[] = [];
    for (const book of this.#books) {
      for (const sentence of await book.check(ask)) wrong.push(`${book.name} ${sentence}`);
    }
    return wrong;
  }

  #count(reply: Reply | null): void {
    if (reply instanceof ReplyError) {
      const text = reply.message.replace(/\d+(\.\d+)*(:\d+)?/g, "N");
      this.errors.set(text, (this.errors.get(text) ?? 0) + 1);
      if (isRefusal(reply)) this.counts.refused++;
      else this.counts.unknown++;
    } else if (reply === null) this.counts.unknown++;
    else this.counts.acknowledged++;
  }
}
