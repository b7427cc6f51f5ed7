import { expect, test } from "bun:test";
import { didYouMean, editDistance, nearest } from "./edit-distance.ts";

test("the distance counts letters that were inserted, removed or replaced", () => {
  expect(editDistance("", "")).toBe(0);
  expect(editDistance("", "abc")).toBe(3);
  expect(editDistance("abc", "")).toBe(3);
  expect(editDistance("proxy_addr", "proxy_adr")).toBe(1);
  expect(editDistance("kitten", "sitting")).toBe(3);
});

test("the nearest word wins, whatever the case of its letters", () => {
  expect(nearest("PROXY_ADDRESS", ["admin_addr", "proxy_addr"])).toBe("proxy_addr");
});

test("words that are far from all are nobody's slip", () => {
  expect(nearest("xyz", ["admin_addr", "proxy_addr"])).toBeNull();
  expect(didYouMean("xyz", ["admin_addr"])).toBe("");
  expect(didYouMean("admin_adr", ["admin_addr"])).toBe("; did you mean 'admin_addr'?");
});
