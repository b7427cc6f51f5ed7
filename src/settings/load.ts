// Reads the configuration of a program: built-in defaults, above them the TOML file, above that the
// environment, above all the flags. Whatever is wrong ends in an `OperatorError` of one sentence
// that names the place, the key and what is allowed; a value half understood is never used.

import { parse, TomlError } from "smol-toml";
import { readFileSync } from "node:fs";
import { didYouMean } from "../lib/edit-distance.ts";
import { codeOf, messageOf, OperatorError } from "../lib/operator-error.ts";
import type { ConfigOf, Reading, Setting, SettingValue } from "./table.ts";
import { allowedText, fieldOf, readText, readValue, withoutPassword } from "./table.ts";

const ENV_PREFIX = "CODIS_";
const FILE_SUFFIX = "_FILE";

/** The longest piece of a configuration line that an error message shows. */
const MAX_EXCERPT_CHARS = 60;

export type Environment = Readonly<Record<string, string | undefined>>;

export interface Sources {
  /** The TOML file; null when only defaults are wanted. */
  readonly file: string | null;
  readonly env: Environment;
  /** Settings given as options on the command line, by key. */
  readonly flags: Readonly<Record<string, string>>;
}

export interface Loaded<C> {
  readonly config: C;
  /** Sentences for the log, once it is open. */
  readonly warnings: readonly string[];
}

/** Where the value of a setting comes from, in words for a message. */
type Assign = (row: Setting, reading: Reading, given: unknown, where: string) => void;

export function loadSettings<const Rows extends readonly Setting[]>(
  rows: Rows,
  sources: Sources,
): Loaded<ConfigOf<Rows>> {
  const config: Record<string, SettingValue> = {};
  const warnings = new Map<string, string>();
  const assign: Assign = (row, reading, given, where) => {
    if ("problem" in reading) throw invalid(row, given, reading.problem, where);
    config[fieldOf(row)] = reading.value;
    if (row.retired === undefined || where === "") return;
    warnings.set(row.key, `setting ${row.key} (${where}) has no effect any more: ${row.retired}`);
  };
  for (const row of rows) assign(row, readValue(row, row.default), row.default, "");
  if (sources.file !== null) readFile(rows, sources.file, assign);
  readEnvironment(rows, sources.env, assign);
  readFlags(rows, sources.flags, assign);
  // Every row has assigned its default above, under the name that `ConfigOf` computes.
  return { config: config as unknown as ConfigOf<Rows>, warnings: [...warnings.values()] };
}

/** The error of a value that is not allowed; it begins as the original's does. */
function invalid(row: Setting, given: unknown, problem: string, where: string): OperatorError {
  const place = where === "" ? "" : ` (${where})`;
  const rest = `${problem}${place}; allowed is ${allowedText(row)}`;
  if (row.complaint !== undefined && given !== "") {
    return new OperatorError(`${row.complaint} = ${String(given)} is ${rest}`);
  }
  const shown = row.isSecret ? "the value" : withoutPassword(JSON.stringify(given) ?? "");
  return new OperatorError(`invalid ${row.key}: ${shown} is ${rest}`);
}

// --------------------------------------------------------------------------------- the TOML file

function readFile(rows: readonly Setting[], file: string, assign: Assign): void {
  const text = readWhole(file, "the configuration file");
  const table = parseToml(rows, file, text);
  const byKey = new Map(rows.map((row) => [row.key, row]));
  for (const [key, given] of Object.entries(table)) {
    const where = `${file}${lineOf(key, text)}`;
    const row = byKey.get(key);
    if (row === undefined) {
      const hint = didYouMean(key, byKey.keys()) || "; docs/config.md lists the known ones";
      throw new OperatorError(`unknown setting '${key}' (${where})${hint}`);
    }
    assign(row, readValue(row, given), given, where);
  }
}

function parseToml(rows: readonly Setting[], file: string, text: string): Record<string, unknown> {
  try {
    return parse(text);
  } catch (error) {
    if (!(error instanceof TomlError)) throw error;
    const reason = error.message.split("\n")[0].replace(/^Invalid TOML document: /, "");
    const excerpt = excerptOf(rows, text, error.line);
    throw new OperatorError(
      `${file}, line ${error.line}, column ${error.column}: ${reason}${excerpt}`,
      { cause: error },
    );
  }
}

/** The line of an error, unless it may hold a secret. */
function excerptOf(rows: readonly Setting[], text: string, lineNumber: number): string {
  const lines = text.split("\n");
  const before = lines.slice(0, lineNumber - 1).join("\n");
  const line = (lines[lineNumber - 1] ?? "").trim();
  // Inside a text of several lines nobody knows which key it belongs to.
  if (line === "" || before.includes('"""') || before.includes("'''")) return "";
  const secret = rows.find((row) => row.isSecret && line.includes(row.key));
  const shown = secret === undefined ? line : `${secret.key} = …`;
  const isLong = shown.length > MAX_EXCERPT_CHARS;
  return ` in \`${isLong ? `${shown.slice(0, MAX_EXCERPT_CHARS)}…` : shown}\``;
}

/** ", line 12", found by its key because the parsed table has no positions; "" when not found. */
function lineOf(key: string, text: string): string {
  const lines = text.split("\n");
  const index = lines.findIndex((line) => {
    const begin = line.trimStart().replace(/^\[*["']?/, "");
    return begin.startsWith(key) && /^["']?\s*[=.\]]/.test(begin.slice(key.length));
  });
  return index < 0 ? "" : `, line ${index + 1}`;
}

// ------------------------------------------------------------------------------- the environment

/**
 * Variables of these families configure other things: the demo, the tests, the benchmark. The last
 * tells `codis admin` where the dashboard is.
 */
const FOREIGN_ENV = /^CODIS_((DEMO|TEST|BENCH)_|DASHBOARD$)/;

/**
 * Kubernetes and Docker links set such variables for a service that is called "codis-proxy":
 * CODIS_PROXY_SERVICE_HOST, CODIS_PROXY_PORT_19000_TCP_ADDR. Nobody wrote them on purpose.
 */
const SERVICE_ENV = /_(SERVICE_(HOST|PORT(_\w+)?)|PORT_\d+_(TCP|UDP)(_(PROTO|PORT|ADDR))?)$/;
const SERVICE_URL = /^(tcp|udp):\/\//;

function isForeign(name: string, text: string): boolean {
  if (FOREIGN_ENV.test(name) || SERVICE_ENV.test(name)) return true;
  return name.endsWith("_PORT") && SERVICE_URL.test(text);
}

function readEnvironment(rows: readonly Setting[], env: Environment, assign: Assign): void {
  const byName = new Map(rows.map((row) => [envNameOf(row), row]));
  for (const [name, text] of Object.entries(env)) {
    if (text === undefined || !name.startsWith(ENV_PREFIX)) continue;
    const row = byName.get(name);
    if (row !== undefined) {
      assign(row, readText(row, text), text, `environment variable ${name}`);
      continue;
    }
    const secret = name.endsWith(FILE_SUFFIX)
      ? byName.get(name.slice(0, -FILE_SUFFIX.length))
      : null;
    if (secret?.isSecret) {
      readSecretFile(secret, name, text, env, assign);
    } else if (!isForeign(name, text)) {
      throw unknownVariable(name, byName.keys());
    }
  }
}

function unknownVariable(name: string, known: Iterable<string>): OperatorError {
  const hint = didYouMean(name, known) || "; docs/config.md lists the known ones";
  return new OperatorError(`unknown environment variable '${name}'${hint}`);
}

function readSecretFile(
  row: Setting,
  name: string,
  file: string,
  env: Environment,
  assign: Assign,
): void {
  if (env[envNameOf(row)] !== undefined) {
    throw new OperatorError(`${envNameOf(row)} and ${name} are both set; give only one of them`);
  }
  const text = readWhole(file, `the secret named by ${name}`);
  // Editors and `echo` end a file with a line feed that nobody means to be part of the secret.
  const secret = text.replace(/\r?\n$/, "");
  assign(row, readText(row, secret), secret, `the file of ${name}`);
}

/** "session_auth" → "CODIS_SESSION_AUTH". */
export function envNameOf(row: Setting): string {
  return ENV_PREFIX + row.key.toUpperCase();
}

// ------------------------------------------------------------------------------------- the flags

function readFlags(rows: readonly Setting[], flags: Sources["flags"], assign: Assign): void {
  for (const row of rows) {
    const text = flags[row.key];
    if (text !== undefined) assign(row, readText(row, text), text, `option --${row.key}`);
  }
}

function readWhole(file: string, what: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (error) {
    const why = codeOf(error) === "ENOENT" ? "there is no such file" : messageOf(error);
    throw new OperatorError(`cannot read ${what}, ${file}: ${why}`, { cause: error });
  }
}
