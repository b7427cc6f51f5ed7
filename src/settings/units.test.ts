import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { formatBytes, formatDuration, parseBytes, parseDuration } from "./units.ts";

const KB = 1024;
const MB = KB * 1024;
const GB = MB * 1024;
const TB = GB * 1024;
const PB = TB * 1024;

describe("sizes", () => {
  const understood: ReadonlyArray<readonly [string, number]> = [
    ["0", 0],
    ["-0", 0],
    ["512", 512],
    ["7b", 7],
    ["1k", KB],
    ["128kb", 128 * KB],
    ["1m", MB],
    ["256mb", 256 * MB],
    ["1g", GB],
    ["1024mb", GB],
    ["2t", 2 * TB],
    ["2tb", 2 * TB],
    ["3p", 3 * PB],
    ["3pb", 3 * PB],
    ["1.5kb", 1536],
    [".5kb", 512],
    ["1.kb", KB],
    ["0.3b", 0],
    ["-1kb", -KB],
    ["-1.5kb", -1536],
    ["+1kb", KB],
    ["  64 kb  ", 64 * KB],
  ];
  for (const [text, bytes] of understood) {
    test(`"${text}" is ${bytes} bytes`, () => expect(parseBytes(text)).toBe(bytes));
  }

  const refused = ["", " ", "kb", "1KB", "1Mb", "1kib", "1 k b", "1,5kb", "1.2.3", ".", "-", "--1"];
  for (const text of [...refused, "1e3", "0x10", "1kb2mb", "16pb", "1s", "９"]) {
    test(`"${text}" is no size`, () => expect(parseBytes(text)).toBeNull());
  }

  const printed: ReadonlyArray<readonly [number, string]> = [
    [0, "0"],
    [1, "1"],
    [1000, "1000"],
    [1023, "1023"],
    [KB, "1kb"],
    [1536, "1536"],
    [128 * KB, "128kb"],
    [1024 * MB, "1gb"],
    [1025 * MB, "1025mb"],
    [TB, "1tb"],
    [PB, "1pb"],
    [-2 * KB, "-2kb"],
  ];
  for (const [bytes, text] of printed) {
    test(`${bytes} bytes are printed as "${text}"`, () => expect(formatBytes(bytes)).toBe(text));
  }

  test("every printed size is read back as the same number", () => {
    fc.assert(fc.property(fc.maxSafeInteger(), (n) => parseBytes(formatBytes(n)) === n + 0));
  });
});

describe("durations", () => {
  const understood: ReadonlyArray<readonly [string, number]> = [
    ["0", 0],
    ["0ns", 0],
    ["30", 30_000],
    ["1.5", 1500],
    ["30s", 30_000],
    ["500ms", 500],
    ["20m", 1_200_000],
    ["1h", 3_600_000],
    ["1.5h", 5_400_000],
    [".25s", 250],
    ["250us", 0.25],
    ["1500us", 1.5],
    ["1ns", 0.000001],
    ["1500ns", 0.0015],
    ["0.5ns", 0],
    ["0.1s", 100],
    ["-5s", -5000],
    ["+5s", 5000],
    [" 75 s ", 75_000],
    ["8760h", 31_536_000_000],
  ];
  for (const [text, ms] of understood) {
    test(`"${text}" is ${ms} ms`, () => expect(parseDuration(text)).toBe(ms));
  }

  const refused = ["", "s", "1S", "1sec", "1d", "1h30m", "1.2.3s", ".", "-", "1e3s", "1kb", "1µs"];
  for (const text of refused) {
    test(`"${text}" is no duration`, () => expect(parseDuration(text)).toBeNull());
  }

  const printed: ReadonlyArray<readonly [number, string]> = [
    [0, "0"],
    [3_600_000, "1h"],
    [5_400_000, "90m"],
    [75_000, "75s"],
    [60_000, "1m"],
    [1500, "1500ms"],
    [0.25, "250us"],
    [1.5, "1500us"],
    [0.0015, "1500ns"],
    [-5000, "-5s"],
  ];
  for (const [ms, text] of printed) {
    test(`${ms} ms are printed as "${text}"`, () => expect(formatDuration(ms)).toBe(text));
  }

  test("every printed duration is read back as the same number", () => {
    fc.assert(
      fc.property(fc.maxSafeInteger(), (ms) => parseDuration(formatDuration(ms)) === ms + 0),
    );
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 10 ** 12 }), (ns) => {
        const ms = ns / 1_000_000;
        return parseDuration(formatDuration(ms)) === ms;
      }),
    );
  });
});
