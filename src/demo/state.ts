// What a demo directory remembers: how many groups its data is spread over, and who uses it now.
// With another number of groups most keys would look for their values at the wrong server.
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { OperatorError } from "../lib/operator-error.ts";
import { DEFAULT_GROUPS } from "./options.ts";

interface State {
  readonly groups: number;
  readonly pid: number;
}

/** Takes the directory for this process; returns the number of groups to start. */
export function claimDirectory(dir: string, wantedGroups: number | null): number {
  mkdirSync(dir, { recursive: true });
  const file = join(dir, "demo.json");
  const state = readState(file);
  if (state !== null && isDemo(state.pid)) {
    throw new OperatorError(`${dir} is in use by another demo (process ${state.pid})`);
  }
  const groups = wantedGroups ?? state?.groups ?? DEFAULT_GROUPS;
  if (state !== null && state.groups !== groups) {
    throw new OperatorError(
      `${dir} holds the data of ${state.groups} groups, not ${groups}: ` +
        `start with --groups ${state.groups}, use another --dir, or remove the directory`,
    );
  }
  const next: State = { groups, pid: process.pid };
  writeFileSync(file, `${JSON.stringify(next)}\n`);
  return groups;
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
