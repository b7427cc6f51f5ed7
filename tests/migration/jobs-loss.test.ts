// Source, target and proxies are killed while slots move.
import { describe, expect } from "bun:test";
import { patient, Writers } from "../exactness/checker.ts";
import { Ledger } from "../exactness/ledger.ts";
import { systemTest } from "../harness/system-test.ts";
import { until } from "../harness/until.ts";
import { type MovingProduct, startMovingProduct } from "./moving-product.ts";

const test = systemTest("redis-server");

describe("while slots move", () => {
  for (const [name, which] of [
    ["source", 0],
    ["target", 1],
  ] as const) {
    test(`the ${name} may die and come back with what it has kept`, async () => {
      await exactly(async (product) => {
        await product.servers[which].kill();
        await until(async () => {
          const { progress } = (await product.stats()).slot_action;
          return progress.status.startsWith("[ERROR] Slot[");
        });
        await product.servers[which].start();
      });
    }, 150_000);
  }

  test("a proxy may die, and the slots move on without it", async () => {
    await exactly(async (product) => {
      await product.proxies[1].stop("SIGKILL");
      await product.dashboard.put("slotActionInterval", { value: 0 });
      await product.untilAtRest();
      await product.proxies[1].start();
    });
  }, 150_000);
});

/** Writers work all the time; `task` runs while keys go over. */
async function exactly(task: (product: MovingProduct) => Promise<void>): Promise<void> {
  await using product = await startMovingProduct();
  await product.load(0, 99, 20);
  const ledger = new Ledger();
  const ports = product.proxies.map(({ port }) => port);
  const writers = new Writers({ ledger, seed: 3, count: 3, ports });
  await product.dashboard.put("slotActionInterval", { value: 100_000 });
  await product.move(0, 99, 2);
  // Batches are small on a machine that has much else to do, and there are ten in a second.
  await until(async () => Number(await product.servers[1].call("DBSIZE")) > 200, {
    timeoutMs: 60_000,
  });
  await task(product);
  await product.dashboard.put("slotActionInterval", { value: 0 });
  await product.untilAtRest();
  await writers.stop();
  expect(await product.misplaced()).toEqual([]);
  expect(await ledger.check(patient(ports[0]))).toEqual([]);
}
