// The project's own files as text, for the tests that check rules about them.
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, normalize } from "node:path";
import { fileURLToPath } from "node:url";

export const ROOT = fileURLToPath(new URL("../..", import.meta.url));

export interface Source {
  /** From the root of the project: "src/proxy/session.ts". */
  readonly path: string;
  readonly text: string;
  readonly lines: readonly string[];
}

export interface Import {
  readonly line: number;
  /** As written: "./scan.ts", "node:fs". */
  readonly name: string;
  /** The path from the root of what a relative import names; "" for a package. */
  readonly path: string;
  /** Gone after compilation, so that it ties nothing together when the program runs. */
  readonly isTypeOnly: boolean;
}

/** Files below `folders` whose name ends with one of `endings`. */
export function sources(folders: readonly string[], endings: readonly string[]): Source[] {
  const paths = folders.flatMap((folder) => filesBelow(folder));
  return paths.filter((path) => endings.some((ending) => path.endsWith(ending))).map(readSource);
}

export function readSource(path: string): Source {
  const text = readFileSync(join(ROOT, path), "utf8");
  return { path, text, lines: text.split("\n") };
}

function filesBelow(folder: string): string[] {
  const found = readdirSync(join(ROOT, folder), { recursive: true, withFileTypes: true });
  return found
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(ROOT.length))
    .sort();
}

const STATEMENT =
  /^(?:import|export)\s(?:(type)\s)?(?:[^"';]*?\sfrom\s)?"([^"]+)"|\bimport\("([^"]+)"\)/gm;

export function importsOf(source: Source): Import[] {
  return [...withoutComments(source.text).matchAll(STATEMENT)].map((match) => {
    const name = match[2] ?? match[3];
    const isRelative = name.startsWith(".");
    return {
      line: lineAt(source.text, match.index),
      name,
      path: isRelative ? normalize(join(dirname(source.path), name)) : "",
      isTypeOnly: match[1] === "type",
    };
  });
}

/** Comments become spaces, so that offsets and lines stay what they were. Strings stay. */
export function withoutComments(text: string): string {
  return blank(text, (token) => token.startsWith("//") || token.startsWith("/*"));
}

/** Strings, templates and patterns as well: for rules about words of the language. */
export function codeOnly(text: string): string {
  return blank(text, () => true);
}

// Comments, strings, templates, and patterns, which begin where an expression may begin.
const TOKEN = new RegExp(
  [
    String.raw`\/\/[^\n]*`,
    String.raw`\/\*[^]*?\*\/`,
    String.raw`"(?:\\.|[^"\\\n])*"`,
    String.raw`'(?:\\.|[^'\\\n])*'`,
    "`(?:\\\\[^]|[^`\\\\])*`",
    String.raw`(?<=[(=,:!&|?{};\[]\s*)\/(?:\\.|\[(?:\\.|[^\]\\\n])*\]|[^/\\\n])+\/[a-z]*`,
  ].join("|"),
  "g",
);

function blank(text: string, isBlank: (token: string) => boolean): string {
  return text.replace(TOKEN, (token) => (isBlank(token) ? token.replace(/[^\n]/g, " ") : token));
}

export function lineAt(text: string, offset: number): number {
  return text.slice(0, offset).split("\n").length;
}

/** "path:line" of every match of `pattern`, which needs the g flag, in `text` of the source. */
export function places(source: Source, text: string, pattern: RegExp): string[] {
  return [...text.matchAll(pattern)].map((match) => {
    return `${source.path}:${lineAt(text, match.index)}: ${match[0].trim()}`;
  });
}
