// The first words of a connection: HELLO, AUTH and RESET as Redis answers them in both protocols,
// and what the modern client libraries send in one packet before they read the first reply.
import { expect } from "bun:test";
import { type Reply, ReplyError } from "../../src/resp/value.ts";
import { BUFFER_SIZES } from "../harness/buffer-sizes.ts";
import { play } from "../harness/play.ts";
import { startProduct } from "../harness/proxy.ts";
import { startRedis } from "../harness/redis.ts";
import { connect, encode } from "../harness/resp-client.ts";
import { systemTest } from "../harness/system-test.ts";

const test = systemTest("redis-server");

/** Conversations, one request a line. */
const HELLOS: readonly string[][] = [
  ["HELLO", "PING"],
  ["HELLO 2", "GET none", "HELLO 3", "GET none", "HELLO 2", "GET none"],
  ["HELLO 3", "HELLO", "HGETALL none", "HELLO 2", "HGETALL none"],
  ["HELLO 4", "PING"],
  ["HELLO 1", "PING"],
  ["HELLO abc", "PING"],
  ["HELLO 3.0", "HELLO -3", "HELLO 03", "HELLO 99999999999999999999"],
  ["HELLO 3 SETNAME somebody", "CLIENT GETNAME", "GET none"],
  ["HELLO 3 SETNAME some\u0001body", "CLIENT GETNAME", "GET none"],
  ["HELLO 3 SETNAME", "HELLO 3 AUTH", "HELLO 3 AUTH default", "HELLO 3 NOSUCH", "GET none"],
  ["HELLO 3 AUTH default secret", "GET none", "PING"],
  ["HELLO 3 AUTH default wrong", "GET none", "PING"],
  ["HELLO 3 AUTH nobody secret", "GET none", "PING"],
  ["HELLO 3 auth default secret setname me", "CLIENT GETNAME", "PING"],
  ["HELLO 3 SETNAME me AUTH default secret", "CLIENT GETNAME", "PING"],
  ["HELLO 3 SETNAME me AUTH default wrong", "AUTH secret", "CLIENT GETNAME", "GET none"],
  ["HELLO 3 AUTH default secret AUTH default wrong", "GET none", "PING"],
  ["HELLO 3 AUTH default secret NOSUCH", "GET none", "PING"],
  ["AUTH secret", "HELLO 3", "GET none", "RESET", "GET none", "PING"],
  ["AUTH wrong", "GET none", "PING", "AUTH secret", "PING"],
  ["AUTH secret", "AUTH wrong", "PING"],
  ["AUTH default secret", "PING"],
  ["AUTH nobody secret", "PING"],
  ["AUTH", "AUTH a b c", "PING"],
  ["HELLO 3", "SET k v", "RESET", "GET k", "CLIENT GETNAME"],
  ["HELLO 3", "SELECT 3", "SET k three", "RESET", "GET k", "SELECT 3", "GET k"],
  ["CLIENT SETNAME me", "RESET", "CLIENT GETNAME"],
  ["SELECT 1", "SET d 1", "SELECT 2", "GET d", "SELECT 1", "GET d", "DEL d"],
  ["SELECT", "SELECT x", "SELECT -1", "SELECT 16", "SELECT 15", "SELECT 99999999999", "PING"],
  ["HELLO 3", "MGET none1 none2", "DEL none1 none2", "PING", "ECHO x", "QUIT", "PING"],
];

/** What differs from server to server: its version and the number of the connection. */
function withoutIdentity(transcript: string): string {
  return transcript
    .replace(/\$2\r\nid\r\n:\d+\r\n/g, "(id)")
    .replace(/\$7\r\nversion\r\n\$\d+\r\n[\d.]+\r\n/g, "(version)");
}

async function compareHellos(redis: number, proxy: number): Promise<void> {
  const conversations = HELLOS.map((lines) => [
    Buffer.concat(lines.map((line) => encode(...line.split(" ")))),
  ]);
  const theirs = await play(redis, conversations);
  const ours = await play(proxy, conversations);
  HELLOS.forEach((lines, i) => {
    expect([lines, withoutIdentity(ours[i])]).toEqual([lines, withoutIdentity(theirs[i])]);
  });
}

for (const { name, config } of BUFFER_SIZES) {
  test(`HELLO, AUTH, SELECT and RESET answer as in Redis, with ${name}`, async () => {
    await using redis = await startRedis();
    await using product = await startProduct({ config });
    await compareHellos(redis.port, product.proxy.port);
  });

  test(`they answer as in Redis when there is a password, with ${name}`, async () => {
    await using redis = await startRedis({ args: ["--requirepass", "secret"] });
    await using product = await startProduct({ config: { ...config, session_auth: "secret" } });
    await compareHellos(redis.port, product.proxy.port);
  });
}

test("servers with a password are logged in to, in both protocols and every database", async () => {
  await using product = await startProduct({
    config: { product_auth: "hidden" },
    redisArgs: ["--requirepass", "hidden"],
  });
  using client = await connect(product.proxy.port);
  expect(await client.call("SET", "k", "2")).toBe("OK");
  await client.call("HELLO", 3);
  expect(await client.call("GET", "k")).toBe("2");
  await client.call("SELECT", 5);
  expect(
    await client.pipeline([
      ["GET", "k"],
      ["SET", "k", "5"],
      ["GET", "k"],
    ]),
  ).toEqual([null, "OK", "5"]);
});

/** What the reply must be: exactly this, or something that the function accepts. */
type Expected = Reply | ((reply: Reply) => boolean);
type Handshake = readonly (readonly [request: string, expected: Expected])[];

const isErrorWith = (part: RegExp) => (reply: Reply) => {
  return reply instanceof ReplyError && part.test(reply.message);
};
const isServerMap = (reply: Reply): boolean => {
  return reply instanceof Map && reply.get("proto") === 3 && reply.get("server") === "redis";
};
const isText = (part: string) => (reply: Reply) => {
  return typeof reply === "string" && reply.includes(part);
};
const isNumber = (reply: Reply): boolean => typeof reply === "number";
const UNKNOWN_SUBCOMMAND = isErrorWith(/^ERR unknown subcommand 'MAINT_NOTIFICATIONS'/i);

/** As in their sources. Each library writes its lines before it reads the first reply. */
const HANDSHAKES: Record<string, Handshake> = {
  "ioredis 5": [
    ["SELECT 1", "OK"],
    ["CLIENT setname app", "OK"],
    ["CLIENT SETINFO LIB-VER 5.11.1", "OK"],
    ["CLIENT SETINFO LIB-NAME ioredis", "OK"],
    ["INFO", isText("loading:0")],
  ],
  "ioredis 6": [
    ["HELLO 3", isServerMap],
    ["SELECT 1", "OK"],
    ["CLIENT setname app", "OK"],
    ["READONLY", "OK"],
    ["CLIENT SETINFO LIB-VER 6.0.0", "OK"],
    ["CLIENT SETINFO LIB-NAME ioredis", "OK"],
    ["INFO", isText("loading:0")],
  ],
  "node-redis 6": [
    ["HELLO 3 SETNAME app", isServerMap],
    ["SELECT 1", "OK"],
    ["READONLY", "OK"],
    ["CLIENT SETINFO LIB-VER 6.2.1", "OK"],
    ["CLIENT SETINFO LIB-NAME node-redis", "OK"],
    ["CLIENT MAINT_NOTIFICATIONS ON moving-endpoint-type internal-ip", UNKNOWN_SUBCOMMAND],
  ],
  "redis-py 8": [
    ["HELLO 3", isServerMap],
    ["CLIENT MAINT_NOTIFICATIONS ON moving-endpoint-type internal-ip", UNKNOWN_SUBCOMMAND],
    ["CLIENT SETNAME app", "OK"],
    ["CLIENT SETINFO LIB-NAME redis-py", "OK"],
    ["CLIENT SETINFO LIB-VER 8.1.0", "OK"],
    ["SELECT 1", "OK"],
    ["PING", "PONG"],
  ],
  "Jedis 8": [
    ["HELLO 3", isServerMap],
    ["CLIENT SETNAME app", "OK"],
    ["CLIENT SETINFO LIB-NAME jedis", "OK"],
    ["CLIENT SETINFO LIB-VER 8.0.0", "OK"],
    ["READONLY", "OK"],
    ["SELECT 1", "OK"],
    ["PING", "PONG"],
  ],
  "lettuce 7": [
    ["HELLO 3 SETNAME app", isServerMap],
    ["SELECT 1", "OK"],
    ["READONLY", "OK"],
    ["CLIENT SETINFO lib-name Lettuce", "OK"],
    ["CLIENT SETINFO lib-ver 7.0.0", "OK"],
    ["CLIENT MAINT_NOTIFICATIONS ON moving-endpoint-type internal-ip", UNKNOWN_SUBCOMMAND],
  ],
  "go-redis 9": [
    ["HELLO 3 SETNAME app", isServerMap],
    ["SELECT 1", "OK"],
    ["READONLY", "OK"],
    ["CLIENT SETNAME app", "OK"],
    ["CLIENT MAINT_NOTIFICATIONS ON moving-endpoint-type internal-ip", UNKNOWN_SUBCOMMAND],
    ["CLIENT SETINFO LIB-NAME go-redis(,go1.25)", "OK"],
    ["CLIENT SETINFO LIB-VER 9.22.0", "OK"],
  ],
  "StackExchange.Redis 3": [
    ["HELLO 3", isServerMap],
    ["CLIENT SETNAME host(SE.Redis-v3.0.0)", "OK"],
    ["CLIENT SETINFO lib-name SE.Redis", "OK"],
    ["CLIENT SETINFO lib-ver 3.0.0", "OK"],
    ["CLIENT ID", isNumber],
    ["CONFIG GET timeout", (reply) => reply instanceof Map],
    ["CONFIG GET slave-read-only", (reply) => reply instanceof Map],
    ["CONFIG GET databases", (reply) => reply instanceof Map && reply.get("databases") === "16"],
    ["SENTINEL MASTERS", isErrorWith(/^ERR unknown command 'SENTINEL'/)],
    ["INFO replication", isText("role:master")],
    ["INFO server", isText("redis_mode:standalone")],
    ["CLUSTER NODES", isErrorWith(/^ERR /)],
    ["GET __Booksleeve_TieBreak", null],
    ["ECHO \u0001\u007f\u0080\u0001abcdefghijkl", "\u0001\u007f\u0080\u0001abcdefghijkl"],
  ],
  "Redisson 4": [
    ["HELLO 3", isServerMap],
    ["SELECT 1", "OK"],
    ["CLIENT SETNAME app", "OK"],
    ["CLIENT CAPA redirect", isErrorWith(/^ERR unknown subcommand 'CAPA'/)],
    ["READONLY", "OK"],
    ["PING", "PONG"],
  ],
  "phpredis 6": [
    ["SELECT 1", "OK"],
    ["ECHO phpredis_6a1b2c", "phpredis_6a1b2c"],
  ],
  "redis-benchmark": [
    ["CONFIG GET save", ["save", ""]],
    ["CONFIG GET appendonly", ["appendonly", "no"]],
  ],
};

for (const { name, config } of BUFFER_SIZES) {
  test(`handshakes of client libraries get every reply in order, with ${name}`, async () => {
    await using product = await startProduct({ config });
    for (const [library, handshake] of Object.entries(HANDSHAKES)) {
      using client = await connect(product.proxy.port);
      // What follows goes through a server, and must not overtake what the proxy says itself.
      const lines = [...handshake.map(([request]) => request), "SET done 1", "PING last"];
      const replies = await client.pipeline(lines.map((line) => line.split(" ")));
      const wrong = handshake.flatMap(([request, expected], i) => {
        const isRight =
          typeof expected === "function"
            ? expected(replies[i])
            : Bun.deepEquals(replies[i], expected);
        return isRight ? [] : [{ library, request, reply: replies[i] }];
      });
      expect(wrong).toEqual([]);
      expect([library, ...replies.slice(-2)]).toEqual([library, "OK", "last"]);
      expect(client.unreadBytes).toBe(0);
    }
  });
}
