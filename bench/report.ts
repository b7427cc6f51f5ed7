// Turns samples into the table and into the summary against the bars. Pure: text out, no printing.
import { median, spread, type Sample } from "./measure.ts";
import { OURS, TWEMPROXY } from "./peers.ts";
import type { Workload } from "./workloads.ts";

/** Samples of one workload by the name of the peer, one per round. */
export interface WorkloadResult {
  readonly workload: Workload;
  readonly samples: ReadonlyMap<string, readonly Sample[]>;
}

/** Resident memory of our proxy after the whole run. */
export const MAX_RESIDENT_BYTES = 150 * 2 ** 20;

type Figure = (sample: Sample) => number | null;

const throughput: Figure = (sample) => sample.requestsPerSecond;
const cpu: Figure = (sample) => sample.cpuMicroseconds;
const p50: Figure = (sample) => sample.p50Ms;
const p99: Figure = (sample) => sample.p99Ms;
const p999: Figure = (sample) => sample.p999Ms;
const resident: Figure = (sample) => sample.residentBytes;
const load: Figure = (sample) => sample.loadBusy;

const COLUMNS = [
  ...["requests/s", "±", "CPU µs/req", "±"],
  ...["p50 ms", "p99 ms", "p99.9 ms", "RSS MB", "load %"],
];

/** From here on redis-benchmark sets the pace, and no proxy can be seen to be faster. */
const LOAD_AT_ITS_LIMIT = 0.97;

/** The table of one workload: a line per peer, then our ratio to each of them. */
export function workloadTable(result: WorkloadResult): string {
  const names = [...result.samples.keys()];
  const rows = [["", ...COLUMNS], ...names.map((name) => [name, ...figures(result, name)])];
  for (const name of names) {
    if (name !== OURS && result.samples.has(OURS)) rows.push(ratioRow(result, name));
  }
  return `${result.workload.title}\n${align(rows)}\n`;
}

function figures(result: WorkloadResult, name: string): string[] {
  const rate = middle(result, name, throughput);
  const used = middle(result, name, cpu);
  const memory = middle(result, name, resident);
  const busy = middle(result, name, load);
  return [
    rate === null ? "-" : Math.round(rate).toLocaleString("en-US"),
    percent(result, name, throughput),
    decimals(used, 2),
    percent(result, name, cpu),
    ...[p50, p99, p999].map((figure) => decimals(middle(result, name, figure), 2)),
    memory === null ? "-" : decimals(memory / 2 ** 20, 0),
    busy === null ? "-" : decimals(busy * 100, 0),
  ];
}

function ratioRow(result: WorkloadResult, peer: string): string[] {
  const cell = (figure: Figure): string => decimals(ratio(result, peer, figure), 2);
  const latencies = [p50, p99, p999].map(cell);
  return [`${OURS} / ${peer}`, cell(throughput), "", cell(cpu), "", ...latencies, cell(resident)];
}

/** Our median over the peer's median; null when either has no such figure. */
export function ratio(result: WorkloadResult, peer: string, figure: Figure): number | null {
  const ours = middle(result, OURS, figure);
  const theirs = middle(result, peer, figure);
  return ours === null || theirs === null || theirs === 0 ? null : ours / theirs;
}

/** Says for every bar of the plan whether this run reached it. Information, never a test. */
export function summary(results: readonly WorkloadResult[]): string {
  const rows = [["", `against ${TWEMPROXY}`, "value", "bar", ""]];
  for (const result of results) {
    const { name, bar } = result.workload;
    rows.push(
      [name, "CPU per request", ...verdict(ratio(result, TWEMPROXY, cpu), "≤", bar.maxCpu)],
      [name, "throughput", ...throughputVerdict(result)],
      [name, "p99.9", ...verdict(ratio(result, TWEMPROXY, p999), "≤", 1)],
    );
  }
  const last = results.at(-1)?.samples.get(OURS)?.at(-1)?.residentBytes ?? null;
  const megabytes = last === null ? null : last / 2 ** 20;
  rows.push(["RSS MB", "at the end", ...verdict(megabytes, "≤", MAX_RESIDENT_BYTES / 2 ** 20)]);
  return `Bars\n${align(rows)}\n`;
}

function verdict(value: number | null, relation: "≤" | "≥", bar: number): string[] {
  if (value === null) return ["-", `${relation} ${bar}`, "not measured"];
  const rounded = Number(value.toFixed(2));
  const isReached = relation === "≤" ? rounded <= bar : rounded >= bar;
  return [rounded.toFixed(2), `${relation} ${bar}`, isReached ? "pass" : "FAIL"];
}

/** A throughput that the load generator did not allow is said to be one. */
function throughputVerdict(result: WorkloadResult): string[] {
  const { minThroughput } = result.workload.bar;
  const cells = verdict(ratio(result, TWEMPROXY, throughput), "≥", minThroughput);
  const isHeldBack = (middle(result, OURS, load) ?? 0) >= LOAD_AT_ITS_LIMIT;
  return cells[2] === "FAIL" && isHeldBack ? [...cells, "the load can do no more"] : cells;
}

/** The median over the rounds. */
function middle(result: WorkloadResult, name: string, figure: Figure): number | null {
  const values = valuesOf(result, name, figure);
  return values.length === 0 ? null : median(values);
}

function percent(result: WorkloadResult, name: string, figure: Figure): string {
  const values = valuesOf(result, name, figure);
  return values.length < 2 ? "-" : `${(spread(values) * 100).toFixed(0)} %`;
}

function valuesOf(result: WorkloadResult, name: string, figure: Figure): number[] {
  const samples = result.samples.get(name) ?? [];
  return samples.map(figure).filter((value) => value !== null);
}

function decimals(value: number | null, digits: number): string {
  return value === null ? "-" : value.toFixed(digits);
}

/** Left column to the left, all others to the right. */
function align(rows: readonly (readonly string[])[]): string {
  const width = (column: number): number =>
    Math.max(...rows.map((row) => (row[column] ?? "").length));
  return rows
    .map((row) => row.map((cell, i) => pad(cell, width(i), i === 0)).join("  "))
    .map((line) => `  ${line}`.trimEnd())
    .join("\n");
}

function pad(cell: string, width: number, isLeft: boolean): string {
  return isLeft ? cell.padEnd(width) : cell.padStart(width);
}
