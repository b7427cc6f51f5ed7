// The line of figures under the demo's text: redrawn every second on a terminal; elsewhere, where
// it would fill a log, only once a minute.
import type { ProxyStats } from "../model/proxy-stats.ts";

const TERMINAL_PERIOD_MS = 1000;
const LOG_PERIOD_MS = 60_000;
const ERASE_LINE = "\r\x1b[K";

interface Reading {
  readonly atMs: number;
  readonly total: number;
  readonly errors: number;
  readonly sessions: number;
}

export class LiveFigures implements Disposable {
  #adminPorts: readonly number[];
  #isTerminal: boolean;
  #last: Reading | null = null;
  #timer: Timer;
  /** What is shown behind the figures. */
  #note = "";

  constructor(adminPorts: readonly number[]) {
    this.#adminPorts = adminPorts;
    this.#isTerminal = process.stdout.isTTY === true;
    const period = this.#isTerminal ? TERMINAL_PERIOD_MS : LOG_PERIOD_MS;
    this.#timer = setInterval(() => void this.#show(), period);
    void this.#show();
  }

  /** Prints a line above the figures. */
  say(line: string): void {
    process.stdout.write(`${this.#isTerminal ? ERASE_LINE : ""}${line}\n`);
  }

  /** Shows a text in the place of the figures until it is "" again; on a terminal only. */
  instead(note: string): void {
    this.#note = note;
    if (this.#isTerminal) process.stdout.write(`${ERASE_LINE}${note}`);
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
    if (this.#isTerminal) process.stdout.write(ERASE_LINE);
  }

  async #show(): Promise<void> {
    const reading = await readStats(this.#adminPorts);
    const before = this.#last;
    this.#last = reading ?? before;
    // The first reading has nothing to be compared with.
    if (reading === null || before === null || this.#note !== "") return;
    const line = figuresLine(before, reading);
    process.stdout.write(this.#isTerminal ? `${ERASE_LINE}${line}` : `${line}\n`);
  }
}

export function figuresLine(before: Reading, now: Reading): string {
  const seconds = (now.atMs - before.atMs) / 1000;
  // The totals begin again at zero when the proxy was started again.
  const rate = Math.round(Math.max(0, now.total - before.total) / seconds);
  const parts = [
    `${rate.toLocaleString("en-US")} requests/s`,
    count(now.sessions, "session"),
    count(now.errors, "error"),
  ];
  return parts.join(", ");
}

export function count(number: number, noun: string): string {
  return `${number.toLocaleString("en-US")} ${noun}${number === 1 ? "" : "s"}`;
}

/** The sum over all proxies. */
async function readStats(adminPorts: readonly number[]): Promise<Reading | null> {
  try {
    const all = await Promise.all(
      adminPorts.map(async (port) => {
        const response = await fetch(`http://127.0.0.1:${port}/proxy/stats`);
        return (await response.json()) as ProxyStats;
      }),
    );
    const sum = (value: (stats: ProxyStats) => number): number => {
      return all.reduce((total, stats) => total + value(stats), 0);
    };
    return {
      atMs: performance.now(),
      total: sum(({ ops }) => ops.total),
      errors: sum(({ ops }) => ops.fails + ops.redis.errors),
      sessions: sum(({ sessions }) => sessions.alive),
    };
  } catch {
    return null; // A proxy is being started again.
  }
}
