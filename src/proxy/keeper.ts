/**
 * Has the target of moving keys make sure that it cannot lose them any more, before the source
 * deletes its copies (`migration_durable`). Called by `mover.ts` for slots whose record wants it;
 * migration/durable.ts is the same for the dashboard.
 */
import { OWN_KEY_PREFIX } from "../model/own-keys.ts";
import {
  type Durability,
  durabilityIn,
  keepCommands,
  needsDurability,
  notKept,
} from "../redis/durability.ts";
import { parseInfo } from "../redis/info.ts";
import { decode } from "../resp/value.ts";
import { ask, askAll } from "./ask.ts";
import type { Backend } from "./backend.ts";
import { causeOf } from "./mover-commands.ts";

const MARK = `${OWN_KEY_PREFIX}mark`;

/** "" or what is missing. */
type OnKept = (missing: string) => void;

export class Keeper {
  /** How this target keeps things; null: to be found out. */
  #how: Durability | null = null;

  /** One try to have everything kept that this server has acknowledged to anybody. */
  keep(target: Backend, done: OnKept): void {
    if (this.#how === null) this.#findOut(target, done);
    else if (this.#how === "always") done("");
    else this.#await(target, this.#how, done);
  }

  /**
   * WAIT on a new connection waits for nothing. So both sides of it say on which one they were: one
   * that is lost in between does not come back. Servers before 5.0 do not know that.
   */
  #await(target: Backend, how: "replica" | "asked", done: OnKept): void {
    const id = ["CLIENT", "ID"];
    askAll(target, [id, ...keepCommands(how, MARK), id], (replies, isLost) => {
      const [before, marked, kept, after] = replies;
      const refused = [marked, kept].find((reply) => reply[0] === MINUS);
      const isOne = before[0] === MINUS || before.equals(after);
      if (!isLost && refused === undefined && isOne && countOf(kept) >= 1) return done("");
      // Its replica may have gone: what there is, is found out again next time.
      this.#how = null;
      const lost = replies.find((reply) => reply[0] === MINUS);
      if (isLost && lost !== undefined) done(causeOf(lost));
      else done(refused === undefined ? notKept(how, target.address) : causeOf(refused));
    });
  }

  #findOut(target: Backend, done: OnKept): void {
    ask(target, ["INFO"], (reply, isLost) => {
      const text = isLost ? undefined : decode(reply, 0, "text")?.value;
      if (typeof text !== "string") return done(causeOf(reply));
      const found = durabilityIn(parseInfo(text));
      if (found === "log") return this.#askSetting(target, done);
      this.#found(found, target, done);
    });
  }

  #askSetting(target: Backend, done: OnKept): void {
    ask(target, ["CONFIG", "GET", "appendfsync"], (reply, isLost) => {
      if (isLost) return done(causeOf(reply));
      const pair = decode(reply, 0, "text")?.value;
      const isAlways = Array.isArray(pair) && pair[1] === "always";
      this.#found(isAlways ? "always" : null, target, done);
    });
  }

  #found(how: Durability | null, target: Backend, done: OnKept): void {
    if (how === null) return done(needsDurability(target.address));
    this.#how = how;
    this.keep(target, done);
  }
}

const MINUS = 45;

/** WAIT answers with a number, WAITAOF with two. */
function countOf(reply: Buffer): number {
  const value = decode(reply, 0, "text")?.value;
  return Number(Array.isArray(value) ? value[0] : value);
}
