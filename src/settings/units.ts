// Sizes and durations as configuration files and the admin API spell them: "128kb", "30s".
// The rules are those of the original: units in lower case, powers of 1024, one unit per value.

const SIZE = /^\s*([+-]?[\d.]+)\s*(b|kb?|mb?|gb?|tb?|pb?|)\s*$/;
const DURATION = /^\s*([+-]?[\d.]+)\s*(ns|us|ms|s|m|h|)\s*$/;
const NUMBER = /^[+-]?(\d+\.?\d*|\.\d+)$/;

const SIZE_LETTERS = "bkmgtp";

/** From large to small; an hour is exact in milliseconds, a nanosecond is not. */
const MS_PER_UNIT: ReadonlyArray<readonly [string, number]> = [
  ["h", 3_600_000],
  ["m", 60_000],
  ["s", 1000],
  ["ms", 1],
];
const NS_PER_MS = 1_000_000;
const NS_PER_US = 1000;

/** Bytes; a part of a byte is dropped. Null is an "invalid bytesize". */
export function parseBytes(text: string): number | null {
  const match = SIZE.exec(text);
  if (match === null || !NUMBER.test(match[1])) return null;
  const power = match[2] === "" ? 0 : SIZE_LETTERS.indexOf(match[2][0]);
  return exact(Math.trunc(Number(match[1]) * 1024 ** power));
}

/** The largest unit that divides evenly: "128kb", "1gb", "1000", and "0" for nothing. */
export function formatBytes(bytes: number): string {
  if (bytes === 0) return "0";
  for (let power = SIZE_LETTERS.length - 1; power > 0; power--) {
    const unit = 1024 ** power;
    if (bytes % unit === 0) return `${bytes / unit}${SIZE_LETTERS[power]}b`;
  }
  return String(bytes);
}

/** Milliseconds, to a whole nanosecond. A bare number is seconds. Null is an "invalid timesize". */
export function parseDuration(text: string): number | null {
  const match = DURATION.exec(text);
  if (match === null || !NUMBER.test(match[1])) return null;
  const amount = Number(match[1]);
  if (match[2] === "ns") return exact(amount === 0 ? 0 : Math.trunc(amount) / NS_PER_MS);
  if (match[2] === "us") return exact(Math.trunc(amount * NS_PER_US) / NS_PER_MS);
  const unitMs = MS_PER_UNIT.find(([name]) => name === (match[2] || "s"))?.[1] ?? 1;
  const ms = amount * unitMs;
  return exact(Number.isInteger(ms) ? ms : Math.round(ms * NS_PER_MS) / NS_PER_MS);
}

/** The largest unit that divides evenly: "75s", "20m", "1500ms", and "0" for nothing. */
export function formatDuration(ms: number): string {
  if (ms === 0) return "0";
  if (Number.isInteger(ms)) {
    for (const [name, unitMs] of MS_PER_UNIT) {
      if (ms % unitMs === 0) return `${ms / unitMs}${name}`;
    }
  }
  const ns = Math.round(ms * NS_PER_MS);
  return ns % NS_PER_US === 0 ? `${ns / NS_PER_US}us` : `${ns}ns`;
}

/** Refuses what a JavaScript number cannot hold; turns -0 into 0. */
function exact(value: number): number | null {
  return Math.abs(value) <= Number.MAX_SAFE_INTEGER ? value + 0 : null;
}
