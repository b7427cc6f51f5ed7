import { expect, test } from "bun:test";
import { BROKEN, MORE, ReplyCursor, scanReply } from "./reply.ts";

/** Replies of both protocols, one string each. */
const REPLIES: readonly string[] = [
  "+OK\r\n",
  "-ERR no\r\n",
  ":1\r\n",
  ":-12345678901\r\n",
  "$-1\r\n",
  "$0\r\n\r\n",
  "$5\r\nhello\r\n",
  "$7\r\na\r\n-b\r\n\r\n",
  `$300\r\n${"x".repeat(300)}\r\n`,
  "*-1\r\n",
  "*0\r\n",
  "*2\r\n$1\r\na\r\n$-1\r\n",
  "*2\r\n$1\r\na\r\n:7\r\n",
  `*12\r\n${"$3\r\nabc\r\n".repeat(12)}`,
  "*3\r\n*1\r\n:1\r\n*0\r\n*2\r\n+a\r\n*1\r\n$1\r\nb\r\n",
  `+${"long".repeat(100)}\r\n`,
  `-ERR ${"long".repeat(100)}\r\n`,
  "_\r\n",
  "#t\r\n",
  ",3.25\r\n",
  ",inf\r\n",
  `(${"9".repeat(100)}\r\n`,
  "=8\r\ntxt:abcd\r\n",
  "!5\r\nERR x\r\n",
  "%2\r\n+a\r\n:1\r\n+b\r\n*1\r\n:2\r\n",
  "~2\r\n:1\r\n:2\r\n",
  ">2\r\n+message\r\n$1\r\nx\r\n",
  "|1\r\n+ttl\r\n:5\r\n$1\r\nv\r\n",
  "*2\r\n|1\r\n+a\r\n:5\r\n:6\r\n%0\r\n",
];

test("a cursor finds the end of every reply in one piece", () => {
  for (const reply of REPLIES) {
    const bytes = Buffer.from(`${reply}+next\r\n`);
    expect([reply, new ReplyCursor().advance(bytes, 0, bytes.length)]).toEqual([
      reply,
      reply.length,
    ]);
  }
});

test("a cursor finds the end of every reply cut at every boundary", () => {
  for (const reply of REPLIES) {
    const bytes = Buffer.from(reply);
    for (let cut = 1; cut < bytes.length; cut++) {
      const cursor = new ReplyCursor();
      const rest = bytes.subarray(cut);
      expect(cursor.advance(bytes, 0, cut)).toBe(MORE);
      expect(cursor.isInside).toBe(true);
      expect([reply, cut, cursor.advance(rest, 0, rest.length)]).toEqual([reply, cut, rest.length]);
      expect(cursor.isInside).toBe(false);
    }
  }
});

test("one cursor follows a stream of replies byte by byte", () => {
  const bytes = Buffer.from(REPLIES.join(""));
  const cursor = new ReplyCursor();
  const ends: number[] = [];
  for (let at = 0; at < bytes.length; at++) {
    if (cursor.advance(bytes, at, at + 1) >= 0) ends.push(at + 1);
  }
  let sum = 0;
  expect(ends).toEqual(REPLIES.map((reply) => (sum += reply.length)));
});

test("the short way agrees with the cursor or asks for it", () => {
  for (const reply of REPLIES) {
    const bytes = Buffer.from(reply);
    for (let to = 1; to <= bytes.length; to++) {
      expect([MORE, reply.length]).toContain(scanReply(bytes, 0, to));
      if (to < bytes.length) expect(scanReply(bytes, 0, to)).toBe(MORE);
    }
  }
});

test("the short way takes no line end for another", () => {
  const replies = ["+OK\rx", "$-1\rx", "$1\rxa\r\n", "*1\rx$1\r\na\r\n", "*1\r\n$1\rxa\r\n"];
  for (const reply of replies) {
    const bytes = Buffer.from(`${reply}+OK\r\n`);
    expect([reply, scanReply(bytes, 0, bytes.length)]).toEqual([reply, BROKEN]);
  }
});

test("a large bulk says how much is missing", () => {
  const cursor = new ReplyCursor();
  const bytes = Buffer.from("$1000\r\nabc");
  expect(cursor.advance(bytes, 0, bytes.length)).toBe(MORE);
  expect(cursor.missing).toBe(999);
});

test("bytes that no server sends are found out", () => {
  const broken = [
    "hello\r\n",
    "$x\r\n",
    "$-2\r\n",
    "*1x\r\n",
    "|-1\r\n",
    "$5\n",
    "?\r\n",
    `$${"1".repeat(80)}`,
  ];
  for (const input of broken) {
    const bytes = Buffer.from(input);
    expect([input, new ReplyCursor().advance(bytes, 0, bytes.length)]).toEqual([input, BROKEN]);
  }
});
