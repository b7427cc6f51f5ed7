// The harness against a real redis-server: other tests rely on what is shown here.
import { describe, expect } from "bun:test";
import { startFaultyBackend } from "./faulty-backend.ts";
import { startRedis } from "./redis.ts";
import { connect, decodeOne, encode } from "./resp-client.ts";
import { Push, ReplyError } from "../../src/resp/value.ts";
import { systemTest } from "./system-test.ts";
import { until } from "./until.ts";

const test = systemTest("redis-server");

describe("a redis-server of a test", () => {
  test("answers commands as decoded values", async () => {
    await using redis = await startRedis();
    expect(await redis.call("SET", "key", "value")).toBe("OK");
    expect(await redis.call("GET", "key")).toBe("value");
    expect(await redis.call("GET", "none")).toBeNull();
    expect(await redis.call("INCR", "key")).toEqual(
      new ReplyError("ERR value is not an integer or out of range"),
    );
  });

  test("comes back on its port with its data when it is durable", async () => {
    await using redis = await startRedis({ durable: true });
    const { pid } = redis;
    await redis.call("SET", "key", "kept");
    await redis.restart();
    expect(redis.pid).not.toBe(pid);
    expect(await redis.call("GET", "key")).toBe("kept");
  });

  test("hangs while it is paused and goes on when it is resumed", async () => {
    await using redis = await startRedis();
    using client = await connect(redis.port);
    redis.pause();
    const reply = client.call("PING");
    await until(async () => (await Bun.file(`/proc/${redis.pid}/stat`).text()).includes(") T "));
    expect(client.unreadBytes).toBe(0);
    redis.resume();
    expect(await reply).toBe("PONG");
  });
});

describe("the client of a test", () => {
  test("reads replies as raw bytes, however the request was cut", async () => {
    await using redis = await startRedis();
    using client = await connect(redis.port);
    await client.sendByteByByte(encode("ECHO", "a\r\nb"));
    expect(await client.readRaw()).toBe("$4\r\na\r\nb\r\n");
    client.send("PING\r\nnonsense\r\n");
    expect(await client.readRaw()).toBe("+PONG\r\n");
    expect(await client.readRaw()).toStartWith("-ERR unknown command");
  });

  test("sees the replies that a server sends before it closes", async () => {
    await using redis = await startRedis();
    using client = await connect(redis.port);
    client.send("PING\r\n*1\r\nbroken\r\n");
    expect(await client.readToEnd()).toBe(
      "+PONG\r\n-ERR Protocol error: expected '$', got 'b'\r\n",
    );
  });

  test("decodes every type of RESP3", () => {
    const text =
      "*8\r\n:7\r\n,1.5\r\n#t\r\n_\r\n=5\r\ntxt:x\r\n~1\r\n+a\r\n" +
      "%1\r\n+k\r\n(9007199254740993\r\n>1\r\n+invalidate\r\n";
    expect(decodeOne(text)).toEqual([
      7,
      1.5,
      true,
      null,
      "x",
      ["a"],
      new Map([["k", 9007199254740993n]]),
      new Push(["invalidate"]),
    ]);
  });
});

test("a faulty backend answers what its script says", async () => {
  await using backend = startFaultyBackend((request, connection) => {
    if (request[0] === "GET") return "$-1\r\n";
    if (request[0] === "DIE") connection.reset();
    return undefined;
  });
  using client = await connect(backend.port);
  expect(await client.pipeline([["PING"], ["GET", "a"]])).toEqual(["PONG", null]);
  client.send(encode("DIE"));
  await client.waitForEnd();
  expect(backend.dataRequests).toEqual([["GET", "a"], ["DIE"]]);
  backend.goDown();
  await expect(connect(backend.port)).rejects.toThrow();
  backend.comeBack();
  using second = await connect(backend.port);
  expect(await second.call("PING")).toBe("PONG");
});

// The second reader waited for more bytes than the first one had not yet taken.
test("replies that come one by one reach calls that wait side by side", async () => {
  using server = Bun.listen({
    hostname: "127.0.0.1",
    port: 0,
    socket: {
      data(socket) {
        socket.write("+a\r\n");
        setTimeout(() => socket.write("+b\r\n"), 20);
      },
    },
  });
  using client = await connect(server.port, { readTimeoutMs: 2_000 });
  client.send("ask");
  expect(await Promise.all([client.read(), client.read()])).toEqual(["a", "b"]);
});
