import { expect, test } from "bun:test";
import { SLOT_COUNT, slotOf } from "./slot.ts";

// Keys and slots as a real codis-server and a real codis-proxy answered them.
const VECTORS: readonly (readonly [key: string, slot: number])[] = [
  ["", 0],
  ["a", 579],
  ["b", 1017],
  ["c", 879],
  ["A", 651],
  ["0", 801],
  ["1023", 47],
  ["foo", 289],
  ["bar", 170],
  ["hello", 646],
  ["key:000000000001", 5],
  ["{", 825],
  ["}", 524],
  ["{}", 0],
  ["{}abc", 0],
  ["abc{}", 0],
  ["a{}{b}", 0],
  ["a{b}c", 1017],
  ["{b}", 1017],
  ["{a}{b}", 579],
  ["{a}b}", 579],
  ["{{a}}", 780],
  ["{{a}", 780],
  ["{a", 780],
  ["a}", 408],
  ["}a{b}", 1017],
  ["foo{bar}{zap}", 170],
  ["{user1000}.following", 870],
  ["user1000", 870],
  [" ", 837],
  ["{ }", 837],
  ["\x00", 909],
  ["{\x00}x", 909],
  ["\xff\xfe\x00\x01", 929],
  ["\r\n", 428],
  ["\xe4\xb8\xad\xe6\x96\x87", 311],
  ["x".repeat(1000), 486],
];

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
