// The log of a process: one line per entry, subject first, at changes of state and never per
// request. Lines go to stderr, or with `--log=FILE` to FILE.YYYY-MM-DD, a new file at local
// midnight. Parent and workers each open the same file and append whole lines, so lines of several
// processes never mix. Logging never throws: a full disk must not stop a proxy.
//
// Secrets are not logged anywhere in the program; `hideSecrets` is the net under that rule.

import { closeSync, mkdirSync, openSync, writeSync } from "node:fs";
import { dirname } from "node:path";
import { codeOf, messageOf, OperatorError } from "./operator-error.ts";

/** Each level includes those before it. */
export const LOG_LEVELS = ["none", "error", "warn", "info", "debug"] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

const STDERR_FD = 2;

/** Shorter secrets are too likely to be part of ordinary words to be blotted out of every line. */
const SHORTEST_HIDDEN_SECRET = 6;

/** How often a line is offered again to a pipe that is full before it is given up. */
const WRITE_ATTEMPTS = 20;

/** Parses a level in any letter case; "warning" is "warn". Null when there is no such level. */
export function parseLogLevel(text: string): LogLevel | null {
  const word = text.toLowerCase();
  if (word === "warning") return "warn";
  return LOG_LEVELS.find((level) => level === word) ?? null;
}

export class Log {
  #level: LogLevel = "info";
  #fd = STDERR_FD;
  #file = ""; // the name given with --log, without the date; "" is stderr
  #day = ""; // the date in the name of the open file
  #secrets: string[] = [];
  #droppedLines = 0;

  /** Tests give their own clock. */
  constructor(private readonly now: () => Date = () => new Date()) {}

  get level(): LogLevel {
    return this.#level;
  }

  /** May be called at any time; takes effect with the next entry. */
  setLevel(level: LogLevel): void {
    this.#level = level;
  }

  /** The name given to `open`, or "" while lines go to stderr. */
  get file(): string {
    return this.#file;
  }

  /** Entries that could not be written since the start. */
  get droppedLines(): number {
    return this.#droppedLines;
  }

  /** Sends further entries to `file`.YYYY-MM-DD; directories are created as needed. */
  open(file: string): void {
    const day = dayOf(this.now());
    let fd: number;
    try {
      fd = openDay(file, day);
    } catch (error) {
      throw new OperatorError(
        `cannot open the log file ${file}.${day} (${codeOf(error) || messageOf(error)}); ` +
          `give --log a file in a directory that this user may write to`,
      );
    }
    this.#closeFile();
    this.#file = file;
    this.#day = day;
    this.#fd = fd;
  }

  /** Goes back to stderr. */
  close(): void {
    this.#closeFile();
    this.#file = "";
    this.#day = "";
  }

  /** From now on these texts are blotted out of every entry. Replaces an earlier list. */
  hideSecrets(secrets: Iterable<string>): void {
    this.#secrets = [...secrets].filter((secret) => secret.length >= SHORTEST_HIDDEN_SECRET);
  }

  /**
   * With `error` its message follows on the same line. A fault of ours (anything but an
   * `OperatorError` or a system error) also brings its stack, indented on lines of its own.
   */
  error(text: string, error?: unknown): void {
    this.#entry("error", text, error);
  }

  warn(text: string, error?: unknown): void {
    this.#entry("warn", text, error);
  }

  info(text: string): void {
    this.#entry("info", text);
  }

  debug(text: string): void {
    this.#entry("debug", text);
  }

  /** The last entry before the process ends; no level filters it. */
  fatal(text: string, error?: unknown): void {
    this.#write("PANIC", text, error);
  }

  #entry(level: LogLevel, text: string, error?: unknown): void {
    if (LOG_LEVELS.indexOf(level) > LOG_LEVELS.indexOf(this.#level)) return;
    this.#write(level.toUpperCase(), text, error);
  }

  #write(label: string, text: string, error: unknown): void {
    const now = this.now();
    this.#roll(dayOf(now));
    const cause = error === undefined ? "" : `: ${messageOf(error)}`;
    const line = `${timeOf(now)} [${label}] ${printable(text + cause)}\n${stackOf(error)}`;
    if (!writeWhole(this.#fd, this.#blot(line))) this.#droppedLines++;
  }

  #blot(line: string): string {
    for (const secret of this.#secrets) line = line.replaceAll(secret, "***");
    return line;
  }

  #roll(day: string): void {
    if (this.#file === "" || day === this.#day) return;
    try {
      const fd = openDay(this.#file, day);
      closeSync(this.#fd);
      this.#fd = fd;
      this.#day = day;
    } catch {
      // Yesterday's file is still open and better than nothing; the next entry tries again.
    }
  }

  #closeFile(): void {
    if (this.#file !== "") closeSync(this.#fd);
    this.#fd = STDERR_FD;
  }
}

/** The log of this process. */
export const log = new Log();

function openDay(file: string, day: string): number {
  mkdirSync(dirname(file), { recursive: true });
  return openSync(`${file}.${day}`, "a");
}

function writeWhole(fd: number, line: string): boolean {
  const bytes = Buffer.from(line, "utf8");
  let from = 0;
  for (let attempt = 0; attempt < WRITE_ATTEMPTS; attempt++) {
    try {
      from += writeSync(fd, bytes, from);
      if (from >= bytes.length) return true;
    } catch (error) {
      // stderr may be a pipe whose reader is slow; everything else will not get better.
      if (codeOf(error) !== "EAGAIN") return false;
    }
  }
  return false;
}

/** Names and addresses come from clients: nothing in them may start a line or colour a terminal. */
function printable(text: string): string {
  return text.replace(
    /[\u0000-\u001f\u007f-\u009f\u2028\u2029]/g,
    (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

function stackOf(error: unknown): string {
  const isFault = error instanceof Error && !(error instanceof OperatorError);
  if (!isFault || codeOf(error) !== "" || error.stack === undefined) return "";
  const frames = error.stack.split("\n").filter((line) => /^\s+at /.test(line));
  return frames.map((frame) => `    ${printable(frame.trim())}\n`).join("");
}

function timeOf(date: Date): string {
  const day = dayOf(date).replaceAll("-", "/");
  return `${day} ${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
}

function dayOf(date: Date): string {
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
}

function two(number: number): string {
  return String(number).padStart(2, "0");
}
