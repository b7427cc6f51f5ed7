// Adds up what the workers report. What a worker had counted before it died is kept ("retired"), so
// that no total ever goes backwards; what it counted in its last moments, after its last report, is
// lost with it.

import { HISTOGRAM_BUCKETS, type CommandStats, type WorkerStats } from "./ipc.ts";

export interface CommandTotals {
  readonly name: string;
  calls: number;
  usecs: number;
  fails: number;
  errors: number;
  rejected: number;
  readonly histogram: number[];
}

/** A sum of reports. Gauges (sessions alive) count living workers only. */
export class Totals {
  opsTotal = 0;
  opsFails = 0;
  redisErrors = 0;
  sessionsTotal = 0;
  sessionsAlive = 0;
  readonly commands = new Map<string, CommandTotals>();
  readonly counters = new Map<string, number>();
  /** Error replies by their first word. */
  readonly errors = new Map<string, number>();

  /** The sum of what dead workers left and of what living ones say. */
  static of(retired: Totals, living: Iterable<WorkerStats>): Totals {
    const sum = new Totals();
    sum.#merge(retired);
    for (const stats of living) {
      sum.add(stats);
      sum.sessionsAlive += stats.sessionsAlive;
    }
    return sum;
  }

  /** Counters only; a dead worker has no sessions. */
  add(stats: WorkerStats): void {
    this.opsTotal += stats.opsTotal;
    this.opsFails += stats.opsFails;
    this.redisErrors += stats.redisErrors;
    this.sessionsTotal += stats.sessionsTotal;
    for (const command of stats.commands) this.#addCommand(command);
    for (const [name, value] of Object.entries(stats.counters)) this.#addCounter(name, value);
    for (const [word, count] of Object.entries(stats.errors ?? {})) {
      this.errors.set(word, (this.errors.get(word) ?? 0) + count);
    }
  }

  counter(name: string): number {
    return this.counters.get(name) ?? 0;
  }

  /** What a reset leaves: counters of limits go on, as Prometheus expects of them. */
  reset(): void {
    this.opsTotal = 0;
    this.opsFails = 0;
    this.redisErrors = 0;
    this.sessionsTotal = 0;
    this.commands.clear();
    this.errors.clear();
  }

  #merge(other: Totals): void {
    this.opsTotal += other.opsTotal;
    this.opsFails += other.opsFails;
    this.redisErrors += other.redisErrors;
    this.sessionsTotal += other.sessionsTotal;
    for (const command of other.commands.values()) this.#addCommand(command);
    for (const [name, value] of other.counters) this.#addCounter(name, value);
    for (const [word, count] of other.errors) this.errors.set(word, count);
  }

  #addCounter(name: string, value: number): void {
    const before = this.counters.get(name) ?? 0;
    this.counters.set(name, name.startsWith("max") ? Math.max(before, value) : before + value);
  }

  #addCommand(command: CommandStats | CommandTotals): void {
    let sum = this.commands.get(command.name);
    if (sum === undefined) {
      const histogram = new Array<number>(HISTOGRAM_BUCKETS).fill(0);
      const zero = { calls: 0, usecs: 0, fails: 0, errors: 0, rejected: 0 };
      sum = { name: command.name, ...zero, histogram };
      this.commands.set(command.name, sum);
    }
    sum.calls += command.calls;
    sum.usecs += command.usecs;
    sum.fails += command.fails;
    sum.errors += command.errors;
    sum.rejected += command.rejected ?? 0;
    for (let i = 0; i < HISTOGRAM_BUCKETS; i++) sum.histogram[i] += command.histogram[i] ?? 0;
  }
}

/**
 * The time in microseconds within which the share `quantile` of the calls was answered, estimated
 * by a straight line inside its bucket. 0 when there were no calls.
 */
export function percentile(histogram: readonly number[], quantile: number): number {
  let calls = 0;
  for (const count of histogram) calls += count;
  if (calls === 0) return 0;
  const wanted = quantile * calls;
  let seen = 0;
  for (let bucket = 0; bucket < histogram.length; bucket++) {
    const count = histogram[bucket];
    if (count === 0 || seen + count < wanted) {
      seen += count;
      continue;
    }
    const from = bucket === 0 ? 0 : 2 ** (bucket - 1);
    return Math.round(from + ((2 ** bucket - from) * (wanted - seen)) / count);
  }
  return 2 ** (histogram.length - 1);
}
