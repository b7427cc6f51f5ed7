// What the documents say about the program must be there: names, files and commands.
import { expect, test } from "bun:test";
import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { dashboardConfigPage } from "../../src/dashboard/settings.ts";
import { DASHBOARD_SETTINGS } from "../../src/dashboard/settings-table.ts";
import { proxyConfigPage } from "../../src/proxy/settings.ts";
import { PROXY_SETTINGS } from "../../src/proxy/settings-table.ts";
import { codeOnly, readSource, ROOT, sources } from "../harness/sources.ts";

const DOCUMENTS = [
  ...["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md"].map(readSource),
  ...sources(["docs"], [".md"]),
];

const code = sources(["src"], [".ts"])
  .filter((file) => !file.path.endsWith(".test.ts"))
  .map((file) => codeOnly(file.text))
  .join("\n");

function inBackticks(text: string): string[] {
  const prose = text.replace(/^```[^]*?^```/gm, "");
  return [...prose.matchAll(/`([^`\n]+)`/g)].map((match) => match[1]);
}

test("every function that ARCHITECTURE.md names as `name()` exists in src", () => {
  const named = inBackticks(readSource("ARCHITECTURE.md").text)
    .map((text) => /^(?:[\w#]+\.)*([\w#]+)\(\)$/.exec(text)?.[1])
    .filter((name) => name !== undefined);
  expect(named.length).toBeGreaterThan(0);
  const gone = named.filter(
    (name) => !new RegExp(`(^|[^\\w#.])${name}(<[^(]*>)?\\(`, "m").test(code),
  );
  expect(gone).toEqual([]);
});

test("every source file that a document names exists", () => {
  const folders = ["", "src", "src/proxy", "src/resp", "src/dashboard"];
  const gone = DOCUMENTS.flatMap(({ path, text }) =>
    inBackticks(text)
      .filter((name) => /^[\w./-]+\.(ts|mjs|md|toml)$/.test(name) && !name.includes("*"))
      .filter((name) => !folders.some((folder) => existsSync(join(ROOT, folder, name))))
      .map((name) => `${path}: ${name}`),
  );
  expect(gone).toEqual([]);
});

test("links between documents lead somewhere", () => {
  const dead = DOCUMENTS.flatMap(({ path, text }) =>
    [...text.matchAll(/\]\((?!https?:)([^)#\s]+)/g)]
      .map((match) => join(path, "..", match[1]))
      .filter((target) => !existsSync(join(ROOT, target)))
      .map((target) => `${path}: ${target}`),
  );
  expect(dead).toEqual([]);
});

test("docs/config.md is what the tables say (CODIS_TEST_UPDATE=1 writes it anew)", () => {
  const page = `${proxyConfigPage()}\n${dashboardConfigPage()}`;
  const file = join(ROOT, "docs/config.md");
  if (process.env.CODIS_TEST_UPDATE === "1") writeFileSync(file, page);
  expect(readSource("docs/config.md").text).toBe(page);
});

test("docs/config.md explains every setting", () => {
  const { text } = readSource("docs/config.md");
  const keys = [...PROXY_SETTINGS, ...DASHBOARD_SETTINGS].map((setting) => setting.key);
  expect(keys.filter((key) => !text.includes(`\n### ${key}\n`))).toEqual([]);
});

test("npm run commands that a document shows exist", () => {
  const { scripts } = JSON.parse(readSource("package.json").text) as { scripts: object };
  const known = Object.keys(scripts);
  const shown = DOCUMENTS.flatMap(({ text }) => [...text.matchAll(/npm run ([\w:-]+)/g)]);
  expect(shown.map((match) => match[1]).filter((name) => !known.includes(name))).toEqual([]);
});

test("every dependency has its reason in CONTRIBUTING.md, and its exact version", () => {
  const { text } = readSource("CONTRIBUTING.md");
  const manifest = JSON.parse(readSource("package.json").text) as {
    dependencies: Record<string, string>;
    devDependencies: Record<string, string>;
  };
  const all = Object.entries({ ...manifest.dependencies, ...manifest.devDependencies });
  expect(all.filter(([name]) => !text.includes(`\`${name}\``))).toEqual([]);
  expect(all.filter(([, version]) => !/^\d+\.\d+\.\d+$/.test(version))).toEqual([]);
});

test("no file names a place that exists only on one machine", () => {
  const files = sources(["src", "tests", "bench", "scripts", "bin", "docs", ".ci"], [""]);
  const folders = new RegExp(
    `(^|[\\s"'\`(=])/(${["wo" + "rk", "ro" + "ot", "ho" + "me"].join("|")})/`,
  );
  expect(files.filter((file) => folders.test(file.text)).map((file) => file.path)).toEqual([]);
});
