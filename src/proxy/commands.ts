/**
 * The command table: what is a command, how many arguments it takes, where its keys are, and what
 * the proxy does with it. `lookup` is called for every request by session.ts.
 *
 * The rows are in the command-rows-*.ts files, the finding of keys in command-keys.ts, and the
 * replies of COMMAND in command-info.ts. docs/commands.md is printed from this table by
 * command-docs.test.ts.
 */
import { assert } from "../lib/assert.ts";
import { buildCommand, UNKNOWN } from "./command-build.ts";
import { type Command, Flag, KeyRule, Route } from "./command-model.ts";
import { CODIS_ROWS, FOREIGN_ROWS } from "./command-rows-codis.ts";
import { HASH_ROWS, LIST_ROWS, SET_ROWS } from "./command-rows-collections.ts";
import { CONNECTION_ROWS, PUBSUB_ROWS, TRANSACTION_ROWS } from "./command-rows-connection.ts";
import { KEY_ROWS, SCRIPT_ROWS } from "./command-rows-keys.ts";
import { CLUSTER_ROWS, SERVER_ROWS } from "./command-rows-server.ts";
import { GEO_ROWS, SORTED_SET_ROWS, VECTOR_SET_ROWS } from "./command-rows-sorted.ts";
import { ARRAY_ROWS, STREAM_ROWS } from "./command-rows-streams.ts";
import { BITMAP_ROWS, HYPERLOGLOG_ROWS, STRING_ROWS } from "./command-rows-strings.ts";
import { readTable, type Row, type RowTable } from "./command-rows.ts";

export { type Command, Flag, Join, KeyRule, Route } from "./command-model.ts";

const TABLES: readonly RowTable[] = [
  STRING_ROWS,
  BITMAP_ROWS,
  HYPERLOGLOG_ROWS,
  LIST_ROWS,
  SET_ROWS,
  HASH_ROWS,
  SORTED_SET_ROWS,
  GEO_ROWS,
  VECTOR_SET_ROWS,
  STREAM_ROWS,
  ARRAY_ROWS,
  KEY_ROWS,
  SCRIPT_ROWS,
  CONNECTION_ROWS,
  TRANSACTION_ROWS,
  PUBSUB_ROWS,
  SERVER_ROWS,
  CLUSTER_ROWS,
  CODIS_ROWS,
  FOREIGN_ROWS,
];

/** By id, subcommands included; the first one stands for every unknown command. */
export const COMMANDS: readonly Command[] = buildTable(TABLES.flatMap(readTable));
export const COMMAND_COUNT = COMMANDS.length;

/**
 * By id: the argument that is the only key of a command which is forwarded as it came, if it has
 * the right number of arguments. 0 for every other command.
 */
export const PLAIN_KEY = Uint8Array.from(COMMANDS, (command) =>
  isPlain(command) ? command.firstKey : 0,
);

function isPlain(command: Command): boolean {
  return (
    command.route === Route.FORWARD &&
    command.keyRule === KeyRule.RANGE &&
    command.firstKey === command.lastKey &&
    (command.flags & Flag.BLOCKING) === 0
  );
}

function buildTable(rows: readonly Row[]): Command[] {
  const commands = [UNKNOWN];
  const containers = new Map<string, Map<string, Command>>();
  for (const { name } of rows) {
    const container = name.split("|")[0];
    if (container !== name) containers.set(container, new Map());
  }
  for (const row of rows) {
    const [container, sub] = row.name.split("|");
    const own = sub === undefined ? (containers.get(container) ?? null) : null;
    const command = buildCommand(commands.length, row, own);
    commands.push(command);
    if (sub !== undefined) containers.get(container)?.set(sub, command);
  }
  return commands;
}

// ------------------------------------------------------------------ finding a command by its name

/** A power of two, about twelve times the commands: nearly every search ends at its first cell. */
const CELLS = 4096;
/** Ids by hash of the name; 0 is an empty cell, and the search goes on to the next cell. */
const cells = new Uint16Array(CELLS);
/** All names one after another; that of command i is NAMES[starts[i], starts[i+1]). */
const NAMES = Buffer.from(COMMANDS.map(ownName).join(""), "latin1");
const starts = new Int32Array(COMMAND_COUNT + 1);
const MIN_LENGTH = 3;
let maxLength = 0;

/** Capital letters to small ones, every other byte to itself. */
const FOLD = Uint8Array.from({ length: 256 }, (_, byte) => {
  return byte >= 65 && byte <= 90 ? byte | 32 : byte;
});

/** The name without its container. */
function ownName(command: Command): string {
  return command.name.slice(command.name.indexOf("|") + 1);
}

function fillCells(): void {
  for (const command of COMMANDS) {
    const name = ownName(command);
    const from = starts[command.id];
    starts[command.id + 1] = from + name.length;
    assert(name.length >= MIN_LENGTH || name !== command.name, "lookup reads three bytes");
    if (command.id === 0 || name !== command.name) continue;
    maxLength = Math.max(maxLength, name.length);
    let cell = hashOf(NAMES, from, from + name.length);
    while (cells[cell] !== 0) cell = (cell + 1) & (CELLS - 1);
    cells[cell] = command.id;
  }
}

/**
 * The first three bytes, the last two and the length, folded. Needs three bytes. A search found the
 * factors: they tell apart all names of the table that differ in any of these.
 */
function hashOf(bytes: Uint8Array, from: number, to: number): number {
  const first = (bytes[from] | 32) * 539 + (bytes[from + 1] | 32) * 421;
  const last = (bytes[to - 2] | 32) * 285 + (bytes[to - 1] | 32) * 1061;
  return (first + (bytes[from + 2] | 32) * 467 + last + (to - from) * 97) & (CELLS - 1);
}

fillCells();

/** The command whose name is bytes[from, to), in any case; null when there is none. */
export function lookup(bytes: Uint8Array, from: number, to: number): Command | null {
  const length = to - from;
  if (length < MIN_LENGTH || length > maxLength) return null;
  let cell = hashOf(bytes, from, to);
  for (let id = cells[cell]; id !== 0; id = cells[cell]) {
    if (isNamed(id, bytes, from, to)) return COMMANDS[id];
    cell = (cell + 1) & (CELLS - 1);
  }
  return null;
}

function isNamed(id: number, bytes: Uint8Array, from: number, to: number): boolean {
  let at = starts[id];
  if (starts[id + 1] - at !== to - from) return false;
  for (let i = from; i < to; i++) if (FOLD[bytes[i]] !== NAMES[at++]) return false;
  return true;
}

/** The subcommand of `parent` named bytes[from, to), in any case; null when there is none. */
export function lookupSub(
  parent: Command,
  bytes: Uint8Array,
  from: number,
  to: number,
): Command | null {
  if (parent.subcommands === null) return null;
  for (const command of parent.subcommands.values()) {
    if (isNamed(command.id, bytes, from, to)) return command;
  }
  return null;
}

/** By full name in lower case, "get" or "config|get": for tests, statistics and documents. */
export function commandNamed(name: string): Command | null {
  const [container, sub] = name.split("|");
  const bytes = Buffer.from(container, "latin1");
  const command = lookup(bytes, 0, bytes.length);
  if (command === null || sub === undefined) return command;
  return command.subcommands?.get(sub) ?? null;
}

/**
 * May a command have `argc` arguments, its name counted? MSET and MSETNX, whose keys come in
 * steps of two, need every key's value too; Redis calls its absence a wrong number of arguments.
 */
export function arityOk(command: Command, argc: number): boolean {
  const { arity } = command;
  if (arity > 0 ? argc !== arity : argc < -arity) return false;
  return command.step !== 2 || (argc & 1) === 1;
}
