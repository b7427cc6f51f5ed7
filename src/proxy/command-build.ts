/**
 * Turns rows into commands: what follows from a row is worked out here once, at start. That is how
 * Redis derives ACL categories from flags, and the legacy first/last/step from key specs.
 * Called by commands.ts only.
 */
import { assert } from "../lib/assert.ts";
import { type Command, Flag, Join, KeyRule, Route } from "./command-model.ts";
import type { KeySpec, Row } from "./command-rows.ts";

/** Why a command is refused; completes "is not supported by the proxy yet: ...". */
const REASONS: Readonly<Record<string, string>> = {
  tx: "a transaction needs a server connection of its own, and sessions share theirs",
  wait: "it may wait on a server connection that other sessions share",
  sub: "listeners need a server connection of their own, and sessions share theirs",
  own: "it changes a server connection that other sessions share",
  all: "it concerns every server behind the proxy and not one slot",
  one: "it concerns one server and not a slot",
  admin: "servers are administered directly and not through the proxy",
  repl: "replication is set up between servers and not through the proxy",
  move: "keys move between servers only when the dashboard moves their slot",
  http: "it belongs to HTTP",
};

/** Redis' answer to everything about Redis Cluster on a server that is not part of one. */
const CLUSTER_DISABLED = "ERR This instance has cluster support disabled";

const JOINS: Readonly<Record<string, number>> = {
  "split:order": Join.ORDER,
  "split:sum": Join.SUM,
  "split:ok": Join.ALL_OK,
};

/** Commands whose keys depend on more than their key specs can say. */
const SPECIAL_RULES: Readonly<Record<string, number>> = {
  sort: KeyRule.SORT,
  sort_ro: KeyRule.SORT,
  georadius: KeyRule.GEO,
  georadiusbymember: KeyRule.GEO,
  migrate: KeyRule.MIGRATE,
};

/** In the order in which Redis lists the categories of a command. */
const ACL_ORDER: readonly string[] = `
  @keyspace @read @write @set @sortedset @list @hash @string @array @bitmap @hyperloglog @geo
  @stream @pubsub @admin @fast @slow @blocking @dangerous @connection @transaction @scripting
`
  .trim()
  .split(/\s+/);

/** Stands for whatever the table does not know; only its id is ever used, by statistics. */
export const UNKNOWN: Command = {
  id: 0,
  name: "unknown",
  arity: -1,
  flags: Flag.MASTER_ONLY,
  route: Route.REFUSE,
  join: Join.NONE,
  firstKey: 0,
  lastKey: 0,
  step: 0,
  keyRule: KeyRule.NONE,
  keys: [],
  subcommands: null,
  reason: "the proxy does not know it",
  refusal: "ERR unknown command",
  group: "codis",
  since: "0.0.0",
  summary: "",
  acl: [],
  tips: [],
  docFlags: [],
  deprecatedSince: "",
  replacedBy: "",
  isRedis: false,
};

export function buildCommand(
  id: number,
  row: Row,
  subcommands: ReadonlyMap<string, Command> | null,
): Command {
  const range = legacyRange(row.keys);
  const reason = reasonOf(row);
  const docFlags = row.isInternal ? ["syscmd"] : [];
  if (row.deprecatedSince !== "") docFlags.push("deprecated");
  const command: Command = {
    id,
    name: row.name,
    arity: row.arity,
    flags: flagsOf(row, range.isMovable),
    route: routeOf(row),
    join: JOINS[row.route] ?? Join.NONE,
    ...range.legacy,
    keyRule: keyRuleOf(row, range.isMovable),
    keys: row.keys,
    subcommands,
    reason,
    refusal: refusalOf(row, reason),
    group: row.group,
    since: row.since,
    summary: row.summary,
    acl: aclOf(row),
    tips: row.tips,
    docFlags,
    deprecatedSince: row.deprecatedSince,
    replacedBy: row.replacedBy,
    isRedis: row.group !== "codis" && !row.isValkey,
  };
  check(command);
  return command;
}

/** What the session relies on when it takes keys without looking at the number of arguments. */
function check(command: Command): void {
  const isSent = command.route === Route.FORWARD || command.route === Route.SPLIT;
  if (!isSent) return;
  assert(command.keyRule !== KeyRule.NONE, `${command.name} is forwarded, so it has keys`);
  assert(Math.abs(command.arity) > command.firstKey, `${command.name} always has its first key`);
}

function routeOf(row: Row): number {
  if (row.route === "forward") return Route.FORWARD;
  if (row.route === "local") return Route.LOCAL;
  if (row.route in JOINS) return Route.SPLIT;
  return Route.REFUSE;
}

function reasonOf(row: Row): string {
  if (row.route === "-") return "it needs a subcommand";
  if (row.route === "no:cluster") return "the servers are not part of a Redis Cluster";
  if (!row.route.startsWith("no:")) return "";
  const reason = REASONS[row.route.slice("no:".length)];
  assert(reason !== undefined, `a known reason in "${row.route}"`);
  return reason;
}

function refusalOf(row: Row, reason: string): string {
  if (row.route === "no:cluster") return CLUSTER_DISABLED;
  return reason === ""
    ? ""
    : `ERR command '${row.name}' is not supported by the proxy yet: ${reason}`;
}

function flagsOf(row: Row, isMovable: boolean): number {
  let flags = isMovable ? Flag.MOVABLE_KEYS : 0;
  for (const word of row.flags) flags |= Flag[word.toUpperCase() as keyof typeof Flag];
  if ((flags & Flag.READONLY) === 0) flags |= Flag.MASTER_ONLY;
  return flags;
}

function aclOf(row: Row): string[] {
  const has = (flag: string): boolean => row.flags.includes(flag);
  const acl = new Set(row.acl);
  if (has("write")) acl.add("@write");
  if (has("readonly") && !acl.has("@scripting")) acl.add("@read");
  if (has("admin")) acl.add("@admin").add("@dangerous");
  if (has("pubsub")) acl.add("@pubsub");
  if (has("blocking")) acl.add("@blocking");
  acl.add(has("fast") ? "@fast" : "@slow");
  const known = ACL_ORDER.filter((category) => acl.has(category));
  assert(known.length === acl.size, `known ACL categories of ${row.name}`);
  return known;
}

interface LegacyRange {
  readonly legacy: Pick<Command, "firstKey" | "lastKey" | "step">;
  /** There are keys that the three numbers do not tell. */
  readonly isMovable: boolean;
}

/** Joins the plain ranges among the specs into one, as far as they follow one another. */
function legacyRange(specs: readonly KeySpec[]): LegacyRange {
  let firstKey = 0;
  let lastKey = 0;
  let step = 0;
  let isMovable = false;
  for (const spec of specs) {
    const isPlain = spec.keyword === "" && spec.begin > 0 && !spec.isCounted;
    const isNext = firstKey === 0 || (spec.begin === lastKey + 1 && spec.step === 1);
    if (!isPlain || !isNext) {
      isMovable = true;
      continue;
    }
    if (firstKey === 0) firstKey = spec.begin;
    lastKey = spec.last < 0 ? spec.last : spec.begin + spec.last;
    step = spec.step;
  }
  return { legacy: { firstKey, lastKey, step }, isMovable };
}

function keyRuleOf(row: Row, isMovable: boolean): number {
  if (row.keys.length === 0) return KeyRule.NONE;
  if (!isMovable) return KeyRule.RANGE;
  return SPECIAL_RULES[row.name] ?? KeyRule.SPECS;
}
