// The ACL rules that docs/migration.md names are enough: slots move by a user with no other rights,
// while clients write, and the servers have denied nothing.
import { expect } from "bun:test";
import { readFileSync } from "node:fs";
import { patient } from "../exactness/checker.ts";
import { keyOf } from "../harness/keys.ts";
import type { Redis } from "../harness/redis.ts";
import { connect } from "../harness/resp-client.ts";
import { systemTest } from "../harness/system-test.ts";
import { type MovingProduct, startMovingProduct } from "./moving-product.ts";

const test = systemTest("redis-server");

const PASSWORD = "secret";
const SLOTS = 20;
/** What the client of this test does. */
const OF_CLIENTS = "ACL SETUSER codis +get +incr +mget";
/** Of a durable migration, to servers that have a log and cannot be asked about it. */
const OF_DURABLE = "ACL SETUSER codis +config|get";

/** The blocks of "Permissions": for all clients, for changes of masters, and the least. */
function documentedRules(): string[][] {
  const page = readFileSync("docs/migration.md", "utf8");
  const chapter = page.slice(page.indexOf("## Permissions"), page.indexOf("## What to watch"));
  return [...chapter.matchAll(/```\n(.*?)```/gs)].map(([, block]) => block.trim().split("\n"));
}

async function permit(product: MovingProduct, rules: readonly string[]): Promise<void> {
  for (const server of product.servers) {
    await server.call("ACL", "SETUSER", "codis", "reset");
    for (const rule of rules) await server.call(...rule.replace("PASSWORD", PASSWORD).split(" "));
    await server.call("ACL", "LOG", "RESET");
  }
}

/** Slots with small keys, and some with large ones of two types. */
async function load(product: MovingProduct): Promise<void> {
  await product.load(0, SLOTS - 1, 50);
  using client = await connect(product.servers[0].port);
  const many = Array.from({ length: 2_000 }, (_, i) => String(i));
  await client.call("RPUSH", `{${keyOf(1)}}list`, ...many);
  await client.call("HSET", `{${keyOf(2)}}hash`, ...many);
  await client.call("SADD", `{${keyOf(3)}}set`, ...many);
  await client.call("ZADD", `{${keyOf(4)}}zset`, ...many);
  await client.call("SET", `{${keyOf(5)}}string`, Buffer.alloc(2_000_000), "EX", "1000");
  for (const id of many) await client.call("XADD", `{${keyOf(6)}}stream`, `1-${+id + 1}`, "f", id);
  await client.call("XGROUP", "CREATE", `{${keyOf(6)}}stream`, "group", "0");
  const read = ["XREADGROUP", "GROUP", "group", "anna", "COUNT", "10", "STREAMS"];
  await client.call(...read, `{${keyOf(6)}}stream`, ">");
  await client.call("XDEL", `{${keyOf(6)}}stream`, "1-1", "1-5");
}

async function moveWhileCounting(product: MovingProduct, group: number): Promise<number> {
  const call = patient(product.proxies[0].port);
  let [isOver, count] = [false, 0];
  const counting = (async () => {
    while (!isOver) {
      for (let slot = 0; slot < SLOTS; slot++) await call("INCR", `{${keyOf(slot)}}count`);
      count++;
    }
  })();
  await product.move(0, SLOTS - 1, group);
  await product.untilAtRest();
  isOver = true;
  await counting;
  return count;
}

test("the ACL rules in the documents are enough to move slots", async () => {
  const login = { product_username: "codis", product_auth: PASSWORD };
  const [general, masters, least] = documentedRules();
  await using product = await startMovingProduct({
    ...{ groups: 3, proxies: 1 },
    redisArgs: [
      ...["--user", "codis", "on", `>${PASSWORD}`, "~*", "&*", "+@all"],
      ...["--repl-diskless-sync-delay", "0"],
    ],
    config: { ...login, migration_big_key_elements: 500, migration_durable: true },
    proxy: { config: login },
  });
  await load(product);
  const before = await sizes(product.servers[0]);
  let count = 0;
  const rules = [general, [...least, OF_CLIENTS]];
  for (const [i, rule] of rules.entries()) {
    await permit(product, [...rule, OF_DURABLE]);
    count += await moveWhileCounting(product, i === 0 ? 2 : 1);
    await expectNothingDenied(product);
  }
  await permit(product, [...general, ...masters]);
  await product.dashboard.put("createReplicaJob", { src: 1, dst: 3, num: 0 });
  await product.untilAtRest();
  expect((await product.dashboard.slots()).every(({ group_id }) => group_id === 3)).toBe(true);
  await expectNothingDenied(product);
  expect(await product.misplaced()).toEqual([]);
  using client = await connect(product.proxies[0].port);
  const keys = Array.from({ length: SLOTS }, (_, slot) => `{${keyOf(slot)}}count`);
  expect(await client.call("MGET", ...keys)).toEqual(keys.map(() => String(count)));
  expect(await sizes(product.servers[2])).toEqual(before);
}, 60_000);

async function expectNothingDenied(product: MovingProduct): Promise<void> {
  for (const server of product.servers) expect(await server.call("ACL", "LOG")).toEqual([]);
}

async function sizes(server: Redis): Promise<unknown[]> {
  const call = (...words: string[]) => server.call(...words);
  return [
    await call("LLEN", `{${keyOf(1)}}list`),
    await call("HLEN", `{${keyOf(2)}}hash`),
    await call("SCARD", `{${keyOf(3)}}set`),
    await call("ZCARD", `{${keyOf(4)}}zset`),
    await call("STRLEN", `{${keyOf(5)}}string`),
    await call("XLEN", `{${keyOf(6)}}stream`),
    await call("XPENDING", `{${keyOf(6)}}stream`, "group"),
  ];
}
