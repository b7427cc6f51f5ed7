// The slot table of the proxy as the parent keeps it: what every worker should route by. Every
// change gets a revision, and each worker is brought from the revision it has to the newest one
// (`worker-seat.ts`). The admin API lists this table.
//
// Two kinds of revision meet here. That of the table counts changes since the start. A dashboard
// numbers what it pushes as well, and those numbers rise even over its restarts: a record that
// arrives after a newer one of its slot changes nothing.

import { OperatorError } from "../lib/operator-error.ts";
import type { PinTable } from "../model/key-pin.ts";
import { SLOT_COUNT, type SlotFill, termOf } from "../model/slot.ts";
import { normalizeSlotFill } from "../model/slot-fill.ts";

/**
 * Another dashboard has told us what to do since. To drop that in silence would make a dashboard
 * believe that it is followed, one that has lost the number of its term for instance.
 */
export class OutdatedTerm extends OperatorError {}

export class SlotTable {
  /** 0 until the first fill. */
  revision = 0;
  readonly #slots: SlotFill[] = Array.from({ length: SLOT_COUNT }, (_, id) => ({ id }));
  /** The revision in which each slot changed last. */
  readonly #changed = new Float64Array(SLOT_COUNT);
  #pins: PinTable = { revision: 0, pins: [] };
  #pinsChanged = 0;

  /**
   * Replaces the slots named; the last one wins when a list names a slot twice. A record with a
   * lower revision than the one that is here is dropped; one without (from an original dashboard,
   * from a file) always counts. Returns the revision in which all of them, or newer ones, are in
   * the table. Throws `OutdatedTerm`.
   */
  fill(slots: readonly SlotFill[]): number {
    for (const { id, revision } of slots) checkTerm(revision, this.#slots[id].revision);
    const news = slots.filter((slot) => !this.#isOutdated(slot));
    if (news.length > 0) this.revision++;
    for (const slot of news) {
      this.#slots[slot.id] = normalizeSlotFill(slot);
      this.#changed[slot.id] = this.revision;
    }
    return slots.reduce((newest, slot) => Math.max(newest, this.#changed[slot.id]), 0);
  }

  #isOutdated({ id, revision = 0 }: SlotFill): boolean {
    return revision > 0 && revision < (this.#slots[id].revision ?? 0);
  }

  /** Replaces all pins, unless a newer table is here. Returns the revision in which it is. */
  setPins(table: PinTable): number {
    checkTerm(table.revision, this.#pins.revision);
    if (table.revision >= this.#pins.revision) {
      this.#pins = table;
      this.#pinsChanged = ++this.revision;
    }
    return this.#pinsChanged;
  }

  /** The pins, if they have changed since then. */
  pinsSince(revision: number): PinTable | null {
    return this.#pinsChanged > revision ? this.#pins : null;
  }

  get pins(): PinTable {
    return this.#pins;
  }

  /** The highest revision that a dashboard gave to one of the slots. */
  get newestRecord(): number {
    return this.#slots.reduce((newest, { revision = 0 }) => Math.max(newest, revision), 0);
  }

  /** What somebody who knows the table up to `revision` has to be told. */
  changedSince(revision: number): SlotFill[] {
    return this.#slots.filter((slot) => this.#changed[slot.id] > revision);
  }

  /** All slots, by number. */
  list(): readonly SlotFill[] {
    return this.#slots;
  }

  /** Address → id of its group, for labels of metrics, as far as the slots tell. */
  groupsByAddress(): Map<string, number> {
    const groups = new Map<string, number>();
    for (const slot of this.#slots) {
      for (const replicas of slot.replica_groups ?? []) {
        for (const addr of replicas) groups.set(addr, slot.backend_addr_group_id ?? 0);
      }
    }
    for (const slot of this.#slots) {
      if (slot.migrate_from) groups.set(slot.migrate_from, slot.migrate_from_group_id ?? 0);
    }
    for (const slot of this.#slots) {
      if (slot.backend_addr) groups.set(slot.backend_addr, slot.backend_addr_group_id ?? 0);
    }
    return groups;
  }

  /** How many slots are served, held, being moved, or have no server. */
  countByState(): Record<"online" | "held" | "migrating" | "offline", number> {
    const counts = { online: 0, held: 0, migrating: 0, offline: 0 };
    for (const slot of this.#slots) {
      if (slot.locked) counts.held++;
      else if (!slot.backend_addr) counts.offline++;
      else if (slot.migrate_from) counts.migrating++;
      else counts.online++;
    }
    return counts;
  }
}

function checkTerm(given = 0, known = 0): void {
  if (given === 0 || termOf(given) >= termOf(known)) return;
  throw new OutdatedTerm(
    `a dashboard of term ${termOf(known)} has filled this proxy, and this one is of term ` +
      `${termOf(given)}`,
  );
}
