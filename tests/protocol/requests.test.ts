// What clients may send, and what they may not: every case goes to the proxy and to a real Redis,
// whole, byte by byte and cut at every boundary, and both must say the same up to the close.
import { expect } from "bun:test";
import { BUFFER_SIZES } from "../harness/buffer-sizes.ts";
import { type Pieces, play } from "../harness/play.ts";
import { startProduct } from "../harness/proxy.ts";
import { startRedis } from "../harness/redis.ts";
import { encode } from "../harness/resp-client.ts";
import { systemTest } from "../harness/system-test.ts";

const test = systemTest("redis-server");

/** A request in array form, as latin-1 text. */
const r = (...args: string[]): string => encode(...args.map(latin1)).toString("latin1");
const latin1 = (text: string): Buffer => Buffer.from(text, "latin1");
const PING = r("PING");
const ALL_BYTES = String.fromCharCode(...Array.from({ length: 256 }, (_, i) => i));

/** By name. Each case has keys of its own, because all of them run at the same time. */
const GOOD: Record<string, string> = {
  "one request": PING,
  "two requests in a row": PING + r("ECHO", "two"),
  "an empty argument": r("ECHO", "") + PING,
  "line ends in an argument": r("ECHO", "a\r\nb\r\n") + PING,
  "requests in an argument": r("ECHO", PING + r("GET", "a")) + PING,
  "all bytes in a value": r("SET", "bytes", ALL_BYTES) + r("GET", "bytes"),
  "all bytes in a key": r("SET", ALL_BYTES, "v") + r("GET", ALL_BYTES) + r("EXISTS", ALL_BYTES),
  "an empty key": r("SET", "", "v") + r("GET", "") + r("MGET", "", ""),
  "names in any case": r("pInG") + r("sEt", "case", "v") + r("GET", "case") + r("mGeT", "case"),
  "ten arguments and more": r("EXISTS", ..."abcdefghijklmnopqrstuvwxyz") + PING,
  "arguments of ten bytes and more": r("ECHO", "0123456789") + r("ECHO", "x".repeat(123)) + PING,
  "an empty array": "*0\r\n" + PING,
  "a null array": "*-1\r\n" + PING,
  "a negative count": "*-10\r\n" + PING,
  "the lowest count": "*-9223372036854775808\r\n" + PING,
  "a name without letters": "*1\r\n$0\r\n\r\n" + PING,
  "a request that never ends": PING + "*2\r\n$4\r\nECHO\r\n$5\r\nab",
  "the largest count": PING + "*2147483647\r\n",
  "the largest length": PING + "*1\r\n$536870912\r\n",
  "replies of several servers":
    r("MSET", "m1", "1", "m2", "2", "m3", "3") + r("MGET", "m3", "m2", "m1"),
  "own replies between those of servers":
    r("SET", "mix", "1") + PING + r("GET", "mix") + r("ECHO", "x") + r("DEL", "mix") + PING,
  "errors between other replies":
    r("GET") +
    r("SET", "err", "v") +
    r("INCR", "err") +
    r("nosuch") +
    r("LPUSH", "err", "x") +
    PING,
  "an unknown command": r("nosuch", "a", "b'c", "d\r\ne", "f\0g") + PING,
  "an unknown command with long arguments":
    r("n".repeat(200), "x".repeat(100), "y".repeat(100)) + PING,
  "wrong arity":
    r("GET") + r("GET", "a", "b") + r("SET", "a") + r("MSET", "a") + r("PING", "1", "2"),
  "QUIT and what follows it": PING + r("QUIT") + PING,
  "QUIT behind a server's reply": r("SET", "q", "v") + r("GET", "q") + r("QUIT") + r("GET", "q"),
  RESET: r("RESET") + PING,
  "a request for a web server": "POST / HTTP/1.1\r\nHost: x\r\n\r\n" + PING,
  "a header of a web server": "Host: x\r\n" + PING,
};

/** Redis looks for CR and takes whatever follows it for LF; after a bulk it looks at nothing. */
const ODD_LINE_ENDS: Record<string, string> = {
  "an odd end of the count": "*1\rx$4\r\nPING\r\n" + PING,
  "an odd end of a length": "*1\r\n$4\rxPING\r\n" + PING,
  "an odd end of an argument": "*1\r\n$4\r\nPINGxy" + PING,
  "odd ends everywhere, forwarded": "*3\rx$3\ryset--$3\rzodd--$1\r-v--" + r("GET", "odd"),
  "odd ends in a split command": "*3\rx$4\ryMGET--$2\rzo1--$2\r-o2--" + PING,
  "odd ends and an empty argument": "*2\r\n$4\r\nECHO\r\n$0\rx-y" + PING,
  "LF alone ends no line of an array": "*1\n$4\nPING\n" + PING,
  "CR CR": "*1\r\r$4\r\rPING\r\r" + PING,
  "an empty array with an odd end": "*0\rx" + PING,
  "NUL in the count": "*1\0\r\n$4\r\nPING\r\n" + PING,
  "NUL in a length": "*1\r\n$4\0\r\nPING\r\n" + PING,
  "NUL before the count": "*\x001\r\n$4\r\nPING\r\n" + PING,
};

const INLINE: Record<string, string> = {
  "a line": "PING\r\n",
  "LF alone ends a line": "PING\nECHO a\nPING\n",
  "lines and arrays": "PING\r\n" + PING + "PING\r\n" + r("ECHO", "x"),
  "empty lines": "\r\n\r\n\n\nPING\r\n",
  "lines of spaces": "   \r\n\t\r\nPING\r\n",
  "spaces around words": "  ECHO \t  hello  \r\n",
  "a forwarded line": 'SET inline "a b"\r\nGET inline\r\n',
  "a split line": "MSET i1 a i2 b\r\nMGET i1 i2 i3\r\nEXISTS i1 i2 i3\r\n",
  "double quotes": 'ECHO "a b"\r\n',
  "single quotes": "ECHO 'a b'\r\n",
  "quotes in quotes": "ECHO \"a'b\"\r\nECHO 'a\"b'\r\n",
  "empty quotes": "ECHO \"\"\r\nECHO ''\r\n",
  "escapes in double quotes": String.raw`ECHO "\x41\x00\xfF\n\r\t\a\b\\\"\q\'"` + "\r\n",
  "escapes that are none": String.raw`ECHO "\xZZ\x4"` + "\r\n" + String.raw`ECHO a\x41\n` + "\r\n",
  "escapes in single quotes": String.raw`ECHO '\'\n\x41\\'` + "\r\n",
  "a quote inside a word": "ECHO ab\"c d\"\r\nECHO ab'c d'\r\n",
  "a quoted name": "'PING'\r\n\"PING\" 'x y'\r\n",
  "a letter behind a closing quote": 'PING\r\nECHO "a"b\r\nPING\r\n',
  "a quote behind a closing quote": 'ECHO "a""b"\r\nPING\r\n',
  "an open double quote": 'ECHO "abc\r\nPING\r\n',
  "an open single quote": "ECHO 'abc\r\nPING\r\n",
  "an open quote that ends in a backslash": 'ECHO "abc\\\r\nPING\r\n',
  "odd spaces before, in and behind words":
    "\v\fECHO a\vb\f\r\nECHO 'a'\v\f\r\nECHO \v\r\nPING\r\n",
  "CR inside a line": "ECHO a\rb\r\nECHO 'a\rb'\r\nECHO a\r\r\nPING\r\n",
  "NUL in a line": "PING\0\r\nPING\r\n",
  "NUL in quotes": 'ECHO "a\0b"\r\nPING\r\n',
  "bytes that are no ASCII": "ECHO \xe4\xff\x80\r\nECHO '\xa0'\r\n",
  "an unknown command in a line": "nosuch 'a b' c\r\nPING\r\n",
  "a line that begins like a length": "$4\r\nPING\r\n",
  "a line that never ends": "PING\r\nPING",
};

const BROKEN: Record<string, string> = {
  "a count that is no number": PING + "*abc\r\n",
  "a count with a letter": PING + "*1x\r\n",
  "a count with a space": "* 1\r\n",
  "a count with a plus": "*+1\r\n",
  "a count with a zero in front": "*01\r\n",
  "no count": "*\r\n",
  "a lone minus as the count": "*-\r\n",
  "minus zero as the count": "*-0\r\n",
  "a count that is too large": "*2147483648\r\n",
  "a count beyond 64 bits": "*18446744073709551617\r\n",
  "a count just beyond 63 bits": "*9223372036854775808\r\n",
  "a count just below the lowest": "*-9223372036854775809\r\n",
  "a length that is no number": PING + "*1\r\n$abc\r\n",
  "a null bulk": PING + "*1\r\n$-1\r\n",
  "a negative length": "*1\r\n$-5\r\n",
  "no length": "*1\r\n$\r\n",
  "a length with a space": "*1\r\n$ 4\r\nPING\r\n",
  "a length with a zero in front": "*1\r\n$04\r\nPING\r\n",
  "a length with a plus": "*1\r\n$+4\r\nPING\r\n",
  "minus zero as the length": "*1\r\n$-0\r\n\r\n",
  "a length that is too large": "*1\r\n$536870913\r\n",
  "a length beyond 64 bits": "*1\r\n$99999999999999999999\r\n",
  "an integer for a bulk": PING + "*2\r\n$4\r\nECHO\r\n:5\r\n",
  "a simple string for a bulk": "*1\r\n+PING\r\n",
  "an array for a bulk": "*1\r\n*1\r\n$4\r\nPING\r\n",
  "an empty line for a bulk": "*1\r\n\r\n",
  "an LF for a bulk": "*1\r\n\nabc\r\n",
  "a byte that is no ASCII for a bulk": "*1\r\n\xff4\r\nPING\r\n",
  "a percent sign for a bulk": "*1\r\n%s\r\n",
  "a bulk that is longer than it says": "*1\r\n$3\r\nPING\r\n",
  "a bulk that is shorter than it says": "*2\r\n$6\r\nECHO\r\n$1\r\na\r\n",
  "behind forwarded requests": r("SET", "b1", "v") + r("GET", "b1") + "*1\r\nbad\r\n",
  "behind a split request": r("MGET", "b2", "b3", "b4") + r("GET", "b2") + "*1\r\n$x\r\n",
  "before requests": "*x\r\n" + PING + r("SET", "b5", "v"),
  "in the second of two requests": r("SET", "b6", "v") + "*3\r\n$3\r\nSET\r\n$2\r\nb6\r\n$-1\r\n",
};

const KINDS = { GOOD, ODD_LINE_ENDS, INLINE, BROKEN };
const CASES = Object.entries(KINDS).flatMap(([kind, cases]) =>
  Object.entries(cases).map(([name, text]) => ({ name: `${kind}: ${name}`, text })),
);

interface Feed {
  readonly name: string;
  readonly pieces: Pieces;
}

const whole: Feed[] = CASES.map(({ name, text }) => ({ name: `${name}, whole`, pieces: [text] }));

const byteByByte: Feed[] = CASES.map(({ name, text }) => {
  return { name: `${name}, byte by byte`, pieces: [...text] };
});

/** Long texts say nothing new at most of their boundaries. */
const cut: Feed[] = CASES.flatMap(({ name, text }) => {
  const step = Math.ceil(text.length / 150);
  return Array.from({ length: Math.floor((text.length - 1) / step) }, (_, i) => {
    const at = 1 + i * step;
    return { name: `${name}, cut at ${at}`, pieces: [text.slice(0, at), text.slice(at)] };
  });
});

/** Longer than 64 KB, which is where Redis loses patience with a line. Cut where it matters. */
const LIMITS: Feed[] = [
  { name: "a line of 64 KB that goes on", pieces: ["ECHO " + "x".repeat(65531), "x\r\n", PING] },
  { name: "a line beyond 64 KB", pieces: [PING + "x".repeat(65537), "\r\n"] },
  { name: "a line beyond 64 KB in two parts", pieces: ["x".repeat(40000), "x".repeat(40000)] },
  { name: "a line of spaces beyond 64 KB", pieces: [" ".repeat(65537)] },
  { name: "a line beyond 64 KB behind NUL", pieces: ["\0\r\n" + "x".repeat(65536)] },
  { name: "a count of 64 KB", pieces: ["*" + "1".repeat(65535), "\r\n"] },
  { name: "a count beyond 64 KB", pieces: [PING + "*" + "1".repeat(65536), "\r\n"] },
  { name: "a length of 64 KB", pieces: ["*1\r\n$" + "1".repeat(65535), "\r\n"] },
  { name: "a length beyond 64 KB", pieces: ["*1\r\n$" + "1".repeat(65536), "\r\n"] },
  { name: "no length within 64 KB", pieces: ["*2\r\n$4\r\nECHO\r\n" + "x".repeat(65537)] },
  ...[16383, 16384, 65535, 65536, 131072, 1_000_000].flatMap((length) => largeValue(length)),
  { name: "10000 arguments", pieces: [r("EXISTS", ...manyKeys(10_000)), PING] },
  { name: "10000 arguments in two parts", pieces: halves(r("MGET", ...manyKeys(10_000)) + PING) },
];

/** A large value goes in and out, in one piece and in several that end at awkward places. */
function largeValue(length: number): Feed[] {
  const value = "0123456789abcdef".repeat(Math.ceil(length / 16)).slice(0, length);
  const key = `large${length}`;
  const set = r("SET", key, value, "PX", "100000");
  const text = set + r("GETRANGE", key, "-5", "-1") + r("GET", key) + r("STRLEN", key) + PING;
  const ends = [40, 41 + length - 3, 41 + length, set.length - 9, set.length - 1, set.length + 3];
  const odd = set.replaceAll(`${value}\r\n`, `${value}xy`) + r("GETRANGE", key, "-5", "-1");
  return [
    { name: `a value of ${length} bytes`, pieces: [text] },
    { name: `a value of ${length} bytes in pieces`, pieces: pieces(text, ends) },
    { name: `a value of ${length} bytes with odd ends`, pieces: pieces(odd, ends) },
    {
      name: `an error behind a value of ${length} bytes`,
      pieces: pieces(`${r("SET", key, value).replace("*3", "*4")}:1\r\n`, ends),
    },
    { name: `two values of ${length} bytes`, pieces: [r("MSET", key, value, `${key}b`, value)] },
    { name: `an echo of ${length} bytes`, pieces: halves(r("ECHO", value) + PING) },
    { name: `an unfinished value of ${length} bytes`, pieces: halves(set.slice(0, -30)) },
  ];
}

function pieces(text: string, ends: readonly number[]): string[] {
  return [0, ...ends].map((from, i) => text.slice(from, ends[i] ?? text.length));
}

function halves(text: string): string[] {
  return pieces(text, [text.length >> 1]);
}

function manyKeys(count: number): string[] {
  return Array.from({ length: count }, (_, i) => `many${i}`);
}

/** Before the password is given, less is allowed. */
const AUTH = r("AUTH", "secret");
const UNAUTHENTICATED: Record<string, string> = {
  "ten arguments": r("EXISTS", ..."123456789") + PING,
  "eleven arguments": PING + "*11\r\n",
  "eleven arguments and a letter": "*11x\r\n",
  "a value of 16384 bytes": r("ECHO", "x".repeat(16384)) + PING,
  "a value of 16385 bytes": PING + "*2\r\n$4\r\nECHO\r\n$16385\r\n",
  "a length that is too large": "*1\r\n$536870913\r\n",
  "more behind the password": AUTH + r("EXISTS", ..."1234567890ab") + r("ECHO", "x".repeat(16385)),
  "more behind a wrong password": r("AUTH", "wrong") + "*11\r\n",
  "more behind HELLO":
    r("HELLO", "2", "AUTH", "default", "secret") + r("EXISTS", ..."123456789012"),
  "more behind RESET": AUTH + r("RESET") + "*11\r\n",
  "commands before the password": PING + r("GET", "a") + r("nosuch") + r("GET") + r("EXEC"),
  "lines before the password": 'PING\r\nnosuch a\r\nAUTH "secret"\r\nPING\r\n',
  "broken bytes": "*x\r\n",
};

const unauthenticated: Feed[] = Object.entries(UNAUTHENTICATED).flatMap(([name, text]) => {
  const bytes = text.length > 1000 ? pieces(text, [3, 5, 30, 500]) : [...text];
  return [
    { name: `${name}, whole`, pieces: [text] },
    { name: `${name}, in pieces`, pieces: bytes },
  ];
});

/** Plays the feeds to both and expects the same, apart from the number of the connection. */
async function compare(redis: number, proxy: number, feeds: readonly Feed[]): Promise<void> {
  const conversations = feeds.map((feed) => feed.pieces);
  const theirs = await play(redis, conversations);
  const ours = await play(proxy, conversations);
  const wrong = feeds.flatMap(({ name }, i) => {
    const [expected, actual] = [withoutId(theirs[i]), withoutId(ours[i])];
    return expected === actual ? [] : [`${name}: ${excerpt(actual)} and not ${excerpt(expected)}`];
  });
  expect(wrong).toEqual([]);
  expect(theirs.some((text) => text !== "")).toBe(true);
}

function withoutId(transcript: string): string {
  return transcript.replace(/\$2\r\nid\r\n:\d+\r\n/g, "$2\r\nid\r\n:0\r\n");
}

function excerpt(text: string): string {
  const quoted = JSON.stringify(text);
  return quoted.length < 400 ? quoted : `...${quoted.slice(-300)} (${text.length} bytes)`;
}

for (const { name, config } of BUFFER_SIZES) {
  test(`every request is answered as Redis does, however it is cut, with ${name}`, async () => {
    await using redis = await startRedis();
    await using product = await startProduct({ config });
    await compare(redis.port, product.proxy.port, whole);
    await compare(redis.port, product.proxy.port, byteByByte);
    await compare(redis.port, product.proxy.port, cut);
  });

  test(`every request is answered as Redis does in RESP3, with ${name}`, async () => {
    await using redis = await startRedis();
    await using product = await startProduct({ config });
    const hello = r("HELLO", "3");
    const after = byteByByte.map((feed) => ({ ...feed, pieces: [hello, ...feed.pieces] }));
    await compare(redis.port, product.proxy.port, after);
    const together = CASES.map((one) => ({ name: one.name, pieces: [hello + one.text] }));
    await compare(redis.port, product.proxy.port, together);
  });

  test(`limits and large values are those of Redis, with ${name}`, async () => {
    await using redis = await startRedis();
    await using product = await startProduct({ config });
    await compare(redis.port, product.proxy.port, LIMITS);
  });

  test(`a client without a password meets Redis' lower limits, with ${name}`, async () => {
    await using redis = await startRedis({ args: ["--requirepass", "secret"] });
    await using product = await startProduct({ config: { ...config, session_auth: "secret" } });
    await compare(redis.port, product.proxy.port, unauthenticated);
  });
}
