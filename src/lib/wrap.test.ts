import { expect, test } from "bun:test";
import { listing, wrapped } from "./wrap.ts";

test("a text is broken between words and goes on below its begin", () => {
  const text = "word ".repeat(20).trim();
  expect(wrapped(text)).toEqual(["word ".repeat(16).trim(), "word ".repeat(4).trim()]);
  expect(wrapped(text, "head  ")).toEqual([
    `head  ${"word ".repeat(14)}word`,
    `      ${"word ".repeat(5).trim()}`,
  ]);
  expect(wrapped("a b", "head ", 2)).toEqual(["head a b"]);
});

test("a word that is longer than a line stays whole", () => {
  expect(wrapped(`a ${"x".repeat(90)} b`)).toEqual(["a", "x".repeat(90), "b"]);
});

test("a listing has what it explains at the left", () => {
  expect(
    listing([
      ["a", "short"],
      ["long word", "word ".repeat(15).trim()],
    ]),
  ).toEqual([
    "  a          short",
    `  long word  ${"word ".repeat(13).trim()}`,
    `             ${"word ".repeat(2).trim()}`,
  ]);
});
