// The dashboard dies before and after each effect of a migration, under traffic, and another one
// goes on: no write is lost or doubled, and every key ends up where it belongs.
import { expect } from "bun:test";
import { keyOf } from "../harness/keys.ts";
import { systemTest } from "../harness/system-test.ts";
import { Ledger } from "../exactness/ledger.ts";
import { patient, Writers } from "../exactness/checker.ts";
import { type MovingProduct, startMovingProduct } from "./moving-product.ts";

const test = systemTest("redis-server");

/** `CODIS_TEST_CRASH_AT`: state, step, before or after it. */
const POINTS_OF_A_MOVE = [
  ...["preparing push before", "preparing push after", "preparing run after"],
  ...["preparing store before", "preparing store after"],
  ...["holding push before", "holding push after", "holding store before", "holding store after"],
  ...["migrating push before", "migrating push after", "migrating run before"],
  ...["migrating run after", "migrating store before", "migrating store after"],
  ...["finishing push before", "finishing push after", "finishing run after"],
  ...["finishing arrive before", "finishing arrive after"],
];

const POINTS_OF_A_CANCEL = [
  ...["reversing push before", "reversing push after", "reversing run before"],
  ...["reversing run after", "reversing store before", "reversing store after"],
];

test("wherever the dashboard dies, the next one finishes the move exactly", async () => {
  await using product = await startMovingProduct({
    config: { migration_parallel_slots: 300, migration_big_key_elements: 300 },
  });
  await product.load(0, 99, 12);
  await exactly(product, async () => {
    for (const [i, point] of POINTS_OF_A_MOVE.entries()) {
      await restartWith(product, point);
      await product.move(0, 99, i % 2 === 0 ? 2 : 1).catch(() => {});
      await product.dashboard.exited;
      await restartWith(product, "");
      // The order itself may have died with the dashboard.
      const { slots } = await product.stats();
      const gid = i % 2 === 0 ? 2 : 1;
      if (slots[0].action.state === undefined && slots[0].group_id !== gid) {
        await product.move(0, 99, gid);
      }
      await product.untilAtRest();
      expect([point, ...(await product.misplaced())]).toEqual([point]);
    }
  });
}, 300_000);

test("wherever the dashboard dies on the way back, the slots arrive where they were", async () => {
  await using product = await startMovingProduct({
    config: { migration_parallel_slots: 300, migration_big_key_elements: 300 },
  });
  await product.load(0, 99, 20);
  await exactly(product, async () => {
    for (const point of POINTS_OF_A_CANCEL) {
      await product.dashboard.put("slotActionInterval", { value: 200_000 });
      await restartWith(product, point);
      await product.move(0, 99, 2);
      await product.untilState("migrating");
      await product.dashboard.put("cancelSlotActions", { beg: 0, end: 99 });
      await product.dashboard.exited;
      await restartWith(product, "");
      await product.dashboard.put("slotActionInterval", { value: 0 });
      await product.untilAtRest();
      expect((await product.stats()).slots[50]).toEqual({ id: 50, group_id: 1, action: {} });
      expect([point, ...(await product.misplaced())]).toEqual([point]);
      expect(await patient(product.proxies[0].port)("GET", keyOf(50))).toBe(
        `value of ${keyOf(50)}`,
      );
    }
  });
}, 300_000);

async function restartWith(product: MovingProduct, point: string): Promise<void> {
  product.dashboard.env = point === "" ? {} : { CODIS_TEST_CRASH_AT: point };
  await product.dashboard.restart();
}

/** Writers work all the time, and what they were told is compared with what is there. */
async function exactly(product: MovingProduct, task: () => Promise<void>): Promise<void> {
  const ledger = new Ledger();
  const ports = product.proxies.map(({ port }) => port);
  const writers = new Writers({ ledger, seed: 1, count: 3, ports });
  try {
    await task();
  } finally {
    await writers.stop();
  }
  expect(await ledger.check(patient(ports[0]))).toEqual([]);
  // Nothing but the dashboard died, so nobody was refused anything.
  expect(ledger.surprises).toEqual([]);
}
