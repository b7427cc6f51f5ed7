/**
 * The keys that are too large to move in one step, as the router looks them up: by slot, and in a
 * slot by database and bytes. A dashboard says which they are (`model/key-pin.ts`).
 */
import type { PinState, PinTable } from "../model/key-pin.ts";
import type { Pins } from "./slot.ts";

/** A key of any database as one text: what pins and moved keys are found by. */
export function keyName(database: number, key: Buffer): string {
  return `${database} ${key.latin1Slice()}`;
}

/** The key in a name. */
export function nameBytes(name: string): Buffer {
  return Buffer.from(name.slice(name.indexOf(" ") + 1), "latin1");
}

export function nameDatabase(name: string): number {
  return Number(name.slice(0, name.indexOf(" ")));
}

export function pinsBySlot({ pins }: PinTable): Map<number, Pins> {
  const slots = new Map<number, Map<string, PinState>>();
  for (const { slot, db, key, state } of pins) {
    const own = slots.get(slot) ?? new Map<string, PinState>();
    slots.set(slot, own);
    own.set(keyName(db, Buffer.from(key, "base64")), state);
  }
  return slots;
}

export function arePinsEqual(one: Pins, other: Pins): boolean {
  if (one.size !== other.size) return false;
  for (const [name, state] of one) if (other.get(name) !== state) return false;
  return true;
}
