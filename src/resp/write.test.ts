import { expect, test } from "bun:test";
import { ReplyWriter } from "./write.ts";

function written(proto: 2 | 3, write: (out: ReplyWriter) => void): string {
  const out = new ReplyWriter(proto);
  write(out);
  return Buffer.from(out.take()).toString("latin1");
}

/** What is written, in RESP2, in RESP3. */
const CASES: readonly (readonly [string, (out: ReplyWriter) => void, string, string])[] = [
  ["a simple string", (out) => out.simple("OK"), "+OK\r\n", "+OK\r\n"],
  ["an error", (out) => out.error("ERR a\r\nb"), "-ERR a  b\r\n", "-ERR a  b\r\n"],
  ["a bulk of text", (out) => out.bulk("a\xff"), "$2\r\na\xff\r\n", "$2\r\na\xff\r\n"],
  [
    "a bulk of bytes",
    (out) => out.bulk(Uint8Array.of(0, 255)),
    "$2\r\n\0\xff\r\n",
    "$2\r\n\0\xff\r\n",
  ],
  ["an empty bulk", (out) => out.bulk(""), "$0\r\n\r\n", "$0\r\n\r\n"],
  [
    "a part of a buffer",
    (out) => out.bulkRange(Buffer.from("abcd"), 1, 3),
    "$2\r\nbc\r\n",
    "$2\r\nbc\r\n",
  ],
  ["a null", (out) => out.null(), "$-1\r\n", "_\r\n"],
  ["a null array", (out) => out.nullArray(), "*-1\r\n", "_\r\n"],
  ["an array", (out) => out.array(12), "*12\r\n", "*12\r\n"],
  ["a map", (out) => out.map(3), "*6\r\n", "%3\r\n"],
  ["a set", (out) => out.set(3), "*3\r\n", "~3\r\n"],
  ["a push", (out) => out.push(3), "*3\r\n", ">3\r\n"],
  ["a double", (out) => out.double(1.5), "$3\r\n1.5\r\n", ",1.5\r\n"],
  ["an infinite double", (out) => out.double(-Infinity), "$4\r\n-inf\r\n", ",-inf\r\n"],
  ["a boolean", (out) => out.boolean(true), ":1\r\n", "#t\r\n"],
  ["a false boolean", (out) => out.boolean(false), ":0\r\n", "#f\r\n"],
  ["a verbatim text", (out) => out.verbatim("hi"), "$2\r\nhi\r\n", "=6\r\ntxt:hi\r\n"],
  ["ready bytes", (out) => out.raw(Buffer.from("+A\r\n")), "+A\r\n", "+A\r\n"],
];

for (const [name, write, resp2, resp3] of CASES) {
  test(`${name} is written in both protocols`, () => {
    expect(written(2, write)).toBe(resp2);
    expect(written(3, write)).toBe(resp3);
  });
}

test("integers of every length are written", () => {
  const values = [
    0,
    9,
    10,
    99,
    100,
    12345,
    999_999_999,
    1_000_000_000,
    2 ** 53 - 1,
    -1,
    -987654321,
  ];
  for (const value of values) {
    expect(written(2, (out) => out.integer(value))).toBe(`:${value}\r\n`);
  }
});

test("texts and bytes longer than the buffer make it grow", () => {
  const long = "x".repeat(100_000);
  const expected = `$100000\r\n${long}\r\n`;
  expect(written(2, (out) => out.bulk(long))).toBe(expected);
  expect(written(2, (out) => out.bulk(Buffer.from(long)))).toBe(expected);
});

test("take empties the writer and its bytes do not change afterwards", () => {
  const out = new ReplyWriter(2);
  out.simple("first");
  const first = out.take();
  out.simple("other");
  expect(Buffer.from(first).toString()).toBe("+first\r\n");
  expect(Buffer.from(out.take()).toString()).toBe("+other\r\n");
  expect(out.take().length).toBe(0);
});

test("the buffer of a giant reply is given back", () => {
  const out = new ReplyWriter(2);
  out.bulk("x".repeat(1_000_000));
  out.reset();
  expect(out.buffer.length).toBeLessThan(10_000);
});
