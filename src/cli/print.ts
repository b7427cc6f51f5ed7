// All output of the administration commands: plain lines for pipes and files, colours and redrawing
// on a terminal only. NO_COLOR and TERM=dumb switch colours off. Data goes to stdout, words about
// it to stderr, so that what a script reads is nothing but data.

import { encodeJson } from "../model/json.ts";

export type Colour = "red" | "green" | "yellow" | "cyan" | "dim" | "bold";

const CODES: Readonly<Record<Colour, string>> = {
  red: "\x1b[31m",
  green: "\x1b[32m",
  yellow: "\x1b[33m",
  cyan: "\x1b[36m",
  dim: "\x1b[2m",
  bold: "\x1b[1m",
};
const PLAIN = "\x1b[0m";
const ERASE_DOWN = "\x1b[J";
const DEFAULT_COLUMNS = 100;
/** A narrower terminal gets lines that it wraps. */
const LEAST_COLUMNS = 40;

/** Where lines go, and how they may look there. */
export class Screen {
  readonly isTerminal: boolean;
  readonly hasColour: boolean;
  readonly #write: (text: string) => void;
  readonly #columns: () => number;
  /** Lines that the next `redraw` replaces. */
  #drawn = 0;

  constructor(options: {
    readonly write: (text: string) => void;
    readonly isTerminal: boolean;
    readonly columns?: () => number;
    readonly env?: Readonly<Record<string, string | undefined>>;
  }) {
    const { NO_COLOR = "", TERM = "" } = options.env ?? {};
    this.isTerminal = options.isTerminal;
    this.hasColour = options.isTerminal && NO_COLOR === "" && TERM !== "dumb";
    this.#write = options.write;
    this.#columns = options.columns ?? (() => DEFAULT_COLUMNS);
  }

  /** How wide a line may be; without a terminal nobody minds. */
  get columns(): number {
    return this.isTerminal ? Math.max(LEAST_COLUMNS, this.#columns()) : DEFAULT_COLUMNS;
  }

  line(text = ""): void {
    this.#write(`${text}\n`);
    this.#drawn = 0;
  }

  /** A text that has its line ends already. */
  raw(text: string): void {
    this.#write(text);
    this.#drawn = 0;
  }

  lines(texts: readonly string[]): void {
    for (const text of texts) this.line(text);
  }

  json(value: unknown): void {
    this.line(encodeJson(value));
  }

  /** Prints lines in place of those that the last call printed; without a terminal, below them. */
  redraw(texts: readonly string[]): void {
    const up = this.isTerminal && this.#drawn > 0 ? `\x1b[${this.#drawn}A\r${ERASE_DOWN}` : "";
    this.#write(up + texts.map((text) => `${text}\n`).join(""));
    const columns = this.columns;
    this.#drawn = texts.reduce((sum, text) => sum + rowsOf(text, columns), 0);
  }

  paint(colour: Colour, text: string): string {
    return this.hasColour && text !== "" ? `${CODES[colour]}${text}${PLAIN}` : text;
  }
}

/** How many columns a text takes, without its colours. */
export function widthOf(text: string): number {
  return Bun.stringWidth(text);
}

/** A line that is too long takes several rows of the terminal. */
function rowsOf(text: string, columns: number): number {
  return Math.max(1, Math.ceil(widthOf(text) / columns));
}

/** Data. */
export const stdout = screenOf(process.stdout);
/** What a person should know beside it. */
export const stderr = screenOf(process.stderr);

function screenOf(stream: NodeJS.WriteStream): Screen {
  return new Screen({
    write: (text) => void stream.write(text),
    isTerminal: stream.isTTY === true,
    columns: () => stream.columns ?? DEFAULT_COLUMNS,
    env: process.env,
  });
}
