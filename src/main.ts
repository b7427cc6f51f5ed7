// Where every program of the package begins: picks the program by the first word and hands over.
// Prints what went wrong in words that an operator can act on, and ends with status 1.
// `__worker` is what the proxy calls its own worker processes by; nobody types it.

import { log } from "./lib/log.ts";
import { messageOf, OperatorError, UsageError } from "./lib/operator-error.ts";
import type { Task } from "./lib/program-options.ts";
import { VERSION, versionText } from "./lib/version.ts";
import { didYouMean } from "./lib/edit-distance.ts";
import { watchLauncher } from "./lib/launcher.ts";

const USAGE = `Usage:
  codis proxy [options]      the proxy that clients connect to
  codis dashboard [options]  what owns a product and tells its proxies
  codis admin COMMAND        administration
  codis demo [options]       a product on this machine, to try things out
  codis --version
  codis --help

Each of the four has its own --help. codis-proxy, codis-dashboard and
codis-admin are other names of the first three. This is version ${VERSION}.
`;

/** Programs that have a name of their own: codis-proxy. */
const ALIASED = ["proxy", "dashboard", "admin"];
const PROGRAMS = [...ALIASED, "demo"];

async function runProgram(argv: readonly string[]): Promise<void> {
  const [word, ...rest] = argv;
  switch (word) {
    // Programs are loaded when they are wanted: a worker should not carry what it never uses.
    case "__worker": {
      const { runWorker } = await import("./proxy/worker.ts");
      return await runWorker(Number(rest[0]));
    }
    case "proxy":
      return await proxy(rest);
    case "dashboard":
      return await dashboard(rest);
    case "admin": {
      const { runAdmin } = await import("./cli/admin.ts");
      return await runAdmin(rest);
    }
    case "demo": {
      const { runDemo } = await import("./demo/demo.ts");
      return await runDemo(rest);
    }
    case "--version":
      process.stdout.write(versionText());
      return;
    case "--help":
    case "-h":
      process.stdout.write(USAGE);
      return;
    case undefined:
      throw new UsageError("say which program to run", USAGE);
    default:
      throw new UsageError(`there is no program '${word}'${didYouMean(word, PROGRAMS)}`, USAGE);
  }
}

async function proxy(argv: readonly string[]): Promise<void> {
  const { parseProxyFlags } = await import("./proxy/flags.ts");
  await perform(parseProxyFlags(argv), async (flags) => {
    const { runProxy } = await import("./proxy/proxy.ts");
    await runProxy(flags);
  });
}

async function dashboard(argv: readonly string[]): Promise<void> {
  const { parseDashboardFlags } = await import("./dashboard/flags.ts");
  await perform(parseDashboardFlags(argv), async (flags) => {
    const { runDashboard } = await import("./dashboard/dashboard.ts");
    await runDashboard(flags);
  });
}

async function perform<Flags>(
  task: Task<Flags>,
  run: (flags: Flags) => Promise<void>,
): Promise<void> {
  if (task.kind === "run") await run(task.flags);
  else process.stdout.write(task.text);
}

/** The last words of a program that cannot start or cannot go on. */
function reportFailure(program: string, error: unknown): void {
  if (log.file !== "") log.fatal(`${program} ends`, error);
  let text = `${program}: ${messageOf(error)}\n`;
  if (error instanceof UsageError) text += `\n${error.usage}`;
  if (!(error instanceof OperatorError) && error instanceof Error) text = `${error.stack}\n`;
  process.stderr.write(text);
}

const argv = process.argv.slice(2);
watchLauncher();
try {
  await runProgram(argv);
} catch (error) {
  reportFailure(ALIASED.includes(argv[0]) ? `codis-${argv[0]}` : "codis", error);
  process.exit(1);
}
