// Finds the Bun that npm installed and runs it. Plain Node without dependencies, because it is
// what starts everything else.
//
//   node scripts/bun.mjs <arguments of bun>
import { existsSync, readdirSync, realpathSync, statSync } from "node:fs";
import { spawn, spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { join } from "node:path";

export const ROOT = fileURLToPath(new URL("..", import.meta.url));
const MODULES = join(ROOT, "node_modules");

/** A stub script stands where the binary belongs when npm ran with --ignore-scripts. */
function isRealBinary(file) {
  return existsSync(file) && statSync(file).size > 1_000_000;
}

function lookForBun() {
  const installed = join(MODULES, "bun/bin/bun.exe");
  if (isRealBinary(installed)) return installed;
  const platforms = join(MODULES, "@oven");
  if (!existsSync(platforms)) return null;
  for (const name of readdirSync(platforms)) {
    const file = join(platforms, name, "bin/bun");
    if (isRealBinary(file)) return file;
  }
  return null;
}

/** The path of the Bun binary; runs its postinstall step when npm was told to skip it. */
export function findBun() {
  const found = lookForBun();
  if (found !== null) return found;
  const install = join(MODULES, "bun/install.js");
  if (existsSync(install)) spawnSync(process.execPath, [install], { stdio: "inherit" });
  const repaired = lookForBun();
  if (repaired !== null) return repaired;
  console.error("Bun is not installed here yet. Run: npm ci");
  process.exit(1);
}

/**
 * Runs Bun in the foreground and resolves with its exit status. Signals go on to it: whoever
 * stops the launcher means the program.
 */
export function runBun(args, options = {}) {
  return runProgram(findBun(), args, options);
}

export function runProgram(command, args, options = {}) {
  return new Promise((resolve) => {
    const child = spawn(command, args, { cwd: ROOT, stdio: "inherit", ...options });
    const forward = (signal) => child.kill(signal);
    const signals = ["SIGINT", "SIGTERM", "SIGHUP"];
    for (const signal of signals) process.on(signal, forward);
    const finish = (status) => {
      for (const signal of signals) process.off(signal, forward);
      resolve(status);
    };
    child.on("error", (error) => {
      console.error(`${command} could not be started: ${error.message}`);
      finish(127);
    });
    child.on("exit", (code, signal) => finish(signal === null ? code : 128));
  });
}

if (process.argv[1] && realpathSync(process.argv[1]) === fileURLToPath(import.meta.url)) {
  process.exitCode = await runBun(process.argv.slice(2), { cwd: process.cwd() });
}
