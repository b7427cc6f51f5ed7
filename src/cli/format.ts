// Numbers and tables for people. Pure: texts in, texts out.

import { type Colour, type Screen, widthOf } from "./print.ts";

export interface Cell {
  readonly text: string;
  readonly colour?: Colour;
}

export interface Column {
  readonly title: string;
  /** Numbers stand at the right. */
  readonly isNumber?: true;
  /** May be left out on a terminal that is too narrow for all. */
  readonly isSpare?: true;
}

type Row = readonly (string | Cell)[];

/** A table with its titles; the last column is not padded. */
export function table(screen: Screen, columns: readonly Column[], rows: readonly Row[]): string[] {
  const titles = columns.map((column): Cell => ({ text: column.title, colour: "dim" }));
  const all = [titles, ...rows.map((row) => row.map(cellOf))];
  const widths = columns.map((_, i) => Math.max(...all.map((row) => widthOf(row[i]?.text ?? ""))));
  const { shown, gap } = layout(screen, columns, widths);
  return all.map((row) => {
    const cells = shown.map((i) => {
      const { text, colour } = row[i] ?? { text: "" };
      const space = " ".repeat(widths[i] - widthOf(text));
      const painted = colour === undefined ? text : screen.paint(colour, text);
      if (columns[i].isNumber) return space + painted;
      return i === shown.at(-1) ? painted : painted + space;
    });
    return cells.join(gap).trimEnd();
  });
}

/** Which columns are shown: on a narrow terminal they move together, then spare ones go. */
function layout(
  screen: Screen,
  columns: readonly Column[],
  widths: readonly number[],
): { shown: number[]; gap: string } {
  const shown = [...columns.keys()];
  const fits = (gap: number): boolean => {
    const all = shown.reduce((sum, i) => sum + widths[i] + gap, -gap);
    return !screen.isTerminal || all <= screen.columns;
  };
  if (fits(2)) return { shown, gap: "  " };
  while (!fits(1)) {
    const spare = shown.findLastIndex((i) => columns[i].isSpare);
    if (spare === -1) break;
    shown.splice(spare, 1);
  }
  return { shown, gap: " " };
}

function cellOf(cell: string | Cell): Cell {
  return typeof cell === "string" ? { text: cell } : cell;
}

/** 1234567 → "1,234,567". */
export function countText(count: number): string {
  return Math.round(count).toLocaleString("en-US");
}

/** "1 slot", "2 slots"; a plural that is made in another way is given: "2 proxies". */
export function some(count: number, noun: string, plural = `${noun}s`): string {
  return `${countText(count)} ${count === 1 ? noun : plural}`;
}

const UNITS = ["B", "KB", "MB", "GB", "TB", "PB"];

/** 1536 → "1.5 KB". */
export function bytesText(bytes: number): string {
  let value = bytes;
  let unit = 0;
  while (value >= 1024 && unit < UNITS.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return `${value < 10 && unit > 0 ? value.toFixed(1) : Math.round(value)} ${UNITS[unit]}`;
}

/** 3725 → "1 h 2 min". */
export function durationText(seconds: number): string {
  const whole = Math.max(0, Math.ceil(seconds));
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  const hours = Math.floor(whole / 3600);
  if (hours < 48) return `${hours} h ${Math.floor((whole % 3600) / 60)} min`;
  return `${Math.floor(hours / 24)} days`;
}

/** A bar of `width` columns, filled up to `share`, which is from 0 to 1. */
export function bar(screen: Screen, share: number, width: number): string {
  const filled = Math.round(Math.min(1, Math.max(0, share)) * width);
  const [full, empty] = screen.isTerminal ? ["█", "░"] : ["#", "."];
  return (
    screen.paint("green", full.repeat(filled)) + screen.paint("dim", empty.repeat(width - filled))
  );
}

export function percentText(share: number): string {
  return `${Math.floor(Math.min(1, Math.max(0, share)) * 100)}%`;
}

// ------------------------------------------------------------------------------- sets of slots

export interface SlotRange {
  readonly from: number;
  /** Included. */
  readonly to: number;
}

/** Runs of slots that follow one another. The ids must be ascending. */
export function rangesOf(ids: readonly number[]): SlotRange[] {
  const ranges: { from: number; to: number }[] = [];
  for (const id of ids) {
    const last = ranges.at(-1);
    if (last !== undefined && last.to === id - 1) last.to = id;
    else ranges.push({ from: id, to: id });
  }
  return ranges;
}

/** "0-99,200". */
export function rangesText(ids: readonly number[]): string {
  return rangesOf(ids)
    .map(({ from, to }) => (from === to ? `${from}` : `${from}-${to}`))
    .join(",");
}

/** A text that ends with an ellipsis when it is longer than `width`. */
export function shortened(text: string, width: number): string {
  return text.length <= width ? text : `${text.slice(0, Math.max(1, width - 1))}…`;
}
