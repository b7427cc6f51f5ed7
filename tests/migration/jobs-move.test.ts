// Slots move by the real dashboard: there, back, beside each other, and what operators see of it.
import { describe, expect } from "bun:test";
import { systemTest } from "../harness/system-test.ts";
import { startMovingProduct } from "./moving-product.ts";

const test = systemTest("redis-server");

describe("without traffic", () => {
  test("512 slots go to another group and back", async () => {
    await using product = await startMovingProduct({ proxies: 0 });
    await product.load(0, 1023);
    await product.move(0, 511, 2);
    await product.untilAtRest();
    expect(await product.misplaced()).toEqual([]);
    expect(await product.servers[1].call("DBSIZE")).toBe(512 * 4);
    await product.move(0, 511, 1);
    await product.untilAtRest();
    expect(await product.misplaced()).toEqual([]);
    expect(await product.servers[0].call("DBSIZE")).toBe(1024 * 4);
  }, 60_000);
});
