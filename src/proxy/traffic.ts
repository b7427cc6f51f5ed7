/**
 * How many requests of each slot are on their way to a server and back.
 *
 * A slot may be handed over to another server only when this is zero: then no write to the old
 * server can still be acknowledged. `router.ts` counts in, `backend.ts` counts out when it settles,
 * and whoever waits for a slot to fall silent is told by `onQuiet`.
 */
import { SLOT_COUNT } from "../model/slot.ts";
import type { Request } from "./request.ts";

export class SlotTraffic {
  /** By slot; the last cell takes what belongs to none. */
  readonly inflight = new Int32Array(SLOT_COUNT + 1);
  /** Who waits for a slot, first come first; while it is empty, leaving costs one comparison. */
  readonly #awaited = new Map<number, (() => void)[]>();
  #isAwaited = false;

  enter(slot: number): void {
    this.inflight[slot]++;
  }

  leave(slot: number): void {
    this.inflight[slot]--;
    if (this.#isAwaited && this.inflight[slot] === 0) this.#tell(slot);
  }

  /** For a request with keys in several slots. */
  enterAll(request: Request): void {
    for (let i = 0; i < request.slotCount; i++) this.inflight[request.slots[i]]++;
  }

  leaveAll(request: Request): void {
    for (let i = 0; i < request.slotCount; i++) this.leave(request.slots[i]);
  }

  /** Calls `onQuiet` when nothing of the slot is in flight: now, or later, once. */
  awaitQuiet(slot: number, onQuiet: () => void): void {
    const line = this.#awaited.get(slot);
    if (line !== undefined) {
      line.push(onQuiet);
    } else if (this.inflight[slot] === 0) {
      onQuiet();
    } else {
      this.#isAwaited = true;
      this.#awaited.set(slot, [onQuiet]);
    }
  }

  /** Tells those who wait, one after the other, as long as the slot stays quiet. */
  #tell(slot: number): void {
    const line = this.#awaited.get(slot);
    if (line === undefined) return;
    while (line.length > 0 && this.inflight[slot] === 0) line.shift()!();
    if (line.length > 0) return;
    this.#awaited.delete(slot);
    this.#isAwaited = this.#awaited.size > 0;
  }
}
