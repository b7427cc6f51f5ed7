// Runs the real `codis admin` as a person or a script would, without a terminal unless `typed`
// brings one.
import { ownCommand } from "../../src/lib/own-command.ts";

const ADMIN = [...ownCommand(), "admin"];
const RUN_TIMEOUT_MS = 30_000;

export interface Outcome {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs it to its end; nothing is there to be read from stdin. */
export async function admin(...args: string[]): Promise<Outcome> {
  const child = Bun.spawn([...ADMIN, ...args], {
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
    timeout: RUN_TIMEOUT_MS,
    env: { PATH: process.env.PATH },
  });
  const [stdout, stderr, code] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
    child.exited,
  ]);
  return { code, stdout, stderr };
}

/** What it printed; throws with its words when it failed. */
export async function adminOk(...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await admin(...args);
  if (code !== 0) throw new Error(`codis-admin ${args.join(" ")} failed: ${stderr}`);
  return stdout;
}

/** The sentence that it failed with. */
export async function adminFails(...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await admin(...args);
  if (code !== 1) throw new Error(`codis-admin ${args.join(" ")}: status ${code}, ${stdout}`);
  return stderr.replace(/^codis-admin: /, "").trimEnd();
}

/** On a terminal, which `script` of util-linux makes, with keys being pressed. */
export async function typed(keys: string, ...args: string[]): Promise<Outcome> {
  const command = [...ADMIN, ...args].map((word) => `'${word}'`).join(" ");
  const child = Bun.spawn(["script", "-qec", command, "/dev/null"], {
    stdin: new TextEncoder().encode(keys),
    stdout: "pipe",
    stderr: "pipe",
    timeout: RUN_TIMEOUT_MS,
    env: { PATH: process.env.PATH, TERM: "xterm", COLUMNS: "120" },
  });
  const [stdout, stderr, code] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
    child.exited,
  ]);
  return { code, stdout: stdout.replaceAll("\r\n", "\n"), stderr };
}
