import { describe, expect, test } from "bun:test";
import { Args } from "../resp/args.ts";
import { scanRequest } from "../resp/scan.ts";
import { findKeys, keyIndex, KEYS_APART, mayBlock } from "./command-keys.ts";
import { lookup, lookupSub } from "./commands.ts";

function argsOf(words: readonly string[]): Args {
  const bulks = words.map((word) => `$${word.length}\r\n${word}\r\n`);
  const bytes = Buffer.from(`*${words.length}\r\n${bulks.join("")}`, "latin1");
  const args = new Args();
  scanRequest(args, bytes, 0, bytes.length);
  return args;
}

function commandOf(args: Args) {
  const command = lookup(args.bytes, args.start(0), args.end(0));
  if (command === null) throw new Error(`no command ${args.text(0)}`);
  if (command.subcommands === null) return command;
  return lookupSub(command, args.bytes, args.start(1), args.end(1)) ?? command;
}

/** The keys of a request written with single spaces, themselves joined by spaces. */
function keys(line: string): string {
  const args = argsOf(line.split(" "));
  const found = findKeys(commandOf(args), args);
  if (found === KEYS_APART) return "apart";
  return Array.from({ length: found }, (_, i) => args.text(keyIndex[i])).join(" ");
}

describe("findKeys", () => {
  test.each([
    ["GET k", "k"],
    ["MGET a b c", "a b c"],
    ["MSET a 1 b 2", "a b"],
    ["MSETNX a 1 b 2", "a b"],
    ["RENAME a b", "a b"],
    ["BITOP AND d a b", "d a b"],
    ["OBJECT ENCODING k", "k"],
    ["XGROUP CREATE s g 0", "s"],
    ["MEMORY USAGE k SAMPLES 5", "k"],
    ["LCS a b LEN", "a b"],
    ["BLPOP a b 0", "a b"],
    ["COPY a b DB 1", "a b"],
    ["PFMERGE d", "d"],
    ["SLOTSRESTORE a 0 x b 0 y", "a b"],
    ["PING", ""],
  ])("takes the plain ranges: %s", (line, expected) => {
    expect(keys(line)).toBe(expected);
  });

  test.each([
    ["ZUNIONSTORE d 2 a b WEIGHTS 1 2", "d a b"],
    ["ZUNION 2 a b WITHSCORES", "a b"],
    ["SINTERCARD 1 a LIMIT 2", "a"],
    ["LMPOP 2 a b LEFT", "a b"],
    ["EVAL script 2 a b x y", "a b"],
    ["FCALL f 1 a x", "a"],
    ["MSETEX 2 a 1 b 2 EX 5", "a b"],
    ["XREAD COUNT 2 STREAMS a b 1 2", "a b"],
    ["xreadgroup group g c streams a >", "a"],
    ["XREADGROUP GROUP STREAMS c STREAMS a >", "a"],
  ])("takes keys where other arguments say they are: %s", (line, expected) => {
    expect(keys(line)).toBe(expected);
  });

  test.each([
    "EVAL script 0 x y",
    "EVAL script 3 a b",
    "EVAL script -1 a",
    "EVAL script many a",
    "EVAL script 99999999999999999999 a",
    "ZUNIONSTORE d 0 a",
    "ZUNIONSTORE d 5 a b",
    "XREAD COUNT 2 STREAMS",
    "XREAD COUNT 2 1 2",
    "XREAD STREAMS a",
    "MSETEX 5 a 1 b 2",
  ])("takes no keys when there are none or the server will refuse the request: %s", (line) => {
    expect(keys(line)).toBe("");
  });

  test.each([
    ["SORT k", "k"],
    ["SORT k LIMIT 0 STORE ALPHA STORE d", "k d"],
    ["SORT k STORE d STORE e", "k d e"],
    ["SORT k STORE", "k"],
    ["SORT k BY nosort GET # GET plain", "k"],
    ["SORT {u}k BY {u}w_* GET # GET {u}o_*->name", "{u}k {u}w_* {u}o_*->name"],
    ["SORT k BY w_*", "apart"],
    ["SORT k GET *", "apart"],
    ["SORT k GET *{u}", "apart"],
    ["SORT k GET {*}", "apart"],
    ["SORT k GET {*u}", "apart"],
    ["SORT k GET o_*->{u}", "apart"],
    ["SORT k GET {u*}", "apart"],
    ["SORT_RO k BY w_* GET #", "apart"],
  ])("follows the options of SORT: %s", (line, expected) => {
    expect(keys(line)).toBe(expected);
  });

  test.each([
    ["GEORADIUS k 1 2 3 m", "k"],
    ["GEORADIUS k 1 2 3 m COUNT 5 STORE a STOREDIST b", "k a b"],
    ["GEORADIUS k 1 2 3 m STORE STOREDIST STOREDIST b", "k STOREDIST b"],
    ["GEORADIUSBYMEMBER k STORE 3 m store a", "k a"],
    ["GEORADIUS k 1 2 3 m STORE", "k"],
  ])("follows the options of GEORADIUS: %s", (line, expected) => {
    expect(keys(line)).toBe(expected);
  });

  test("takes more keys than ever before, and then few again", () => {
    const many = Array.from({ length: 5000 }, (_, i) => `k${i}`);
    expect(keys(`DEL ${many.join(" ")}`)).toBe(many.join(" "));
    expect(keys("DEL a b")).toBe("a b");
    const counted = Array.from({ length: 20_000 }, (_, i) => `k${i}`);
    expect(keys(`ZUNION 20000 ${counted.join(" ")}`)).toBe(counted.join(" "));
  });
});

describe("mayBlock", () => {
  test.each([
    ["XREAD BLOCK 0 STREAMS a 1", true],
    ["XREAD COUNT 1 block 5 STREAMS a 1", true],
    ["XREADGROUP GROUP g c NOACK BLOCK 0 STREAMS a >", true],
    ["XREAD STREAMS block 1", false],
    ["XREADGROUP GROUP block block COUNT 1 STREAMS a >", false],
    ["XREAD COUNT 2 STREAMS a 1", false],
    ["XREAD STREAMS a $", false],
    ["BLPOP a 0", true],
    ["BZPOPMIN a 1", true],
  ] as const)("%s: %p", (line, expected) => {
    const args = argsOf(line.split(" "));
    expect(mayBlock(commandOf(args), args)).toBe(expected);
  });
});
