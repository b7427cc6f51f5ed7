// The rules about the text of sources: sizes, words that are not used here, the hot files.
import { expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { codeOnly, places, ROOT, sources, type Source } from "../harness/sources.ts";

const MAX_COLUMNS = 100;
const MAX_FUNCTION_LINES = 70;
const MAX_FILE_LINES = 600;

/**
 * Every request passes through these: no promise, no closure over one, no turn of the event loop.
 */
const HOT_FILES = [
  ...["scan", "buffer", "write", "reader", "reply", "inline", "large"].map(
    (name) => `resp/${name}`,
  ),
  ...["poller", "native-socket"].map((name) => `net/${name}`),
  ...["session", "request", "commands", "command-keys", "router", "slot"].map((n) => `proxy/${n}`),
  ...["forward", "split", "join", "backend", "turn", "traffic"].map((name) => `proxy/${name}`),
].map((name) => `src/${name}.ts`);

/**
 * They tell a person or another program what time it is, or compare it with the times of files.
 * Whatever waits, or tries again, does so by `performance.now()`, which nobody sets.
 */
const MAY_USE_WALL_CLOCK = [
  ...["cli/backup", "coordinator/filesystem", "metrics/push"],
  ...["dashboard", "jobs", "proxy-link", "sentinels", "servers"].map((name) => `dashboard/${name}`),
  ...["identity", "info-command", "local", "local-fakes", "proxy", "rusage"].map(
    (name) => `proxy/${name}`,
  ),
].map((name) => `src/${name}.ts`);

/** They print for a person, or they are the log. */
const MAY_USE_CONSOLE = ["src/lib/log.ts", "src/cli/print.ts"];

const typescript = sources(["src", "tests", "bench"], [".ts"]);
const scripts = sources(["scripts", "bin"], [".mjs"]);

test(`no line is longer than ${MAX_COLUMNS} columns`, () => {
  const long = [...typescript, ...scripts].flatMap((file) =>
    file.lines.flatMap((line, i) =>
      line.length > MAX_COLUMNS ? [`${file.path}:${i + 1}: ${line.length} columns`] : [],
    ),
  );
  expect(long).toEqual([]);
});

test(`no function is longer than ${MAX_FUNCTION_LINES} lines`, () => {
  const long = [...typescript, ...scripts].flatMap((file) =>
    functionsOf(file)
      .filter(({ length }) => length > MAX_FUNCTION_LINES)
      .map(({ line, length }) => `${file.path}:${line}: ${length} lines`),
  );
  expect(long).toEqual([]);
});

test(`no file is longer than ${MAX_FILE_LINES} lines`, () => {
  const long = [...typescript, ...scripts].filter((file) => file.lines.length > MAX_FILE_LINES);
  expect(long.map((file) => `${file.path}: ${file.lines.length} lines`)).toEqual([]);
});

test("every file begins by saying what it owns", () => {
  const silent = typescript.filter((file) => {
    return !file.path.endsWith(".test.ts") && !/^(\/\/|\/\*\*)/.test(file.text);
  });
  expect(silent.map((file) => file.path)).toEqual([]);
});

test("hot files know no promises", () => {
  const missing = HOT_FILES.filter((path) => !existsSync(join(ROOT, path)));
  expect(missing).toEqual([]);
  const hot = typescript.filter((file) => HOT_FILES.includes(file.path));
  const found = hot.flatMap((file) =>
    places(file, codeOnly(file.text), /\basync\b|\bawait\b|\bPromise\b|\.then\(/g),
  );
  expect(found).toEqual([]);
});

test("types are never switched off", () => {
  const off = /(?<=[:<|&,(]\s*|\bas )any\b(?!\()/g;
  const found = typescript.flatMap((file) => [
    ...places(file, codeOnly(file.text), off),
    ...places(file, file.text, /^\s*\/\/ @ts-\w+/gm),
  ]);
  expect(found).toEqual([]);
});

test("nothing waits by a clock that can be set", () => {
  const programs = typescript.filter(({ path }) => {
    return path.startsWith("src/") && !/[.]test[.]ts$/.test(path);
  });
  const found = programs
    .filter(({ path }) => !MAY_USE_WALL_CLOCK.includes(path))
    .flatMap((file) => places(file, codeOnly(file.text), /\bDate\.now\(/g));
  expect(found).toEqual([]);
});

test("states are unions and flags are constants, not enums", () => {
  const found = typescript.flatMap((file) => places(file, codeOnly(file.text), /\benum \w+/g));
  expect(found).toEqual([]);
});

test("nothing prints around the log", () => {
  const files = typescript.filter((file) => !MAY_USE_CONSOLE.includes(file.path));
  const found = files.flatMap((file) => places(file, codeOnly(file.text), /\bconsole\.\w+/g));
  expect(found).toEqual([]);
});

test("nothing is left to be done", () => {
  const words = new RegExp(`\\b(${["FIX" + "ME", "TO" + "DO", "X" + "XX"].join("|")})\\b`, "g");
  const found = [...typescript, ...scripts].flatMap((file) => places(file, file.text, words));
  expect(found).toEqual([]);
});

test("tests wait for conditions and not for time", () => {
  const tests = typescript.filter((file) => file.path.endsWith(".test.ts"));
  const found = tests.flatMap((file) => places(file, codeOnly(file.text), /\bsleep\(/g));
  expect(found).toEqual([]);
});

interface FunctionPlace {
  readonly line: number;
  readonly length: number;
}

const CONTROL = /^\s*(\} )?(if|else|for|while|switch|do|try|catch|finally|case|return|describe)\b/;
const FUNCTION_HEAD = /\bfunction\b|=> \{$|^\s*(?:[\w#$]+ )*[\w#$.[\]]+(<.*>)?\(.*\).*\{$/;

/**
 * Finds functions by their indentation, which the formatter guarantees: a head that ends with "{",
 * perhaps after parameters on lines of their own, and the first "}" at the same depth.
 */
function functionsOf(file: Source): FunctionPlace[] {
  const found: FunctionPlace[] = [];
  file.lines.forEach((line, i) => {
    if (!line.endsWith("{")) return;
    const depth = indentOf(line);
    const head = line.trimStart().startsWith(")") ? lastAt(file.lines, i - 1, depth) : i;
    const text = file.lines[head];
    if (CONTROL.test(text) || (head === i && !FUNCTION_HEAD.test(text))) return;
    const end = file.lines.findIndex((each, j) => j > i && isClose(each, depth));
    found.push({ line: head + 1, length: end - head + 1 });
  });
  return found;
}

function indentOf(line: string): number {
  return line.length - line.trimStart().length;
}

function lastAt(lines: readonly string[], from: number, depth: number): number {
  let i = from;
  while (i > 0 && (lines[i] === "" || indentOf(lines[i]) !== depth)) i--;
  return i;
}

function isClose(line: string, depth: number): boolean {
  return indentOf(line) === depth && line.trimStart().startsWith("}");
}
