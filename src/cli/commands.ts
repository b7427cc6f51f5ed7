// The table of `codis admin`: every command, in the order of the help. The parser, the help,
// docs/admin.md and the shell completion are made from it.

import { didYouMean } from "../lib/edit-distance.ts";
import { UsageError } from "../lib/operator-error.ts";
import { type Entry, listing, wordWidth } from "../lib/wrap.ts";
import { BACKUP_COMMANDS } from "./backup.ts";
import type { Command } from "./command.ts";
import { GROUP_COMMANDS } from "./groups.ts";
import { DASHBOARD_COMMANDS, STATUS_COMMANDS } from "./one-dashboard.ts";
import { ONE_PROXY_COMMANDS } from "./one-proxy.ts";
import { PROXY_COMMANDS } from "./proxies.ts";
import { REBALANCE_COMMANDS } from "./rebalance.ts";
import { SENTINEL_COMMANDS } from "./sentinels.ts";
import { SLOT_COMMANDS } from "./slots.ts";

export interface Chapter {
  readonly title: string;
  readonly commands: readonly Command[];
}

export const CHAPTERS: readonly Chapter[] = [
  { title: "The product", commands: STATUS_COMMANDS },
  { title: "Proxies", commands: PROXY_COMMANDS },
  { title: "Groups and servers", commands: GROUP_COMMANDS },
  { title: "Slots", commands: [...SLOT_COMMANDS, ...REBALANCE_COMMANDS] },
  { title: "Sentinels", commands: SENTINEL_COMMANDS },
  { title: "Backup and coordinator", commands: BACKUP_COMMANDS },
  { title: "The dashboard itself", commands: DASHBOARD_COMMANDS },
  { title: "One proxy, around the dashboard", commands: ONE_PROXY_COMMANDS },
];

export const COMMANDS: readonly Command[] = CHAPTERS.flatMap((chapter) => chapter.commands);

/** A mistake does not print the whole list. */
const HINT = "codis admin help lists the commands.\n";

/** First words that are no command of their own, with what may follow: "servers" → add, remove. */
export function secondWords(first: string): string[] {
  return COMMANDS.flatMap(({ name }) => {
    return name.startsWith(`${first} `) ? [name.slice(first.length + 1)] : [];
  });
}

/** The command at the begin of the line, and the rest of the line. */
export function findCommand(argv: readonly string[]): [command: Command, rest: readonly string[]] {
  const [first = "", second = ""] = argv;
  const long = COMMANDS.find((command) => command.name === `${first} ${second}`);
  if (long !== undefined) return [long, argv.slice(2)];
  const short = COMMANDS.find((command) => command.name === first);
  const follow = secondWords(first);
  // "proxies remove" misspelled must not be taken for "proxies" with a word too many.
  const takesWord = (short?.positionals ?? []).length > 0;
  if (short !== undefined && (takesWord || second === "" || second.startsWith("-"))) {
    return [short, argv.slice(1)];
  }
  if (short === undefined && follow.length === 0) {
    const known = COMMANDS.flatMap(({ name }) => [name, name.split(" ")[0]]);
    throw new UsageError(`there is no command '${first}'${didYouMean(first, known)}`, HINT);
  }
  const ways = follow.join(", ");
  const problem =
    second === "" || second.startsWith("-")
      ? `say what to do: ${first} with one of ${ways}`
      : `there is no command '${first} ${second}'${didYouMean(second, follow)}`;
  throw new UsageError(problem, HINT);
}

/** What `codis admin --help` prints. */
export function commandList(): string {
  const chapters = CHAPTERS.map(({ title, commands }) => {
    return { title, entries: commands.map((each): Entry => [headOf(each), each.doc]) };
  });
  chapters.push({
    title: "Other",
    entries: [
      ["completion SHELL", "Prints the completion for bash, zsh or fish."],
      ["help [COMMAND]", "Prints this text, or the options of a command."],
    ],
  });
  const width = wordWidth(chapters.flatMap(({ entries }) => entries));
  return `${[
    "Usage: codis admin COMMAND [options]",
    "",
    ...chapters.flatMap(({ title, entries }) => [`${title}:`, ...listing(entries, width), ""]),
    "The flags of the original codis-admin work as well: codis admin help flags.",
  ].join("\n")}\n`;
}

/** "groups add GROUP". */
export function headOf(command: Command): string {
  const words = (command.positionals ?? []).map(({ name, isOptional }) => {
    return isOptional ? `[${name}]` : name;
  });
  return [command.name, ...words].join(" ");
}
