// Keys by the slot that they hash to, for tests that are about slots.
import { SLOT_COUNT, slotOf } from "../../src/model/slot.ts";

const found: string[][] = Array.from({ length: SLOT_COUNT }, () => []);
let tried = 0;

/** The nth key of that slot, counted from 0; the same one at every call. */
export function keyOf(slot: number, n = 0): string {
  while (found[slot].length <= n) {
    const key = `key:${tried++}`;
    found[slotOf(Buffer.from(key), 0, key.length)].push(key);
  }
  return found[slot][n];
}
