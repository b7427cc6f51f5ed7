/**
 * How a row of the command table is read. The rows stand in the command-rows-*.ts files, one
 * aligned line a command, columns parted by two spaces or more:
 *
 *   mget  -2  rF  1:-1 ROa  split:order  1.0.0  Read the values of several keys  [multi]
 *   name  │   │   │         │            │      summary                          notes, if any
 *         │   │   keys      route        since this version
 *         │   flags
 *         arity in Redis' sense: counts the name; negative = at least
 *
 * A name with a bar is a subcommand: "config|get". An indented line holds the notes of the row
 * above it. The columns say what COMMAND INFO of a server says, in the short forms below; a test
 * compares them with a real server. Read once at start by commands.ts; nothing here is hot.
 */
import { assert } from "../lib/assert.ts";

export interface RowTable {
  /** As COMMAND DOCS names it. */
  readonly group: string;
  /** The ACL category of every row that does not say otherwise, except containers; "" for none. */
  readonly acl: string;
  readonly text: string;
}

/** Where some keys of a command are and what happens to them. */
export interface KeySpec {
  /** "RO", "access", ... in Redis' order and spelling. */
  readonly flags: readonly string[];
  /** Argument to begin at; negative counts from the end; 0 when only the server can know. */
  readonly begin: number;
  /** Begin after this upper-case word, searched from `begin` on; "" to begin at `begin` itself. */
  readonly keyword: string;
  /** The argument at `begin` counts the keys that follow it. */
  readonly isCounted: boolean;
  /** Last key, relative to the first; negative counts from the end of the arguments. */
  readonly last: number;
  readonly step: number;
  /** Keys are in the first 1/limit of what follows, when not 0. */
  readonly limit: number;
}

export interface Row {
  readonly name: string;
  readonly group: string;
  readonly arity: number;
  /** Words of FLAG_LETTERS. */
  readonly flags: readonly string[];
  readonly keys: readonly KeySpec[];
  /** "forward", "split:sum", "local", "no:tx"; "-" for a container that is no command itself. */
  readonly route: string;
  readonly since: string;
  readonly summary: string;
  /** Explicit ACL categories; those that follow from flags are not among them. */
  readonly acl: readonly string[];
  /** In the words of COMMAND INFO. */
  readonly tips: readonly string[];
  readonly isInternal: boolean;
  /** Known to Valkey and not to Redis. */
  readonly isValkey: boolean;
  readonly deprecatedSince: string;
  readonly replacedBy: string;
}

/** In the order in which Redis lists them. `master_only` is ours: never read from a replica. */
const FLAG_LETTERS: readonly (readonly [string, string])[] = [
  ["w", "write"],
  ["r", "readonly"],
  ["m", "denyoom"],
  ["a", "admin"],
  ["p", "pubsub"],
  ["s", "noscript"],
  ["b", "blocking"],
  ["l", "loading"],
  ["t", "stale"],
  ["M", "skip_monitor"],
  ["S", "skip_slowlog"],
  ["k", "asking"],
  ["F", "fast"],
  ["n", "no_auth"],
  ["o", "no_mandatory_keys"],
  ["L", "no_async_loading"],
  ["T", "no_multi"],
  ["y", "allow_busy"],
  ["P", "master_only"],
];

/** What a key spec says after RO, RW, OW, RM or NK (not a key, but sharded like one). */
const KEY_LETTERS: readonly (readonly [string, string])[] = [
  ["a", "access"],
  ["u", "update"],
  ["i", "insert"],
  ["d", "delete"],
  ["I", "incomplete"],
  ["v", "variable_flags"],
];

/** Notes that are tips. A word with ">" says how the replies of several servers are joined. */
const TIPS: Readonly<Record<string, string>> = {
  random: "nondeterministic_output",
  unordered: "nondeterministic_output_order",
  nodes: "request_policy:all_nodes",
  shards: "request_policy:all_shards",
  multi: "request_policy:multi_shard",
  special: "request_policy:special",
  ">all": "response_policy:all_succeeded",
  ">one": "response_policy:one_succeeded",
  ">sum": "response_policy:agg_sum",
  ">min": "response_policy:agg_min",
  ">and": "response_policy:agg_logical_and",
  ">special": "response_policy:special",
};

export function readTable(table: RowTable): Row[] {
  const rows: Row[] = [];
  const lines = table.text.split("\n").filter((line) => line !== "");
  for (let i = 0; i < lines.length; i++) {
    const isContinued = i + 1 < lines.length && lines[i + 1].startsWith(" ");
    rows.push(readRow(table, isContinued ? `${lines[i]}  ${lines[i + 1].trim()}` : lines[i]));
    if (isContinued) i++;
  }
  return rows;
}

function readRow(table: RowTable, line: string): Row {
  const columns = line.split(/ {2,}/);
  assert(columns.length === 7 || columns.length === 8, `seven columns and notes in "${line}"`);
  const [name, arity, flags, keys, route, since, summary, notes = "[]"] = columns;
  assert(/^-?[1-9]\d*$/.test(arity), `an arity in "${line}"`);
  assert(/^\d+\.\d+\.\d+$/.test(since), `a version in "${line}"`);
  assert(notes.startsWith("[") && notes.endsWith("]"), `notes in brackets in "${line}"`);
  return {
    name,
    group: table.group,
    arity: Number(arity),
    flags: flags === "-" ? [] : readLetters(flags, FLAG_LETTERS),
    keys: keys === "-" ? [] : keys.split(", ").map(readKeySpec),
    route,
    since,
    summary,
    ...readNotes(notes.slice(1, -1), route === "-" || table.acl === "" ? [] : [table.acl]),
  };
}

function readLetters(text: string, letters: readonly (readonly [string, string])[]): string[] {
  const words = letters.filter(([letter]) => text.includes(letter)).map(([, word]) => word);
  assert(words.length === text.length, `known letters, each once, in "${text}"`);
  return words;
}

/**
 * "3 RWad" the argument 3 · "1:-1:2 OWu" from 1 to the last in steps of 2 · "2# ROa" as many as
 * argument 2 says · "STORE@6 OWu" the one after the word STORE, searched from 6 on ·
 * "STREAMS@1:-1/2 ROa" the first half of what follows the word · "? ROa" only the server knows.
 */
function readKeySpec(text: string): KeySpec {
  const form = /^(?:\?|(?:([A-Z]+)@)?(-?\d+)(#)?(?::(-?\d+))?(?::(\d+))?(?:\/(\d+))?) (\w+)$/;
  const match = form.exec(text);
  assert(match !== null, `a key spec in "${text}"`);
  const [, keyword = "", begin = "0", count = "", last = "", step = "", limit = "0", mode] = match;
  const isNoKey = mode.startsWith("NK");
  const letters = readLetters(mode.slice(2), KEY_LETTERS);
  const isCounted = count !== "";
  const lastAt = last === "" || isCounted ? 0 : Number(last);
  return {
    flags: isNoKey ? ["not_key", ...letters] : [mode.slice(0, 2), ...letters],
    begin: Number(begin),
    keyword,
    isCounted,
    last: lastAt > 0 ? lastAt - Number(begin) : lastAt,
    step: Number((isCounted ? last : step) || "1"),
    limit: Number(limit),
  };
}

type Notes = Pick<
  Row,
  "acl" | "tips" | "isInternal" | "isValkey" | "deprecatedSince" | "replacedBy"
>;

/**
 * "+@dangerous" adds an ACL category, "=@set,@list" replaces that of the table; "syscmd" marks a
 * command of Redis' own, "valkey" one that only Valkey has; "old:6.2.0:LMOVE+RIGHT+LEFT" says
 * since when something else should be used; anything else is a word of TIPS.
 */
function readNotes(text: string, defaultAcl: readonly string[]): Notes {
  let acl = [...defaultAcl];
  const tips: string[] = [];
  let isInternal = false;
  let isValkey = false;
  let deprecatedSince = "";
  let replacedBy = "";
  for (const word of text.split(" ").filter((note) => note !== "")) {
    if (word.startsWith("+@")) acl.push(word.slice(1));
    else if (word.startsWith("=")) acl = word.slice(1).split(",");
    else if (word === "syscmd") isInternal = true;
    else if (word === "valkey") isValkey = true;
    else if (word.startsWith("old:")) {
      const [, since, instead] = word.split(":");
      deprecatedSince = since;
      replacedBy = instead.replaceAll("+", " ");
    } else {
      assert(TIPS[word] !== undefined, `a known note in "${word}"`);
      tips.push(TIPS[word]);
    }
  }
  return { acl, tips, isInternal, isValkey, deprecatedSince, replacedBy };
}
