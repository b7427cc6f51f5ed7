// Runs redis-benchmark once and reads its report. The long report is the only one that has the
// percentiles beyond 99: --csv and -q leave them out.

export interface LoadOptions {
  readonly port: number;
  readonly clients: number;
  readonly pipeline: number;
  readonly requests: number;
  readonly keySpace: number;
  readonly command: readonly string[];
  /** Where redis-benchmark may run, as taskset takes it; anywhere when left out. */
  readonly processors?: string | undefined;
}

/** What redis-benchmark says. */
export interface Report {
  readonly requests: number;
  readonly seconds: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly p999Ms: number;
}

export interface LoadResult extends Report {
  /** CPU time of redis-benchmark itself. */
  readonly cpuSeconds: number;
}

export async function runLoad(options: LoadOptions): Promise<LoadResult> {
  const child = Bun.spawn(
    [
      ...(options.processors !== undefined ? ["taskset", "-c", options.processors] : []),
      "redis-benchmark",
      ...["-h", "127.0.0.1", "-p", String(options.port)],
      ...["-c", String(options.clients), "-P", String(options.pipeline)],
      ...["-n", String(options.requests), "-r", String(options.keySpace)],
      ...["--precision", "3"],
      ...options.command,
    ],
    { stdin: "ignore", stdout: "pipe", stderr: "pipe" },
  );
  const [output, errors] = await Promise.all([child.stdout.text(), child.stderr.text()]);
  const status = await child.exited;
  // A warning that CONFIG GET was refused, as twemproxy refuses it, comes with status 0. An error
  // reply to a command ends redis-benchmark with another one.
  if (status !== 0) throw new Error(`redis-benchmark: ${errors.trim() || output.trim()}`);
  const cpuSeconds = Number(child.resourceUsage()?.cpuTime.total ?? 0) / 1e6;
  return { ...parseReport(output), cpuSeconds };
}

export function parseReport(text: string): Report {
  const requests = Number(match(text, /(\d+) requests completed in/));
  const rate = Number(match(text, /throughput summary: ([\d.]+) requests per second/));
  const columns = match(text, /avg\s+min\s+p50\s+p95\s+p99\s+max\s+([\d. ]+)/).split(/\s+/);
  return {
    requests,
    seconds: requests / rate,
    p50Ms: Number(columns[2]),
    p99Ms: Number(columns[4]),
    p999Ms: percentile(text, 99.9),
  };
}

/** The distribution goes on in halves of what is left: 99.805, 99.902, 99.951 ... */
function percentile(text: string, wanted: number): number {
  const distribution = text.slice(0, text.indexOf("Cumulative distribution"));
  for (const [, percent, ms] of distribution.matchAll(/([\d.]+)% <= ([\d.]+) milliseconds/g)) {
    if (Number(percent) >= wanted) return Number(ms);
  }
  throw new Error("redis-benchmark's report has no percentiles");
}

function match(text: string, pattern: RegExp): string {
  const found = pattern.exec(text);
  if (found === null) throw new Error(`redis-benchmark's report has no ${pattern.source}`);
  return found[1].trim();
}
