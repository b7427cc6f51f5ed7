// Shell completion, printed from the table of commands. The scripts know the table by heart and run
// nothing, so that a press of the tab key is immediate.

import { type Command, optionsOf } from "./command.ts";
import { COMMANDS } from "./commands.ts";

export const SHELLS = ["bash", "zsh", "fish"] as const;
type Shell = (typeof SHELLS)[number];

const PROGRAMS = ["proxy", "dashboard", "admin", "demo"];

const ZSH_HEAD = `#compdef codis codis-admin
autoload -U +X compinit bashcompinit && compinit && bashcompinit
`;

export function completionScript(shell: Shell): string {
  switch (shell) {
    case "bash":
      return bashScript();
    case "zsh":
      // zsh runs completions of bash; one script to keep right.
      return `${ZSH_HEAD}${bashScript()}`;
    case "fish":
      return fishScript();
  }
}

/** What may stand first, and what second after each first word. */
function wordTree(): Map<string, string[]> {
  const tree = new Map<string, string[]>();
  for (const { name } of COMMANDS) {
    const [first, second] = name.split(" ");
    const follow = tree.get(first) ?? [];
    tree.set(first, second === undefined ? follow : [...follow, second]);
  }
  tree.set("completion", [...SHELLS]);
  tree.set("help", [...tree.keys()]);
  return tree;
}

function optionWords(command: Command): string[] {
  return [...optionsOf(command).map((option) => `--${option.name}`), "--help"];
}

// ----------------------------------------------------------------------------------------- bash

function bashScript(): string {
  const tree = wordTree();
  const seconds = [...tree].filter(([, follow]) => follow.length > 0);
  const options = COMMANDS.map((command) => {
    const words = (command.positionals ?? []).flatMap((row) => row.choices ?? []);
    return `    "${command.name}") options="${[...words, ...optionWords(command)].join(" ")}" ;;`;
  });
  const isLong = (line: string): boolean => /^ {4}"\w+ /.test(line);
  const values = COMMANDS.flatMap((command) => command.options ?? []).filter((row) => row.choices);
  return `# Completion of codis-admin and codis admin.
# In bash: source <(codis admin completion bash)
_codis_admin() {
  local cur=\${COMP_WORDS[COMP_CWORD]} prev=\${COMP_WORDS[COMP_CWORD-1]} start=1 i values=""
  if [[ \${COMP_WORDS[0]##*/} == codis ]]; then
    if (( COMP_CWORD == 1 )); then
      COMPREPLY=($(compgen -W "${PROGRAMS.join(" ")}" -- "$cur"))
      return
    fi
    [[ \${COMP_WORDS[1]} == admin ]] || return
    start=2
  fi
  if [[ $cur == = ]]; then cur=""; fi
  if [[ $prev == = ]]; then prev=\${COMP_WORDS[COMP_CWORD-2]}; fi
  case $prev in
${values.map((row) => `    --${row.name}) values="${row.choices?.join(" ")}" ;;`).join("\n")}
  esac
  if [[ -n $values ]]; then
    COMPREPLY=($(compgen -W "$values" -- "$cur"))
    return
  fi
  local words=()
  for (( i = start; i < COMP_CWORD; i++ )); do
    [[ \${COMP_WORDS[i]} == -* ]] || words+=("\${COMP_WORDS[i]}")
  done
  if (( \${#words[@]} == 0 )); then
    COMPREPLY=($(compgen -W "${[...tree.keys()].join(" ")}" -- "$cur"))
    return
  fi
  local options="" more=""
  case "\${words[0]}" in
${options.filter((line) => !isLong(line)).join("\n")}
  esac
  case "\${words[0]} \${words[1]}" in
${options.filter(isLong).join("\n")}
  esac
  if (( \${#words[@]} == 1 )); then
    case "\${words[0]}" in
${seconds.map(([first, follow]) => `      ${first}) more="${follow.join(" ")}" ;;`).join("\n")}
    esac
  fi
  COMPREPLY=($(compgen -W "$more $options" -- "$cur"))
}
complete -F _codis_admin codis-admin codis
`;
}

// ----------------------------------------------------------------------------------------- fish

function fishScript(): string {
  const lines = [
    "# Completion of codis-admin and codis admin.",
    "# In fish: codis admin completion fish | source",
    "complete -c codis -f -n __fish_use_subcommand -a " + quoted(PROGRAMS.join(" ")),
  ];
  const tree = wordTree();
  for (const program of ["codis-admin", "codis"]) {
    const isAdmin = program === "codis" ? "__fish_seen_subcommand_from admin; and " : "";
    const none = [...tree.keys()].join(" ");
    const atStart = `${isAdmin}not __fish_seen_subcommand_from ${none}`;
    lines.push(`complete -c ${program} -f -n ${quoted(atStart)} -a ${quoted(none)}`);
    for (const [first, follow] of tree) {
      if (follow.length === 0) continue;
      const here = `${isAdmin}__fish_seen_subcommand_from ${first}`;
      lines.push(`complete -c ${program} -f -n ${quoted(here)} -a ${quoted(follow.join(" "))}`);
    }
    for (const command of COMMANDS) {
      const seen = command.name.split(" ").map((word) => `__fish_seen_subcommand_from ${word}`);
      const here = isAdmin + seen.join("; and ");
      for (const option of optionsOf(command)) {
        const value = option.argument === undefined ? "" : " -r";
        const choices =
          option.choices === undefined ? "" : ` -a ${quoted(option.choices.join(" "))}`;
        const doc = ` -d ${quoted(option.doc)}`;
        lines.push(
          `complete -c ${program} -f -n ${quoted(here)} -l ${option.name}${value}${choices}${doc}`,
        );
      }
    }
  }
  return `${lines.join("\n")}\n`;
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", "\\'")}'`;
}
