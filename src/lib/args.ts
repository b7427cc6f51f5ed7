// Command lines: a thin layer over `parseArgs` of Node that knows each option's row, speaks the
// errors of the original, and prints the usage text from the same rows. Knows no program.

import { parseArgs } from "node:util";
import { didYouMean } from "./edit-distance.ts";
import { UsageError } from "./operator-error.ts";
import { type Entry, listing, wordWidth } from "./wrap.ts";

export interface Option {
  /** Without the dashes: "log-level". */
  readonly name: string;
  /** One letter: "l" for -l. */
  readonly short?: string;
  /** What stands for the argument in the usage text, such as FILE; without it, a switch. */
  readonly argument?: string;
  /** The argument is a whole number from this one on. */
  readonly integerFrom?: number;
  /** The argument is one of these. */
  readonly choices?: readonly string[];
  readonly doc: string;
}

/** A word that stands for itself, by its place. */
export interface Positional {
  /** What stands for it in the usage text, such as ADDR; also its name in `Arguments`. */
  readonly name: string;
  /** May be left out; only after those that may not. */
  readonly isOptional?: true;
  readonly integerFrom?: number;
  readonly choices?: readonly string[];
  readonly doc: string;
}

export interface Program {
  /** As it is typed: "codis-proxy". */
  readonly name: string;
  /** The lines under "Usage:", without the name. */
  readonly synopsis: readonly string[];
  readonly options: readonly Option[];
  readonly positionals?: readonly Positional[];
}

const HELP: Option = { name: "help", short: "h", doc: "Print this text and exit." };

/**
 * The options and positionals that were given, by their names: "log-level", "ADDR". Asking for one
 * that the program does not have is a fault.
 */
export class Arguments {
  constructor(private readonly given: ReadonlyMap<string, string>) {}

  has(name: string): boolean {
    return this.given.has(name);
  }

  /** The argument of an option, or null when it was not given. */
  text(name: string): string | null {
    return this.given.get(name) ?? null;
  }

  /** The same of one that must be there: a positional that is not optional. */
  must(name: string): string {
    const text = this.given.get(name);
    if (text === undefined) throw new Error(`nothing was given for ${name}`);
    return text;
  }

  /** The names of all that were given. */
  get names(): readonly string[] {
    return [...this.given.keys()];
  }

  integer(name: string): number | null {
    const text = this.given.get(name);
    return text === undefined ? null : Number(text);
  }
}

/**
 * Parses what follows the program's name. Throws `UsageError` when it cannot be understood. When an
 * option comes twice the last one counts. `--help` is always known: look at `has("help")` first.
 */
export function parseArguments(program: Program, argv: readonly string[]): Arguments {
  const options = [...program.options, HELP];
  const positionals = program.positionals ?? [];
  const fail = (message: string): never => {
    throw new UsageError(message, usageText(program));
  };
  const { tokens } = parseArgs({
    args: [...argv],
    options: Object.fromEntries(options.map((option) => [option.name, nodeOption(option)])),
    strict: false, // Our own errors below say more.
    tokens: true,
  });
  const given = new Map<string, string>();
  let place = 0;
  for (const token of tokens) {
    if (token.kind === "option-terminator") continue;
    if (token.kind === "positional") {
      const row = positionals[place++];
      if (row === undefined) return fail(`'${token.value}' is not expected here`);
      const problem = checkValue(row, row.name, token.value);
      if (problem !== "") fail(problem);
      given.set(row.name, token.value);
      continue;
    }
    const option = options.find((row) => row.name === token.name);
    if (option === undefined) {
      const names = options.map((row) => `--${row.name}`);
      return fail(`unknown option ${token.rawName}${didYouMean(token.rawName, names)}`);
    }
    // "--config --version": the next option is no file name; "--config=--version" may be one.
    const isNextOption = token.inlineValue === false && /^-./.test(token.value);
    const problem = checkArgument(option, isNextOption ? undefined : token.value);
    if (problem !== "") fail(problem);
    given.set(option.name, token.value ?? "");
  }
  const missing = positionals.find((row, i) => i >= place && row.isOptional === undefined);
  if (missing !== undefined && !given.has(HELP.name)) fail(`${missing.name} is missing`);
  return new Arguments(given);
}

function nodeOption(option: Option): { type: "string" | "boolean"; short?: string } {
  const type = option.argument === undefined ? "boolean" : "string";
  return option.short === undefined ? { type } : { type, short: option.short };
}

/** What is wrong with the argument of an option, or "". The first two texts are the original's. */
function checkArgument(option: Option, value: string | undefined): string {
  if (option.argument === undefined) {
    return value === undefined ? "" : `option --${option.name} takes no argument`;
  }
  if (value === undefined || value === "") return `option --${option.name} requires an argument`;
  return checkValue(option, `option --${option.name}`, value);
}

function checkValue(
  rule: { readonly integerFrom?: number; readonly choices?: readonly string[] },
  name: string,
  value: string,
): string {
  if (rule.choices !== undefined && !rule.choices.includes(value)) {
    return `${name} must be one of ${rule.choices.join(", ")} and not '${value}'`;
  }
  if (rule.integerFrom === undefined) return "";
  if (!/^-?\d+$/.test(value)) return `${name} isn't a valid integer`;
  const number = Number(value);
  if (number >= rule.integerFrom && Number.isSafeInteger(number)) return "";
  return `${name} must be at least ${rule.integerFrom} and not ${value}`;
}

/** What `--help` prints, and what follows every usage error. */
export function usageText(program: Program): string {
  const lines = [
    "Usage:",
    ...program.synopsis.map((line) => `  ${program.name} ${line}`.trimEnd()),
  ];
  const words = (program.positionals ?? []).map(({ name, doc }): Entry => [name, doc]);
  const options = [...program.options, HELP].map((row): Entry => [headOf(row), row.doc]);
  const width = wordWidth([...words, ...options]);
  if (words.length > 0) lines.push("", "Arguments:", ...listing(words, width));
  lines.push("", "Options:", ...listing(options, width));
  return `${lines.join("\n")}\n`;
}

/** "-l, --log=FILE". */
export function headOf(option: Option): string {
  const short = option.short === undefined ? "" : `-${option.short}, `;
  const argument = option.argument === undefined ? "" : `=${option.argument}`;
  return `${short}--${option.name}${argument}`;
}
