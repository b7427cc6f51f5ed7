import { expect, test } from "bun:test";
import { median, spread, type Sample } from "./measure.ts";
import { until } from "../tests/harness/until.ts";
import { cpuMicroseconds, processTree, residentBytes } from "./proc.ts";
import { parseReport } from "./redis-benchmark.ts";
import { summary, workloadTable } from "./report.ts";
import { WORKLOADS } from "./workloads.ts";

const REPORT = `foo: rps=0.0 (overall: -nan)\r====== SET key:__rand_int__ vvv ======
  20000 requests completed in 0.04 seconds
  50 parallel clients

Latency by percentile distribution:
0.000% <= 0.359 milliseconds (cumulative count 16)
50.000% <= 1.095 milliseconds (cumulative count 10080)
99.805% <= 2.503 milliseconds (cumulative count 19968)
99.902% <= 2.559 milliseconds (cumulative count 19984)
100.000% <= 2.695 milliseconds (cumulative count 20000)

Cumulative distribution of latencies:
99.950% <= 9.103 milliseconds (cumulative count 0)

Summary:
  throughput summary: 500000.00 requests per second
  latency summary (msec):
          avg       min       p50       p95       p99       max
        1.123     0.352     1.095     1.743     2.295     2.695
`;

test("the report of redis-benchmark is read with its percentiles", () => {
  expect(parseReport(REPORT)).toEqual({
    requests: 20000,
    seconds: 0.04,
    p50Ms: 1.095,
    p99Ms: 2.295,
    p999Ms: 2.559,
  });
});

test("a report without figures is refused by name", () => {
  expect(() => parseReport("nothing")).toThrow("has no");
});

test("medians and spreads over rounds", () => {
  expect(median([3, 1, 2])).toBe(2);
  expect(median([4, 1, 2, 3])).toBe(2.5);
  expect(spread([90, 100, 110])).toBe(0.1);
});

function sample(requestsPerSecond: number, cpu: number, loadBusy: number): Sample {
  return {
    requests: 1000,
    requestsPerSecond,
    cpuMicroseconds: cpu,
    p50Ms: 1,
    p99Ms: 2,
    p999Ms: 3,
    residentBytes: 2 ** 20 * 60,
    loadBusy,
  };
}

function linesOf(text: string): string[] {
  return text.split("\n").map((line) => line.replace(/ +/g, " ").trim());
}

test("the summary says of every bar whether it was reached", () => {
  const samples = new Map([
    ["codis", [sample(120, 7, 0.5), sample(130, 9, 0.6), sample(110, 8, 0.7)]],
    ["twemproxy", [sample(100, 10, 0.4), sample(100, 10, 0.4), sample(100, 10, 0.4)]],
  ]);
  const result = { workload: WORKLOADS[0], samples };
  const lines = linesOf(summary([result]));
  expect(lines).toContain("c50 CPU per request 0.80 ≤ 0.75 FAIL");
  expect(lines).toContain("c50 throughput 1.20 ≥ 1.1 pass");
  expect(lines).toContain("RSS MB at the end 60.00 ≤ 150 pass");
  expect(linesOf(workloadTable(result))).toContain("codis 120 8 % 8.00 13 % 1.00 2.00 3.00 60 60");
  expect(workloadTable(result)).toContain("codis / twemproxy");
});

test("the summary says when it was the load that could do no more", () => {
  const verdict = (loadBusy: number): string | undefined => {
    const samples = new Map([
      ["codis", [sample(100, 7, loadBusy)]],
      ["twemproxy", [sample(100, 10, 0.9)]],
    ]);
    const lines = linesOf(summary([{ workload: WORKLOADS[0], samples }]));
    return lines.find((line) => line.startsWith("c50 throughput"));
  };
  expect(verdict(0.96)).toBe("c50 throughput 1.00 ≥ 1.1 FAIL");
  expect(verdict(0.97)).toBe("c50 throughput 1.00 ≥ 1.1 FAIL the load can do no more");
});

test("the kernel's figures of a process are read with its descendants", async () => {
  const shell = Bun.spawn(["sh", "-c", "sleep 60 & wait"]);
  await until(() => processTree(shell.pid).length === 2);
  const children = processTree(shell.pid).slice(1);
  expect(residentBytes(shell.pid)).toBeGreaterThan(residentBytes(children[0]));
  // The kernel counts in steps of 10 ms, which a fast machine may not have used yet.
  await until(() => cpuMicroseconds(process.pid) > 0);
  for (const pid of children) process.kill(pid);
  shell.kill();
  await shell.exited;
});
