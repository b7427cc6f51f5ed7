// `migration_durable`: a key leaves its source only when the target cannot lose it any more.
import { expect } from "bun:test";
import { keyOf } from "../harness/keys.ts";
import { replicate } from "../harness/replication.ts";
import { startRedis } from "../harness/redis.ts";
import { systemTest } from "../harness/system-test.ts";
import { until } from "../harness/until.ts";
import { type MovingProduct, startMovingProduct } from "./moving-product.ts";

const test = systemTest("redis-server");

test("a durable migration waits until its target can keep what it gets", async () => {
  await using product = await startMovingProduct({
    proxies: 1,
    isDurable: false,
    redisArgs: ["--repl-diskless-sync-delay", "0"],
    config: { migration_durable: true },
  });
  const [source, target] = product.servers;
  await product.load(0, 9);
  await product.move(0, 9, 2);
  const reason = `durable migration needs a replica of ${target.address}`;
  await until(async () => (await statusOf(product)).includes(reason));
  expect((await product.stats()).slots[5].group_id).toBe(1);
  await using replica = await startRedis();
  await replicate(replica, target);
  await product.untilAtRest();
  expect(await product.misplaced()).toEqual([]);
  expect(await replica.call("GET", keyOf(5))).toBe(`value of ${keyOf(5)}`);
  // MIGRATE has copied them: the source had to be told to delete them.
  const deleted = /cmdstat_unlink:calls=(\d+)/.exec(String(await source.call("INFO", "all")));
  expect(Number(deleted?.[1])).toBeGreaterThan(0);
  expect(String(await target.call("INFO", "commandstats"))).toContain("cmdstat_wait:");
}, 60_000);

async function statusOf(product: MovingProduct): Promise<string> {
  return (await product.stats()).slot_action.progress.status;
}
