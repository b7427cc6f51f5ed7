// Slots that move by replication: all of a group, half of it, and back when it is cancelled.
import { describe, expect } from "bun:test";
import { patient, Writers } from "../exactness/checker.ts";
import { Ledger } from "../exactness/ledger.ts";
import { keyOf } from "../harness/keys.ts";
import { connect } from "../harness/resp-client.ts";
import { systemTest } from "../harness/system-test.ts";
import { until } from "../harness/until.ts";
import { type MovingProduct, startMovingProduct } from "./moving-product.ts";

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
    await product.dashboard.put("slotActionDisabled", { value: 1 });
    await product.dashboard.assign(0, 9, 0);
    await product.dashboard.put("createReplicaJob", { src: 1, dst: 2, num: 0 });
    const late = product.dashboard.assign(0, 9, 2);
    await expect(late).rejects.toThrow("group-[2] is being filled by migration job 1");
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

  // A master was believed to have been promoted, and the slots went to what it had.
  test("a target that was started again before the switch is copied to again", async () => {
    await using product = await startMovingProduct({ ...UNKEPT, redisArgs: QUICK });
    await product.load(0, 99);
    await dieAt(product, "switching run before");
    const [, target] = product.servers;
    await target.kill();
    await target.start();
    await target.call("SET", keyOf(5), "an old value");
    await product.dashboard.start();
    await product.untilAtRest();
    expect((await product.stats()).slots[5].group_id).toBe(2);
    using client = await connect(product.proxies[0].port);
    expect(await client.call("GET", keyOf(5))).toBe(`value of ${keyOf(5)}`);
    expect(await product.misplaced()).toEqual([]);
  }, 60_000);

  // The slots were held, and no master of the two groups could be replaced, until it came back.
  test("a target that dies at the switch holds nobody, and the job can be cancelled", async () => {
    await using product = await startMovingProduct({ ...UNKEPT, redisArgs: QUICK });
    await product.load(0, 99);
    await dieAt(product, "switching run before");
    await product.servers[1].kill();
    await product.dashboard.start();
    using client = await connect(product.proxies[0].port);
    expect(await client.call("GET", keyOf(5))).toBe(`value of ${keyOf(5)}`);
    await product.dashboard.put("cancelSlotActions", { beg: 0, end: 1023 });
    await product.untilAtRest();
    expect((await product.stats()).slots[5]).toEqual({ id: 5, group_id: 1, action: {} });
  }, 60_000);

  // It tried for ever to delete what had moved, and its groups could not be used.
  test("a group that was left for good can be removed before it is trimmed", async () => {
    await using product = await startMovingProduct({ ...UNKEPT, redisArgs: QUICK });
    const [source] = product.servers;
    await product.load(0, 99);
    await dieAt(product, "promoted push before");
    await source.kill();
    await product.dashboard.start();
    await product.untilState("trimming");
    await product.dashboard.put("removeServer", { gid: 1, addr: source.address });
    await product.dashboard.put("removeGroup", { gid: 1 });
    await product.untilAtRest();
    using client = await connect(product.proxies[0].port);
    expect(await client.call("GET", keyOf(5))).toBe(`value of ${keyOf(5)}`);
  }, 60_000);
});

/** Nothing is kept over a kill. */
const UNKEPT = { proxies: 1, isDurable: false };

/** The dashboard moves all of group 1 by replication, and dies there. */
async function dieAt(product: MovingProduct, point: string): Promise<void> {
  product.dashboard.env = { CODIS_TEST_CRASH_AT: point };
  await product.dashboard.restart();
  await product.dashboard.put("createReplicaJob", { src: 1, dst: 2, num: 0 });
  await product.dashboard.exited;
  product.dashboard.env = {};
}
