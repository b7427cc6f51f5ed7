// What the running programs say of themselves: the proxy's counters and backends, and the memory
// that the kernel counts for a process.
import { readFileSync } from "node:fs";
import type { Proxy } from "./proxy.ts";

export interface BackendFigures {
  readonly worker: number;
  readonly addr: string;
  readonly state: string;
  readonly database: number;
  readonly proto: number;
  readonly inflight: number;
  readonly is_replica: boolean;
}

export interface WorkerFigures {
  readonly pid: number;
  readonly state: string;
  readonly restarts: number;
  readonly sessions_alive: number;
  readonly ops_total: number;
  readonly rss: number;
}

interface Figures {
  readonly counters: Record<string, number>;
  readonly backends: readonly BackendFigures[];
  readonly workers: readonly WorkerFigures[];
}

async function figures(proxy: Proxy): Promise<Figures> {
  return (await proxy.stats()) as unknown as Figures;
}

/** Limits that were hit and the like, summed over the workers, since the proxy started. */
export async function counters(proxy: Proxy): Promise<Record<string, number>> {
  return (await figures(proxy)).counters;
}

/** The connections to servers that exist now. */
export async function backends(proxy: Proxy): Promise<readonly BackendFigures[]> {
  return (await figures(proxy)).backends;
}

export async function workers(proxy: Proxy): Promise<readonly WorkerFigures[]> {
  return (await figures(proxy)).workers;
}

/** Resident memory of a process, in bytes. */
export function rssBytes(pid: number): number {
  return statusKilobytes(pid, "VmRSS") * 1024;
}

/** The most resident memory that the process ever had, in bytes. */
export function peakRssBytes(pid: number): number {
  return statusKilobytes(pid, "VmHWM") * 1024;
}

function statusKilobytes(pid: number, field: string): number {
  const text = readFileSync(`/proc/${pid}/status`, "latin1");
  const match = new RegExp(`^${field}:\\s+(\\d+) kB`, "m").exec(text);
  if (match === null) throw new Error(`/proc/${pid}/status has no ${field}`);
  return Number(match[1]);
}
