// What the proxy takes of the machine, parent and workers together, read from /proc once a second.
// Where there is no /proc the parent's own figures stand alone.

import { readFileSync } from "node:fs";

/** Clock ticks a second in /proc/PID/stat: 100 on every Linux that Bun runs on. */
const TICKS_PER_SECOND = 100;

const NS_PER_SECOND = 1e9;

/** Times in nanoseconds, sizes in bytes. */
export interface ProcessUsage {
  readonly utime: number;
  readonly stime: number;
  /** Of children that have ended. */
  readonly cutime: number;
  readonly cstime: number;
  readonly num_threads: number;
  readonly vm_size: number;
  readonly vm_rss: number;
}

export const NO_USAGE: ProcessUsage = {
  utime: 0,
  stime: 0,
  cutime: 0,
  cstime: 0,
  num_threads: 0,
  vm_size: 0,
  vm_rss: 0,
};

export class ResourceMeter {
  /** The sum over all processes at the last sample. */
  usage: ProcessUsage = NO_USAGE;
  /** Processor seconds a second between the last two samples; 1 is one core. */
  cpu = 0;
  sampledMs = Date.now();
  peakRssBytes = 0;
  #cpuNs = 0;
  #atNs = Bun.nanoseconds();

  /** `pids` are the living workers. */
  sample(pids: readonly number[]): void {
    const parent = usageOf(process.pid) ?? ownUsage();
    const processes = [parent, ...pids.map((pid) => usageOf(pid) ?? NO_USAGE)];
    const usage = {
      ...sum(processes),
      // A worker that ended is in the parent's times of children, so no second of it is lost.
      cutime: parent.cutime,
      cstime: parent.cstime,
    };
    const cpuNs = usage.utime + usage.stime + usage.cutime + usage.cstime;
    const atNs = Bun.nanoseconds();
    if (atNs > this.#atNs && this.#cpuNs > 0) {
      this.cpu = Math.max(0, (cpuNs - this.#cpuNs) / (atNs - this.#atNs));
    }
    this.#cpuNs = cpuNs;
    this.#atNs = atNs;
    this.sampledMs = Date.now();
    this.usage = usage;
    this.peakRssBytes = Math.max(this.peakRssBytes, usage.vm_rss);
  }
}

function sum(processes: readonly ProcessUsage[]): ProcessUsage {
  const total = { ...NO_USAGE };
  for (const usage of processes) {
    total.utime += usage.utime;
    total.stime += usage.stime;
    total.num_threads += usage.num_threads;
    total.vm_size += usage.vm_size;
    total.vm_rss += usage.vm_rss;
  }
  return total;
}

function usageOf(pid: number): ProcessUsage | null {
  if (pid === 0) return null;
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
    const status = readFileSync(`/proc/${pid}/status`, "latin1");
    // The second field is the name in parentheses and may hold anything; field 3 follows it.
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    const ns = (field: number): number => {
      return (Number(fields[field - 3]) / TICKS_PER_SECOND) * NS_PER_SECOND;
    };
    const kilobytes = (name: string): number => {
      return Number(new RegExp(`^${name}:\\s+(\\d+)`, "m").exec(status)?.[1] ?? 0) * 1024;
    };
    return {
      utime: ns(14),
      stime: ns(15),
      cutime: ns(16),
      cstime: ns(17),
      num_threads: Number(fields[20 - 3]),
      vm_size: kilobytes("VmSize"),
      vm_rss: kilobytes("VmRSS"),
    };
  } catch {
    return null; // the process has just ended, or there is no /proc
  }
}

function ownUsage(): ProcessUsage {
  const { user, system } = process.cpuUsage();
  const { rss } = process.memoryUsage();
  return { ...NO_USAGE, utime: user * 1e3, stime: system * 1e3, num_threads: 1, vm_rss: rss };
}
