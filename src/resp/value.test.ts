import { expect, test } from "bun:test";
import { decode, Push, type Reply, ReplyDecoder, ReplyError, RespSyntaxError } from "./value.ts";

const CASES: readonly (readonly [string, Reply])[] = [
  ["+OK\r\n", "OK"],
  ["+\r\n", ""],
  ["-WRONGTYPE no\r\n", new ReplyError("WRONGTYPE no")],
  [":0\r\n", 0],
  [":-42\r\n", -42],
  [":9223372036854775807\r\n", 9223372036854775807n],
  ["$5\r\nhe\r\no\r\n", "he\r\no"],
  ["$0\r\n\r\n", ""],
  ["$3\r\né!\r\n", "é!"],
  ["$-1\r\n", null],
  ["*-1\r\n", null],
  ["*0\r\n", []],
  ["*3\r\n:1\r\n$1\r\na\r\n*2\r\n*0\r\n+x\r\n", [1, "a", [[], "x"]]],
  ["_\r\n", null],
  ["#t\r\n", true],
  ["#f\r\n", false],
  [",1.5\r\n", 1.5],
  [",-inf\r\n", -Infinity],
  [",inf\r\n", Infinity],
  [",nan\r\n", NaN],
  [",1e100\r\n", 1e100],
  [
    "(3492890328409238509324850943850943825024385\r\n",
    3492890328409238509324850943850943825024385n,
  ],
  ["!10\r\nERR broken\r\n", new ReplyError("ERR broken")],
  ["=7\r\ntxt:abc\r\n", "abc"],
  ["~2\r\n:1\r\n:2\r\n", [1, 2]],
  [
    "%2\r\n+a\r\n:1\r\n+b\r\n%0\r\n",
    new Map<Reply, Reply>([
      ["a", 1],
      ["b", new Map()],
    ]),
  ],
  [">2\r\n+invalidate\r\n*1\r\n$1\r\nk\r\n", new Push(["invalidate", ["k"]])],
  ["|1\r\n+ttl\r\n:5\r\n$1\r\nv\r\n", "v"],
  ["|0\r\n:7\r\n", 7],
  ["*2\r\n|1\r\n+ttl\r\n:5\r\n$1\r\nv\r\n-ERR x\r\n", ["v", new ReplyError("ERR x")]],
];

for (const [wire, value] of CASES) {
  const bytes = Buffer.from(wire);
  const shown = JSON.stringify(wire);

  test(`${shown} is decoded whole, and its end is found`, () => {
    const between = Buffer.concat([Buffer.from(":1\r\n"), bytes, Buffer.from("+next\r\n")]);
    const decoded = decode(between, 4);
    expect(decoded?.value).toEqual(value);
    expect(decoded?.end).toBe(4 + bytes.length);
  });

  test(`${shown} is decoded when it is cut at any place`, () => {
    for (let cut = 0; cut < bytes.length; cut++) {
      expect(decode(bytes.subarray(0, cut))).toBeNull();
      const decoder = new ReplyDecoder();
      decoder.feed(bytes.subarray(0, cut));
      expect(decoder.next()).toBeUndefined();
      decoder.feed(bytes.subarray(cut));
      expect(decoder.next()).toEqual(value);
      expect(decoder.next()).toBeUndefined();
    }
  });
}

test("all replies come out of a stream that is fed byte by byte", () => {
  const decoder = new ReplyDecoder();
  const found: Reply[] = [];
  for (const byte of Buffer.from(CASES.map(([wire]) => wire).join(""))) {
    decoder.feed(Uint8Array.of(byte));
    for (let value = decoder.next(); value !== undefined; value = decoder.next()) {
      found.push(value);
    }
  }
  expect(found).toEqual(CASES.map(([, value]) => value));
});

test("bulks come as bytes when asked for", () => {
  const decoded = decode(Buffer.from([36, 50, 13, 10, 0, 255, 13, 10]), 0, "bytes");
  expect(decoded?.value).toEqual(Uint8Array.of(0, 255));
});

test("an error knows its code", () => {
  expect(new ReplyError("WRONGTYPE Operation").code).toBe("WRONGTYPE");
  expect(new ReplyError("ERR").code).toBe("ERR");
});

test("bytes that are no reply are refused", () => {
  const broken = [
    "?1\r\n",
    ":x\r\n",
    ":\r\n",
    "$-2\r\n",
    "$1x\r\n",
    "*\r\n",
    "#x\r\n",
    ",\r\n",
    "_1\r\n",
  ];
  for (const wire of broken) expect(() => decode(Buffer.from(wire))).toThrow(RespSyntaxError);
  expect(() => decode(Buffer.from("*1\r\n".repeat(1000)))).toThrow("nested too deeply");
});
