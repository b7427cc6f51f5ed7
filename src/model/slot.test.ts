import { expect, test } from "bun:test";
import { SLOT_COUNT, slotOf } from "./slot.ts";
import { VECTORS } from "../../tests/harness/slot-vectors.ts";

test("every key of the contract hashes to its slot", () => {
  for (const [key, slot] of VECTORS) {
    const bytes = Buffer.from(key, "latin1");
    expect([key, slotOf(bytes, 0, bytes.length)]).toEqual([key, slot]);
  }
});

test("a key inside a larger buffer hashes as the key alone", () => {
  for (const [key, slot] of VECTORS) {
    const bytes = Buffer.from(`}{x}${key}}{`, "latin1");
    expect(slotOf(bytes, 4, 4 + key.length)).toBe(slot);
  }
});

test("a key without a tag hashes like the standard crc32", () => {
  for (let i = 0; i < 500; i++) {
    const key = `key:${i * 7919}`;
    expect(slotOf(Buffer.from(key), 0, key.length)).toBe(Bun.hash.crc32(key) % SLOT_COUNT);
  }
});
