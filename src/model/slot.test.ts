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

test("a key of any length hashes like the standard crc32, and a tag like the tag alone", () => {
  for (let length = 0; length <= 200; length++) {
    const text = "The quick brown fox. ".repeat(10).slice(0, length);
    const slot = Bun.hash.crc32(text) % SLOT_COUNT;
    expect(slotOf(Buffer.from(text), 0, length)).toBe(slot);
    const tagged = Buffer.from(`a{${text}}{b}`);
    expect(slotOf(tagged, 0, tagged.length)).toBe(slot);
    const open = `${text}{`;
    expect(slotOf(Buffer.from(open), 0, length + 1)).toBe(Bun.hash.crc32(open) % SLOT_COUNT);
  }
});
