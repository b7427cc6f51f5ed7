// Clients that count: each increments a key of its own, one request after the other, and notes what
// was acknowledged. What they were told must be in the servers afterwards: that is the proof that a
// change of master loses nothing, or the measure of what it lost.
//
//   const load = await startCounting([proxy.port], 8);
//   ...
//   const { acknowledged, errors, longestGapMs } = await load.stop();
import { ReplyError } from "../../src/resp/value.ts";
import { connect, type RespClient } from "./resp-client.ts";
import { until } from "./until.ts";

export interface CountingReport {
  readonly acknowledged: number;
  /** The text of each error reply → how often it came. */
  readonly errors: ReadonlyMap<string, number>;
  readonly errorCount: number;
  /** Longest time in which no client at all had a success. */
  readonly longestGapMs: number;
  /** Longest time that one request took. */
  readonly longestCallMs: number;
  /** Replies that went backwards or jumped: an increment was lost or applied twice. */
  readonly wrong: readonly string[];
  /** Key → the last acknowledged value: what the servers must hold now, unless they may lose. */
  readonly last: ReadonlyMap<string, number>;
}

export interface Counting {
  readonly acknowledged: number;
  readonly errorCount: number;
  stop(): Promise<CountingReport>;
}

export interface CountingOptions {
  /**
   * An error leaves the outcome of its request open, and a failover may undo what was acknowledged:
   * then a value may be lower than the last one, which is counted instead of called wrong.
   */
  readonly mayLose?: boolean;
  /** How long the first successes are waited for. */
  readonly startTimeoutMs?: number;
}

/** So many increments of each client are acknowledged before anything is done to the product. */
const UNDER_WAY = 20;

class Counter {
  readonly errors = new Map<string, number>();
  readonly wrong: string[] = [];
  readonly successes: number[] = [];
  acknowledged = 0;
  errorCount = 0;
  longestCallMs = 0;
  last = 0;
  /** Requests since the last success whose outcome is not known. */
  #open = 0;
  isOver = false;

  constructor(
    readonly key: string,
    readonly client: RespClient,
    readonly mayLose: boolean,
  ) {}

  /** Ends with a success, after which it is known what the key holds. */
  async run(): Promise<void> {
    while (!this.isOver || (this.#open > 0 && !this.mayLose)) {
      const begun = performance.now();
      const reply = await this.client.call("INCR", this.key);
      const ended = performance.now();
      this.longestCallMs = Math.max(this.longestCallMs, ended - begun);
      if (reply instanceof ReplyError) {
        this.#open++;
        this.errorCount++;
        this.errors.set(reply.message, (this.errors.get(reply.message) ?? 0) + 1);
        await Bun.sleep(1); // a server that refuses at once must not keep all others from working
        continue;
      }
      this.#check(Number(reply));
      this.successes.push(ended);
      this.acknowledged++;
    }
  }

  #check(value: number): void {
    const isExact = value > this.last && value <= this.last + 1 + this.#open;
    if (!isExact && !this.mayLose) {
      this.wrong.push(`${this.key}: ${value} after ${this.last} with ${this.#open} open`);
    }
    this.last = value;
    this.#open = 0;
  }
}

/** `clients` counters on each of the ports. Resolves when every one of them is under way. */
export async function startCounting(
  ports: readonly number[],
  clients: number,
  options: CountingOptions = {},
): Promise<Counting> {
  const counters: Counter[] = [];
  for (const port of ports) {
    for (let i = 0; i < clients; i++) {
      const client = await connect(port, { readTimeoutMs: 60_000 });
      counters.push(new Counter(`count:${port}:${i}`, client, options.mayLose ?? false));
    }
  }
  const running = counters.map((counter) => counter.run());
  const total = (field: "acknowledged" | "errorCount"): number =>
    counters.reduce((sum, counter) => sum + counter[field], 0);
  const areUnderWay = (): boolean => counters.every((each) => each.acknowledged >= UNDER_WAY);
  await until(areUnderWay, { timeoutMs: options.startTimeoutMs });
  return {
    get acknowledged() {
      return total("acknowledged");
    },
    get errorCount() {
      return total("errorCount");
    },
    stop: async () => {
      for (const counter of counters) counter.isOver = true;
      await Promise.all(running);
      for (const counter of counters) counter.client.close();
      return report(counters);
    },
  };
}

function report(counters: readonly Counter[]): CountingReport {
  const errors = new Map<string, number>();
  for (const counter of counters) {
    for (const [text, count] of counter.errors) errors.set(text, (errors.get(text) ?? 0) + count);
  }
  const successes = counters.flatMap((counter) => counter.successes).sort((a, b) => a - b);
  let longestGapMs = 0;
  for (let i = 1; i < successes.length; i++) {
    longestGapMs = Math.max(longestGapMs, successes[i] - successes[i - 1]);
  }
  return {
    acknowledged: counters.reduce((sum, counter) => sum + counter.acknowledged, 0),
    errorCount: counters.reduce((sum, counter) => sum + counter.errorCount, 0),
    errors,
    longestGapMs,
    longestCallMs: Math.max(...counters.map((counter) => counter.longestCallMs)),
    wrong: counters.flatMap((counter) => counter.wrong),
    last: new Map(counters.map((counter) => [counter.key, counter.last])),
  };
}

/** The counters of which `valueOf`, a GET somewhere, finds another value than the last one. */
export async function wrongCounts(
  { last }: CountingReport,
  valueOf: (key: string) => Promise<unknown>,
): Promise<string[]> {
  const lines: string[] = [];
  for (const [key, value] of last) {
    const found = Number(await valueOf(key));
    if (found !== value) lines.push(`${key}: ${found} is there, ${value} was the last`);
  }
  return lines;
}

/** With CODIS_TEST_FIGURES=1 a test says what it measured: for docs/failover.md. */
export function printFigures(what: string, report: CountingReport): void {
  if (process.env.CODIS_TEST_FIGURES !== "1") return;
  const lines = [...report.errors].map(([text, count]) => `    ${count} × ${text}`);
  const line =
    `${what}; ${report.acknowledged} acknowledged, longest gap ` +
    `${Math.round(report.longestGapMs)} ms, longest call ${Math.round(report.longestCallMs)} ms, ` +
    `${report.errorCount} errors`;
  process.stderr.write(`${[line, ...lines].join("\n")}\n`);
}
