// A thread of its own that asks a server for a key once a millisecond and keeps how long each reply
// took: what any other client of that server would have seen meanwhile.
import { isMainThread, parentPort, Worker, workerData } from "node:worker_threads";
import { connect } from "../tests/harness/resp-client.ts";

export interface Stalls {
  readonly count: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
}

const INTERVAL_MS = 1;

/** Runs until `stop`, which resolves with the figures. */
export async function startProbe(port: number): Promise<{ stop(): Promise<Stalls> }> {
  const worker = new Worker(new URL(import.meta.url), { workerData: port });
  await new Promise((resolve) => worker.once("message", resolve));
  return {
    stop: () => {
      return new Promise((resolve) => {
        worker.once("message", (stalls: Stalls) => {
          void worker.terminate();
          resolve(stalls);
        });
        worker.postMessage("stop");
      });
    },
  };
}

async function probe(port: number): Promise<void> {
  const tookMs: number[] = [];
  let isStopped = false;
  parentPort?.once("message", () => {
    isStopped = true;
  });
  using client = await connect(port);
  await client.call("GET", "probe");
  parentPort?.postMessage("ready");
  while (!isStopped) {
    const started = performance.now();
    await client.call("GET", "probe");
    tookMs.push(performance.now() - started);
    await Bun.sleep(INTERVAL_MS);
  }
  parentPort?.postMessage(figuresOf(tookMs));
}

export function figuresOf(tookMs: number[]): Stalls {
  tookMs.sort((a, b) => a - b);
  const at = (share: number): number => {
    return tookMs[Math.min(tookMs.length - 1, Math.floor(tookMs.length * share))] ?? 0;
  };
  return { count: tookMs.length, p50Ms: at(0.5), p99Ms: at(0.99), maxMs: at(1) };
}

if (!isMainThread) await probe(Number(workerData));
