// Who may import whom. The table is the architecture: a folder that needs a new line in it deserves
// a second thought.
import { expect, test } from "bun:test";
import { importsOf, sources, type Source } from "../harness/sources.ts";

/** Folder of src → the folders that it may import from, besides itself. "main" is src/main.ts. */
const ALLOWED: Record<string, readonly string[]> = {
  main: ["lib", "cli"],
  // redis and coordinator: the parent process only, never a worker.
  proxy: ["net", "resp", "redis", "model", "api", "coordinator", "metrics", "settings", "lib"],
  dashboard: [
    ...["model", "coordinator", "redis", "resp", "migration", "api", "metrics", "settings"],
    ...["lib"],
  ],
  migration: ["model", "redis", "resp", "lib"],
  cli: ["api", "coordinator", "model", "settings", "lib"],
  web: ["api", "coordinator", "model", "settings", "lib"],
  demo: ["settings", "redis", "api", "model", "lib"],
  redis: ["resp", "lib"],
  coordinator: ["model", "lib"],
  api: ["model", "lib"],
  net: ["lib"],
  resp: ["lib"],
  model: ["lib"],
  metrics: ["lib"],
  settings: ["lib"],
  lib: [],
};

/** Single files that may be imported where their folder may not: the faces of the programs. */
const FACES: Record<string, readonly string[]> = {
  main: [
    "src/proxy/proxy.ts",
    "src/proxy/flags.ts",
    "src/proxy/worker.ts",
    "src/demo/demo.ts",
    "src/dashboard/dashboard.ts",
    "src/dashboard/flags.ts",
    "src/web/server.ts",
  ],
};

const files = sources(["src", "tests", "bench"], [".ts"]);
const byPath = new Map(files.map((file) => [file.path, file]));
const isTest = (path: string): boolean => path.endsWith(".test.ts");
/** What tests share: the harness, and stand-ins beside the source that they stand in for. */
const isHarness = (path: string): boolean => {
  return path.startsWith("tests/harness/") || path.endsWith("-fakes.ts");
};

function folderOf(path: string): string {
  const parts = path.split("/");
  return parts.length === 2 ? "main" : parts[1];
}

function mayImport(from: string, to: string): boolean {
  if (to === "package.json") return true;
  // What stands outside src may use everything; src knows nothing of it, apart from its tests.
  if (!from.startsWith("src/")) return true;
  if (!to.startsWith("src/")) return isTest(from) && to.startsWith("tests/harness/");
  const [own, other] = [folderOf(from), folderOf(to)];
  if (own === other || ALLOWED[own]?.includes(other)) return true;
  return FACES[own]?.includes(to) ?? false;
}

test("every folder of src has its line in the table", () => {
  const folders = new Set(files.filter((file) => file.path.startsWith("src/")).map(folder));
  expect([...folders].filter((name) => ALLOWED[name] === undefined)).toEqual([]);
});

test("imports follow the table", () => {
  const wrong = files.flatMap((file) =>
    importsOf(file)
      .filter(({ path }) => path !== "" && !mayImport(file.path, path))
      .map(({ line, path }) => `${file.path}:${line} may not import ${path}`),
  );
  expect(wrong).toEqual([]);
});

test("relative imports name an existing file with its ending", () => {
  const wrong = files.flatMap((file) =>
    importsOf(file)
      .filter(({ path }) => path !== "" && path !== "package.json" && !byPath.has(path))
      .map(({ line, name }) => `${file.path}:${line}: ${name}`),
  );
  expect(wrong).toEqual([]);
});

test("no file imports itself in a circle", () => {
  expect(findCycle()).toEqual([]);
});

test("every file is used", () => {
  const programs = ["src/main.ts", "bench/main.ts", "bench/migration.ts", "tests/fuzz/main.ts"];
  const starts = files.filter(({ path }) => programs.includes(path) || path.endsWith(".bench.ts"));
  // Sources may also be there for the tests' harness. A source that only its own test imports is
  // neither part of a program nor of that.
  const inUse = reachable([...starts, ...files.filter((file) => isHarness(file.path))]);
  const inTests = reachable(files.filter((file) => isTest(file.path)));
  const unused = files.filter(({ path }) => {
    if (isTest(path) || path.endsWith(".d.ts")) return false;
    if (isHarness(path)) return !inTests.has(path);
    return !inUse.has(path) && !(path.startsWith("tests/") && inTests.has(path));
  });
  expect(unused.map((file) => file.path)).toEqual([]);
});

test("there are no files that only pass on what others export", () => {
  const barrels = files.filter((file) => file.path.endsWith("/index.ts"));
  const passing = files.filter((file) => /^export \* from/m.test(file.text));
  expect([...barrels, ...passing].map((file) => file.path)).toEqual([]);
});

function folder(file: Source): string {
  return folderOf(file.path);
}

function neighbours(path: string, withTypes: boolean): string[] {
  const file = byPath.get(path);
  if (file === undefined) return [];
  const found = importsOf(file).filter((each) => withTypes || !each.isTypeOnly);
  return found.map((each) => each.path).filter((target) => byPath.has(target));
}

function reachable(starts: readonly Source[]): Set<string> {
  const seen = new Set(starts.map((file) => file.path));
  for (const path of seen) for (const next of neighbours(path, true)) seen.add(next);
  return seen;
}

/** The files of one circle of imports that exist when the program runs, or none. */
function findCycle(): string[] {
  const done = new Set<string>();
  const visit = (path: string, trail: readonly string[]): string[] => {
    if (trail.includes(path)) return [...trail.slice(trail.indexOf(path)), path];
    if (done.has(path)) return [];
    for (const next of neighbours(path, false)) {
      const cycle = visit(next, [...trail, path]);
      if (cycle.length > 0) return cycle;
    }
    done.add(path);
    return [];
  };
  for (const { path } of files) {
    const cycle = visit(path, []);
    if (cycle.length > 0) return cycle;
  }
  return [];
}
