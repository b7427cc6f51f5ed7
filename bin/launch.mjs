// What the commands in this directory share: they run src/main.ts with the Bun that npm installed.
// Signals go on to the program, its exit status comes back, and src/lib/launcher.ts ends the
// program when the launcher is killed. A Node that can replace itself by another program does
// that instead.
import { fileURLToPath } from "node:url";
import { findBun, runBun } from "../scripts/bun.mjs";

const MAIN = fileURLToPath(new URL("../src/main.ts", import.meta.url));

/** `words` go before what was typed: the program that the command stands for. */
export async function launch(words) {
  // A server takes neither packages from the network nor settings from an .env file it stands by.
  const args = ["--no-install", "--no-env-file", MAIN, ...words, ...process.argv.slice(2)];
  const env = {
    // A dashboard asks each of its proxies; those that hang must not use up Bun's 256 at a time.
    BUN_CONFIG_MAX_HTTP_REQUESTS: "4096",
    ...process.env,
    CODIS_LAUNCHER_PID: String(process.pid),
  };
  if (typeof process.execve === "function" && process.platform !== "win32") {
    const bun = findBun();
    process.execve(bun, [bun, ...args], env);
  }
  process.exitCode = await runBun(args, { cwd: process.cwd(), env });
}
