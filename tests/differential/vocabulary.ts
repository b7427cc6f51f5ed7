// The words that generated commands are made of. Few keys, fields and members, so that commands
// meet; nothing whose reply depends on the clock or on chance.
import type { Random } from "../harness/random.ts";
import type { Word } from "./grammar.ts";

/** Keys of each type. */
const KEY_TYPES = [
  "str",
  "num",
  "list",
  "hash",
  "set",
  "iset",
  "zset",
  "geo",
  "stream",
  "hll",
  "bits",
];
/**
 * Only commands that name these types touch them: values with a lifetime, sets of integers, small
 * sorted sets to be scanned, sorted sets whose members all have the same score.
 */
export const PRIVATE_TYPES: readonly string[] = ["vol", "iset", "pairs", "lexed"];
/**
 * Where a key of another type stands by mistake, it is one of these: their replies have an order.
 */
const FOREIGN_TYPES = ["str", "num", "list", "zset", "geo", "stream", "hll", "bits"];
const TAG = "{same}";

/** A word of this kind; "@set" is a set whose key has the tag. */
export function word(kind: string, random: Random): Word {
  const isTagged = kind.startsWith("@");
  const type = isTagged ? kind.slice(1) : kind;
  if (type === "key") return key(random.pick(KEY_TYPES), isTagged, random);
  if (PRIVATE_TYPES.includes(type)) return key(type, isTagged, random);
  if (KEY_TYPES.includes(type)) {
    const actual = random.chance(0.04) ? random.pick(FOREIGN_TYPES) : type;
    return key(actual, isTagged, random);
  }
  const make = KINDS[type];
  if (make === undefined) throw new Error(`no such kind of word: <${kind}>`);
  return make(random);
}

function key(type: string, isTagged: boolean, random: Random): string {
  const name = `${type}:${random.below(4)}`;
  return isTagged || random.chance(0.4) ? `${TAG}${name}` : name;
}

/** What stands where it does not belong. */
export function junk(random: Random): Word {
  return random.pick([
    ...["x", "", "-1", "0x10", "abc", "1.5", "nan", "-inf", "9999999999999999999", "limit"],
    Buffer.from([0, 255, 13, 10, 39]),
  ]);
}

export function taggedJunk(random: Random): Word {
  return `${TAG}${random.pick(["", "x", "str:0", "list:0"])}`;
}

const KINDS: Readonly<Record<string, (random: Random) => Word>> = {
  int: (random) => String(random.between(-20, 20)),
  big: (random) =>
    random.pick(["9223372036854775807", "-9223372036854775808", "1000000007", "1e3"]),
  idx: (random) => String(random.between(-6, 6)),
  count: (random) => String(random.below(5)),
  float: (random) => random.pick(["1.5", "-0.25", "3", "1e10", "0.1", "inf", "-1.75e-3"]),
  offset: (random) => String(random.below(random.chance(0.1) ? 5000 : 40)),
  bit: (random) => random.pick(["0", "1", "1", "1", "2"]),
  bitoffset: (random) => String(random.below(random.chance(0.1) ? 20_000 : 100)),
  fieldtype: (random) => random.pick(["u8", "i8", "u1", "i16", "u63", "i64", "u64"]),
  fieldoffset: (random) => random.pick(["0", "7", "8", "#1", "#2", "100"]),
  word: (random) => `w${random.below(8)}`,
  /** Fits into a compact hash or sorted set, whose order is that of insertion. */
  short: (random) => random.pick(["", "a", "12", "-3", "3.25", "some words", "x".repeat(60)]),
  value,
  field: (random) => `f${random.below(10)}`,
  member: (random) => `m${random.below(12)}`,
  element: (random) => String(random.between(-5, 30)),
  score: (random) => random.pick(["0", "1", "2", "2", "3.5", "-1", "1e5", "inf", "-inf", "nan"]),
  range: (random) => random.pick(["-inf", "+inf", "0", "1", "(1", "2", "(3.5", "10", "(inf"]),
  lex: (random) => random.pick(["-", "+", "[m1", "(m1", "[m5", "(m9", "[", "m1"]),
  id: (random) => `${random.below(40)}-${random.below(4)}`,
  after: (random) => random.pick([">", ">", "0", "5-0"]),
  numkeys: (random) => random.pick(["0", "1", "2", "3", "-1", "1.5", "2x", " 1", "+2", "x", "1e9"]),
  since: (random) => random.pick(["-", "+", "0", "5", "10-2", "(7-1", "20-0", "39-3"]),
  group: (random) => `group${random.below(2)}`,
  consumer: (random) => `consumer${random.below(3)}`,
  lon: (random) => random.pick(["13.361389", "15.087269", "-122.4", "0", "180", "181", "2.35"]),
  lat: (random) => random.pick(["38.115556", "37.502669", "37.77", "0", "85", "86", "48.85"]),
  place: (random) => `place${random.below(8)}`,
  radius: (random) => random.pick(["0", "100", "200.5", "10000", "-1"]),
  unit: (random) => random.pick(["m", "km", "km", "ft", "mi", "parsec"]),
  /** Seconds and milliseconds in the far future, or in the past. */
  when: (random) => String(random.chance(0.1) ? 1000 : 4102444800 + random.below(4)),
  whenms: (random) => String(random.chance(0.1) ? 1000 : 4102444800000 + random.below(4)),
  script: (random) => random.pick(SCRIPTS),
  /** Loaded by keys with the tag alone, so that EVALSHA finds it at the server of the tag. */
  tagscript: (random) => `${random.pick(SCRIPTS)} -- tag`,
  sha: (random) => {
    const script = `${random.pick(SCRIPTS)} -- tag`;
    return new Bun.CryptoHasher("sha1").update(script).digest("hex");
  },
  db: (random) => random.pick(["0", "0", "1", "2"]),
};

const SCRIPTS: readonly string[] = [
  "return redis.call('set', KEYS[1], ARGV[1])",
  "return redis.call('get', KEYS[1])",
  "return redis.call('incr', KEYS[1])",
  "return redis.pcall('incr', KEYS[1])",
  "return redis.call('append', KEYS[1], ARGV[1]) + redis.call('strlen', KEYS[#KEYS])",
  "return {KEYS, ARGV, #KEYS, #ARGV}",
  "return {1, {2, {3, 'four'}}, false, 5.9, nil, 6}",
  "return redis.error_reply('MINE it failed')",
  "return redis.status_reply('FINE')",
  "return redis.sha1hex(ARGV[1])",
  "redis.setresp(3) return {map = {a = 'b'}}",
  "redis.setresp(3) return {double = 3.5}",
  "redis.setresp(3) return redis.call('get', KEYS[1])",
  "return true",
  "return redis.call('nosuch')",
  "return redis.call('get')",
  "error('stop')",
  "return this is no lua",
];

function value(random: Random): Word {
  const kind = random.below(20);
  if (kind < 6) return `v${random.below(10)}`;
  if (kind < 9) return String(random.between(-1000, 100_000));
  if (kind < 11) return random.bytes(random.below(40));
  if (kind < 13)
    return random.pick(["", "\r\n", "$-1\r\n", "+OK\r\n:1\r\n", "*2\r\n", "3.5", "nan"]);
  if (kind < 19) return "text ".repeat(random.below(60));
  return random.chance(0.3) ? Buffer.alloc(random.below(150_000), "large") : "x".repeat(5000);
}
