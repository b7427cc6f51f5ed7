// The programs that come with Redis: redis-benchmark and redis-cli.
import { expect } from "bun:test";
import { BUFFER_SIZES } from "../harness/buffer-sizes.ts";
import { startProduct } from "../harness/proxy.ts";
import { encode } from "../harness/resp-client.ts";
import { systemTest } from "../harness/system-test.ts";

const test = systemTest("redis-server", "redis-benchmark", "redis-cli");

interface Run {
  readonly code: number;
  /** Standard output and standard error. */
  readonly text: string;
}

async function run(command: readonly string[], input: string | Uint8Array = ""): Promise<Run> {
  const child = Bun.spawn([...command], { stdin: "pipe", stdout: "pipe", stderr: "pipe" });
  child.stdin.write(input);
  child.stdin.end();
  const texts = await Promise.all([child.stdout.text(), child.stderr.text()]);
  return { code: await child.exited, text: texts.join("") };
}

/** The workloads of a run without -t; LRANGE counts five times, with the LPUSH before it. */
const ALL = 20;

interface Benchmark {
  readonly name: string;
  readonly args: readonly string[];
  readonly workloads: number;
}

const BENCHMARKS: readonly Benchmark[] = [
  { name: "all workloads", args: ["-n", "500", "-c", "20"], workloads: ALL },
  { name: "pipelines", args: ["-n", "2000", "-P", "16", "-r", "1000"], workloads: ALL },
  {
    name: "large values and a thread more",
    args: ["-n", "500", "-d", "20000", "--threads", "2", "-t", "set,get,mset,lpush"],
    workloads: 4,
  },
  { name: "RESP3", args: ["-3", "-n", "500", "-t", "set,get,incr,hset,zadd,mset"], workloads: 6 },
];

for (const { name, config } of BUFFER_SIZES) {
  test(`redis-benchmark runs without a warning or an error, with ${name}`, async () => {
    await using product = await startProduct({ config });
    const port = String(product.proxy.port);
    for (const { name: which, args, workloads } of BENCHMARKS) {
      const { code, text } = await run(["redis-benchmark", "-p", port, "-q", ...args]);
      expect([which, code, text.match(/warning|err/gi)]).toEqual([which, 0, null]);
      const results = text.match(/requests per second/g) ?? [];
      expect([which, results.length]).toEqual([which, workloads]);
    }
    const { ops } = await product.proxy.stats();
    expect(ops.fails).toBe(0);
  });
}

test("redis-cli shows replies of both protocols", async () => {
  await using product = await startProduct();
  const cli = async (...args: string[]): Promise<string> => {
    const { code, text } = await run(["redis-cli", "-p", String(product.proxy.port), ...args]);
    return `${code}: ${text}`;
  };
  expect(await cli("SET", "key", "value")).toBe("0: OK\n");
  expect(await cli("GET", "key")).toBe("0: value\n");
  expect(await cli("-n", "2", "GET", "key")).toBe("0: \n");
  expect(await cli("--no-raw", "GET", "none")).toBe("0: (nil)\n");
  expect(await cli("MSET", "a", "1", "b", "2", "c", "3")).toBe("0: OK\n");
  expect(await cli("--no-raw", "MGET", "c", "none", "a")).toBe('0: 1) "3"\n2) (nil)\n3) "1"\n');
  expect(await cli("HSET", "hash", "field", "v")).toBe("0: 1\n");
  expect(await cli("-3", "--no-raw", "HGETALL", "hash")).toBe('0: 1# "field" => "v"\n');
  expect(await cli("-3", "--json", "HGETALL", "hash")).toBe('0: {"field":"v"}\n');
  expect(await cli("ZADD", "zset", "1.5", "m")).toBe("0: 1\n");
  expect(await cli("-3", "--no-raw", "ZSCORE", "zset", "m")).toBe("0: (double) 1.5\n");
  expect(await cli("-e", "INCR", "key")).toStartWith("1: ERR value is not an integer");
  expect(await cli("-r", "3", "INCR", "counter")).toBe("0: 1\n2\n3\n");
  expect(await cli("--eval", "/dev/null", "key", ",", "arg")).toBe("0: \n");
  expect(await cli("INFO", "server")).toContain("redis_mode:standalone");
});

test("redis-cli reads commands from its input", async () => {
  await using product = await startProduct();
  const port = String(product.proxy.port);
  const lines = ["SET key 'a b'", "GET key", "SELECT 1", "GET key", "SELECT 0", "APPEND key !", ""];
  const { text } = await run(["redis-cli", "-p", port], lines.join("\n"));
  expect(text).toBe("OK\na b\nOK\n\nOK\n4\n");
  const last = await run(
    ["redis-cli", "-p", port, "-x", "SET", "binary"],
    Buffer.from([0, 255, 13]),
  );
  expect(last.text).toBe("OK\n");
  expect((await run(["redis-cli", "-p", port, "STRLEN", "binary"])).text).toBe("3\n");
});

test("redis-cli logs in", async () => {
  await using product = await startProduct({ config: { session_auth: "secret" } });
  const cli = ["redis-cli", "-p", String(product.proxy.port), "--no-auth-warning"];
  expect((await run([...cli, "PING"])).text).toStartWith("NOAUTH Authentication required.");
  expect((await run([...cli, "-a", "secret", "PING"])).text).toBe("PONG\n");
  expect((await run([...cli, "--user", "default", "--pass", "secret", "PING"])).text).toBe(
    "PONG\n",
  );
  expect((await run([...cli, "-3", "-a", "secret", "PING"])).text).toBe("PONG\n");
  expect((await run([...cli, "-a", "wrong", "PING"])).text).toContain("WRONGPASS");
});

for (const { name, config } of BUFFER_SIZES) {
  test(`redis-cli --pipe loads many keys, with ${name}`, async () => {
    await using product = await startProduct({ config });
    const { proxy, servers } = product;
    const keys = Array.from({ length: 20_000 }, (_, i) => encode("SET", `key:${i}`, `value ${i}`));
    const command = ["redis-cli", "-p", String(proxy.port), "--pipe"];
    const { code, text } = await run(command, Buffer.concat(keys));
    expect([code, text]).toEqual([0, expect.stringContaining("errors: 0, replies: 20000")]);
    const sizes = await Promise.all(servers.map((server) => server.call("DBSIZE")));
    expect(Number(sizes[0]) + Number(sizes[1])).toBe(20_000);
  });
}
