// Slots that are called back: before anything has moved, half way, and only some of them.
import { describe, expect } from "bun:test";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { jobPath } from "../../src/model/store-layout.ts";
import { patient, Writers } from "../exactness/checker.ts";
import { Ledger } from "../exactness/ledger.ts";
import { keyOf } from "../harness/keys.ts";
import { connect } from "../harness/resp-client.ts";
import { systemTest } from "../harness/system-test.ts";
import { until } from "../harness/until.ts";
import { type MovingProduct, startMovingProduct } from "./moving-product.ts";

const test = systemTest("redis-server");

/** The moves below are slowed down to a batch a second. */
const LONG = { timeoutMs: 30_000 };

describe("a migration that is cancelled", () => {
  test("half way brings every key back, while clients write", async () => {
    await using product = await startMovingProduct();
    await product.load(0, 49, 50);
    const ledger = new Ledger();
    const ports = product.proxies.map(({ port }) => port);
    const writers = new Writers({ ledger, seed: 7, count: 3, ports });
    await slowMove(product, 0, 49);
    await until(async () => Number(await product.servers[1].call("DBSIZE")) > 30, LONG);
    await product.dashboard.put("cancelSlotActions", { beg: 0, end: 49 });
    await product.dashboard.put("slotActionInterval", { value: 0 });
    await product.untilAtRest();
    await writers.stop();
    expect((await product.stats()).slots[20]).toEqual({ id: 20, group_id: 1, action: {} });
    expect(await product.misplaced()).toEqual([]);
    expect(await ledger.check(patient(ports[1]))).toEqual([]);
    expect(ledger.surprises).toEqual([]);
    expect(await patient(ports[0])("GET", keyOf(20, 3))).toBe(`value of ${keyOf(20, 3)}`);
  }, 90_000);

  test("in part goes on with the rest", async () => {
    await using product = await startMovingProduct({ proxies: 1 });
    await product.load(0, 19, 100);
    await slowMove(product, 0, 19);
    await until(async () => Number(await product.servers[1].call("DBSIZE")) > 50, LONG);
    await product.dashboard.put("cancelSlotActions", { beg: 5, end: 9 });
    await product.dashboard.put("slotActionInterval", { value: 0 });
    await product.untilAtRest();
    const { slots } = await product.stats();
    expect(slots.slice(3, 12).map(({ group_id }) => group_id)).toEqual([2, 2, 1, 1, 1, 1, 1, 2, 2]);
    expect(await product.misplaced()).toEqual([]);
  }, 90_000);

  // Slots stayed in two jobs, one of which nobody ran, until the next start of a dashboard.
  test("in part is finished when the store fails half way", async () => {
    await using product = await startMovingProduct({ proxies: 1 });
    await product.load(0, 19, 100);
    await slowMove(product, 0, 19);
    const [{ id }] = await product.jobs();
    const file = join(product.dashboard.root, "data", jobPath("test", id));
    const whole = readFileSync(file);
    rmSync(file);
    mkdirSync(join(file, "in the way"), { recursive: true });
    const cancelling = product.dashboard.put("cancelSlotActions", { beg: 5, end: 9 });
    await expect(cancelling).rejects.toThrow("failed");
    rmSync(file, { recursive: true });
    writeFileSync(file, whole);
    await product.dashboard.put("slotActionInterval", { value: 0 });
    await product.untilAtRest();
    const { slots } = await product.stats();
    expect(slots.slice(3, 12).map(({ group_id }) => group_id)).toEqual([2, 2, 1, 1, 1, 1, 1, 2, 2]);
    expect(await product.misplaced()).toEqual([]);
  }, 60_000);

  // The slots were held as long as the pause lasted, and no group could change its master.
  test("turns back at once, whatever pace or pause is ordered", async () => {
    await using product = await startMovingProduct({ proxies: 1 });
    await product.load(0, 19, 100);
    await slowMove(product, 0, 19);
    await until(async () => Number(await product.servers[1].call("DBSIZE")) > 30, LONG);
    await product.dashboard.put("slotActionDisabled", { value: 1 });
    await product.dashboard.put("cancelSlotActions", { beg: 0, end: 19 });
    await until(async () => (await product.stats()).slots[5].group_id === 2);
    using client = await connect(product.proxies[0].port);
    expect(await client.call("SET", keyOf(5), "new")).toBe("OK");
    await product.dashboard.put("slotActionInterval", { value: 0 });
    await product.dashboard.put("slotActionDisabled", { value: 0 });
    await product.untilAtRest();
    expect(await product.misplaced()).toEqual([]);
  }, 60_000);

  test("and has turned back cannot be cancelled again", async () => {
    await using product = await startMovingProduct({ proxies: 1 });
    await product.load(0, 9, 100);
    await slowMove(product, 0, 9);
    await until(async () => Number(await product.servers[1].call("DBSIZE")) > 30, LONG);
    // It turns back all the same, and stays there.
    await product.dashboard.put("slotActionDisabled", { value: 1 });
    await product.dashboard.put("cancelSlotActions", { beg: 0, end: 9 });
    await until(async () => (await product.stats()).slots[5].group_id === 2);
    const again = product.dashboard.put("cancelSlotActions", { beg: 0, end: 9 });
    await expect(again).rejects.toThrow("slots 0 to 9 are on their way back already");
    const none = product.dashboard.put("cancelSlotActions", { beg: 500, end: 509 });
    await expect(none).rejects.toThrow("no slot from 500 to 509 is moving or waiting");
  }, 60_000);

  test("before it has begun leaves nothing behind", async () => {
    await using product = await startMovingProduct({ proxies: 1 });
    await product.dashboard.put("slotActionDisabled", { value: 1 });
    await product.move(0, 9, 2);
    await product.dashboard.put("cancelSlotActions", { beg: 0, end: 9 });
    expect((await product.stats()).slots[5]).toEqual({ id: 5, group_id: 1, action: {} });
  }, 30_000);
});

/** Orders a move and waits until its keys go over, a few at a time. */
async function slowMove(product: MovingProduct, from: number, to: number): Promise<void> {
  await product.dashboard.put("slotActionInterval", { value: 100_000 });
  await product.move(from, to, 2);
  await product.untilState("migrating");
}
