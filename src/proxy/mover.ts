/**
 * Moves the keys that requests wait for, from one source to one target: all that are asked for
 * while a batch is under way go with the next one.
 *
 *     idle ──want──▶ PING target ──▶ MIGRATE at source ──▶ moved: the requests go to the target
 *      ▲             (unless heard of       │
 *      │              within a second)      ├─ busy: what the target has is deleted at the source,
 *      │                                    │  then once more
 *      └──── pause ◀── fence target ◀───────┴─ unknown (timeout, lost connection)
 *
 * A durable move is MIGRATE COPY, which ends like "busy" when it has succeeded, but the target
 * makes sure that it keeps the keys (`keeper.ts`) before they are deleted.
 *
 * While a MIGRATE runs, its source answers nobody, so a target that does not answer must not be
 * offered keys: it is asked for a sign of life first, and after a failure there is a pause. Slots
 * of the batch count as having a request in flight until the batch is over, so none of them changes
 * its place in between. Called by `moving.ts`.
 */
import { ForwardMethod } from "../model/slot.ts";
import { decode } from "../resp/value.ts";
import { ask, askAll, textOf } from "./ask.ts";
import { type Server, laneOf } from "./backend-pool.ts";
import { Keeper } from "./keeper.ts";
import * as commands from "./mover-commands.ts";
import { MoverFence } from "./mover-fence.ts";
import { drain, placeOf } from "./moving.ts";
import { nameBytes, nameDatabase } from "./pins.ts";
import type { Router } from "./router.ts";
import type { Moving, Slot } from "./slot.ts";

const BATCH_KEYS = 64;
/** A target that has answered within this time is taken for alive. */
const ALIVE_MS = 1000;
/** The first pause after a failure, and the longest. */
const PAUSE_MS = 50;
const PAUSE_MAX_MS = 5000;
/** After a look at the target that failed: it cost the source nothing, and clients wait. */
const LOOK_PAUSE_MAX_MS = 500;
/** A key that is busy again after so many rounds is left for later. */
const MAX_ROUNDS = 4;

/** Keys that move with one command. */
interface Batch {
  readonly database: number;
  readonly method: number;
  /** MIGRATE COPY, then the target makes sure, then the source deletes; and once more. */
  isDurable: boolean;
  /** Names of keys, each with the slot that it is moved for. */
  readonly names: Map<string, Moving>;
  rounds: number;
}

export interface MoverHost {
  readonly router: Router;
  onMoved(moving: Moving, name: string): void;
  onBig(moving: Moving, name: string): void;
}

export class Mover {
  /** Slots with requests that wait for keys; they take turns. */
  readonly #waiting = new Set<Moving>();
  source: Server;
  target: Server;
  #isBusy = false;
  #failures = 0;
  #pausedUntilMs = 0;
  /** When the target was last heard of. */
  #aliveMs = -Infinity;
  /** A transfer may be under way that nobody waits for. */
  #needsFence = false;
  #fence: MoverFence | null = null;
  readonly #keeper = new Keeper();
  /** The source runs the script that looks at sizes first. */
  #isGuarded = true;
  /** The source can log in at the target. */
  #hasLogin = true;
  #usedMs: number;

  constructor(
    moving: Moving,
    readonly host: MoverHost,
  ) {
    this.source = moving.source;
    this.target = moving.target;
    this.#usedMs = this.#nowMs;
  }

  get #nowMs(): number {
    return this.host.router.context.turn.nowMs;
  }

  /** Nobody has needed it for so long that it may be forgotten. */
  isIdle(forMs: number): boolean {
    return !this.#isBusy && this.#waiting.size === 0 && this.#nowMs - this.#usedMs > forMs;
  }

  /** Requests of this slot wait for keys. */
  want(moving: Moving): void {
    this.source = moving.source;
    this.target = moving.target;
    this.#usedMs = this.#nowMs;
    this.#waiting.add(moving);
    this.#kick();
  }

  onTick(nowMs: number): void {
    this.#fence?.onTick(nowMs);
    this.#kick();
  }

  #kick(): void {
    if (this.#isBusy || this.#nowMs < this.#pausedUntilMs) return;
    if (this.#needsFence) return this.#beginFence();
    if (this.#waiting.size === 0) return;
    const batch = this.#collect();
    if (batch === null) return;
    this.#isBusy = true;
    if (this.#nowMs - this.#aliveMs > ALIVE_MS) this.#ping();
    else {
      for (const moving of slotsOf(batch)) this.#traffic.enter(moving.slot);
      this.#move(batch);
    }
  }

  get #traffic() {
    return this.host.router.context.traffic;
  }

  // ---------------------------------------------------------------- what is to be moved

  /** All keys of a request go together; of one database and method, because one command does. */
  #collect(): Batch | null {
    let batch: Batch | null = null;
    for (const moving of [...this.#waiting]) {
      const slot = this.host.router.slots[moving.slot];
      if (slot.moving !== moving || slot.isHeld || slot.held.length === 0) {
        this.#waiting.delete(moving);
        continue;
      }
      for (const held of slot.held) {
        if (held.request.owner === null || placeOf(slot, moving, held) !== "move") continue;
        const missing = held.keys!.names.filter((name) => !moving.moved.has(name));
        batch ??= {
          database: nameDatabase(missing[0]),
          method: moving.method,
          isDurable: false,
          names: new Map(),
          rounds: 0,
        };
        if (nameDatabase(missing[0]) !== batch.database || moving.method !== batch.method) continue;
        if (batch.names.size > 0 && batch.names.size + missing.length > BATCH_KEYS) break;
        for (const name of missing) batch.names.set(name, moving);
        batch.isDurable ||= isDurable(slot);
      }
      if (batch !== null && batch.names.size >= BATCH_KEYS) break;
    }
    if (batch !== null) this.#rotate(batch);
    return batch;
  }

  /** The others have their turn next. */
  #rotate(batch: Batch): void {
    for (const moving of slotsOf(batch)) {
      this.#waiting.delete(moving);
      this.#waiting.add(moving);
    }
  }

  #ping(): void {
    ask(this.target.mover(laneOf(0, 2)), ["PING"], (reply, isLost) => {
      this.#isBusy = false;
      if (isLost) {
        this.#pause(commands.causeOf(reply), LOOK_PAUSE_MAX_MS);
        return;
      }
      this.#aliveMs = this.#nowMs;
      this.#kick();
    });
  }

  // ---------------------------------------------------------------- moving

  #move(batch: Batch): void {
    const { settings, context } = this.host.router;
    const lane = laneOf(batch.database, 2);
    const errand = {
      target: this.target.address,
      database: batch.database,
      timeoutMs: settings.migrateTimeoutMs,
      isCopy: batch.isDurable,
      login: this.#hasLogin ? context.settings.login : null,
    };
    const keys = [...batch.names.keys()].map(nameBytes);
    const { counters } = context.stats;
    counters.moveBatches++;
    batch.rounds++;
    const backend = this.source.mover(lane);
    if (batch.method === ForwardMethod.MIGRATE) {
      const isGuarded = this.#isGuarded;
      const command = commands.moveCommand(errand, keys, isGuarded ? settings.bigKeyBytes : 0);
      ask(backend, command, (reply, isLost) => {
        if (isLost) this.#onLost(batch, reply);
        else this.#onOutcome(batch, commands.outcomeOf(reply, isGuarded), reply);
      });
      return;
    }
    const all = keys.map((key) => commands.tagCommand(errand, key));
    askAll(backend, all, (replies, isLost) => {
      const worst = worstOf(replies);
      if (isLost) this.#onLost(batch, worst.reply);
      else this.#onOutcome(batch, worst.outcome, worst.reply);
    });
  }

  /**
   * The connection to the source is gone, perhaps with a command that the source has yet to read.
   * The answer on a new connection comes behind that; an error says that there is no server.
   */
  #onLost(batch: Batch, reply: Buffer): void {
    this.host.router.context.stats.counters.moveUnknown++;
    this.#needsFence = true;
    const cause = commands.causeOf(reply);
    ask(this.source.mover(laneOf(batch.database, 2)), ["PING"], () => this.#fail(batch, cause));
  }

  #onOutcome(batch: Batch, outcome: commands.Outcome, reply: Buffer): void {
    const { counters } = this.host.router.context.stats;
    switch (outcome) {
      case "moved":
        // NOKEY is said without a word to the target.
        if (!textOf(reply, 6).startsWith("+NOKEY")) {
          this.#aliveMs = this.#nowMs;
          if (batch.isDurable) return this.#keep(batch, [...batch.names.keys()]);
        }
        counters.keysMoved += batch.names.size;
        for (const [name, moving] of batch.names) this.host.onMoved(moving, name);
        this.#failures = 0;
        return this.#finish(batch);
      case "big":
        this.#noteBig(batch, reply);
        return this.#finish(batch);
      case "busy":
        counters.moveBusy++;
        this.#aliveMs = this.#nowMs;
        return this.#resolve(batch);
      case "unguarded":
        this.#isGuarded = false;
        this.#log(`moves keys without a look at their size: ${commands.causeOf(reply)}`);
        return this.#move(batch);
      case "loginless":
        if (!this.#hasLogin) return this.#refuse(batch, reply);
        this.#hasLogin = false;
        this.#log("the source cannot log in at the target, so keys are sent without a password");
        return this.#move(batch);
      case "unknown":
        counters.moveUnknown++;
        this.#needsFence = true;
        return this.#fail(batch, commands.causeOf(reply));
      case "refused":
        return this.#refuse(batch, reply);
    }
  }

  #refuse(batch: Batch, reply: Buffer): void {
    this.host.router.context.stats.counters.moveFailed++;
    this.#fail(batch, commands.causeOf(reply));
  }

  #noteBig(batch: Batch, reply: Buffer): void {
    const keys = decode(reply, 0, "bytes")?.value;
    if (!Array.isArray(keys)) return;
    for (const key of keys) {
      const name = `${batch.database} ${Buffer.from(key as Uint8Array).latin1Slice()}`;
      const moving = batch.names.get(name);
      if (moving === undefined) continue;
      moving.big.set(name, this.#nowMs);
      this.host.onBig(moving, name);
    }
  }

  /**
   * The target has some of the keys: from an attempt of which only the answer was lost, or from
   * another proxy. Its value is the newer one, so the source's copy goes.
   */
  #resolve(batch: Batch): void {
    if (batch.rounds >= MAX_ROUNDS) return this.#fail(batch, "the keys are busy");
    const names = [...batch.names.keys()];
    const lane = laneOf(batch.database, 2);
    const questions = names.map((name) => ["EXISTS", nameBytes(name)]);
    askAll(this.target.mover(lane), questions, (replies, isLost) => {
      const failed = replies.find((reply) => reply[0] !== COLON);
      if (isLost || failed !== undefined) {
        this.#fail(batch, commands.causeOf(failed ?? replies[0]));
        return;
      }
      const both = names.filter((_, index) => textOf(replies[index], 2) === ":1");
      if (both.length === 0) this.#move(batch);
      else if (batch.isDurable) this.#keep(batch, both);
      else this.#drop(batch, "UNLINK", both);
    });
  }

  /** Both sides have these keys; the source's copies go when the target cannot lose its own. */
  #keep(batch: Batch, names: readonly string[]): void {
    if (batch.rounds >= MAX_ROUNDS) return this.#fail(batch, "the keys are busy");
    const target = this.target.mover(laneOf(batch.database, 2));
    this.#keeper.keep(target, (missing) => {
      if (missing === "") this.#drop(batch, "UNLINK", names);
      else this.#fail(batch, missing);
    });
  }

  #drop(batch: Batch, command: "UNLINK" | "DEL", names: readonly string[]): void {
    const backend = this.source.mover(laneOf(batch.database, 2));
    ask(backend, [command, ...names.map(nameBytes)], (reply, isLost) => {
      const text = textOf(reply, 64);
      if (!isLost && text.startsWith(":")) this.#move(batch);
      else if (!isLost && command === "UNLINK" && /unknown command/i.test(text)) {
        this.#drop(batch, "DEL", names);
      } else this.#fail(batch, commands.causeOf(reply));
    });
  }

  /** The batch is over; the requests that waited for it go on, and the next one begins. */
  #finish(batch: Batch): void {
    const { slots } = this.host.router;
    this.#isBusy = false;
    const all = slotsOf(batch);
    for (const moving of all) this.#traffic.leave(moving.slot);
    for (const moving of all) {
      const slot = slots[moving.slot];
      if (slot.moving === moving && !slot.isHeld) drain(slot, moving, this.host.router);
      // An original proxy may carry out at the source what makes a key that was not there.
      if (batch.method === ForwardMethod.SEMI_ASYNC) moving.moved.clear();
    }
    this.#kick();
  }

  #fail(batch: Batch, cause: string): void {
    this.#isBusy = false;
    this.#pause(cause);
    for (const moving of slotsOf(batch)) this.#traffic.leave(moving.slot);
    if (this.#needsFence) this.#beginFence();
  }

  #pause(cause: string, maxMs = PAUSE_MAX_MS): void {
    this.#failures++;
    if (this.#failures === 1) this.#log(`cannot move keys: ${cause}`);
    const longest = Math.min(maxMs, PAUSE_MS * 2 ** (this.#failures - 1));
    this.#pausedUntilMs = this.#nowMs + longest * (0.5 + Math.random() / 2);
  }

  #log(text: string): void {
    this.host.router.context.log(`${this.source.address} to ${this.target.address}: ${text}`);
  }

  #beginFence(): void {
    if (this.#isBusy) return;
    this.#isBusy = true;
    const { context } = this.host.router;
    const { address } = this.source;
    this.#fence = new MoverFence(address, this.target.address, context, (isFenced) => {
      this.#isBusy = false;
      this.#fence = null;
      if (isFenced) {
        this.#needsFence = false;
        context.stats.counters.moveFences++;
      } else this.#pause("the target does not answer", LOOK_PAUSE_MAX_MS);
      this.#kick();
    });
    this.#fence.begin();
  }
}

const COLON = 58;

function isDurable({ moving, fill }: Slot): boolean {
  return fill.migrate_durable === true && moving?.method === ForwardMethod.MIGRATE;
}

function slotsOf(batch: Batch): Set<Moving> {
  return new Set(batch.names.values());
}

/** The outcome of a batch that is a command for each key: that of the one that went worst. */
function worstOf(replies: readonly Buffer[]): { outcome: commands.Outcome; reply: Buffer } {
  const all = replies.map((reply) => ({ outcome: commands.tagOutcomeOf(reply), reply }));
  const order: commands.Outcome[] = ["unknown", "refused"];
  for (const outcome of order) {
    const found = all.find((each) => each.outcome === outcome);
    if (found !== undefined) return found;
  }
  return all[0];
}
