// Starts the real dashboard program on a coordinator in a directory, and waits until it leads.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { ChildProcess } from "../lib/child-process.ts";
import { ownCommand } from "../lib/own-command.ts";
import { answersOk, toToml } from "./proxy-process.ts";

export interface DashboardProcessOptions {
  /** Its working directory: configuration, coordinator and log live here. Must exist. */
  readonly dir: string;
  readonly port: number;
  readonly product: string;
}

const START_TIMEOUT_MS = 20_000;

export async function startDashboardProcess(
  options: DashboardProcessOptions,
): Promise<ChildProcess> {
  const { dir, port, product } = options;
  const configFile = join(dir, "dashboard.toml");
  const settings = {
    product_name: product,
    admin_addr: `127.0.0.1:${port}`,
    coordinator_name: "filesystem",
    coordinator_addr: join(dir, "coordinator"),
  };
  writeFileSync(configFile, toToml(settings));
  const child = new ChildProcess({
    command: [...ownCommand(), "dashboard", "--config", configFile],
    logFile: join(dir, "dashboard.log"),
    cwd: dir,
    // With our process id there it ends when we are killed: see lib/launcher.ts.
    env: { ...process.env, CODIS_LAUNCHER_PID: String(process.pid) },
    detached: true,
  });
  try {
    await child.ready(() => answersOk(port, "/readyz"), START_TIMEOUT_MS);
  } catch (error) {
    await child.stop("SIGKILL");
    throw error;
  }
  return child;
}
