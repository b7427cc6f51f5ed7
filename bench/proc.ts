// What the kernel knows about running processes: CPU time and memory, read from /proc.
// A program here means a process with all its descendants: our proxy is a parent and its workers.
import { readdirSync, readFileSync } from "node:fs";

/** The kernel counts CPU time in ticks of this length, on every Linux that we run on. */
const TICK_MICROSECONDS = 10_000;

/** The pid and those of all its descendants. */
export function processTree(pid: number): number[] {
  const pids = [pid];
  for (const current of pids) pids.push(...childrenOf(current));
  return pids;
}

/** CPU time that the program has used since it started, user and system together. */
export function cpuMicroseconds(pid: number): number {
  return sum(processTree(pid).map((each) => ownTicks(each) * TICK_MICROSECONDS));
}

/** Resident memory of the program. Pages that its processes share count once for each of them. */
export function residentBytes(pid: number): number {
  return sum(processTree(pid).map((each) => statusKilobytes(each, "VmRSS") * 1024));
}

function childrenOf(pid: number): number[] {
  const tasks = `/proc/${pid}/task`;
  return readdirSync(tasks).flatMap((task) => {
    const text = readFileSync(`${tasks}/${task}/children`, "utf8").trim();
    return text === "" ? [] : text.split(" ").map(Number);
  });
}

function ownTicks(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  // The name, in parentheses, may hold anything. After it: state, then ten numbers, utime, stime.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return Number(fields[11]) + Number(fields[12]);
}

function statusKilobytes(pid: number, field: string): number {
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  return Number(new RegExp(`^${field}:\\s+(\\d+) kB$`, "m").exec(status)?.[1] ?? 0);
}

function sum(values: number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
