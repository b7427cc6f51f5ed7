// Starts the real proxy program with a configuration of its own, for the demo, the benchmarks or a
// test, and waits until it serves. Everything it is told goes through the same files and flags that
// an operator uses.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { ChildProcess } from "../lib/child-process.ts";
import { ownCommand } from "../lib/own-command.ts";
import { SLOT_COUNT, type SlotFill } from "../model/slot.ts";

/** Keys as in the TOML file. */
export type ProxySettings = Record<string, string | number | boolean>;

export interface ProxyProcessOptions {
  /** Its working directory: configuration, slots and log live here. Must exist. */
  readonly dir: string;
  readonly adminPort: number;
  readonly settings: ProxySettings;
  readonly ncpu: number;
  /** Given, the proxy goes online by itself; otherwise it waits to be filled and started. */
  readonly slots?: readonly SlotFill[];
  readonly args?: readonly string[];
  readonly env?: Record<string, string>;
  readonly detached?: boolean;
}

const START_TIMEOUT_MS = 20_000;

export async function startProxyProcess(options: ProxyProcessOptions): Promise<ChildProcess> {
  const { dir, slots } = options;
  const configFile = join(dir, "proxy.toml");
  writeFileSync(configFile, toToml(options.settings));
  const args = ["proxy", "--config", configFile, "--ncpu", String(options.ncpu)];
  if (slots !== undefined) {
    const slotsFile = join(dir, "slots.json");
    writeFileSync(slotsFile, JSON.stringify(slots, null, 4));
    args.push("--fillslots", slotsFile);
  }
  const child = new ChildProcess({
    command: [...ownCommand(), ...args, ...(options.args ?? [])],
    logFile: join(dir, "proxy.log"),
    cwd: dir,
    // With our process id there it ends when we are killed: see lib/launcher.ts.
    env: { ...process.env, CODIS_LAUNCHER_PID: String(process.pid), ...options.env },
    detached: options.detached ?? false,
  });
  const path = slots === undefined ? "/livez" : "/readyz";
  try {
    await child.ready(() => answersOk(options.adminPort, path), START_TIMEOUT_MS);
  } catch (error) {
    await child.stop("SIGKILL");
    throw error;
  }
  return child;
}

/** True when the admin API on that port answers `path` with success. */
export async function answersOk(adminPort: number, path: string): Promise<boolean> {
  try {
    const response = await fetch(`http://127.0.0.1:${adminPort}${path}`);
    await response.arrayBuffer();
    return response.ok;
  } catch {
    return false; // nobody listens yet
  }
}

/** All slots in equal, contiguous ranges: the first server is group 1 and has the lowest slots. */
export function spreadSlots(masters: readonly string[]): SlotFill[] {
  return Array.from({ length: SLOT_COUNT }, (_, id) => {
    const index = Math.floor((id * masters.length) / SLOT_COUNT);
    return { id, backend_addr: masters[index], backend_addr_group_id: index + 1 };
  });
}

/** JSON's spelling of a string, a number or a boolean is TOML's as well. */
export function toToml(settings: ProxySettings): string {
  return Object.entries(settings)
    .map(([key, value]) => `${key} = ${JSON.stringify(value)}\n`)
    .join("");
}
