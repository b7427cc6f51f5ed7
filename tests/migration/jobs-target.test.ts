// A target that is not what it was when the job prepared it.
import { describe, expect } from "bun:test";
import { connect } from "../harness/resp-client.ts";
import { keyOf } from "../harness/keys.ts";
import { systemTest } from "../harness/system-test.ts";
import { startMovingProduct } from "./moving-product.ts";

const test = systemTest("redis-server");

describe("the target of a job", () => {
  // It was purged before, so what it had again won over the source's newer value.
  test("that begins anew with old keys before it serves is purged again", async () => {
    await using product = await startMovingProduct({ proxies: 1, isDurable: false });
    const [, target] = product.servers;
    await product.load(0, 9);
    product.dashboard.env = { CODIS_TEST_CRASH_AT: "holding push before" };
    await product.dashboard.restart();
    await product.move(0, 9, 2);
    await product.dashboard.exited;
    await target.kill();
    await target.start();
    await target.call("SET", keyOf(5), "an old value");
    product.dashboard.env = {};
    await product.dashboard.restart();
    await product.untilAtRest();
    using client = await connect(product.proxies[0].port);
    expect(await client.call("GET", keyOf(5))).toBe(`value of ${keyOf(5)}`);
    expect((await product.stats()).slots[5].group_id).toBe(2);
    expect(await product.misplaced()).toEqual([]);
  }, 60_000);
});
