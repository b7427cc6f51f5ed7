import { expect, test } from "bun:test";
import { ResourceMeter } from "./rusage.ts";

test("the processes of the proxy are measured together", () => {
  const meter = new ResourceMeter();
  meter.sample([]);
  const alone = meter.usage;
  expect(alone.vm_rss).toBeGreaterThan(1_000_000);
  expect(alone.num_threads).toBeGreaterThan(0);
  expect(alone.utime + alone.stime).toBeGreaterThanOrEqual(0);
  meter.sample([process.pid]);
  expect(meter.usage.num_threads).toBeGreaterThanOrEqual(2 * alone.num_threads - 1);
  expect(meter.peakRssBytes).toBe(meter.usage.vm_rss);
  expect(meter.cpu).toBeGreaterThanOrEqual(0);
});

test("a worker that is gone or not there yet counts for nothing", () => {
  const meter = new ResourceMeter();
  meter.sample([0, 2 ** 22 + 1]);
  expect(meter.usage.vm_rss).toBeLessThan(2e9);
  expect(Number.isFinite(meter.cpu)).toBe(true);
});
