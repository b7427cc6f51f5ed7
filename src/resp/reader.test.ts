import { describe, expect, test } from "bun:test";
import { LARGE_BYTES } from "./buffer.ts";
import type { LargeRequest } from "./large.ts";
import { type RequestHandler, RequestReader } from "./reader.ts";
import * as scan from "./args.ts";

/** Collects what a reader finds: each request as its arguments, an error as its code. */
class Collector implements RequestHandler {
  readonly found: string[] = [];
  /** The bytes a backend would get. */
  readonly forwarded: Buffer[] = [];
  readonly reader = new RequestReader(this);

  onRequest(args: scan.Args): void {
    const words: string[] = [];
    for (let i = 0; i < args.count; i++) words.push(args.text(i));
    this.found.push(JSON.stringify(words));
    this.forwarded.push(scan.asBuffer(args.bytes).subarray(args.from, args.to));
  }

  onLargeRequest(large: LargeRequest): void {
    const words: string[] = [];
    for (let i = 0; i < large.args.count; i++) words.push(large.argument(i).toString("latin1"));
    this.found.push(JSON.stringify(words));
    this.forwarded.push(Buffer.concat(large.pieces));
  }

  onBroken(code: number, badByte: number): void {
    const detail = code === scan.EXPECTED_DOLLAR ? ` ${badByte}` : "";
    this.found.push(`broken ${code}${detail}`);
  }
}

function collect(chunks: readonly Buffer[]): Collector {
  const collector = new Collector();
  for (const chunk of chunks) collector.reader.feed(chunk);
  return collector;
}

const words = (...list: string[]): string => JSON.stringify(list);
const encode = (...list: string[]): string =>
  `*${list.length}\r\n` + list.map((word) => `$${word.length}\r\n${word}\r\n`).join("");

interface Case {
  readonly name: string;
  readonly input: string;
  readonly expected: readonly string[];
}

const CASES: readonly Case[] = [
  { name: "one request", input: encode("GET", "a"), expected: [words("GET", "a")] },
  {
    name: "a pipeline",
    input: encode("GET", "a") + encode("SET", "b", "x\r\ny") + encode("PING"),
    expected: [words("GET", "a"), words("SET", "b", "x\r\ny"), words("PING")],
  },
  { name: "an empty argument", input: encode("SET", "a", ""), expected: [words("SET", "a", "")] },
  {
    name: "ten arguments and lengths of two digits",
    input: encode("MGET", ..."abcdefghi".split(""), "k".repeat(42)),
    expected: [words("MGET", ..."abcdefghi".split(""), "k".repeat(42))],
  },
  {
    name: "empty arrays and negative counts are ignored",
    input: `*0\r\n*-1\r\n*-10\r\n${encode("PING")}`,
    expected: [words("PING")],
  },
  { name: "a count that is no number", input: "*x\r\n", expected: ["broken -2"] },
  { name: "a count with a plus sign", input: "*+1\r\n", expected: ["broken -2"] },
  { name: "a count with a leading zero", input: "*01\r\n", expected: ["broken -2"] },
  { name: "a count that is too large", input: "*2147483648\r\n", expected: ["broken -2"] },
  { name: "a count with nothing", input: "*\r\n", expected: ["broken -2"] },
  { name: "a null bulk", input: "*1\r\n$-1\r\n", expected: ["broken -3"] },
  { name: "a bulk length that is no number", input: "*1\r\n$1x\r\n", expected: ["broken -3"] },
  {
    name: "a bulk length that is too large",
    input: "*1\r\n$536870913\r\n",
    expected: ["broken -3"],
  },
  {
    name: "an element that is no bulk",
    input: "*2\r\n$3\r\nGET\r\n:1\r\n",
    expected: ["broken -4 58"],
  },
  {
    name: "the requests before a broken one are found",
    input: `${encode("GET", "a")}*1\r\n!1\r\n${encode("GET", "b")}`,
    expected: [words("GET", "a"), "broken -4 33"],
  },
  { name: "inline", input: "SET a b\r\n", expected: [words("SET", "a", "b")] },
  {
    name: "inline with a bare line feed",
    input: "PING\nPING\n",
    expected: [words("PING"), words("PING")],
  },
  { name: "inline with spaces and tabs", input: "  GET \t a \r\n", expected: [words("GET", "a")] },
  { name: "empty lines", input: "\r\n\n  \r\nPING\r\n", expected: [words("PING")] },
  {
    name: "inline quotes",
    input: `SET "a b" '\\'x' "\\x41\\n\\"" ""\r\n`,
    expected: [words("SET", "a b", "'x", 'A\n"', "")],
  },
  { name: "an open quote", input: 'GET "a\r\n', expected: ["broken -8"] },
  { name: "a letter behind a quote", input: 'GET "a"b\r\n', expected: ["broken -8"] },
  {
    name: "inline between arrays",
    input: `${encode("GET", "a")}PING x\r\n${encode("GET", "b")}`,
    expected: [words("GET", "a"), words("PING", "x"), words("GET", "b")],
  },
];

describe("requests", () => {
  for (const { name, input, expected } of CASES) {
    const bytes = Buffer.from(input, "latin1");

    test(`${name}: whole`, () => {
      expect(collect([bytes]).found).toEqual([...expected]);
    });

    test(`${name}: byte by byte`, () => {
      const drops = Array.from(bytes, (byte) => Buffer.from([byte]));
      expect(collect(drops).found).toEqual([...expected]);
    });

    test(`${name}: cut at every boundary`, () => {
      for (let cut = 1; cut < bytes.length; cut++) {
        const chunks = [Buffer.from(bytes.subarray(0, cut)), Buffer.from(bytes.subarray(cut))];
        expect(collect(chunks).found).toEqual([...expected]);
      }
    });
  }

  test("odd line ends are accepted as Redis does, and forwarded in canonical form", () => {
    const collector = collect([Buffer.from("*2\rX$3\rXGETXX$1\r\na\r\n")]);
    expect(collector.found).toEqual([words("GET", "a")]);
    expect(collector.forwarded[0].toString()).toBe(encode("GET", "a"));
  });

  test("a count or length line without an end is refused at 64 KB", () => {
    expect(collect([Buffer.from(`*${"1".repeat(70000)}`)]).found).toEqual(["broken -5"]);
    expect(collect([Buffer.from(`*1\r\n$${"1".repeat(70000)}`)]).found).toEqual(["broken -6"]);
    expect(collect([Buffer.from("x".repeat(70000))]).found).toEqual(["broken -7"]);
  });

  test("a client without the password has lower limits", () => {
    for (const [input, code] of [
      [encode(..."abcdefghijk".split("")), -9],
      [`*2\r\n$4\r\nAUTH\r\n$16385\r\n`, -10],
    ] as const) {
      const collector = new Collector();
      collector.reader.isRestricted = true;
      collector.reader.feed(Buffer.from(input));
      expect(collector.found).toEqual([`broken ${code}`]);
    }
  });
});

describe("large requests", () => {
  const value = "v".repeat(3 * LARGE_BYTES);
  const list = [
    encode("SET", "k", value),
    encode("SET", "k", value, "EX", "10"),
    encode("MSET", "k", value, "l", value, "m", "x"),
    encode("HSET", "h", "f", value, "g", "y".repeat(70), "i", value, "j", ""),
  ];

  test("they come out as they went in, however they are cut", () => {
    for (const input of list) {
      const bytes = Buffer.from(input + encode("PING") + encode("GET", "a"));
      for (const size of [1000, 1460, 16384, 40000, 65536, 100001, 262144]) {
        const chunks: Buffer[] = [];
        for (let at = 0; at < bytes.length; at += size) {
          chunks.push(Buffer.from(bytes.subarray(at, at + size)));
        }
        const collector = collect(chunks);
        expect(collector.forwarded.map(String).join("")).toBe(bytes.toString());
        expect(collector.found.slice(1)).toEqual([words("PING"), words("GET", "a")]);
      }
    }
  });

  test("what is held is bounded by what was sent", () => {
    const collector = collect([Buffer.from(encode("SET", "k", value).slice(0, 150000))]);
    expect(collector.reader.heldBytes).toBe(150000);
    expect(collector.reader.isInside).toBe(true);
  });

  test("a broken argument behind a large one is reported", () => {
    const bytes = Buffer.from(encode("SET", "k", value, "EX").replace("*4", "*5") + "?");
    const collector = new Collector();
    for (let at = 0; at < bytes.length; at += 50000) {
      collector.reader.feed(Buffer.from(bytes.subarray(at, at + 50000)));
    }
    collector.reader.feed(Buffer.from("\r\n"));
    expect(collector.found).toEqual(["broken -4 63"]);
  });
});

test("a stopped reader keeps its bytes and goes on where it was", () => {
  const collector = new Collector();
  const { reader } = collector;
  collector.onRequest = (args) => {
    collector.found.push(args.text(1));
    reader.stop();
  };
  reader.feed(
    Buffer.from(encode("GET", "a") + encode("GET", "b") + encode("GET", "c").slice(0, 9)),
  );
  reader.feed(Buffer.from(encode("GET", "c").slice(9)));
  expect(collector.found).toEqual(["a"]);
  reader.resume();
  reader.resume();
  expect(collector.found).toEqual(["a", "b", "c"]);
  expect(reader.heldBytes).toBe(0);
});
