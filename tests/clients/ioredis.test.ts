// ioredis as applications use it: in its default settings, which speak RESP3, and in RESP2.
import { expect } from "bun:test";
import IORedis, { type RedisOptions } from "ioredis";
import { BUFFER_SIZES } from "../harness/buffer-sizes.ts";
import { startProduct } from "../harness/proxy.ts";
import { systemTest } from "../harness/system-test.ts";
import { sendManyAtOnce } from "./many-at-once.ts";

const test = systemTest("redis-server");

type Options = Omit<RedisOptions, "replyMapping">;

const SETTINGS: readonly { name: string; options: Options }[] = [
  { name: "in its default settings", options: {} },
  { name: "in RESP2", options: { protocol: 2 } },
];

const BINARY = Buffer.from(Array.from({ length: 1024 }, (_, i) => i % 256));

/** A client that is gone at the end of the block; what it complains about fails the test. */
class Client extends IORedis implements Disposable {
  readonly complaints: Error[] = [];

  constructor(port: number, options: Options) {
    super({ host: "127.0.0.1", port, ...options });
    this.on("error", (error: Error) => this.complaints.push(error));
  }

  [Symbol.dispose](): void {
    this.disconnect();
  }
}

async function useEverything(client: Client): Promise<void> {
  expect(await client.set("text", "ä value")).toBe("OK");
  expect(await client.get("text")).toBe("ä value");
  expect(await client.get("none")).toBeNull();
  await client.set("binary", BINARY);
  expect(await client.getBuffer("binary")).toEqual(BINARY);
  expect(await client.mset({ m1: "1", m2: "2", m3: "3" })).toBe("OK");
  expect(await client.mget("m3", "none", "m1", "m2", "m1")).toEqual(["3", null, "1", "2", "1"]);
  expect(await client.mgetBuffer("binary", "m1")).toEqual([BINARY, Buffer.from("1")]);
  expect(await client.del("m1", "m2", "none")).toBe(2);
  expect(await client.exists("m1", "m3", "text")).toBe(2);
  await client.hset("hash", { field: "v", other: "w" });
  expect(await client.hgetall("hash")).toEqual({ field: "v", other: "w" });
  await client.zadd("zset", 1.5, "a", 2, "b");
  expect(await client.zrange("zset", "0", "-1", "WITHSCORES")).toEqual(["a", "1.5", "b", "2"]);
  await client.xadd("stream", "1-1", "field", "v");
  expect(await client.xrange("stream", "-", "+")).toEqual([["1-1", ["field", "v"]]]);
  expect(client.complaints).toEqual([]);
}

async function meetErrors(client: Client): Promise<void> {
  await client.set("word", "w");
  await expect(client.incr("word")).rejects.toThrow("ERR value is not an integer or out of range");
  await expect(client.lpush("word", "x")).rejects.toThrow("WRONGTYPE Operation against a key");
  await expect(client.call("nosuch", "a")).rejects.toThrow("ERR unknown command 'nosuch'");
  await expect(client.call("get")).rejects.toThrow("wrong number of arguments for 'get' command");
  await expect(client.sinter("a", "b", "c")).rejects.toThrow("CROSSSLOT Keys in request");
  await expect(client.keys("*")).rejects.toThrow("is not supported by the proxy yet");
  expect(await client.ping()).toBe("PONG");
  const results = await client
    .pipeline()
    .set("p1", "1")
    .incr("word")
    .mget("p1", "p2")
    .hgetall("none")
    .exec();
  expect(results?.map(([error, value]) => error?.message ?? value)).toEqual([
    "OK",
    "ERR value is not an integer or out of range",
    ["1", null],
    {},
  ]);
}

for (const { name, config } of BUFFER_SIZES) {
  for (const { name: mode, options } of SETTINGS) {
    test(`ioredis works ${mode}, with ${name}`, async () => {
      await using product = await startProduct({ config });
      using client = new Client(product.proxy.port, options);
      await useEverything(client);
      await meetErrors(client);
      await sendManyAtOnce(client);
      expect(await client.client("LIST")).toContain("lib-name=ioredis");
      expect(await client.quit()).toBe("OK");
      expect(client.complaints).toEqual([]);
    });
  }
}

for (const { name: mode, options } of SETTINGS) {
  test(`ioredis chooses databases ${mode}`, async () => {
    await using product = await startProduct();
    const { port } = product.proxy;
    using first = new Client(port, options);
    using third = new Client(port, { ...options, db: 3 });
    await third.set("key", "third");
    expect(await first.get("key")).toBeNull();
    const [chosen, value, back, none] = await Promise.all([
      first.select(3),
      first.get("key"),
      first.select(0),
      first.get("key"),
    ]);
    expect([chosen, value, back, none]).toEqual(["OK", "third", "OK", null]);
  });

  test(`ioredis logs in ${mode}`, async () => {
    await using product = await startProduct({ config: { session_auth: "secret" } });
    const { port } = product.proxy;
    using client = new Client(port, { ...options, password: "secret" });
    expect(await client.set("key", "value")).toBe("OK");
    expect(client.complaints).toEqual([]);
    using named = new Client(port, { ...options, username: "default", password: "secret" });
    expect(await named.get("key")).toBe("value");
    using stranger = new Client(port, { ...options, password: "wrong", retryStrategy: null });
    await expect(stranger.get("key")).rejects.toThrow();
    expect(stranger.complaints.map(String).join()).toContain("WRONGPASS");
  });

  test(`a script of ioredis is loaded where its key is ${mode}`, async () => {
    await using product = await startProduct();
    using client = new Client(product.proxy.port, options);
    client.defineCommand("addTwice", {
      numberOfKeys: 1,
      lua: "return redis.call('incrby', KEYS[1], 2 * ARGV[1])",
    });
    const addTwice = (key: string, by: number): Promise<unknown> => {
      const { addTwice: run } = client as unknown as {
        addTwice(key: string, by: number): Promise<unknown>;
      };
      return run.call(client, key, by);
    };
    for (let i = 0; i < 8; i++) expect(await addTwice(`key:${i}`, i)).toBe(2 * i);
    expect(await addTwice("key:7", 1)).toBe(16);
  });
}
