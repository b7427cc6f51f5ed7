import { expect, test } from "bun:test";
import { HISTOGRAM_BUCKETS, histogramBucket, type WorkerStats } from "./ipc.ts";
import { percentile, Totals } from "./worker-totals.ts";

function report(calls: number, extra: Partial<WorkerStats> = {}): WorkerStats {
  const histogram = new Array<number>(HISTOGRAM_BUCKETS).fill(0);
  histogram[3] = calls;
  return {
    opsTotal: calls,
    opsFails: 1,
    redisErrors: 2,
    sessionsTotal: 3,
    sessionsAlive: 1,
    commands: [{ name: "get", calls, usecs: 10 * calls, fails: 0, errors: 0, histogram }],
    counters: { bytesIn: 100, maxInputBytes: calls },
    errors: { ERR: 1 },
    backends: [],
    rssBytes: 0,
    cpuSeconds: 0,
    fencedBy: [],
    bigKeys: [],
    ...extra,
  };
}

test("reports of all workers are added up, and of maxima the largest counts", () => {
  const totals = Totals.of(new Totals(), [report(5), report(7)]);
  expect(totals).toMatchObject({ opsTotal: 12, opsFails: 2, redisErrors: 4, sessionsTotal: 6 });
  expect(totals.sessionsAlive).toBe(2);
  expect(totals.commands.get("get")).toMatchObject({ calls: 12, usecs: 120 });
  expect(totals.commands.get("get")?.histogram[3]).toBe(12);
  expect(totals.counter("bytesIn")).toBe(200);
  expect(totals.counter("maxInputBytes")).toBe(7);
  expect(totals.errors.get("ERR")).toBe(2);
});

test("what a dead worker counted stays, its sessions do not", () => {
  const retired = new Totals();
  retired.add(report(5));
  const totals = Totals.of(retired, [report(1)]);
  expect(totals).toMatchObject({ opsTotal: 6, sessionsTotal: 6, sessionsAlive: 1 });
  expect(totals.commands.get("get")?.calls).toBe(6);
});

test("a reset forgets requests and keeps the counters of limits", () => {
  const retired = new Totals();
  retired.add(report(5));
  retired.reset();
  const totals = Totals.of(retired, []);
  expect(totals).toMatchObject({ opsTotal: 0, opsFails: 0, redisErrors: 0, sessionsTotal: 0 });
  expect(totals.commands.size).toBe(0);
  expect(totals.counter("bytesIn")).toBe(100);
});

test("a bucket holds the calls between two powers of two", () => {
  const pairs = [0, 1, 2, 3, 4, 1023, 1024, 2 ** 31].map((usecs) => histogramBucket(usecs));
  expect(pairs).toEqual([0, 1, 2, 2, 3, 10, 11, 31]);
});

test("percentiles lie in the bucket that has the call", () => {
  const histogram = new Array<number>(HISTOGRAM_BUCKETS).fill(0);
  expect(percentile(histogram, 0.5)).toBe(0);
  histogram[histogramBucket(100)] = 99; // 64 to 128
  histogram[histogramBucket(5000)] = 1; // 4096 to 8192
  expect(percentile(histogram, 0.5)).toBeGreaterThanOrEqual(64);
  expect(percentile(histogram, 0.5)).toBeLessThan(128);
  expect(percentile(histogram, 0.99)).toBeLessThanOrEqual(128);
  expect(percentile(histogram, 0.999)).toBeGreaterThanOrEqual(4096);
  expect(percentile(histogram, 0.999)).toBeLessThanOrEqual(8192);
});
