// What the command lines of the programs that stay running have in common: the options for logs and
// settings, and what only prints and then ends. Their flags.ts build on this; knows no program.

import { type Arguments, type Option, parseArguments, type Program, usageText } from "./args.ts";
import { LOG_LEVELS, type LogLevel, parseLogLevel } from "./log.ts";
import { OperatorError, UsageError } from "./operator-error.ts";
import { versionText } from "./version.ts";

/** What a command line asks for. */
export type Task<Flags> =
  | { readonly kind: "print"; readonly text: string }
  | { readonly kind: "run"; readonly flags: Flags };

export const SYNOPSIS = ["[options]", "--default-config", "--check-config [options]", "--version"];

export const LOG_OPTIONS: readonly Option[] = [
  { name: "config", short: "c", argument: "FILE", doc: "Read the settings from this TOML file." },
  { name: "log", short: "l", argument: "FILE", doc: "Log to FILE.YYYY-MM-DD, not to stderr." },
  { name: "log-level", argument: "LEVEL", doc: `One of ${LOG_LEVELS.join(", ")}; default info.` },
];

export const PID_FILE_OPTION: Option = {
  name: "pidfile",
  argument: "FILE",
  doc: "Write the process id there while running.",
};

export const PRINT_OPTIONS: readonly Option[] = [
  { name: "default-config", doc: "Print the default settings as commented TOML and exit." },
  { name: "check-config", doc: "Say whether the settings are right and exit." },
  { name: "version", doc: "Print the version and exit." },
];

/** The options that stand for settings of the same names. */
export function settingOptions(names: readonly string[]): Option[] {
  return names.map((name) => ({
    name,
    argument: name.endsWith("_auth") ? "AUTH" : "NAME",
    doc: "Stands above the setting of that name.",
  }));
}

/** Throws `OperatorError` or `UsageError`. */
export function parseTask<Flags>(
  program: Program,
  argv: readonly string[],
  ways: {
    readonly defaultFile: () => string;
    readonly readFlags: (given: Arguments) => Flags;
    /** Reads and checks the settings. */
    readonly loadConfig: (flags: Flags) => { readonly warnings: readonly string[] };
  },
): Task<Flags> {
  const given = parseArguments(program, argv);
  const print = (text: string): Task<Flags> => ({ kind: "print", text });
  if (given.has("help")) return print(usageText(program));
  if (given.has("default-config")) return print(ways.defaultFile());
  if (given.has("version")) return print(versionText());
  const flags = ways.readFlags(given);
  if (!given.has("check-config")) return { kind: "run", flags };
  const { warnings } = ways.loadConfig(flags);
  return print([...warnings, "the settings are right"].map((line) => `${line}\n`).join(""));
}

/** The level that was asked for, in any letter case, or "info". */
export function readLogLevel(given: Arguments): LogLevel {
  const text = given.text("log-level") ?? "info";
  const level = parseLogLevel(text);
  if (level !== null) return level;
  throw new OperatorError(
    `option --log-level = ${text} is no level; allowed is one of ${LOG_LEVELS.join(", ")}`,
  );
}

/** Those of the options that were given, by name. */
export function readSettings(given: Arguments, names: readonly string[]): Record<string, string> {
  const settings: Record<string, string> = {};
  for (const name of names) {
    const text = given.text(name);
    if (text !== null) settings[name] = text;
  }
  return settings;
}

/** Which of the options was given, or null; more than one are a mistake. */
export function onlyOneOf<Name extends string>(
  program: Program,
  given: Arguments,
  names: readonly Name[],
): Name | null {
  const found = names.filter((name) => given.has(name));
  if (found.length <= 1) return found[0] ?? null;
  const words = found.map((name) => `--${name}`).join(" and ");
  throw new UsageError(
    `options ${words} exclude one another; give one of them`,
    usageText(program),
  );
}
