// Which slots have told a trouble, so that it is told once and taken back when it is over.

import type { Watch } from "./types.ts";

export class SlotTroubles {
  readonly #reasons = new Map<number, string>();

  constructor(private readonly watch: Watch) {}

  tell(slots: Iterable<number>, reason: string): void {
    for (const slot of slots) {
      if (this.#reasons.get(slot) === reason) continue;
      this.#reasons.set(slot, reason);
      this.watch.onSlotError(slot, reason);
    }
  }

  takeBack(slots: Iterable<number>): void {
    if (this.#reasons.size === 0) return;
    for (const slot of slots) if (this.#reasons.delete(slot)) this.watch.onSlotError(slot, "");
  }
}
