// docs/admin.md is printed from the tables of commands and flags, here, and fails this test when it
// is stale. To print it anew:
//   CODIS_TEST_UPDATE=1 node scripts/bun.mjs test src/cli/reference.test.ts
import { expect, test } from "bun:test";
import { readFileSync, writeFileSync } from "node:fs";
import { type Command, optionsOf } from "./command.ts";
import { CHAPTERS, headOf } from "./commands.ts";
import { originalUsage } from "./original.ts";

const INTRODUCTION = `# Administration

This page is printed from the tables in \`src/cli\`. \`codis admin COMMAND\` is for people and
scripts; \`codis-admin\` is the same program and takes the flags of the original as well, at the
end of this page.

\`\`\`sh
codis admin status --watch              # the whole product, again every second
codis admin groups add 3
codis admin servers add 3 10.0.0.3:6379
codis admin rebalance --watch           # shows the plan, asks, shows the progress
codis admin rebalance --drain-group=1   # empties a group, before it is removed
\`\`\`

## Rules for all commands

- \`--dashboard=HOST:PORT\` says where the dashboard is; otherwise the variable CODIS_DASHBOARD,
  or 127.0.0.1:18080. Of several, with commas between them, the one that leads is taken. Commands
  on one proxy take the product's password from \`--auth\` or the variable CODIS_PRODUCT_AUTH.
- Commands that show something have \`--json\`, for other programs, and \`--watch\`, which shows it
  again every second. With both, each picture is one line of JSON.
- Commands that cannot be taken back, or move much, ask first. Scripts say \`--yes\`; without it and
  without a terminal nothing is done.
- Data goes to stdout, words about it to stderr. Colours and bars are for terminals; NO_COLOR
  switches colours off.
- A failure is one sentence with the next step and status 1.
- \`codis admin completion bash\` (or zsh, fish) prints the completion for a shell:
  \`source <(codis admin completion bash)\`.

## How slots are measured

\`rebalance --by=slots\` counts slots and gives the plan of the original. For \`--by=keys\` and
\`--by=memory\` the dashboard measures each slot at its master when the plan is made. A
codis-server counts the keys of its slots itself. Any other server is sampled: SCAN reads 20,000
keys (with a MEMORY USAGE each for memory), and what is found is scaled up to the number of keys
that INFO tells. A server with fewer keys than that is measured exactly. In a sample of a larger
one some slots have many keys by chance; so the slots are drawn towards the average of their
server, the more so the less they differ beyond what chance explains. Slots that are really heavy
are found, small differences between slots are not, and a single huge value may be missed
altogether. A server without MEMORY USAGE is taken to have keys of equal size. Moves are chosen
greedily: few, but not proven to be the fewest, and groups that differ by less than two percent
are left as they are.`;

const FLAGS = `## The flags of the original

Every form of codis-admin 3.2 works, with the same output on stdout. Different are the failures: one
sentence instead of a call stack. What changes something prints nothing and ends with status 0.`;

function adminPage(): string {
  const parts = [INTRODUCTION];
  for (const { title, commands } of CHAPTERS) {
    parts.push(`## ${title}`, ...commands.map(section));
  }
  parts.push(FLAGS, `\`\`\`text\n${originalUsage()}\`\`\``);
  return `${parts.join("\n\n")}\n`;
}

function section(command: Command): string {
  const text = [command.doc, command.details ?? ""].join(" ").trim();
  const rows = [
    ...(command.positionals ?? []).map((row) => `- \`${row.name}\`: ${row.doc}`),
    ...(command.options ?? []).map((row) => {
      const argument = row.argument === undefined ? "" : `=${row.argument}`;
      return `- \`--${row.name}${argument}\`: ${row.doc}`;
    }),
  ];
  const has = (name: string): boolean => optionsOf(command).some((row) => row.name === name);
  const common = [
    ...(command.isView ? ["--json", "--watch"] : []),
    ...(command.asks ? ["--yes"] : []),
    ...(has("dashboard") && command.reach === "dashboard" ? ["--dashboard"] : []),
    ...(has("filesystem") ? ["--product", "--filesystem", "--etcd", "--zookeeper"] : []),
    ...(has("auth") ? ["--auth"] : []),
  ].map((name) => `\`${name}\``);
  if (common.length > 0) rows.push(`- Also: ${common.join(", ")}`);
  const list = rows.length === 0 ? "" : `\n\n${rows.join("\n")}`;
  return `### ${headOf(command)}\n\n${text}${list}`;
}

const FILE = new URL("../../docs/admin.md", import.meta.url);

test("docs/admin.md is the page that the tables print", () => {
  if (process.env.CODIS_TEST_UPDATE === "1") writeFileSync(FILE, adminPage());
  expect(readFileSync(FILE, "utf8")).toBe(adminPage());
});
