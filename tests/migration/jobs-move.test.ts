// Slots move by the real dashboard: there, back, beside each other, and what operators see of it.
import { describe, expect } from "bun:test";
import { keyOf } from "../harness/keys.ts";
import { connect } from "../harness/resp-client.ts";
import { systemTest } from "../harness/system-test.ts";
import { until } from "../harness/until.ts";
import { startMovingProduct } from "./moving-product.ts";

const test = systemTest("redis-server");

describe("slots that move", () => {
  test("go to another group and back while clients count in them", async () => {
    await using product = await startMovingProduct({ config: { migration_parallel_slots: 512 } });
    await product.load(0, 1023);
    const counts = await countWhile(
      product.proxies.map(({ port }) => port),
      async () => {
        for (const group of [2, 1]) {
          await product.move(0, 511, group);
          await product.untilAtRest();
          expect(await product.misplaced()).toEqual([]);
        }
      },
    );
    using client = await connect(product.proxies[1].port);
    for (const [key, count] of counts) expect(await client.call("GET", key)).toBe(String(count));
    expect(await client.call("GET", keyOf(5, 1))).toBe(`value of ${keyOf(5, 1)}`);
  }, 120_000);

  test("show the states of the original, their job, and how far it is", async () => {
    await using product = await startMovingProduct({ proxies: 1 });
    await product.load(0, 9, 300);
    // So slow that every state can be seen.
    await product.dashboard.put("slotActionInterval", { value: 200_000 });
    await product.move(0, 9, 2);
    await product.untilState("migrating");
    await until(async () => ((await product.jobs())[0]?.keys_moved ?? 0) > 0);
    const { slots, slot_action } = await product.stats();
    expect(slots[5]).toMatchObject({ group_id: 1, action: { state: "migrating", target_id: 2 } });
    expect(slot_action.executor).toBe(1);
    expect(slot_action.progress.status).toMatch(/^\[OK\] Slot\[0000\]@DB\[0\]=\d+$/);
    expect(slot_action.jobs).toMatchObject([
      { method: "keys", source_id: 1, target_id: 2, slots: 10, keys_total: 3000, paused: false },
    ]);
    const views = await product.dashboard.call<readonly object[]>("plainSlots");
    const [source, target] = product.servers.map(({ address }) => address);
    expect(views[5]).toMatchObject({ backend_addr: target, migrate_from: source });
    await product.dashboard.put("slotActionInterval", { value: 0 });
    await product.untilAtRest();
    expect((await product.stats()).slots[5]).toEqual({ id: 5, group_id: 2, action: {} });
  }, 60_000);

  test("stand still while the migration is disabled, also for the next dashboard", async () => {
    await using product = await startMovingProduct({ proxies: 1 });
    await product.load(0, 9, 300);
    await product.dashboard.put("slotActionInterval", { value: 300_000 });
    await product.move(0, 9, 2);
    await product.untilState("migrating");
    await product.dashboard.put("slotActionDisabled", { value: 1 });
    await until(async () => (await product.jobs())[0]?.paused);
    await product.dashboard.restart();
    await until(async () => (await product.jobs())[0]?.state === "migrating");
    const { slot_action } = await product.stats();
    expect(slot_action).toMatchObject({ interval: 300_000, disabled: true });
    await product.dashboard.put("slotActionInterval", { value: 0 });
    await product.dashboard.put("slotActionDisabled", { value: 0 });
    await product.untilAtRest();
    expect(await product.misplaced()).toEqual([]);
  }, 60_000);

  test("leave no request waiting for a large key until a long pass ends", async () => {
    // The proxy takes for large what the dashboard does not, so that only it tells.
    await using product = await startMovingProduct({
      proxies: 1,
      proxy: { config: { migration_big_key: "64kb" } },
    });
    await product.load(0, 9, 300);
    const big = keyOf(5, 1000);
    await product.servers[0].call("SET", big, "x".repeat(200_000));
    await product.dashboard.put("slotActionInterval", { value: 300_000 });
    await product.move(0, 9, 2);
    await product.untilState("migrating");
    using client = await connect(product.proxies[0].port);
    expect(await client.call("APPEND", big, "y")).toBe(200_001);
    expect((await product.jobs())[0]?.state).toBe("migrating");
    await product.dashboard.put("slotActionInterval", { value: 0 });
    await product.untilAtRest();
    expect(await client.call("STRLEN", big)).toBe(200_001);
    expect(await product.misplaced()).toEqual([]);
  }, 60_000);

  test("cannot be assigned by hand", async () => {
    await using product = await startMovingProduct({ proxies: 0 });
    await product.load(0, 9, 300);
    await product.dashboard.put("slotActionInterval", { value: 300_000 });
    await product.move(0, 9, 2);
    await product.untilState("migrating");
    const assigning = product.dashboard.assign(5, 5, 1);
    await expect(assigning).rejects.toThrow("slot-[5]");
  }, 60_000);

  test("move beside those of other groups, and a dead target stops only its own", async () => {
    await using product = await startMovingProduct({ groups: 4, proxies: 1 });
    await product.dashboard.assign(512, 1023, 3);
    await product.load(0, 9, 50);
    await product.load(512, 521, 50, 3);
    await product.servers[1].kill();
    await product.move(0, 9, 2);
    await product.move(512, 521, 4);
    await until(async () => (await product.stats()).slots[521].group_id === 4);
    const { slots, slot_action } = await product.stats();
    expect(slots[0].action.state).toBe("pending");
    expect(slot_action.progress.status).toStartWith("[ERROR] Slot[0000]: ");
    expect(slot_action.progress.status).toContain(product.servers[1].address);
    // The same source goes on with another target.
    await product.move(20, 29, 4);
    await until(async () => (await product.stats()).slots[29].group_id === 4);
    await product.servers[1].start();
    await product.untilAtRest();
    expect(await product.misplaced()).toEqual([]);
  }, 60_000);

  test("come from nowhere: offline slots are given to a group as they are", async () => {
    await using product = await startMovingProduct({ proxies: 1 });
    await product.load(0, 3);
    await product.dashboard.assign(0, 3, 0);
    await product.move(0, 3, 1);
    await product.untilAtRest();
    using client = await connect(product.proxies[0].port);
    expect(await client.call("GET", keyOf(2))).toBe(`value of ${keyOf(2)}`);
  }, 30_000);
});

/** INCR of a key in many slots, by two clients at each of these ports, while `task` runs. */
async function countWhile(
  ports: readonly number[],
  task: () => Promise<void>,
): Promise<Map<string, number>> {
  const counts = new Map<string, number>();
  let isOver = false;
  const count = async (port: number, from: number): Promise<void> => {
    using client = await connect(port);
    for (let i = from; !isOver; i = (i + 7) % 1024) {
      const key = `count:${i % 300}`;
      expect(await client.call("INCR", key)).toBeNumber();
      counts.set(key, (counts.get(key) ?? 0) + 1);
    }
  };
  const clients = [...ports, ...ports].map((port, i) => count(port, i * 31));
  try {
    await task();
  } finally {
    isOver = true;
  }
  await Promise.all(clients);
  return counts;
}
