// Writes what the rows of a table and a configuration say: the commented default file, the
// documentation page and the JSON of the admin API. Secrets never leave through here.

import type { Config, Setting, SettingValue } from "./table.ts";
import { allowedText, fieldOf, readValue, writtenValue } from "./table.ts";
import { envNameOf } from "./load.ts";

const FILE_COLUMNS = 100;

/** The default file: every row that is not retired, with its documentation as a comment. */
export function printDefaultFile(rows: readonly Setting[], title: string): string {
  const parts = [...comment(title)];
  for (const row of rows) {
    if (row.chapter !== undefined) parts.push("", ruler(row.chapter));
    if (row.retired !== undefined) continue;
    parts.push("", ...comment(row.doc), `${row.key} = ${JSON.stringify(row.default)}`);
  }
  return `${parts.join("\n")}\n`;
}

/** The chapters of config.md: one heading per setting, its meaning, then its facts. */
export function printMarkdown(rows: readonly Setting[]): string {
  const parts: string[] = [];
  for (const row of rows) {
    if (row.chapter !== undefined) parts.push(`## ${row.chapter}`);
    parts.push(`### ${row.key}`, row.doc, facts(row));
  }
  return `${parts.join("\n\n")}\n`;
}

function facts(row: Setting): string {
  const lines = [`- Default: \`${JSON.stringify(row.default)}\`. Allowed: ${allowedText(row)}.`];
  if (row.retired !== undefined) lines.push(`- Retired: ${row.retired}.`);
  if (row.isSecret) {
    lines.push(
      `- Secret: never shown. May be read from the file that \`${envNameOf(row)}_FILE\` names.`,
    );
  }
  if (row.reloadable) lines.push("- Reloadable.");
  return lines.join("\n");
}

/**
 * The configuration as the admin API shows it: keys and order of the table, sizes and durations as
 * texts, no secrets.
 */
export function configJson(rows: readonly Setting[], config: Config): Record<string, SettingValue> {
  const json: Record<string, SettingValue> = {};
  for (const row of rows) {
    if (!row.isSecret) json[row.key] = writtenValue(row, config[fieldOf(row)]);
  }
  return json;
}

/**
 * What differs from the defaults, for one line in the log at start: "proxy_addr = …, session_auth
 * is set". Empty when nothing does.
 */
export function describeChanges(rows: readonly Setting[], config: Config): string {
  const parts: string[] = [];
  for (const row of rows) {
    const value = config[fieldOf(row)];
    const byDefault = readValue(row, row.default);
    if ("value" in byDefault && byDefault.value === value) continue;
    const written = JSON.stringify(writtenValue(row, value));
    parts.push(row.isSecret ? `${row.key} is set` : `${row.key} = ${written}`);
  }
  return parts.join(", ");
}

/** The secrets of a configuration that are set, for `log.hideSecrets`. */
export function secretsOf(rows: readonly Setting[], config: Config): string[] {
  return rows
    .filter((row) => row.isSecret)
    .map((row) => String(config[fieldOf(row)]))
    .filter((secret) => secret !== "");
}

function ruler(chapter: string): string {
  return `# ---- ${chapter} ${"-".repeat(FILE_COLUMNS - 8 - chapter.length)}`;
}

/** Breaks a text into comment lines. */
function comment(text: string): string[] {
  const lines: string[] = [];
  let line = "#";
  for (const word of text.split(/\s+/)) {
    if (line.length + 1 + word.length > FILE_COLUMNS) {
      lines.push(line);
      line = "#";
    }
    line += ` ${word}`;
  }
  lines.push(line);
  return lines;
}
