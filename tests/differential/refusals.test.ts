// Where the proxy must differ from a single Redis: keys in different slots, and commands that need
// a connection of their own or all servers. The answer is an error, and nothing else happens.
import { expect } from "bun:test";
import { COMMANDS, Route } from "../../src/proxy/commands.ts";
import { slotOf } from "../../src/model/slot.ts";
import { ReplyError } from "../../src/resp/value.ts";
import { startProduct } from "../harness/proxy.ts";
import { connect } from "../harness/resp-client.ts";
import { systemTest } from "../harness/system-test.ts";

const test = systemTest("redis-server");

const CROSS_SLOT = new ReplyError("CROSSSLOT Keys in request don't hash to the same slot");

/** Commands with more than one key; A, B and C stand for keys. */
const SEVERAL_KEYS: readonly string[] = [
  ..."RENAME A B|RENAMENX A B|COPY A B|MSETNX A 1 B 2|LCS A B|SMOVE A B m".split("|"),
  ..."SINTER A B|SUNION A B C|SDIFF A B|SINTERCARD 2 A B|SINTERSTORE A B C".split("|"),
  ..."SUNIONSTORE A B|SDIFFSTORE A B C|RPOPLPUSH A B|LMOVE A B LEFT RIGHT".split("|"),
  ..."LMPOP 2 A B LEFT|ZMPOP 2 A B MIN|ZUNION 2 A B|ZINTER 2 A B|ZDIFF 2 A B".split("|"),
  ..."ZINTERCARD 2 A B|ZUNIONSTORE A 2 B C|ZINTERSTORE A 1 B|ZDIFFSTORE A 1 B".split("|"),
  ..."ZRANGESTORE A B 0 -1|PFCOUNT A B|PFMERGE A B C|BITOP AND A B C|BITOP NOT A B".split("|"),
  ..."GEOSEARCHSTORE A B FROMLONLAT 0 0 BYRADIUS 1 km|SORT A STORE B".split("|"),
  ..."GEORADIUS A 0 0 1 km STORE B|GEORADIUSBYMEMBER A m 1 km STOREDIST B".split("|"),
  ..."XREAD STREAMS A B 0 0|XREADGROUP GROUP g c STREAMS A B 0 0".split("|"),
  "EVAL return 2 A B",
  "EVALSHA abc 3 A A B",
  "EVAL_RO return 2 A B",
  "FCALL f 2 A B",
];

function withKeys(request: string, keys: Readonly<Record<string, string>>): string[] {
  return request.split(" ").map((word) => keys[word] ?? word);
}

test("keys in different slots are refused, and in one slot they are not", async () => {
  await using product = await startProduct();
  using client = await connect(product.proxy.port);
  const apart = { A: "key:a", B: "key:b", C: "key:c" };
  const slots = Object.values(apart).map((key) => slotOf(Buffer.from(key), 0, key.length));
  expect(new Set(slots).size).toBe(3);
  await client.call("RPUSH", "key:a", "1");
  for (const request of SEVERAL_KEYS) {
    const reply = await client.call(...withKeys(request, apart));
    expect([request, reply]).toEqual([request, CROSS_SLOT]);
    const together = { A: "{t}:a", B: "{t}:b", C: "{t}:c" };
    const allowed = await client.call(...withKeys(request, together));
    expect([request, allowed]).not.toEqual([request, CROSS_SLOT]);
  }
  expect(await client.call("LRANGE", "key:a", 0, -1)).toEqual(["1"]);
  expect(await client.call("EXISTS", "key:b", "key:c")).toBe(0);
});

test("SORT that reads keys made from elements is refused unless they share its slot", async () => {
  await using product = await startProduct();
  using client = await connect(product.proxy.port);
  expect(await client.call("SORT", "l", "BY", "w:*")).toEqual(CROSS_SLOT);
  expect(await client.call("SORT", "l", "GET", "w:*")).toEqual(CROSS_SLOT);
  expect(await client.call("SORT_RO", "{t}l", "GET", "{u}w:*")).toEqual(CROSS_SLOT);
  expect(await client.call("SORT", "{t}l", "BY", "{t}w:*", "GET", "{t}v:*", "GET", "#")).toEqual(
    [],
  );
});

test("commands that the proxy does not carry yet say so, and the session goes on", async () => {
  await using product = await startProduct();
  const { proxy, servers } = product;
  using client = await connect(proxy.port);
  await client.call("SET", "kept", "1");
  const before = await Promise.all(servers.map((server) => server.call("CONFIG", "GET", "*")));
  const refused = COMMANDS.filter(({ name, route }) => {
    return route === Route.REFUSE && !["unknown", "host:", "post"].includes(name);
  });
  expect(refused.length).toBeGreaterThan(100);
  for (const command of refused) {
    if (command.subcommands !== null) continue;
    const words = command.name.split("|");
    const count = Math.abs(command.arity);
    while (words.length < count) words.push(words.length % 2 === 0 ? "1" : "NO");
    const reply = await client.call(...words);
    expect([command.name, reply]).toEqual([command.name, new ReplyError(command.refusal)]);
    expect(command.refusal).toMatch(
      / is not supported by the proxy yet: |cluster support disabled/,
    );
  }
  expect(await client.call("GET", "kept")).toBe("1");
  const after = await Promise.all(servers.map((server) => server.call("CONFIG", "GET", "*")));
  expect(after).toEqual(before);
});

test("reads that may block are refused, those that cannot are carried", async () => {
  await using product = await startProduct();
  using client = await connect(product.proxy.port);
  const refused = expect.objectContaining({
    message: expect.stringMatching(/not supported .* yet/),
  });
  expect(await client.call("XREAD", "BLOCK", 0, "STREAMS", "s", "$")).toEqual(refused);
  expect(await client.call("XREAD", "COUNT", 1, "BLOCK", 1, "STREAMS", "s", "$")).toEqual(refused);
  const group = ["XREADGROUP", "GROUP", "block", "streams"];
  expect(await client.call(...group, "BLOCK", 0, "STREAMS", "s", ">")).toEqual(refused);
  expect(await client.call("XREAD", "STREAMS", "block", 0)).toBeNull();
  expect(await client.call("XREAD", "COUNT", 1, "STREAMS", "s", 0)).toBeNull();
  expect(await client.call(...group, "STREAMS", "s", ">")).toEqual(
    expect.objectContaining({ code: "NOGROUP" }),
  );
});
