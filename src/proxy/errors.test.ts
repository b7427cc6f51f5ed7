// The texts that are made of what the client sent, against those of a real redis-server.
import { expect } from "bun:test";
import { connect } from "../../tests/harness/resp-client.ts";
import { startRedis } from "../../tests/harness/redis.ts";
import { systemTest } from "../../tests/harness/system-test.ts";
import { Args } from "../resp/args.ts";
import { scanRequest } from "../resp/scan.ts";
import { E, expectedBulk, unknownCommand, unknownSubcommand, wrongArity } from "./errors.ts";
import { requestBytes } from "./local-fakes.ts";

const test = systemTest("redis-server");

function argsOf(words: readonly string[]): Args {
  const args = new Args();
  const bytes = requestBytes(words);
  scanRequest(args, bytes, 0, bytes.length);
  return args;
}

const UNKNOWN = [
  ["foo"],
  [""],
  ["", "x"],
  ["-foo"],
  ["\r\nfoo"],
  ["foo", "a", "b\r\nc"],
  ["fo\r\no\0x", "a\0b", "", "c"],
  ["f".repeat(200), "x".repeat(100), "y".repeat(100), "z"],
  ["foo", "x".repeat(128), "y"],
  ["foo", "x".repeat(124), "y"],
  ["foo", "x".repeat(125), "y"],
  ["foo", "x".repeat(126), "y"],
  ["foo", "x".repeat(120), "y".repeat(20), "z"],
  ["foo", "\xff\x80", "\x1b"],
];

test("an unknown command is quoted with its arguments as Redis quotes them", async () => {
  await using redis = await startRedis();
  using client = await connect(redis.port);
  for (const words of UNKNOWN) {
    client.send(requestBytes(words));
    expect(unknownCommand(argsOf(words)).toString("latin1")).toBe(await client.readRaw());
  }
});

test("an unknown subcommand is quoted as Redis quotes it", async () => {
  await using redis = await startRedis();
  using client = await connect(redis.port);
  const cases = [
    ["config", "foo"],
    ["CoNfig", "FO\r\nO\0a", "b"],
    ["config", "x".repeat(200)],
    ["OBJECT", "foo", "key"],
    ["client", ""],
  ];
  for (const words of cases) {
    client.send(requestBytes(words));
    expect(unknownSubcommand(argsOf(words)).toString("latin1")).toBe(await client.readRaw());
  }
});

test("a wrong number of arguments is told as Redis tells it", async () => {
  await using redis = await startRedis();
  using client = await connect(redis.port);
  const cases = [
    ["get", ["GET"]],
    ["config", ["CONFIG"]],
    ["config|get", ["CONFIG", "GET"]],
    ["mset", ["MSET", "a", "1", "b"]],
  ] as const;
  for (const [name, words] of cases) {
    client.send(requestBytes(words));
    expect(wrongArity(name).toString("latin1")).toBe(await client.readRaw());
  }
});

test("broken bytes get Redis' protocol errors", async () => {
  await using redis = await startRedis();
  const long = "1".repeat(65537);
  const cases: [string, Buffer][] = [
    ["*a\r\n", E.protoMultibulkLength],
    ["*2147483648\r\n", E.protoMultibulkLength],
    [`*${long}`, E.protoMultibulkTooBig],
    ["*1\r\n$-1\r\n", E.protoBulkLength],
    ["*1\r\n$536870913\r\n", E.protoBulkLength],
    [`*1\r\n$${long}`, E.protoBulkTooBig],
    [long, E.protoInlineTooBig],
    ['GET "a\r\n', E.protoUnbalancedQuotes],
    ["*1\r\n:1\r\n", expectedBulk(0x3a)],
    ["*1\r\n\r1\r\n", expectedBulk(0x0d)],
    ["*1\r\n\n1\r\n", expectedBulk(0x0a)],
    ["*1\r\n\xff1\r\n", expectedBulk(0xff)],
  ];
  for (const [bytes, line] of cases) {
    using client = await connect(redis.port);
    client.send(bytes);
    expect(line.toString("latin1")).toBe(await client.readToEnd());
  }
});

test("a client without the password meets Redis' limits", async () => {
  await using redis = await startRedis({ args: ["--requirepass", "pw"] });
  const cases: [string, Buffer][] = [
    ["*11\r\n", E.protoMultibulkNoAuth],
    ["*1\r\n$16385\r\n", E.protoBulkNoAuth],
  ];
  for (const [bytes, line] of cases) {
    using client = await connect(redis.port);
    client.send(bytes);
    expect(line.toString("latin1")).toBe(await client.readToEnd());
  }
});

test("every command's errors that have a constant are Redis' own", async () => {
  await using redis = await startRedis({ args: ["--maxclients", "1"] });
  using client = await connect(redis.port);
  const cases: [string[], Buffer][] = [
    [["SET", "k", "v", "FOO"], E.syntax],
    [["INCRBY", "k", "x"], E.notInteger],
    [["SELECT", "2147483648"], E.notInt32],
    [["COMMAND", "GETKEYS", "PING", "x"], E.noKeyArguments],
    [["COMMAND", "GETKEYS", "ZUNION", "x", "a"], E.invalidCommandArguments],
    [["COMMAND", "GETKEYS", "FOO", "x"], E.invalidCommand],
    [["CLIENT", "UNBLOCK", "1", "FOO"], E.unblockReason],
  ];
  for (const [words, line] of cases) {
    client.send(requestBytes(words));
    expect({ words, line: line.toString("latin1") }).toEqual({
      words,
      line: await client.readRaw(),
    });
  }
  using second = await connect(redis.port);
  expect(E.maxClients.toString("latin1")).toBe(await second.readToEnd());
});
