// The face of `codis admin` and `codis-admin`: finds out which command is meant, in the words for
// people or in the flags of the original, and runs it.

import { type Arguments, parseArguments, usageText } from "../lib/args.ts";
import { log } from "../lib/log.ts";
import { UsageError } from "../lib/operator-error.ts";
import { wrapped } from "../lib/wrap.ts";
import { Call, type Command, programOf } from "./command.ts";
import { commandList, findCommand } from "./commands.ts";
import { completionScript, SHELLS } from "./completion.ts";
import { originalUsage, runOriginal } from "./original.ts";
import { stdout } from "./print.ts";

export async function runAdmin(argv: readonly string[]): Promise<void> {
  // Whoever pipes us into `head` has seen enough.
  process.stdout.on("error", () => process.exit(0));
  log.setLevel("warn");
  const [first, ...rest] = argv;
  if (first === undefined) throw new UsageError("say what to do", commandList());
  if (first === "--help" || first === "-h" || first === "help") return stdout.raw(helpText(rest));
  if (first === "completion") return stdout.raw(completion(rest));
  if (first.startsWith("-")) return await runOriginal(argv);
  const [command, words] = findCommand(argv);
  await runCommand(command, words);
}

async function runCommand(command: Command, words: readonly string[]): Promise<void> {
  const given: Arguments = parseArguments(programOf(command), words);
  if (given.has("help")) return stdout.raw(commandHelp(command));
  if (given.has("verbose")) log.setLevel("debug");
  await command.run(new Call(given));
}

function commandHelp(command: Command): string {
  const details = command.details === undefined ? "" : ` ${command.details}`;
  return `${wrapped(command.doc + details).join("\n")}\n\n${usageText(programOf(command))}`;
}

function helpText(words: readonly string[]): string {
  if (words.length === 0) return commandList();
  if (words[0] === "flags") return originalUsage();
  return commandHelp(findCommand(words)[0]);
}

function completion(words: readonly string[]): string {
  const shell = SHELLS.find((each) => each === words[0]);
  if (shell !== undefined && words.length === 1) return completionScript(shell);
  throw new UsageError(
    `say for which shell: ${SHELLS.join(", ")}`,
    "Usage: codis admin completion SHELL\n",
  );
}
