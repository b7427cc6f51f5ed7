// `test` for system tests: those that start real programs. It differs from Bun's own in two points:
// without the programs it needs it is skipped with its reason (and fails in CI, which has them
// all), and when it fails it prints the logs of every program that it started.
//
//   const test = systemTest("redis-server");
//   test("a GET reaches the server of its slot", async () => { ... });
//
// A test file that has only such tests imports `test` from nowhere else.
import { test as bunTest, type TestOptions } from "bun:test";
import { existsSync } from "node:fs";

type Body = () => void | Promise<unknown>;
type Options = number | TestOptions;
export type SystemTest = (name: string, body: Body, options?: Options) => void;

/** Servers live in sbin on Debian, which is not in everybody's PATH. */
const SEARCH_PATH = `${process.env.PATH}:/usr/local/sbin:/usr/sbin`;

const LOG_LINES = 100;

/** Logs of the programs that the running test started, by name; filled by the harness. */
const logs: { name: string; read: () => string }[] = [];

export function systemTest(...programs: string[]): SystemTest {
  const missing = programs.filter((name) => !isInstalled(name));
  if (missing.length > 0) return refuse(`${missing.join(" and ")} not installed here`);
  return (name, body, options) => {
    bunTest(name, () => withLogsOnFailure(body), options);
  };
}

/** A program by its name, or a file by its path. */
function isInstalled(name: string): boolean {
  return name.startsWith("/") ? existsSync(name) : Bun.which(name, { PATH: SEARCH_PATH }) !== null;
}

/**
 * Registers a log to print if the test that runs now fails. Whoever is about to remove the log
 * calls the returned function first: a test that fails gives up its programs before its error
 * arrives here.
 */
export function keepLog(name: string, read: () => string): () => void {
  const entry = { name, read };
  logs.push(entry);
  return () => {
    const text = read();
    entry.read = () => text;
  };
}

function refuse(reason: string): SystemTest {
  if (process.env.CI === "true") {
    return (name) => {
      bunTest(name, () => {
        throw new Error(`${reason}; CI must have it`);
      });
    };
  }
  return (name, body) => bunTest.skip(`${name} [skipped: ${reason}]`, body);
}

async function withLogsOnFailure(body: Body): Promise<void> {
  logs.length = 0;
  try {
    await body();
  } catch (error) {
    printLogs();
    throw error;
  } finally {
    logs.length = 0;
  }
}

function printLogs(): void {
  for (const { name, read } of logs) {
    const text = read().trimEnd().split("\n").slice(-LOG_LINES).join("\n");
    if (text !== "") process.stderr.write(`--- log of ${name}\n${text}\n`);
  }
  if (logs.length > 0) process.stderr.write("--- end of logs\n");
}
