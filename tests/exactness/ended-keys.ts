// Keys that have come to their end, deleted or expired: none of them may ever be seen again. Each
// key is used for one life only, so that whatever is found under its name later is wrong.
import type { Reply } from "../../src/resp/value.ts";
import type { Random } from "../harness/random.ts";
import { type Ask, type Book, isAcknowledged, isRefusal, newToken, type Write } from "./book.ts";

/** Of a writer, that are alive at a time. */
const MOST_ALIVE = 8;

/** Enough to be moved in pieces where the soak sets the limit. */
const LARGE = 350;

const ASKED_AT_ONCE = 200;

/** What keys are looked at most: the last that ended. */
const LATEST = 100;

interface Life {
  readonly key: string;
  /** An order to end it was sent, and nobody knows what came of it. */
  mayBeGone: boolean;
}

let serial = 0;

/** Makes a key: mostly a string, sometimes a list that is large. */
function birth(key: string, random: Random, writer: number): string[] {
  const token = newToken(writer);
  if (!random.chance(0.06)) return ["SET", key, token];
  return ["RPUSH", key, ...Array.from({ length: LARGE }, (_, i) => `${token}${i}`)];
}

/** By writer. */
class Lives {
  readonly #all = new Map<number, Life[]>();

  of(writer: number): Life[] {
    const lives = this.#all.get(writer) ?? [];
    this.#all.set(writer, lives);
    return lives;
  }

  take(writer: number, random: Random): Life {
    const lives = this.of(writer);
    const [life] = lives.splice(random.below(lives.length), 1);
    return life;
  }

  get all(): Life[] {
    return [...this.#all.values()].flat();
  }
}

function latestOf<T>(items: readonly T[], random: Random): T {
  const few = random.chance(0.8) ? Math.min(LATEST, items.length) : items.length;
  return items[items.length - 1 - random.below(few)];
}

/** Those of the keys that are there. */
async function present(keys: readonly string[], ask: Ask): Promise<string[]> {
  const found: string[] = [];
  for (let from = 0; from < keys.length; from += ASKED_AT_ONCE) {
    const some = keys.slice(from, from + ASKED_AT_ONCE);
    if ((await ask("EXISTS", ...some)) === 0) continue;
    for (const key of some) if ((await ask("EXISTS", key)) !== 0) found.push(key);
  }
  return found;
}

/** DEL and UNLINK: they find what was acknowledged, and what they delete stays away. */
export class Deletions implements Book {
  readonly name = "DEL";
  readonly #lives = new Lives();
  /** Deleted, or never made. */
  readonly #gone: string[] = [];
  readonly #wrong: string[] = [];

  write(random: Random, writer: number): Write {
    const alive = this.#lives.of(writer).length;
    if (alive >= MOST_ALIVE || (alive > 0 && random.chance(0.4))) {
      const count = alive > 1 && random.chance(0.3) ? 2 : 1;
      return this.#delete(random, writer, count);
    }
    if (this.#gone.length > 0 && random.chance(0.4)) return this.#look(random);
    const key = `gone:${writer}:${++serial}`;
    return {
      args: birth(key, random, writer),
      settle: (reply) => {
        // One that may still be made later says nothing of deletions.
        if (isAcknowledged(reply)) this.#lives.of(writer).push({ key, mayBeGone: false });
        else if (isRefusal(reply)) this.#gone.push(key);
      },
    };
  }

  async check(ask: Ask): Promise<string[]> {
    const wrong = (await present(this.#gone, ask)).map((key) => `${key} is back`);
    const alive = this.#lives.all.filter(({ mayBeGone }) => !mayBeGone).map(({ key }) => key);
    const found = new Set(await present(alive, ask));
    const lost = alive.filter((key) => !found.has(key)).map((key) => `${key} is lost`);
    return [...this.#wrong, ...wrong, ...lost];
  }

  #look(random: Random): Write {
    const key = latestOf(this.#gone, random);
    const settle = (reply: Reply | null): void => {
      if (reply === 1) this.#wrong.push(`${key} was seen after it had been deleted`);
    };
    return { args: ["EXISTS", key], settle, isLook: true };
  }

  #delete(random: Random, writer: number, count: number): Write {
    const lives = Array.from({ length: count }, () => this.#lives.take(writer, random));
    const keys = lives.map(({ key }) => key);
    const settle = (reply: Reply | null): void => {
      if (isAcknowledged(reply)) {
        const least = lives.filter(({ mayBeGone }) => !mayBeGone).length;
        if (Number(reply) < least || Number(reply) > count) {
          this.#wrong.push(`${keys.join(" and ")}: ${Number(reply)} deleted and not ${least}`);
        }
        this.#gone.push(...keys);
        return;
      }
      for (const life of lives) {
        // A refusal of one part says nothing of the other.
        life.mayBeGone ||= count > 1 || !isRefusal(reply);
        this.#lives.of(writer).push(life);
      }
    };
    return { args: [random.pick(["DEL", "UNLINK"]), ...keys], settle };
  }
}

/** What is left of a lifetime goes over with a key; a server that hangs then makes it longer. */
const SLACK_MS = 20_000;
/** Servers take the time once for many commands. */
const TOLERANCE_MS = 100;
const SHORTEST_MS = 50;
const LONGEST_MS = 1_500;

interface Brief {
  readonly key: string;
  /** It is there until then at least. */
  readonly untilMs: number;
  /** From then on it is not. */
  readonly goneMs: number;
  /** Somebody has seen that it is not there any more. */
  isGone: boolean;
}

/** PEXPIRE and SET PX: no life is cut short, and what has once expired stays away. */
export class Expiries implements Book {
  readonly name = "PEXPIRE";
  readonly #lives = new Lives();
  readonly #brief: Brief[] = [];
  readonly #wrong: string[] = [];

  write(random: Random, writer: number): Write {
    const alive = this.#lives.of(writer).length;
    const ms = random.between(SHORTEST_MS, LONGEST_MS);
    if (alive >= MOST_ALIVE || (alive > 0 && random.chance(0.3))) {
      return this.#expire(this.#lives.take(writer, random), ms, writer);
    }
    if (this.#brief.length > 0 && random.chance(0.5)) return this.#look(random);
    const key = `brief:${writer}:${++serial}`;
    const args = birth(key, random, writer);
    if (args[0] === "SET" && random.chance(0.5)) {
      const note = this.#noting(key, performance.now() + ms - TOLERANCE_MS, ms);
      return { args: [...args, "PX", String(ms)], settle: (reply) => void note(reply) };
    }
    return {
      args,
      settle: (reply) => {
        if (isAcknowledged(reply)) this.#lives.of(writer).push({ key, mayBeGone: false });
      },
    };
  }

  async check(ask: Ask): Promise<string[]> {
    const nowMs = performance.now();
    const over = this.#brief.filter(({ isGone, goneMs }) => isGone || nowMs > goneMs);
    const keys = over.map(({ key }) => key);
    const back = (await present(keys, ask)).map((key) => `${key} is there after its end`);
    return [...this.#wrong, ...back];
  }

  /** Takes the reply to an order that gives a lifetime; whether it was acknowledged. */
  #noting(key: string, untilMs: number, ms: number): (reply: Reply | null) => boolean {
    return (reply) => {
      if (!isAcknowledged(reply)) return false;
      const goneMs = performance.now() + ms + SLACK_MS;
      this.#brief.push({ key, untilMs, goneMs, isGone: false });
      return true;
    };
  }

  #expire(life: Life, ms: number, writer: number): Write {
    const { key } = life;
    // An order of which nobody knows what came may end it at any time.
    const untilMs = life.mayBeGone ? 0 : performance.now() + ms - TOLERANCE_MS;
    const note = this.#noting(key, untilMs, ms);
    const settle = (reply: Reply | null): void => {
      if (reply === 0 && !life.mayBeGone) this.#wrong.push(`${key} was acknowledged and is lost`);
      else if (reply !== 0 && note(reply)) return;
      if (isAcknowledged(reply)) return;
      life.mayBeGone ||= !isRefusal(reply);
      this.#lives.of(writer).push(life);
    };
    return { args: ["PEXPIRE", key, String(ms)], settle };
  }

  #look(random: Random): Write {
    const brief = latestOf(this.#brief, random);
    // What others have seen until now, and not what they see while this is under way.
    const isOver = brief.isGone || performance.now() > brief.goneMs;
    const settle = (reply: Reply | null): void => {
      if (reply === 1 && isOver) this.#wrong.push(`${brief.key} was seen after its end`);
      if (reply !== 0) return;
      brief.isGone = true;
      const earlyMs = brief.untilMs - performance.now();
      if (earlyMs > 0)
        this.#wrong.push(`${brief.key} was gone ${Math.round(earlyMs)} ms too early`);
    };
    return { args: ["EXISTS", brief.key], settle, isLook: true };
  }
}
