// Slots that move by replication: all of a group, half of it, and back when it is cancelled.
import { describe, expect } from "bun:test";
import { patient, Writers } from "../exactness/checker.ts";
import { Ledger } from "../exactness/ledger.ts";
import { systemTest } from "../harness/system-test.ts";
import { until } from "../harness/until.ts";
import { startMovingProduct } from "./moving-product.ts";

const test = systemTest("redis-server");

/** A replica that attaches waits for others only a moment. */
const QUICK = ["--repl-diskless-sync-delay", "0"];

describe("by replication", () => {
  test("half of a group goes to an empty one while clients write", async () => {
    await using product = await startMovingProduct({ redisArgs: QUICK });
    await product.load(0, 1023);
    const ledger = new Ledger();
    const ports = product.proxies.map(({ port }) => port);
    const writers = new Writers({ ledger, seed: 11, count: 3, ports });
    await product.dashboard.put("createReplicaJob", { src: 1, dst: 2, num: 512 });
    await product.untilAtRest();
    await writers.stop();
    const { slots } = await product.stats();
    expect([slots[511].group_id, slots[512].group_id]).toEqual([1, 2]);
    expect(await product.misplaced()).toEqual([]);
    expect(await ledger.check(patient(ports[0]))).toEqual([]);
    expect(ledger.surprises).toEqual([]);
  }, 90_000);

  test("a cancel before the switch leaves the target empty and its own master", async () => {
    await using product = await startMovingProduct({ redisArgs: QUICK, proxies: 1 });
    await product.load(0, 99);
    // A paused job waits before it does anything, a source that hangs after it has begun.
    product.servers[0].pause();
    await product.dashboard.put("createReplicaJob", { src: 1, dst: 2, num: 0 });
    await product.dashboard.put("cancelSlotActions", { beg: 0, end: 1023 });
    product.servers[0].resume();
    await product.untilAtRest();
    expect((await product.stats()).slots[5].group_id).toBe(1);
    expect(await product.servers[1].call("DBSIZE")).toBe(0);
    const role = await product.servers[1].call("ROLE");
    expect(role).toEqual(expect.arrayContaining(["master"]));
  }, 60_000);

  test("a target with slots, or a group that is busy, is refused", async () => {
    await using product = await startMovingProduct({ proxies: 0 });
    await product.dashboard.assign(0, 9, 2);
    const taken = product.dashboard.put("createReplicaJob", { src: 1, dst: 2, num: 0 });
    await expect(taken).rejects.toThrow("group 2 must be empty, but slot 0 is there");
    const unknown = product.dashboard.put("createReplicaJob", { src: 1, dst: 9, num: 0 });
    await expect(unknown).rejects.toThrow("group 9 does not exist");
  }, 30_000);

  test("the dashboard may die at the switch", async () => {
    for (const point of ["switching run before", "switching run after", "promoted push before"]) {
      await using product = await startMovingProduct({ redisArgs: QUICK, proxies: 1 });
      await product.load(0, 99);
      const ledger = new Ledger();
      const ports = product.proxies.map(({ port }) => port);
      const writers = new Writers({ ledger, seed: 11, count: 2, ports });
      product.dashboard.env = { CODIS_TEST_CRASH_AT: point };
      await product.dashboard.restart();
      await product.dashboard.put("createReplicaJob", { src: 1, dst: 2, num: 0 });
      await product.dashboard.exited;
      product.dashboard.env = {};
      await product.dashboard.restart();
      await product.untilAtRest();
      await until(async () => (await product.stats()).slots[5].group_id === 2);
      await writers.stop();
      expect([point, ...(await product.misplaced())]).toEqual([point]);
      expect(await ledger.check(patient(ports[0]))).toEqual([]);
      expect(ledger.surprises).toEqual([]);
    }
  }, 120_000);
});
