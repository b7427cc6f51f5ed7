import { describe, expect, test } from "bun:test";
import {
  bar,
  bytesText,
  countText,
  durationText,
  percentText,
  rangesText,
  shortened,
  some,
  table,
} from "./format.ts";
import { Screen } from "./print.ts";

function screen(isTerminal: boolean, env: Record<string, string> = {}, columns = 100): Screen {
  return new Screen({ write() {}, isTerminal, env, columns: () => columns });
}

test("numbers are for people", () => {
  expect(countText(1234567)).toBe("1,234,567");
  expect([some(1, "slot"), some(2, "slot"), some(0, "key")]).toEqual([
    "1 slot",
    "2 slots",
    "0 keys",
  ]);
  expect([0, 1023, 1536, 10 * 1024, 3.2e9].map(bytesText)).toEqual([
    "0 B",
    "1023 B",
    "1.5 KB",
    "10 KB",
    "3.0 GB",
  ]);
  expect([0.2, 59, 61, 3725, 400_000].map(durationText)).toEqual([
    "1 s",
    "59 s",
    "1 min 1 s",
    "1 h 2 min",
    "4 days",
  ]);
  // Nothing is 100% before it is done.
  expect([0, 0.999, 1, 7, -1].map(percentText)).toEqual(["0%", "99%", "100%", "100%", "0%"]);
});

test("slots that follow one another are one range", () => {
  expect(rangesText([0, 1, 2, 5, 7, 8])).toBe("0-2,5,7-8");
  expect(rangesText([])).toBe("");
  expect(shortened("0-2,5,7-8", 6)).toBe("0-2,5…");
});

describe("a table", () => {
  const columns = [{ title: "NAME" }, { title: "KEYS", isNumber: true as const }, { title: "" }];
  const rows = [
    ["a", "7", "x"],
    [{ text: "longer", colour: "red" as const }, "1,000", ""],
  ];

  test("has numbers at the right and no spaces at the end", () => {
    expect(table(screen(false), columns, rows)).toEqual([
      "NAME     KEYS",
      "a           7  x",
      "longer  1,000",
    ]);
  });

  test("is as wide with colours as without", () => {
    const coloured = table(screen(true), columns, rows).join("\n");
    expect(coloured).toContain("\x1b[31mlonger\x1b[0m  1,000");
    expect(Bun.stripANSI(coloured)).toBe(table(screen(false), columns, rows).join("\n"));
  });
});

test("a table that is too wide for the terminal moves together, then loses spare columns", () => {
  const columns = [{ title: "A".repeat(20) }, { title: "B".repeat(20) }];
  const wide = [...columns, { title: "SPARE", isSpare: true as const }, { title: "LAST" }];
  const linesAt = (width: number): string[] => {
    return table(screen(true, { NO_COLOR: "1" }, width), wide, []);
  };
  const [a, b] = columns.map(({ title }) => title);
  expect(linesAt(55)).toEqual([`${a}  ${b}  SPARE  LAST`]);
  expect(linesAt(54)).toEqual([`${a} ${b} SPARE LAST`]);
  expect(linesAt(50)).toEqual([`${a} ${b} LAST`]);
  expect(linesAt(40)).toEqual([`${a} ${b} LAST`]);
  expect(table(screen(false), wide, [])).toEqual([`${a}  ${b}  SPARE  LAST`]);
});

test("colours are for terminals without NO_COLOR", () => {
  expect(screen(true).paint("red", "x")).toBe("\x1b[31mx\x1b[0m");
  expect(screen(false).paint("red", "x")).toBe("x");
  expect(screen(true, { NO_COLOR: "1" }).paint("red", "x")).toBe("x");
  expect(screen(true, { NO_COLOR: "" }).paint("red", "x")).not.toBe("x");
  expect(screen(true, { TERM: "dumb" }).paint("red", "x")).toBe("x");
});

test("a bar is filled by its share", () => {
  expect(bar(screen(false), 0.5, 10)).toBe("#####.....");
  expect(bar(screen(false), 2, 4)).toBe("####");
  expect(Bun.stripANSI(bar(screen(true), 0.25, 4))).toBe("█░░░");
});

test("redrawing goes up as many rows as were drawn", () => {
  let text = "";
  const terminal = new Screen({
    write: (piece) => void (text += piece),
    isTerminal: true,
    columns: () => 40,
  });
  terminal.redraw(["short", "x".repeat(41)]);
  expect(text).toBe(`short\n${"x".repeat(41)}\n`);
  text = "";
  terminal.redraw(["again"]);
  expect(text).toStartWith("\x1b[3A\r\x1b[J");
  text = "";
  terminal.line("done");
  terminal.redraw(["below"]);
  expect(text).toBe("done\nbelow\n");
});
