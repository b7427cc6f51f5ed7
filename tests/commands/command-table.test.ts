// The command table and what COMMAND answers from it, against a real Redis 7.0: every row, in both
// protocols. Where Redis defines no order, replies are compared as sets. Not compared: prose.
import { expect } from "bun:test";
import { COMMAND_WRITERS } from "../../src/proxy/command-info.ts";
import { mayBlock } from "../../src/proxy/command-keys.ts";
import { arityOk, commandNamed, COMMANDS, Flag, Route } from "../../src/proxy/commands.ts";
import { Args } from "../../src/resp/args.ts";
import { scanRequest } from "../../src/resp/scan.ts";
import { type Reply, ReplyError } from "../../src/resp/value.ts";
import { ReplyWriter } from "../../src/resp/write.ts";
import { startRedis } from "../harness/redis.ts";
import { connect, decodeOne, encode, type RespClient } from "../harness/resp-client.ts";
import { systemTest } from "../harness/system-test.ts";

const test = systemTest("redis-server");
const SUPPORTED = /^7\.0\./;

test("COMMAND describes every command as Redis does, in RESP2 and RESP3", async () => {
  await withRedis(async (client, version) => {
    for (const proto of [2, 3] as const) {
      await client.call("HELLO", proto);
      const theirs = infosByName(await client.call("COMMAND"));
      const ours = infosByName(ask(proto, version, "COMMAND"));
      expect([...ours.keys()].sort()).toEqual([...theirs.keys()].sort());
      for (const [name, info] of theirs) expect(ours.get(name)).toEqual(info);
    }
  });
});

test("COMMAND INFO by name gives the bytes that Redis gives, in RESP2 and RESP3", async () => {
  await withRedis(async (client, version) => {
    const names = (await client.call("COMMAND", "LIST")) as string[];
    for (const proto of [2, 3] as const) {
      await client.call("HELLO", proto);
      for (const name of ["nosuch", "get|x", "client|nosuch", "Client|ID", "", "|", ...names]) {
        const theirs = await rawReply(client, "COMMAND", "INFO", name);
        // Subcommands come in any order, and notes are prose: the test above compares the rest.
        if (theirs.includes("notes") || commandNamed(name)?.subcommands) continue;
        expect([name, askRaw(proto, version, "COMMAND", "INFO", name)]).toEqual([name, theirs]);
      }
    }
  });
});

test("COMMAND COUNT and LIST with every filter agree with Redis", async () => {
  await withRedis(async (client, version) => {
    const categories = (await client.call("ACL", "CAT")) as string[];
    const filters = [
      ...[...categories, "BITMAP", "nosuch"].map((name) => ["ACLCAT", name]),
      ...["*", "GE?", "client|i*", "[a-c]*", "*\\*", "", "z[^a-r]*"].map((glob) => [
        "pattern",
        glob,
      ]),
      ["module", "nosuch"],
      ["nosuch", "x"],
      ["pattern"],
    ];
    expect(ask(2, version, "COMMAND", "COUNT")).toEqual(await client.call("COMMAND", "COUNT"));
    const requests = [[], ["nosuch"], ...filters.map((filter) => ["FILTERBY", ...filter])];
    for (const request of requests) {
      const theirs = await client.call("COMMAND", "LIST", ...request);
      expect(sorted(ask(2, version, "COMMAND", "LIST", ...request))).toEqual(sorted(theirs));
    }
  });
});

test("COMMAND DOCS agrees with Redis in everything but prose", async () => {
  await withRedis(async (client, version) => {
    await client.call("HELLO", 3);
    const theirs = factsByName((await client.call("COMMAND", "DOCS")) as Map<Reply, Reply>);
    const ours = factsByName(ask(3, version, "COMMAND", "DOCS") as Map<Reply, Reply>);
    expect([...ours.keys()].sort()).toEqual([...theirs.keys()].sort());
    for (const [name, facts] of theirs) expect(ours.get(name)).toEqual(facts);
    const some = ["COMMAND", "DOCS", "nosuch", "Config|Get", "config"];
    const named = ask(3, version, ...some) as Map<Reply, Reply>;
    expect([...named.keys()]).toEqual([
      ...((await client.call(...some)) as Map<Reply, Reply>).keys(),
    ]);
  });
});

test("COMMAND GETKEYS finds the keys that Redis finds, even with odd arguments", async () => {
  await withRedis(async (client, version) => {
    // In an order of ours, for every server has another: the same requests in every run.
    const names = ((await client.call("COMMAND", "LIST")) as string[]).sort();
    const random = generator(7);
    const requests: string[][] = [...SPECIAL_REQUESTS];
    for (const name of names) {
      for (let i = 0; i < 12; i++) requests.push(randomRequest(name, random));
    }
    await client.call("HELLO", 3);
    for (const request of requests) {
      for (const sub of ["GETKEYS", "GETKEYSANDFLAGS"]) {
        const theirs = await rawReply(client, "COMMAND", sub, ...request);
        const ours = askRaw(3, version, "COMMAND", sub, ...request);
        expect([request, ours]).toEqual([request, theirs]);
      }
    }
  });
}, 30_000);

test("no forwarded command changes the connection that it shares with others", async () => {
  await using redis = await startRedis();
  const client = await connect(redis.port);
  const before = await connectionState(client);
  const random = generator(11);
  for (const command of COMMANDS) {
    if (command.route !== Route.FORWARD && command.route !== Route.SPLIT) continue;
    for (let i = 0; i < 8; i++) {
      const request = randomRequest(command.name, random);
      if (isForwarded(request)) await client.call(...request);
    }
    expect([command.name, await connectionState(client)]).toEqual([command.name, before]);
  }
  client.close();
}, 30_000);

/** What random arguments rarely make, or make in forms that we answer more carefully. */
const SPECIAL_REQUESTS: readonly string[][] = [
  "sort k",
  "sort k by x get y limit 1 2 store z alpha",
  "sort k store",
  "sort k limit store a store b",
  "sort_ro k by x_* get #",
  "georadius k 1 2 3 m",
  "georadius k 1 2 3 m store a",
  "georadius k 1 2 3 m count 3 any storedist a asc",
  "georadius k 1 2 3 m store a storedist b",
  "georadius k 1 2 3 m store",
  "georadiusbymember k m 3 m store a",
  "migrate h 1 k 0 5",
  "migrate h 1 k 0 5 copy replace",
  "migrate h 1 k 0 5 keys a b",
  "migrate h 1 NONE 0 5 copy keys a b",
  "migrate h 1 NONE 0 5 auth p keys a",
  "migrate h 1 NONE 0 5",
  "xread streams a b 1 2",
  "xread count 2 streams a b c 1 2 3",
  "xread count 2 streams a b 1",
  "xreadgroup group g c streams a 1",
  "xreadgroup group g streams streams a 1",
  "xreadgroup streams left 2 x count 1 store streams 9",
  "xreadgroup streams left 2 x count 1 store nothing 9",
  "xreadgroup noack block 1 streams a 1 streams b",
  "xreadgroup group a b count 1 c streams d",
  "xread count 1 noack group a b streams c",
  "set k v GET",
  "set k v nx get ex 5",
  "bitfield k get u8 0 overflow sat get i4 4",
  "bitfield k get u8 0 set u8 0 1",
  "bitfield k incrby u2 100 1",
  "eval script 2 a b c",
  "eval script 5 a b",
  "eval script -1 a",
  "zunionstore d 2 a b weights 1 2",
  "lmpop 2 a left",
].map((line) => line.split(" ").map((word) => (word === "NONE" ? "" : word)));

/** Words that decide where keys are, among others. */
const WORDS = ["0", "1", "2", "3", "9", "-1", "x", "", "left", "count", "limit", "k{t}"];
/** Redis reports only one of several places for the result, we report all; see SPECIAL_REQUESTS. */
const SEVERAL_PLACES = ["sort", "sort_ro", "georadius", "georadiusbymember"];

function randomRequest(name: string, random: (below: number) => number): string[] {
  const words = SEVERAL_PLACES.includes(name) ? WORDS : [...WORDS, "streams", "store", "get"];
  const arity = commandNamed(name)?.arity ?? 0;
  const request = name.split("|");
  // Redis denies that PFMERGE with its destination alone has a key, and then creates it.
  const least = name === "pfmerge" ? 3 : 2;
  const count = Math.max(Math.abs(arity) + random(7) - 1, least);
  while (request.length < count) request.push(words[random(words.length)]);
  return request;
}

/** Numbers that look random and are the same in every run. */
function generator(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

async function withRedis(
  body: (client: RespClient, version: string) => Promise<void>,
): Promise<void> {
  await using redis = await startRedis();
  const client = await connect(redis.port);
  const info = String(await client.call("INFO", "server"));
  const version = /redis_version:(\S+)/.exec(info)?.[1] ?? "";
  if (SUPPORTED.test(version)) await body(client, version);
  else process.stderr.write(`[skipped: compared with Redis 7.0, and this is ${version}]\n`);
  client.close();
}

/** Whatever of a connection outlives a command: database, protocol, name, subscriptions, ... */
async function connectionState(client: RespClient): Promise<string> {
  const info = String(await client.call("CLIENT", "INFO"));
  return ["id", "name", "flags", "db", "sub", "psub", "ssub", "multi", "user", "redir", "resp"]
    .map((field) => new RegExp(`(?:^| )${field}=\\S*`).exec(info)?.[0] ?? "")
    .join("");
}

/** Is the request one that the proxy sends to a server, and not one that waits there? */
function isForwarded(request: readonly string[]): boolean {
  const args = argsOf(request);
  const command = commandNamed(request.slice(0, 2).join("|")) ?? commandNamed(request[0]);
  if (command === null || !arityOk(command, args.count)) return false;
  return (command.flags & Flag.BLOCKING) === 0 || !mayBlock(command, args);
}

function argsOf(request: readonly string[]): Args {
  const bytes = encode(...request);
  const args = new Args();
  scanRequest(args, bytes, 0, bytes.length);
  return args;
}

/** Our reply to a request, decoded. */
function ask(proto: 2 | 3, version: string, ...request: string[]): Reply {
  return decodeOne(Buffer.from(askRaw(proto, version, ...request), "latin1"));
}

async function rawReply(client: RespClient, ...request: string[]): Promise<string> {
  client.send(encode(...request));
  return client.readRaw();
}

/** The bytes of our reply, as latin1. */
function askRaw(proto: 2 | 3, version: string, ...request: string[]): string {
  const args = argsOf(request);
  const sub = args.count > 1 ? `|${args.text(1).toLowerCase()}` : "";
  const write = COMMAND_WRITERS.get(`command${sub}`);
  const out = new ReplyWriter(proto);
  write?.(args, out, version);
  return Buffer.from(out.take()).toString("latin1");
}

function infosByName(reply: Reply): Map<string, Reply> {
  const infos = new Map<string, Reply>();
  for (const info of reply as Reply[][]) infos.set(String(info[0]), tidyInfo(info));
  return infos;
}

/** Without notes in key specs, and subcommands sorted by name. */
function tidyInfo(info: Reply): Reply {
  if (!Array.isArray(info)) return info;
  const [, , , , , , , , specs, subcommands] = info;
  return [
    ...info.slice(0, 8),
    [...(specs as Iterable<Reply>)].map(withoutNotes),
    [...(subcommands as Iterable<Reply>)]
      .map(tidyInfo)
      .sort((left, right) =>
        String((left as Reply[])[0]) < String((right as Reply[])[0]) ? -1 : 1,
      ),
  ];
}

function withoutNotes(spec: Reply): Reply {
  if (spec instanceof Map) return new Map([...spec].filter(([key]) => key !== "notes"));
  const flat = spec as Reply[];
  return flat[0] === "notes" ? flat.slice(2) : flat;
}

/** Since, group, flags and deprecation of every command, subcommands beside their containers. */
function factsByName(docs: Map<Reply, Reply>): Map<string, Reply[]> {
  const facts = new Map<string, Reply[]>();
  for (const [name, value] of docs) {
    const doc = value as Map<Reply, Reply>;
    const keys = ["since", "group", "doc_flags", "deprecated_since"];
    facts.set(
      String(name),
      keys.map((key) => doc.get(key) ?? null),
    );
    const subs = doc.get("subcommands");
    if (subs instanceof Map) for (const [sub, fact] of factsByName(subs)) facts.set(sub, fact);
  }
  return facts;
}

function sorted(reply: Reply): Reply {
  return Array.isArray(reply) ? reply.map(String).sort() : textOf(reply);
}

function textOf(reply: Reply): Reply {
  return reply instanceof ReplyError ? `-${reply.message}` : reply;
}
