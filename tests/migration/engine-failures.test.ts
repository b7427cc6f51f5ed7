// What the mover does when one of its two servers dies, hangs or comes back as another process.
import { expect } from "bun:test";
import { fenceTarget, silenceJob } from "../../src/migration/fence.ts";
import { Link, partOf } from "../../src/migration/link.ts";
import { moveKeys, movePass } from "../../src/migration/mover.ts";
import { RecentlyMoved } from "../../src/migration/recently-moved.ts";
import type { Redis } from "../harness/redis.ts";
import { connect } from "../harness/resp-client.ts";
import { systemTest } from "../harness/system-test.ts";
import { until } from "../harness/until.ts";
import { keysAt, passageOf, startServer, TestWatch } from "./engine-fixture.ts";

const test = systemTest("redis-server");

const NO_LOGIN = { username: "", password: "" };
const SLOW = { goalMs: 1, duty: 0.2, scanCount: 50 };

/** Calls `hit` each time that another `every` keys have moved, `times` times. */
async function hitWhileMoving(
  watch: TestWatch,
  moving: Promise<unknown>,
  hit: () => Promise<void>,
): Promise<void> {
  let isOver = false;
  moving.finally(() => (isOver = true)).catch(() => {});
  for (let times = 0; times < 3 && !isOver; times++) {
    const goal = watch.keys + 1_500;
    await until(() => watch.keys >= goal || isOver, { timeoutMs: 30_000 });
    if (!isOver) await hit();
  }
  await moving;
}

async function expectAllAt(target: Redis, count: number): Promise<void> {
  expect(await keysAt(target)).toBe(count);
  const sample = Array.from({ length: 200 }, (_, i) => Math.floor((i * count) / 200));
  const values = await target.call("MGET", ...sample.map((i) => `key:${i}`));
  expect(values).toEqual(sample.map((i) => `value:${i}`));
}

test("a source that is killed and comes back loses no key on the way", async () => {
  await using source = await startServer({ durable: true });
  await using target = await startServer();
  await fill(source, 10_000);
  const watch = new TestWatch();
  watch.settings = { ...watch.settings, ...SLOW };
  const moving = moveKeys(passageOf(source, target), watch, new RecentlyMoved());
  await hitWhileMoving(watch, moving, () => source.restart());
  expect(await keysAt(source)).toBe(0);
  await expectAllAt(target, 10_000);
  expect(watch.errors.length).toBeGreaterThan(0);
});

test("a target that is killed and comes back loses no key on the way", async () => {
  await using source = await startServer();
  await using target = await startServer({ durable: true });
  await fill(source, 10_000);
  const watch = new TestWatch();
  watch.settings = { ...watch.settings, ...SLOW };
  const moving = moveKeys(passageOf(source, target), watch, new RecentlyMoved());
  await hitWhileMoving(watch, moving, async () => {
    await target.kill();
    // Once away for long enough to be noticed; then so short that MIGRATE's own retry arrives.
    await until(() => watch.errors.length > 0);
    await target.start();
  });
  expect(await keysAt(source)).toBe(0);
  await expectAllAt(target, 10_000);
  expect(watch.errors.some(({ reason }) => reason === "")).toBe(true);
}, 60_000);

test("a target that hangs costs the source one timeout, and the reason is told", async () => {
  await using source = await startServer();
  await using target = await startServer();
  await fill(source, 10_000);
  const watch = new TestWatch();
  watch.settings = { ...watch.settings, ...SLOW };
  const moving = moveKeys(passageOf(source, target), watch, new RecentlyMoved());
  await until(() => watch.keys > 1_000);
  target.pause();
  const [stalledMs, totalMs] = await stallsUntil(source, () => {
    return watch.errors.some(({ reason }) => reason.includes("the target does not answer"));
  });
  expect(stalledMs / totalMs).toBeLessThan(0.2);
  const attempts = await migrateCalls(source);
  await stallsUntil(source, () => watch.errors.length > 0);
  expect(await migrateCalls(source)).toBe(attempts);
  expect(watch.errors[0].reason).toContain(`cannot reach ${target.address}`);
  target.resume();
  await moving;
  await expectAllAt(target, 10_000);
}, 60_000);

test("keys that a source has again after it lost its tail are deleted there", async () => {
  await using source = await startServer();
  await using target = await startServer();
  await source.call("SET", "deleted later", "old");
  await source.call("SET", "kept", "old");
  const recent = new RecentlyMoved();
  const passage = passageOf(source, target);
  await movePass(passage, new TestWatch(), recent);
  await target.call("DEL", "deleted later");
  await target.call("SET", "kept", "new");
  await source.restart();
  await source.call("SET", "deleted later", "old");
  await source.call("SET", "kept", "old");
  await source.call("SET", "not seen before", "value");
  const result = await movePass(passage, new TestWatch(), recent);
  expect(result.clean.size).toBe(1024);
  expect(await keysAt(source)).toBe(0);
  expect(await target.call("MGET", "deleted later", "kept", "not seen before")).toEqual([
    null,
    "new",
    "value",
  ]);
});

test("the fence ends what a source has opened for MIGRATE, and nobody who has a name", async () => {
  await using source = await startServer();
  await using target = await startServer();
  await source.call("SET", "key", "v");
  using named = await connect(target.port);
  await named.call("CLIENT", "SETNAME", "somebody");
  using worker = await connect(target.port);
  await worker.call("GET", "key");
  await source.call("MIGRATE", "127.0.0.1", target.port, "key", 0, 300);
  expect(await fenceTarget(target.address, NO_LOGIN)).toBe(1);
  expect(await named.call("PING")).toBe("PONG");
  expect(await worker.call("PING")).toBe("PONG");
});

test("whoever takes a job over ends the connections of its former owner first", async () => {
  await using source = await startServer();
  await using target = await startServer();
  const passage = passageOf(source, target);
  using old = await Link.open(source.address, passage, partOf(passage.jobId, "keys"));
  using other = await Link.open(source.address, passage, partOf(70, "keys"));
  await silenceJob(passage);
  await old.client.closed;
  expect(other.client.isOpen).toBe(true);
  // A part of job 70 was called back as job 7.
  await silenceJob({ ...passage, parentId: 70 });
  await other.client.closed;
  using first = await Link.openAlone(source.address, passage, partOf(7, "keys"));
  using second = await Link.openAlone(source.address, passage, partOf(7, "keys"));
  await first.client.closed;
  expect(second.client.isOpen).toBe(true);
});

async function fill(redis: Redis, count: number): Promise<void> {
  const body = "for i = 0, ARGV[1] - 1 do redis.call('SET', 'key:' .. i, 'value:' .. i) end";
  await redis.call("EVAL", body, 0, count);
}

const STALL_MS = 50;

/** How long the server let us wait, and how long we asked: until `isOver`, two seconds at least. */
async function stallsUntil(redis: Redis, isOver: () => boolean): Promise<[number, number]> {
  const started = performance.now();
  let stalledMs = 0;
  await until(
    async () => {
      const asked = performance.now();
      await redis.call("PING");
      const tookMs = performance.now() - asked;
      if (tookMs > STALL_MS) stalledMs += tookMs;
      return isOver() && performance.now() - started > 2_000;
    },
    { timeoutMs: 30_000 },
  );
  return [stalledMs, performance.now() - started];
}

async function migrateCalls(redis: Redis): Promise<number> {
  const text = String(await redis.call("INFO", "commandstats"));
  return Number(/cmdstat_migrate:calls=(\d+)/.exec(text)?.[1] ?? 0);
}
