// node-redis as applications use it: in its default settings, which speak RESP3 and know no way
// back to RESP2, and in RESP2.
import { expect } from "bun:test";
import { createClient, defineScript, RESP_TYPES } from "redis";
import { BUFFER_SIZES } from "../harness/buffer-sizes.ts";
import { startProduct } from "../harness/proxy.ts";
import { systemTest } from "../harness/system-test.ts";
import { type Calls, sendManyAtOnce } from "./many-at-once.ts";

const test = systemTest("redis-server");

const PROTOCOLS = [3, 2] as const;
const BINARY = Buffer.from(Array.from({ length: 1024 }, (_, i) => i % 256));

const ADD_TWICE = defineScript({
  NUMBER_OF_KEYS: 1,
  SCRIPT: "return redis.call('incrby', KEYS[1], 2 * ARGV[1])",
  parseCommand(parser, key: string, by: number) {
    parser.pushKey(key);
    parser.push(String(by));
  },
  transformReply: undefined as unknown as () => number,
});

interface Options {
  readonly port: number;
  readonly proto: 2 | 3;
  readonly database?: number;
  readonly username?: string;
  readonly password?: string;
}

/** Connected; what it complains about later is an unhandled error and fails the test. */
async function open(options: Options) {
  const { port, proto, ...more } = options;
  const client = createClient({
    // Without it the library tries for ever, whatever the server says.
    socket: { host: "127.0.0.1", port, reconnectStrategy: false },
    ...(proto === 3 ? {} : { RESP: 2 }),
    scripts: { addTwice: ADD_TWICE },
    ...more,
  });
  const complaints: unknown[] = [];
  client.on("error", (error) => complaints.push(error));
  try {
    await client.connect();
  } catch (error) {
    client.destroy();
    throw error;
  }
  return {
    client,
    complaints,
    [Symbol.dispose]: () => {
      if (client.isOpen) client.destroy();
    },
  };
}

type Client = Awaited<ReturnType<typeof open>>["client"];

async function useEverything(client: Client, proto: 2 | 3): Promise<void> {
  expect(await client.set("text", "ä value")).toBe("OK");
  expect(await client.get("text")).toBe("ä value");
  expect(await client.get("none")).toBeNull();
  const bytes = client.withTypeMapping({ [RESP_TYPES.BLOB_STRING]: Buffer });
  await client.set("binary", BINARY);
  expect(await bytes.get("binary")).toEqual(BINARY);
  expect(await client.mSet({ m1: "1", m2: "2", m3: "3" })).toBe("OK");
  expect(await client.mGet(["m3", "none", "m1", "m2", "m1"])).toEqual(["3", null, "1", "2", "1"]);
  expect(await client.del(["m1", "m2", "none"])).toBe(2);
  expect(await client.exists(["m1", "m3", "text"])).toBe(2);
  await client.hSet("hash", { field: "v", other: "w" });
  expect({ ...(await client.hGetAll("hash")) }).toEqual({ field: "v", other: "w" });
  await client.zAdd("zset", { score: 1.5, value: "a" });
  expect(await client.zRangeWithScores("zset", 0, -1)).toEqual([{ value: "a", score: 1.5 }]);
  const score: unknown = await client.sendCommand(["ZSCORE", "zset", "a"]);
  expect(score).toBe(proto === 3 ? 1.5 : "1.5");
  await client.xAdd("stream", "1-1", { field: "v" });
  const entries = await client.xRange("stream", "-", "+");
  expect(entries?.map(({ id, message }) => [id, { ...message }])).toEqual([
    ["1-1", { field: "v" }],
  ]);
  // Each server learns the script when its first key comes along.
  for (let i = 0; i < 8; i++) expect(await client.addTwice(`key:${i}`, i)).toBe(2 * i);
}

async function meetErrors(client: Client): Promise<void> {
  await client.set("word", "w");
  await expect(client.incr("word")).rejects.toThrow("ERR value is not an integer or out of range");
  await expect(client.lPush("word", "x")).rejects.toThrow("WRONGTYPE Operation against a key");
  await expect(client.sendCommand(["nosuch"])).rejects.toThrow("ERR unknown command 'nosuch'");
  await expect(client.sInter(["a", "b", "c"])).rejects.toThrow("CROSSSLOT Keys in request");
  await expect(client.keys("*")).rejects.toThrow("is not supported by the proxy yet");
  expect(await client.ping()).toBe("PONG");
  const replies = await client.multi().set("p1", "1").mGet(["p1", "p2"]).ping().execAsPipeline();
  expect(replies as unknown).toEqual(["OK", ["1", null], "PONG"]);
}

/** Under the names that the other library gives them. */
function callsOf(client: Client): Calls {
  return {
    incr: (key) => client.incr(key),
    set: (key, value) => client.set(key, value),
    get: (key) => client.get(key),
    mget: (keys) => client.mGet(keys),
    unlink: (keys) => client.unlink(keys),
  };
}

for (const { name, config } of BUFFER_SIZES) {
  for (const proto of PROTOCOLS) {
    const mode = proto === 3 ? "in its default settings" : "in RESP2";
    test(`node-redis works ${mode}, with ${name}`, async () => {
      await using product = await startProduct({ config });
      using opened = await open({ port: product.proxy.port, proto });
      const { client, complaints } = opened;
      await useEverything(client, proto);
      await meetErrors(client);
      await sendManyAtOnce(callsOf(client));
      const list = String(await client.sendCommand(["CLIENT", "LIST"]));
      expect(list).toContain("lib-name=node-redis");
      await client.close();
      expect(complaints).toEqual([]);
    });
  }
}

for (const proto of PROTOCOLS) {
  const mode = proto === 3 ? "in its default settings" : "in RESP2";
  test(`node-redis chooses databases ${mode}`, async () => {
    await using product = await startProduct();
    const { port } = product.proxy;
    using first = await open({ port, proto });
    using third = await open({ port, proto, database: 3 });
    await third.client.set("key", "third");
    expect(await first.client.get("key")).toBeNull();
    await first.client.select(3);
    expect(await first.client.get("key")).toBe("third");
  });

  test(`node-redis logs in ${mode}`, async () => {
    await using product = await startProduct({ config: { session_auth: "secret" } });
    const { port } = product.proxy;
    using opened = await open({ port, proto, username: "default", password: "secret" });
    expect(await opened.client.set("key", "value")).toBe("OK");
    expect(opened.complaints).toEqual([]);
    await expect(open({ port, proto, password: "wrong" })).rejects.toThrow("WRONGPASS");
  });
}
