// What a demo directory remembers: how large its product is, where it listens, and who uses it now.
// Servers and proxies are known to the product by their addresses, so those stay.
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { OperatorError } from "../lib/operator-error.ts";
import { DEFAULT_LAYOUT, type DemoOptions, type Layout } from "./options.ts";

interface State extends Partial<Layout> {
  readonly groups: number;
  readonly pid: number;
}

const PORTS = [
  ["port", "--port"],
  ["adminPort", "--admin-port"],
  ["dashboardPort", "--dashboard-port"],
] as const;

/** What is to be started: as last time; more groups than then are fine. */
export function layoutOf(options: DemoOptions): Layout {
  const { dir } = options;
  const state = readState(fileOf(dir));
  if (state !== null && isDemo(state.pid)) {
    throw new OperatorError(`${dir} is in use by another demo (process ${state.pid})`);
  }
  const known = knownLayout(state);
  for (const [name, option] of PORTS) {
    const [given, before] = [options[name], known[name]];
    if (given === null || before === undefined || given === before) continue;
    throw new OperatorError(
      `${dir} holds a product with ${option} ${before}: start it with that, use another --dir, ` +
        "or remove the directory",
    );
  }
  const least = state?.groups ?? 1;
  if (options.groups !== null && options.groups < least) {
    throw new OperatorError(
      `${dir} holds the data of ${least} groups, not ${options.groups}: ` +
        `start with --groups ${least}, use another --dir, or remove the directory`,
    );
  }
  const { groups, port, adminPort, dashboardPort } = options;
  const given = Object.entries({ groups, port, adminPort, dashboardPort });
  const typed = Object.fromEntries(given.filter(([, value]) => value !== null));
  return { ...DEFAULT_LAYOUT, ...known, ...typed };
}

/** Takes the directory for this process. A group that may have keys is started from then on. */
export function remember(dir: string, layout: Layout): void {
  mkdirSync(dir, { recursive: true });
  const state: State = { ...layout, pid: process.pid };
  writeFileSync(fileOf(dir), `${JSON.stringify(state)}\n`);
}

function knownLayout(state: State | null): Partial<Layout> {
  if (state === null) return {};
  const { pid: _, ...layout } = state;
  return layout;
}

function fileOf(dir: string): string {
  return join(dir, "demo.json");
}

function readState(file: string): State | null {
  try {
    return JSON.parse(readFileSync(file, "utf8")) as State;
  } catch {
    return null; // The first start, or a file that was cut short: nothing to go by.
  }
}

/** A process id alone may long belong to somebody else. */
function isDemo(pid: number): boolean {
  if (pid === process.pid) return false;
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0").includes("demo");
  } catch {
    return false;
  }
}
