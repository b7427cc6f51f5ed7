// One measurement: one peer under one workload, once. And the figures over several of them.
import { cpuMicroseconds, residentBytes } from "./proc.ts";
import type { Peer } from "./peers.ts";
import { runLoad, type LoadResult } from "./redis-benchmark.ts";
import type { Workload } from "./workloads.ts";

export interface Sample {
  readonly requests: number;
  readonly requestsPerSecond: number;
  /** CPU time of the proxy per request; null for a peer without a pid. */
  readonly cpuMicroseconds: number | null;
  /** Latencies are those of the slower command when the workload has two. */
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly p999Ms: number;
  readonly residentBytes: number | null;
  /** The part of the time in which redis-benchmark itself was on a processor, up to 1. */
  readonly loadBusy: number;
}

/**
 * The CPU time is read just before the load starts and just after it ended, and divided by the
 * requests that redis-benchmark says it completed in between; the proxy serves nobody else.
 */
export async function measure(
  peer: Peer,
  workload: Workload,
  requests: number,
  loadOn: string,
): Promise<Sample> {
  const { clients, pipeline, keys } = workload;
  const before = peer.pid === 0 ? 0 : cpuMicroseconds(peer.pid);
  const results: LoadResult[] = [];
  for (const command of workload.commands) {
    const load = { port: peer.port, clients, pipeline, requests, keySpace: keys.count, command };
    results.push(await runLoad({ ...load, processors: loadOn }));
  }
  const used = peer.pid === 0 ? 0 : cpuMicroseconds(peer.pid) - before;
  const done = results.reduce((total, result) => total + result.requests, 0);
  const seconds = results.reduce((total, result) => total + result.seconds, 0);
  const loadSeconds = results.reduce((total, result) => total + result.cpuSeconds, 0);
  return {
    requests: done,
    requestsPerSecond: done / seconds,
    cpuMicroseconds: peer.pid === 0 ? null : used / done,
    p50Ms: Math.max(...results.map((result) => result.p50Ms)),
    p99Ms: Math.max(...results.map((result) => result.p99Ms)),
    p999Ms: Math.max(...results.map((result) => result.p999Ms)),
    residentBytes: peer.pid === 0 ? null : residentBytes(peer.pid),
    loadBusy: Math.min(1, loadSeconds / seconds),
  };
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  if (sorted.length % 2 === 1) return sorted[middle];
  return (sorted[middle - 1] + sorted[middle]) / 2;
}

/** How far the rounds lie apart: half the range, as a share of the median. */
export function spread(values: readonly number[]): number {
  return (Math.max(...values) - Math.min(...values)) / 2 / median(values);
}
