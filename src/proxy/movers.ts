/**
 * The movers of a worker, one for each pair of servers between which slots move, and what they have
 * in common: how much is remembered of keys that have moved, and which keys were too large. Made by
 * `router.ts`.
 */
import { ask, textOf } from "./ask.ts";
import { laneOf } from "./backend-pool.ts";
import type { KeyPlace } from "./ipc.ts";
import { Mover, type MoverHost } from "./mover.ts";
import { nameBytes, nameDatabase } from "./pins.ts";
import type { Router } from "./router.ts";
import type { Moving } from "./slot.ts";

/** Bytes that the names of moved keys may take in all slots together; then all are forgotten. */
const REMEMBERED_BYTES = 64 * 1024 * 1024;
/** What a name takes besides its letters. */
const NAME_BYTES = 64;
const IDLE_MS = 60_000;
/** Keys that are deleted with one command. */
const CLEAN_KEYS = 64;
/** So many large keys are reported, and each for so long. */
const BIG_KEYS = 64;
const BIG_KEY_MS = 60_000;

export class Movers implements MoverHost {
  readonly #movers = new Map<string, Mover>();
  readonly #big = new Map<string, { readonly slot: number; readonly sinceMs: number }>();
  #rememberedBytes = 0;

  constructor(readonly router: Router) {}

  /** Requests of this slot wait for keys. */
  want(moving: Moving): void {
    const pair = `${moving.source.address} ${moving.target.address}`;
    let mover = this.#movers.get(pair);
    if (mover === undefined) {
      mover = new Mover(moving, this);
      this.#movers.set(pair, mover);
    }
    mover.want(moving);
  }

  onTick(nowMs: number): void {
    for (const [pair, mover] of this.#movers) {
      mover.onTick(nowMs);
      if (mover.isIdle(IDLE_MS)) this.#movers.delete(pair);
    }
  }

  /**
   * Deletes at the source what is remembered to have left it. The slot does not change its place
   * meanwhile. What cannot be deleted now is left to the pass of the dashboard over the source.
   */
  clean(moving: Moving, done: () => void): void {
    const { traffic } = this.router.context;
    traffic.enter(moving.slot);
    let left = 1;
    const step = (): void => {
      left--;
      if (left > 0) return;
      traffic.leave(moving.slot);
      done();
    };
    for (const [database, names] of Map.groupBy(moving.moved, nameDatabase)) {
      const backend = moving.source.mover(laneOf(database, 2));
      for (let i = 0; i < names.length; i += CLEAN_KEYS) {
        left++;
        const keys = names.slice(i, i + CLEAN_KEYS).map(nameBytes);
        ask(backend, ["UNLINK", ...keys], (reply) => {
          if (!/unknown command/i.test(textOf(reply, 64))) step();
          else ask(backend, ["DEL", ...keys], step);
        });
      }
    }
    step();
  }

  /** Forgetting is safe, so it need not be clever. */
  onMoved(moving: Moving, name: string): void {
    if (this.#rememberedBytes > REMEMBERED_BYTES) {
      for (const slot of this.router.slots) slot.moving?.moved.clear();
      this.#rememberedBytes = 0;
    }
    moving.moved.add(name);
    this.#rememberedBytes += NAME_BYTES + name.length;
  }

  onBig(moving: Moving, name: string): void {
    const { stats, turn } = this.router.context;
    if (!this.#big.has(name)) stats.counters.bigKeysMet++;
    this.#big.delete(name);
    this.#big.set(name, { slot: moving.slot, sinceMs: turn.nowMs });
    if (this.#big.size > BIG_KEYS) this.#big.delete(this.#big.keys().next().value ?? "");
  }

  /** Those that are still in somebody's way. */
  bigKeys(): KeyPlace[] {
    const { slots, context } = this.router;
    for (const [name, { slot, sinceMs }] of this.#big) {
      const isPast = context.turn.nowMs - sinceMs > BIG_KEY_MS;
      if (isPast || slots[slot].moving === null || slots[slot].pins.has(name)) {
        this.#big.delete(name);
      }
    }
    return [...this.#big].map(([name, { slot }]) => {
      return { slot, db: nameDatabase(name), key: nameBytes(name).toString("base64") };
    });
  }
}
