/**
 * What COMMAND and its subcommands answer, from the command table. The lists show what a Redis of
 * the given version knows, because that is what the proxy says it is; commands asked for by name
 * are told about whatever their version, as long as the proxy takes them.
 *
 * Called by local.ts. Prose is our own: COMMAND DOCS has no complexity, history and arguments, and
 * key specs carry no notes.
 */
import type { Args } from "../resp/args.ts";
import type { ReplyWriter } from "../resp/write.ts";
import { findKeysAt, findSpecKeys, KEYS_APART, keyIndex, NO_MATCH } from "./command-keys.ts";
import type { KeySpec } from "./command-rows.ts";
import { type Command, COMMANDS, Flag, KeyRule, lookup, lookupSub } from "./commands.ts";
import { E } from "./errors.ts";
import { globMatches } from "./local-glob.ts";
import type { LocalHandler } from "./local-types.ts";

/** Redis' names of flags, in Redis' order. */
const FLAG_NAMES: readonly (readonly [number, string])[] = [
  [Flag.WRITE, "write"],
  [Flag.READONLY, "readonly"],
  [Flag.DENYOOM, "denyoom"],
  [Flag.ADMIN, "admin"],
  [Flag.PUBSUB, "pubsub"],
  [Flag.NOSCRIPT, "noscript"],
  [Flag.BLOCKING, "blocking"],
  [Flag.LOADING, "loading"],
  [Flag.STALE, "stale"],
  [Flag.SKIP_MONITOR, "skip_monitor"],
  [Flag.SKIP_SLOWLOG, "skip_slowlog"],
  [Flag.ASKING, "asking"],
  [Flag.FAST, "fast"],
  [Flag.NO_AUTH, "no_auth"],
  [Flag.NO_MANDATORY_KEYS, "no_mandatory_keys"],
  [Flag.NO_ASYNC_LOADING, "no_async_loading"],
  [Flag.NO_MULTI, "no_multi"],
  [Flag.MOVABLE_KEYS, "movablekeys"],
  [Flag.ALLOW_BUSY, "allow_busy"],
];

type Writer = (args: Args, out: ReplyWriter, version: string) => void;

/** By full name; `version` is that of Redis, "7.0.15". HELP is answered where every HELP is. */
export const COMMAND_WRITERS: ReadonlyMap<string, Writer> = new Map<string, Writer>([
  ["command", writeInfos],
  ["command|count", (_args, out, version) => out.integer(listed(version).length)],
  ["command|docs", writeDocs],
  ["command|getkeys", (args, out) => writeKeys(args, out, false)],
  ["command|getkeysandflags", (args, out) => writeKeys(args, out, true)],
  ["command|info", writeInfos],
  ["command|list", writeNames],
]);

/** The same for local.ts. */
export const COMMAND_HANDLERS: ReadonlyMap<string, LocalHandler> = new Map(
  [...COMMAND_WRITERS].map(([name, write]): [string, LocalHandler] => [
    name,
    (_session, args, out, services) => write(args, out, services.config.proxyRedisVersion),
  ]),
);

// ------------------------------------------------------------------ which commands there are

let listVersion = "";
let listCommands: readonly Command[] = [];

/** The commands that a Redis of this version lists, without subcommands. */
function listed(version: string): readonly Command[] {
  if (version !== listVersion) {
    listCommands = COMMANDS.filter(
      (command) => !command.name.includes("|") && isKnown(command, version),
    );
    listVersion = version;
  }
  return listCommands;
}

function isKnown(command: Command, version: string): boolean {
  return command.isRedis && compareVersions(command.since, version) <= 0;
}

function subsOf(command: Command, version: string): Command[] {
  if (command.subcommands === null) return [];
  return [...command.subcommands.values()].filter((sub) => isKnown(sub, version));
}

function compareVersions(left: string, right: string): number {
  const ours = left.split(".");
  const theirs = right.split(".");
  for (let i = 0; i < 3; i++) {
    const difference = Number(ours[i] ?? 0) - Number(theirs[i] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}

/** The command named by argument `index` as COMMAND INFO takes names: "get" or "config|get". */
function namedBy(args: Args, index: number): Command | null {
  const start = args.start(index);
  const end = args.end(index);
  const bar = args.bytes.indexOf(124, start);
  if (bar < 0 || bar >= end) return lookup(args.bytes, start, end);
  const container = lookup(args.bytes, start, bar);
  return container === null ? null : lookupSub(container, args.bytes, bar + 1, end);
}

// ------------------------------------------------------------------ COMMAND INFO

function writeInfos(args: Args, out: ReplyWriter, version: string): void {
  if (args.count <= 2) {
    const commands = listed(version);
    out.array(commands.length);
    for (const command of commands) writeInfo(command, out, version);
    return;
  }
  out.array(args.count - 2);
  for (let i = 2; i < args.count; i++) {
    const command = namedBy(args, i);
    if (command === null) out.null();
    else writeInfo(command, out, version);
  }
}

function writeInfo(command: Command, out: ReplyWriter, version: string): void {
  out.array(10);
  out.bulk(command.name);
  out.integer(command.arity);
  const flags = FLAG_NAMES.filter(([bit]) => (command.flags & bit) !== 0);
  out.set(flags.length);
  for (const [, name] of flags) out.simple(name);
  out.integer(command.firstKey);
  out.integer(command.lastKey);
  out.integer(command.step);
  writeSimpleSet(command.acl, out);
  out.set(command.tips.length);
  for (const tip of command.tips) out.bulk(tip);
  out.set(command.keys.length);
  for (const spec of command.keys) writeKeySpec(spec, out);
  const subs = subsOf(command, version);
  out.set(subs.length);
  for (const sub of subs) writeInfo(sub, out, version);
}

function writeSimpleSet(words: readonly string[], out: ReplyWriter): void {
  out.set(words.length);
  for (const word of words) out.simple(word);
}

function writeKeySpec(spec: KeySpec, out: ReplyWriter): void {
  out.map(3);
  out.bulk("flags");
  writeSimpleSet(spec.flags, out);
  out.bulk("begin_search");
  if (spec.begin === 0) writeStep(out, "unknown", []);
  else if (spec.keyword === "") writeStep(out, "index", [["index", spec.begin]]);
  else {
    writeStep(out, "keyword", [
      ["keyword", spec.keyword],
      ["startfrom", spec.begin],
    ]);
  }
  out.bulk("find_keys");
  if (spec.begin === 0) writeStep(out, "unknown", []);
  else if (spec.isCounted) {
    writeStep(out, "keynum", [
      ["keynumidx", 0],
      ["firstkey", 1],
      ["keystep", spec.step],
    ]);
  } else {
    writeStep(out, "range", [
      ["lastkey", spec.last],
      ["keystep", spec.step],
      ["limit", spec.limit],
    ]);
  }
}

/** One of the two steps of a key spec. */
function writeStep(
  out: ReplyWriter,
  type: string,
  fields: readonly (readonly [string, string | number])[],
): void {
  out.map(2);
  out.bulk("type");
  out.bulk(type);
  out.bulk("spec");
  out.map(fields.length);
  for (const [name, value] of fields) {
    out.bulk(name);
    if (typeof value === "number") out.integer(value);
    else out.bulk(value);
  }
}

// ------------------------------------------------------------------ COMMAND DOCS and LIST

function writeDocs(args: Args, out: ReplyWriter, version: string): void {
  let commands = listed(version);
  if (args.count > 2) {
    const named: Command[] = [];
    for (let i = 2; i < args.count; i++) {
      const command = namedBy(args, i);
      if (command !== null) named.push(command);
    }
    commands = named;
  }
  out.map(commands.length);
  for (const command of commands) writeDoc(command, out, version);
}

function writeDoc(command: Command, out: ReplyWriter, version: string): void {
  const subs = subsOf(command, version);
  const texts: (readonly [string, string])[] = [
    ["summary", command.summary],
    ["since", command.since],
    ["group", command.group],
  ];
  const isDeprecated = command.deprecatedSince !== "";
  const hasFlags = command.docFlags.length > 0;
  out.bulk(command.name);
  out.map(texts.length + (hasFlags ? 1 : 0) + (isDeprecated ? 2 : 0) + (subs.length > 0 ? 1 : 0));
  for (const [name, text] of texts) writePair(out, name, text);
  if (hasFlags) {
    out.bulk("doc_flags");
    writeSimpleSet(command.docFlags, out);
  }
  if (isDeprecated) {
    writePair(out, "deprecated_since", command.deprecatedSince);
    writePair(out, "replaced_by", `\`${command.replacedBy}\``);
  }
  if (subs.length > 0) {
    out.bulk("subcommands");
    out.map(subs.length);
    for (const sub of subs) writeDoc(sub, out, version);
  }
}

function writePair(out: ReplyWriter, name: string, text: string): void {
  out.bulk(name);
  out.bulk(text);
}

/** COMMAND LIST [FILTERBY MODULE name | ACLCAT category | PATTERN glob]; with subcommands. */
function writeNames(args: Args, out: ReplyWriter, version: string): void {
  let commands = COMMANDS.filter((command) => isKnown(command, version));
  if (args.count > 2) {
    if (args.count !== 5 || !args.equals(2, "filterby")) return out.raw(E.syntax);
    const wanted = args.text(4).toLowerCase();
    if (args.equals(3, "module")) commands = [];
    else if (args.equals(3, "aclcat")) {
      commands = commands.filter((command) => command.acl.includes(`@${wanted}`));
    } else if (args.equals(3, "pattern")) {
      commands = commands.filter((command) => globMatches(wanted, command.name));
    } else return out.raw(E.syntax);
  }
  out.array(commands.length);
  for (const command of commands) out.bulk(command.name);
}

// ------------------------------------------------------------------ COMMAND GETKEYS

/** The command whose keys are asked for begins at this argument. */
const ASKED = 2;

function writeKeys(args: Args, out: ReplyWriter, withFlags: boolean): void {
  let command = lookup(args.bytes, args.start(ASKED), args.end(ASKED));
  if (command !== null && command.subcommands !== null && args.count > ASKED + 1) {
    command = lookupSub(command, args.bytes, args.start(ASKED + 1), args.end(ASKED + 1));
  }
  if (command === null) return out.raw(E.invalidCommand);
  if (!hasRealKeys(command)) return out.raw(E.noKeyArguments);
  const argc = args.count - ASKED;
  if (command.arity > 0 ? argc !== command.arity : argc < -command.arity) {
    return out.error("ERR Invalid number of arguments specified for command");
  }
  const found = findKeysAt(command, args, ASKED, false);
  const isFound = found !== NO_MATCH && found !== KEYS_APART;
  const keys = isFound ? [...keyIndex.subarray(0, found)] : looselyCounted(command, args);
  if (keys.length === 0) {
    if ((command.flags & Flag.NO_MANDATORY_KEYS) !== 0) out.array(0);
    else out.raw(E.invalidCommandArguments);
    return;
  }
  const flags = withFlags && isFound ? flagsOfKeys(command, args, found) : [];
  out.array(keys.length);
  keys.forEach((key, i) => {
    if (withFlags) out.array(2);
    out.bulkRange(args.bytes, args.start(key), args.end(key));
    if (withFlags) writeSimpleSet(flags[i] ?? [], out);
  });
}

/**
 * Where Redis does not take the count of keys for a number, as in ZUNION 2x a b, it looks once
 * more: it reads the digits in front and lists the destination last. The command itself is an
 * error.
 */
function looselyCounted(command: Command, args: Args): number[] {
  const spec = command.keys.find((each) => each.isCounted);
  if (spec === undefined) return [];
  const at = ASKED + spec.begin;
  const count = Number.parseInt(args.text(at), 10);
  if (!(count >= 1 && at + count < args.count)) return [];
  const keys = Array.from({ length: count }, (_, i) => at + 1 + i);
  for (const other of command.keys) if (!other.isCounted) keys.push(ASKED + other.begin);
  return keys;
}

/** Shard channels are sharded like keys without being keys. */
function hasRealKeys(command: Command): boolean {
  return command.keys.some((spec) => !spec.flags.includes("not_key"));
}

/** What happens to each of the keys in `keyIndex`, which stays as it is. */
function flagsOfKeys(command: Command, args: Args, keys: number): (readonly string[])[] {
  const special = variableFlags(command, args);
  if (special !== null) return [special];
  const { keyRule } = command;
  const first = command.keys[0];
  if (keyRule !== KeyRule.RANGE && keyRule !== KeyRule.SPECS) {
    // The key, and for SORT and GEORADIUS where the result goes; MIGRATE treats all keys alike.
    const rest = keyRule === KeyRule.MIGRATE ? first : command.keys[command.keys.length - 1];
    return Array.from({ length: keys }, (_, i) => (i === 0 ? first.flags : rest.flags));
  }
  const flags: (readonly string[])[] = [];
  for (const spec of command.keys) {
    // Finds the same keys once more, to learn how many belong to this spec.
    const end = findSpecKeys(command, spec, args, ASKED, flags.length);
    while (flags.length < end) flags.push(spec.flags);
  }
  return flags;
}

/** SET reads only with GET, and BITFIELD writes only with more than GET; null for all others. */
function variableFlags(command: Command, args: Args): readonly string[] | null {
  if (command.name === "set") {
    for (let i = ASKED + 3; i < args.count; i++) {
      if (args.equals(i, "get")) return ["RW", "access", "update"];
    }
    return ["OW", "update"];
  }
  if (command.name !== "bitfield") return null;
  for (let i = ASKED + 2; i < args.count; i++) {
    const left = args.count - 1 - i;
    if (args.equals(i, "get") && left >= 2) i += 2;
    else if (args.equals(i, "overflow") && left >= 1) i++;
    else return ["RW", "access", "update"];
  }
  return ["RO", "access"];
}
