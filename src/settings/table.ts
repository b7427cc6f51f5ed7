// What a setting is. Every program has a list of such rows; parsing, defaults, bounds, the default
// file, the documentation and the JSON of the admin API all come from the row, from nothing else.
// `load.ts` reads values by it, `print.ts` writes them. The rows of the proxy: proxy/settings.ts.

import { formatBytes, formatDuration, parseBytes, parseDuration } from "./units.ts";

export type SettingType = "string" | "boolean" | "integer" | "bytes" | "duration";
export type SettingValue = string | number | boolean;

/**
 * The value in the configuration of a limit that is switched off. A number that nothing reaches,
 * so that code compares with it and needs no case for "no limit".
 */
export const UNLIMITED = Number.MAX_SAFE_INTEGER;

/** The largest integer setting: what the original's 32-bit fields hold. */
const LARGEST_INTEGER = 2 ** 31 - 1;

export interface Setting {
  /** As in the file: "session_recv_timeout". */
  readonly key: string;
  readonly type: SettingType;
  /** As it would be written in the file: "30m" and not 1800000. */
  readonly default: SettingValue;
  /** Full sentences for config.md and the default file. */
  readonly doc: string;
  /** Bounds of a number, in bytes or milliseconds; without them 0 and the largest exact number. */
  readonly min?: number;
  readonly max?: number;
  /** What 0 stands for, when code should find another number in the configuration. */
  readonly zeroMeans?: number;
  /** A text that must not be empty. */
  readonly isRequired?: true;
  /** The only texts allowed. */
  readonly choices?: readonly string[];
  /** Further rule for a text that is not empty, with what it allows in words. */
  readonly rule?: { readonly allows: (text: string) => boolean; readonly allowed: string };
  /** How the error of a wrong text begins, when not with "invalid <key>". */
  readonly complaint?: string;
  /** Never in logs or in JSON; may be read from a file that CODIS_<KEY>_FILE names. */
  readonly isSecret?: true;
  /** The value is a URL that may carry a password, which is left out wherever it is shown. */
  readonly isUrl?: true;
  /** Accepted without effect, with one warning that ends in this reason. */
  readonly retired?: string;
  /** May change while the program runs. */
  readonly reloadable: boolean;
  /** Begins a chapter of the default file and of config.md. */
  readonly chapter?: string;
}

/** "session_recv_timeout" → "sessionRecvTimeout". */
type Camel<Key extends string> = Key extends `${infer Head}_${infer Tail}`
  ? `${Head}${Capitalize<Camel<Tail>>}`
  : Key;

/** The field of a setting in the configuration: camel case, with the unit at the end. */
type FieldName<Key extends string, Type extends SettingType> = Type extends "bytes"
  ? `${Camel<Key>}Bytes`
  : Type extends "duration"
    ? `${Camel<Key>}Ms`
    : Camel<Key>;

type ValueOf<Type extends SettingType> = Type extends "string"
  ? string
  : Type extends "boolean"
    ? boolean
    : number;

/** The configuration that a list of rows describes. */
export type ConfigOf<Rows extends readonly Setting[]> = {
  readonly [Row in Rows[number] as FieldName<Row["key"], Row["type"]>]: ValueOf<Row["type"]>;
};

/** Any configuration, for the functions that walk over the rows. */
export type Config = { readonly [field: string]: SettingValue };

/** The field of a row at run time; the same rule as `FieldName`. */
export function fieldOf(row: Setting): string {
  const camel = row.key.replace(/_(.)/g, (_, letter: string) => letter.toUpperCase());
  if (row.type === "bytes") return `${camel}Bytes`;
  return row.type === "duration" ? `${camel}Ms` : camel;
}

/** A value in base units, or what is wrong with the text or TOML value that was given. */
export type Reading = { readonly value: SettingValue } | { readonly problem: string };

/** Reads a value as TOML gives it: texts with their quotes gone, numbers, true and false. */
export function readValue(row: Setting, given: unknown): Reading {
  const parsed = parseValue(row, given);
  if ("problem" in parsed) return parsed;
  const problem = findProblem(row, parsed.value);
  if (problem !== "") return { problem };
  if (parsed.value === 0 && row.zeroMeans !== undefined) return { value: row.zeroMeans };
  return parsed;
}

/** Reads a value from an environment variable or a flag, where everything is a text. */
export function readText(row: Setting, text: string): Reading {
  if (row.type === "boolean") return readValue(row, text === "true" || (text !== "false" && text));
  if (row.type === "integer") return readValue(row, /^[+-]?\d+$/.test(text) ? Number(text) : text);
  return readValue(row, text);
}

function parseValue(row: Setting, given: unknown): Reading {
  switch (row.type) {
    case "string":
      return typeof given === "string" ? { value: given } : { problem: "not a text in quotes" };
    case "boolean":
      return typeof given === "boolean" ? { value: given } : { problem: "neither true nor false" };
    case "integer":
      return Number.isInteger(given) ? { value: Number(given) } : { problem: "not a whole number" };
    case "bytes":
      return measured(parseBytes, given, "an invalid bytesize");
    case "duration":
      return measured(parseDuration, given, "an invalid timesize");
  }
}

function measured(
  parse: (text: string) => number | null,
  given: unknown,
  problem: string,
): Reading {
  if (typeof given !== "string" && typeof given !== "number") return { problem };
  const value = parse(String(given));
  return value === null ? { problem } : { value };
}

function findProblem(row: Setting, value: SettingValue): string {
  if (typeof value === "number") {
    if (value < minOf(row)) return value < 0 ? "less than nothing" : "too small";
    return value > maxOf(row) ? "too large" : "";
  }
  if (typeof value === "boolean") return "";
  if (value === "") return row.isRequired ? "empty" : "";
  if (row.choices !== undefined) return row.choices.includes(value) ? "" : "not one of these";
  if (row.rule !== undefined) return row.rule.allows(value) ? "" : "of another form";
  return "";
}

export function minOf(row: Setting): number {
  return row.min ?? 0;
}

export function maxOf(row: Setting): number {
  return row.max ?? (row.type === "integer" ? LARGEST_INTEGER : Number.MAX_SAFE_INTEGER);
}

/** What a setting takes, in words, for error messages and the documentation. */
export function allowedText(row: Setting): string {
  switch (row.type) {
    case "boolean":
      return "true or false";
    case "integer":
      return `a whole number ${boundsText(row, String)}`;
    case "bytes":
      return `a size ${boundsText(row, formatBytes)}, such as "512", "64kb" or "1gb"`;
    case "duration":
      return `a duration ${boundsText(row, formatDuration)}, such as "500ms", "30s" or "5m"`;
    case "string":
      return stringAllowedText(row);
  }
}

function stringAllowedText(row: Setting): string {
  const emptiness = row.isRequired ? "" : ", or empty";
  if (row.choices !== undefined) return `one of ${row.choices.join(", ")}${emptiness}`;
  if (row.rule !== undefined) return `${row.rule.allowed}${emptiness}`;
  return row.isRequired ? "a text that is not empty" : "any text";
}

function boundsText(row: Setting, format: (value: number) => string): string {
  const hasMax = row.max !== undefined;
  return hasMax ? `from ${format(minOf(row))} to ${format(row.max)}` : `from ${format(minOf(row))}`;
}

/** A value as it is written in the file and in JSON: sizes and durations with their units. */
export function writtenValue(row: Setting, value: SettingValue): SettingValue {
  if (typeof value === "number") {
    const written = value === UNLIMITED && row.zeroMeans === UNLIMITED ? 0 : value;
    if (row.type === "bytes") return formatBytes(written);
    return row.type === "duration" ? formatDuration(written) : written;
  }
  return row.isUrl && typeof value === "string" ? withoutPassword(value) : value;
}

/** "http://user:secret@host/x" → "http://user:***@host/x". */
export function withoutPassword(text: string): string {
  return text.replace(/(\w+:\/\/[^/@:]*):[^/]*@/g, "$1:***@");
}
