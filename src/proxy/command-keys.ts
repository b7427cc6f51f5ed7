/**
 * Where the keys of a request are. The session takes the key of a plain command itself and asks
 * here about commands with several keys, or with keys in places that other arguments decide.
 * Nothing is allocated, except when a request has more keys than any before it.
 *
 * A request that does not fit its command is not an error here: it has no keys, goes to any server,
 * and that server refuses it in its own words.
 */
import { type Args, parseInteger } from "../resp/args.ts";
import { type Command, Flag, KeyRule } from "./command-model.ts";
import type { KeySpec } from "./command-rows.ts";

/** The request may touch keys of several slots, whatever keys it names. */
export const KEYS_APART = -2;
/** The arguments do not fit the command. */
export const NO_MATCH = -1;
/** The keyword of a spec is there, but too little behind it. */
const CUT_SHORT = -3;

const HASH = 35;
const STAR = 42;
const OPEN = 123;
const CLOSE = 125;

/** Argument indexes of the keys found last. Replaced by a larger array when it has to grow. */
export let keyIndex = new Int32Array(1024);

/** Fills `keyIndex`; returns how many keys there are, or KEYS_APART. */
export function findKeys(command: Command, args: Args): number {
  const found = findKeysAt(command, args, 0, true);
  return found === NO_MATCH ? 0 : found;
}

/**
 * The same for a command whose name is argument `base`, as in COMMAND GETKEYS; NO_MATCH when the
 * arguments do not fit. With `isRouting`, the patterns of SORT are taken for what they mean, and
 * what Redis would refuse has no keys, even where it names some.
 */
export function findKeysAt(command: Command, args: Args, base: number, isRouting: boolean): number {
  switch (command.keyRule) {
    case KeyRule.RANGE: {
      const last = command.lastKey;
      const from = base + command.firstKey;
      return addRange(from, last < 0 ? args.count + last : base + last, command.step, 0);
    }
    case KeyRule.SPECS:
      return findBySpecs(command, args, base, isRouting);
    case KeyRule.SORT:
      return findSortKeys(args, base, isRouting);
    case KeyRule.GEO:
      // What must be there is followed by the options.
      return findGeoKeys(args, base, base - command.arity);
    case KeyRule.MIGRATE:
      return findMigrateKeys(args, base);
    default:
      return 0;
  }
}

function findBySpecs(command: Command, args: Args, base: number, isRouting: boolean): number {
  let found = 0;
  for (let i = 0; i < command.keys.length; i++) {
    found = findSpecKeys(command, command.keys[i], args, base, found);
    if (found === CUT_SHORT && !isRouting) return findStreams(args, base);
    if (found < 0) return NO_MATCH;
  }
  return found;
}

/**
 * XREAD and XREADGROUP [GROUP group consumer] [COUNT n] [BLOCK ms] [NOACK] STREAMS key ... id ...
 * Where their spec is cut short, Redis reads the options and takes the first STREAMS among them.
 */
function findStreams(args: Args, base: number): number {
  let i = base + 1;
  for (; i < args.count && !args.equals(i, "streams"); i++) {
    if (args.equals(i, "group")) i += 2;
    else if (args.equals(i, "count") || args.equals(i, "block")) i++;
    else if (!args.equals(i, "noack")) return NO_MATCH;
  }
  const behind = args.count - i - 1;
  return behind > 0 && behind % 2 === 0 ? addRange(i + 1, i + behind / 2, 1, 0) : NO_MATCH;
}

/**
 * Adds the keys of one spec after the first `at` entries of `keyIndex`; returns the new number of
 * entries, or less than zero.
 */
export function findSpecKeys(
  command: Command,
  spec: KeySpec,
  args: Args,
  base: number,
  at: number,
): number {
  let first = base + spec.begin;
  if (spec.keyword !== "") {
    while (first < args.count && !isWord(args, first, spec.keyword)) first++;
    if (++first >= args.count) return NO_MATCH;
  }
  if (spec.isCounted) return findCountedKeys(command, spec, args, first, at);
  if (spec.last >= 0) return addRange(first, first + spec.last, spec.step, at);
  const end = spec.limit > 0 ? first + Math.trunc((args.count - first) / spec.limit) : args.count;
  if (end > first) return addRange(first, end + spec.last, spec.step, at);
  return spec.limit > 0 ? CUT_SHORT : NO_MATCH;
}

/** As many keys as the argument `first` says, behind it. */
function findCountedKeys(
  command: Command,
  spec: KeySpec,
  args: Args,
  first: number,
  at: number,
): number {
  const count = parseInteger(args.bytes, args.start(first), args.end(first));
  if (count === 0 && (command.flags & Flag.NO_MANDATORY_KEYS) !== 0) return at;
  const last = first + 1 + (count - 1) * spec.step;
  return count > 0 && last < args.count ? addRange(first + 1, last, spec.step, at) : NO_MATCH;
}

/** Adds `from`, `from` + `step`, ... up to `to` after the first `at` entries. */
function addRange(from: number, to: number, step: number, at: number): number {
  let count = at;
  const needed = at + (to - from) / step + 1;
  if (needed > keyIndex.length) grow(needed);
  const index = keyIndex;
  for (let i = from; i <= to; i += step) index[count++] = i;
  return count;
}

function add(index: number, at: number): number {
  if (at >= keyIndex.length) grow(at + 1);
  keyIndex[at] = index;
  return at + 1;
}

function grow(needed: number): void {
  const next = new Int32Array(Math.max(needed, 2 * keyIndex.length));
  next.set(keyIndex);
  keyIndex = next;
}

/** `Args.equals` wants the word in lower case, key specs have it in capitals. */
function isWord(args: Args, index: number, upperCaseWord: string): boolean {
  const start = args.start(index);
  if (args.end(index) - start !== upperCaseWord.length) return false;
  for (let i = 0; i < upperCaseWord.length; i++) {
    if ((args.bytes[start + i] & ~32) !== upperCaseWord.charCodeAt(i)) return false;
  }
  return true;
}

/**
 * SORT key [BY pattern] [LIMIT offset count] [GET pattern ...] [ASC|DESC] [ALPHA] [STORE key]
 *
 * BY and GET read keys that are made by putting elements into a pattern. They are in the slot of
 * the pattern's hash tag, if it has one that no element can change, and else in any slot.
 */
function findSortKeys(args: Args, base: number, isRouting: boolean): number {
  let found = add(base + 1, 0);
  for (let i = base + 2; i < args.count; i++) {
    const hasNext = i + 1 < args.count;
    if (args.equals(i, "limit")) i += 2;
    else if (hasNext && args.equals(i, "store")) found = add(++i, found);
    else if (hasNext && (args.equals(i, "by") || args.equals(i, "get"))) {
      i++;
      if (!isRouting || !readsKeys(args, i)) continue;
      if (!hasFixedTag(args, i)) return KEYS_APART;
      found = add(i, found);
    }
  }
  return found;
}

/** Without a star a pattern means no key; GET # means the element itself. */
function readsKeys(args: Args, index: number): boolean {
  const start = args.start(index);
  const isElement = args.end(index) - start === 1 && args.bytes[start] === HASH;
  return !isElement && starOf(args, index) >= 0;
}

/** Offset of the first star, which stands for the element; -1 when there is none. */
function starOf(args: Args, index: number): number {
  const end = args.end(index);
  for (let i = args.start(index); i < end; i++) if (args.bytes[i] === STAR) return i;
  return -1;
}

/**
 * Does the pattern have a hash tag that is closed before the star, so that the whole pattern hashes
 * as every key made from it?
 */
function hasFixedTag(args: Args, index: number): boolean {
  const star = starOf(args, index);
  let isOpen = false;
  for (let i = args.start(index); i < star; i++) {
    if (args.bytes[i] === OPEN) isOpen = true;
    else if (args.bytes[i] === CLOSE && isOpen) return true;
  }
  return false;
}

/**
 * GEORADIUS key longitude latitude radius unit [options] and GEORADIUSBYMEMBER, which is one
 * argument shorter; the options begin at `from`.
 */
function findGeoKeys(args: Args, base: number, from: number): number {
  let found = add(base + 1, 0);
  for (let i = from; i + 1 < args.count; i++) {
    if (args.equals(i, "count")) i++;
    else if (args.equals(i, "store") || args.equals(i, "storedist")) found = add(++i, found);
  }
  return found;
}

/** MIGRATE host port key|"" database timeout [options] [KEYS key ...]; not both kinds of keys. */
function findMigrateKeys(args: Args, base: number): number {
  const single = base + 3;
  let keys = args.count - 2;
  while (keys > base + 5 && !args.equals(keys, "keys")) keys--;
  if (keys <= base + 5) return add(single, 0);
  return args.end(single) === args.start(single)
    ? addRange(keys + 1, args.count - 1, 1, 0)
    : NO_MATCH;
}

/**
 * Would this request wait on the server's side until there is data? For commands with
 * Flag.BLOCKING; those that wait only with an option are XREAD and XREADGROUP with BLOCK.
 */
export function mayBlock(command: Command, args: Args): boolean {
  if (command.name !== "xread" && command.name !== "xreadgroup") return true;
  for (let i = 1; i < args.count; i++) {
    if (args.equals(i, "block")) return true;
    if (args.equals(i, "streams")) return false;
    if (args.equals(i, "group")) i += 2;
    else if (args.equals(i, "count") || args.equals(i, "claim")) i++;
  }
  return false;
}
