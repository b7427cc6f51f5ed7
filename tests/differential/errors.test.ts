// What is wrong with a command is said in Redis' words, for every command that Redis has.
import { expect } from "bun:test";
import { startProduct } from "../harness/proxy.ts";
import { startRedis } from "../harness/redis.ts";
import { connect, encode } from "../harness/resp-client.ts";
import { systemTest } from "../harness/system-test.ts";

const test = systemTest("redis-server");

/** Sends all to both, pipelined, and expects the same replies. */
async function compare(redis: number, proxy: number, requests: readonly string[][]): Promise<void> {
  const bytes = Buffer.concat(requests.map((words) => encode(...words.map(bytesOf))));
  const replies = await Promise.all(
    [redis, proxy].map(async (port) => {
      using client = await connect(port);
      client.send(bytes);
      const found: string[] = [];
      while (found.length < requests.length) found.push(await client.readRaw());
      return found;
    }),
  );
  const [theirs, ours] = replies;
  expect(requests.map((words, i) => [words, ours[i]])).toEqual(
    requests.map((words, i) => [words, theirs[i]]),
  );
}

function bytesOf(word: string): Buffer {
  return Buffer.from(word, "latin1");
}

interface Arity {
  readonly name: string;
  readonly arity: number;
}

/** Name and arity of all commands and subcommands of a server. */
function aritiesOf(infos: unknown): Arity[] {
  return (infos as unknown[][]).flatMap((info) => [
    { name: info[0] as string, arity: info[1] as number },
    ...aritiesOf(info[9] ?? []),
  ]);
}

/** One argument too few, and one too many where there is a most. No command is ever run. */
function wrongCounts({ name, arity }: Arity): string[][] {
  const words = name.split("|");
  const counts = arity > 0 ? [arity - 1, arity + 1] : [-arity - 1];
  return counts
    .filter((count) => count >= words.length)
    .map((count) => [...words, ...Array.from({ length: count - words.length }, () => "1")]);
}

test("a wrong number of arguments is refused as by Redis, for every command", async () => {
  await using redis = await startRedis();
  await using product = await startProduct();
  const arities = aritiesOf(await redis.call("COMMAND"));
  expect(arities.length).toBeGreaterThan(300);
  const requests = arities.flatMap(wrongCounts);
  await compare(redis.port, product.proxy.port, requests);
  const shouted = requests.map(([name, ...rest]) => [name.toUpperCase(), ...rest]);
  await compare(redis.port, product.proxy.port, shouted);
});

test("unknown subcommands are refused as by Redis, for every container", async () => {
  await using redis = await startRedis();
  await using product = await startProduct();
  const arities = aritiesOf(await redis.call("COMMAND"));
  const names = arities.map(({ name }) => name.split("|"));
  const containers = new Set(names.filter((words) => words.length > 1).map(([name]) => name));
  expect(containers.size).toBeGreaterThan(10);
  const requests = [...containers].flatMap((name) => [
    [name, "nosuch"],
    [name.toUpperCase(), "NOSUCH", "a", "b"],
    [name, ""],
    [name, "a\r\nb"],
    [name, "a\0b"],
    [name, "x".repeat(200), "y"],
    [name, "get|x"],
    [name, "help", "1", "2"],
  ]);
  await compare(redis.port, product.proxy.port, requests);
});

test("unknown commands are refused as by Redis, with some of their arguments", async () => {
  await using redis = await startRedis();
  await using product = await startProduct();
  await compare(redis.port, product.proxy.port, [
    ["nosuch"],
    ["NoSuch", "a", "b"],
    ["nosuch", ""],
    [""],
    [" "],
    ["get "],
    ["config|get", "x"],
    ["client|id"],
    ["x".repeat(127)],
    ["x".repeat(128)],
    ["x".repeat(129), "y"],
    ["x".repeat(100_000)],
    ["nosuch", "y".repeat(124), "z"],
    ["nosuch", "y".repeat(125), "z"],
    ["nosuch", "y".repeat(126), "z"],
    ["nosuch", "y".repeat(127), "z"],
    ["nosuch", "y".repeat(128), "z"],
    ["nosuch", "y".repeat(300), "z".repeat(300)],
    ["nosuch", ..."abcdefghijklmnopqrstuvwxyz0123456789"],
    ["nosuch", "a\r\nb", "c\0d", "'e'", '"f"', "\xff\xfe"],
    ["no\r\nsuch", "a"],
    ["no\0such", "a"],
    ["\xe4\xf6\xfc"],
    ["ping"],
  ]);
});
