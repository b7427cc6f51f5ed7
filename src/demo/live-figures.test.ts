import { expect, test } from "bun:test";
import { figuresLine } from "./live-figures.ts";

test("the rate is that of the time between two readings", () => {
  const before = { atMs: 1000, total: 5000, errors: 0, sessions: 50 };
  const now = { atMs: 3000, total: 29_690, errors: 1, sessions: 51 };
  expect(figuresLine(before, now)).toBe("12,345 requests/s, 51 sessions, 1 error");
});

test("a proxy that was started again does not show a negative rate", () => {
  const before = { atMs: 0, total: 5000, errors: 3, sessions: 50 };
  const now = { atMs: 1000, total: 10, errors: 0, sessions: 1 };
  expect(figuresLine(before, now)).toStartWith("0 requests/s");
});
