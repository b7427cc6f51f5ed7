// docs/commands.md is printed from the command table, here, and fails this test when it is stale.
// To print it anew:
//   CODIS_TEST_UPDATE=1 node scripts/bun.mjs test src/proxy/command-docs.test.ts
import { expect, test } from "bun:test";
import { readFileSync, writeFileSync } from "node:fs";
import type { KeySpec } from "./command-rows.ts";
import { type Command, COMMANDS, Join, KeyRule, Route } from "./commands.ts";

const FILE = new URL("../../docs/commands.md", import.meta.url);

const INTRODUCTION = `# Commands

What the proxy does with each command of Redis 7, of the core of Redis 8 and Valkey, and of
codis-server. This page is printed from the command table in \`src/proxy/commands.ts\`.

- **forwarded**: goes as it came to the server that has the slot of its keys. All keys must be in
  one slot, otherwise the answer is \`-CROSSSLOT Keys in request don't hash to the same slot\`. Keys
  are in one slot when they have the same hash tag: \`{user1}:name\`, \`{user1}:mail\`. A script
  without keys runs on the master of slot 0.
- **split**: keys may be in any slots. Every server gets one part, and the replies become one. A
  split command is not atomic.
- **answered**: the proxy answers by itself.
- **refused**: gets an error that says why, and the connection lives on. The reasons are at the
  end of this page.

A command that is not on this page gets Redis' own error for unknown commands. Whether a server
knows a newer command is for the server to say: the column _since_ names the version of Redis that
brought it, or of Valkey for those that Redis does not have.

**Keys** are counted from the name of the command, which is argument 0. _1 to last_ means that all
arguments are keys; _counted by 2_ that argument 2 says how many keys follow it.
`;

const TITLES: Readonly<Record<string, string>> = {
  string: "Strings",
  bitmap: "Bitmaps",
  hyperloglog: "HyperLogLog",
  list: "Lists",
  set: "Sets",
  hash: "Hashes",
  "sorted-set": "Sorted sets",
  geo: "Places",
  vector_set: "Vector sets",
  stream: "Streams",
  array: "Arrays",
  generic: "Keys of any type",
  scripting: "Scripts and functions",
  connection: "Connection",
  transactions: "Transactions",
  pubsub: "Channels",
  server: "Server",
  cluster: "Redis Cluster",
  codis: "Codis",
};

const NOTES: Readonly<Record<string, string>> = {
  generic: `\`SORT\` with \`BY\` or \`GET\` reads keys that are made from a pattern. They are in the
slot of the pattern's hash tag, so the pattern must have one before its star, the same as the key:
\`SORT {u}list BY {u}weight_*\`. Anything else gets \`-CROSSSLOT\`.`,
  stream: `\`XREAD\` and \`XREADGROUP\` are refused when they carry \`BLOCK\`: a server connection
that waits would keep all sessions waiting that share it.`,
  cluster: `The servers behind the proxy are single servers, and so is the proxy for its clients:
everything about Redis Cluster gets \`-ERR This instance has cluster support disabled\`, as from a
single Redis.`,
  codis: `Those that are forwarded work on codis-server only; other servers do not know them.`,
};

const JOINED: Readonly<Record<number, string>> = {
  [Join.ORDER]: "split, joined in the order of the keys",
  [Join.SUM]: "split, sums added up",
  [Join.ALL_OK]: "split, OK when all are",
};

function commandsPage(): string {
  const shown = COMMANDS.filter((command) => command.id > 0 && !isBareContainer(command));
  const groups = [...new Set(shown.map((command) => command.group))];
  const sections = groups.map((group) => {
    const commands = shown.filter((command) => command.group === group);
    const note = NOTES[group] === undefined ? "" : `${NOTES[group]}\n\n`;
    return `## ${TITLES[group]}\n\n${note}${tableOf(commands)}`;
  });
  return `${INTRODUCTION}\n${sections.join("\n")}\n${reasonsSection(shown)}`;
}

/** A container that is nothing without a subcommand; COMMAND is more than that. */
function isBareContainer(command: Command): boolean {
  return command.subcommands !== null && command.route === Route.REFUSE;
}

function tableOf(commands: readonly Command[]): string {
  const rows = commands.map((command) => [
    `\`${titleOf(command)}\``,
    keysOf(command),
    routeOf(command),
    command.group === "codis" ? "" : `${command.since}${command.isRedis ? "" : " (Valkey)"}`,
    command.summary,
  ]);
  return alignedTable([["Command", "Keys", "The proxy", "Since", "What it does"], ...rows]);
}

/** As the formatter of Markdown would align it. */
function alignedTable(rows: readonly (readonly string[])[]): string {
  const widths = rows[0].map((_, i) => Math.max(3, ...rows.map((row) => row[i].length)));
  const lines = rows.map((row) => row.map((cell, i) => cell.padEnd(widths[i])));
  lines.splice(
    1,
    0,
    widths.map((width) => "-".repeat(width)),
  );
  return lines.map((cells) => `| ${cells.join(" | ")} |\n`).join("");
}

function titleOf(command: Command): string {
  return command.name.toUpperCase().replace("|", " ");
}

function routeOf(command: Command): string {
  switch (command.route) {
    case Route.FORWARD:
      return "forwarded";
    case Route.SPLIT:
      return JOINED[command.join];
    case Route.LOCAL:
      return "answered";
    default:
      return "refused";
  }
}

function keysOf(command: Command): string {
  if (command.keyRule === KeyRule.SORT) return "1, after STORE, patterns of BY and GET";
  return command.keys.map(specText).join(", ");
}

function specText(spec: KeySpec): string {
  if (spec.isCounted) {
    return `counted by ${spec.begin}${spec.step > 1 ? ", each with its value" : ""}`;
  }
  if (spec.keyword !== "") {
    return `${spec.limit === 2 ? "first half " : spec.last < 0 ? "all " : ""}after ${spec.keyword}`;
  }
  if (spec.last === 0) return String(spec.begin);
  if (spec.last > 0) return `${spec.begin} to ${spec.begin + spec.last}`;
  const last = spec.last === -1 ? "last" : "last but one";
  if (spec.step === 1) return `${spec.begin} to ${last}`;
  return `${spec.begin}, ${spec.begin + spec.step}, ... to ${last}`;
}

function reasonsSection(commands: readonly Command[]): string {
  const refused = commands.filter((command) => command.route === Route.REFUSE);
  const reasons = [...new Set(refused.map((command) => command.reason))];
  const paragraphs = reasons.map((reason) => {
    const names = refused.filter((command) => command.reason === reason).map(titleOf);
    const title = reason[0].toUpperCase() + reason.slice(1);
    return wrap(`**${title}**: ${names.map((name) => `\`${name}\``).join(", ")}.`);
  });
  return `## Why commands are refused\n\n${paragraphs.join("\n")}`;
}

/** Breaks lines at spaces that are not inside backticks. */
function wrap(text: string): string {
  let line = "";
  let lines = "";
  for (const word of text.split(/ (?=(?:[^`]*`[^`]*`)*[^`]*$)/)) {
    if (line.length + word.length + 1 > 100) {
      lines += `${line}\n`;
      line = word;
    } else line = line === "" ? word : `${line} ${word}`;
  }
  return `${lines}${line}\n`;
}

test("docs/commands.md is what the table says (CODIS_TEST_UPDATE=1 writes it anew)", () => {
  if (process.env.CODIS_TEST_UPDATE === "1") writeFileSync(FILE, commandsPage());
  expect(readFileSync(FILE, "utf8")).toBe(commandsPage());
});

test("every command has one short line about what it does, without a full stop", () => {
  for (const { name, summary } of COMMANDS.slice(1)) {
    expect([name, summary]).toEqual([name, expect.stringMatching(/^[A-Z].{3,60}[^.]$/)]);
  }
});
