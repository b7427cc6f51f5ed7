// What comes before and after the passes of the mover, and the other two methods.
import { expect } from "bun:test";
import { deleteLeftovers } from "../../src/migration/audit.ts";
import { checkPassage, checkRoom } from "../../src/migration/check.ts";
import { moveByCodis } from "../../src/migration/codis.ts";
import {
  attachReplica,
  awaitInSync,
  catchUp,
  detachReplica,
  forgetCopy,
  isTargetPromoted,
  promoteTarget,
  trimServer,
} from "../../src/migration/replica.ts";
import { dropTwins } from "../../src/migration/reverse.ts";
import { slotOfKey } from "../../src/model/slot.ts";
import { keyOf } from "../harness/keys.ts";
import { startScriptedCodisServer } from "../harness/scripted-codis-server.ts";
import { systemTest } from "../harness/system-test.ts";
import {
  ALL_SLOTS,
  keysAt,
  passageOf,
  startReplica,
  startServer,
  TestWatch,
} from "./engine-fixture.ts";

const test = systemTest("redis-server");

const PACE = new TestWatch().settings;

test("servers that can exchange keys pass the check, which leaves nothing behind", async () => {
  await using source = await startServer();
  await using target = await startServer();
  await source.call("SET", "key", "v");
  const facts = await checkPassage(passageOf(source, target), "keys", PACE);
  expect([facts.sourceKeys, facts.canReverse, facts.source.isCodis]).toEqual([1, true, false]);
  expect([await keysAt(source), await keysAt(target)]).toEqual([1, 0]);
});

test("the check says in one sentence what keeps keys from moving", async () => {
  await using source = await startServer();
  await using target = await startServer({ args: ["--databases", "4", "--requirepass", "word"] });
  await using free = await startServer({ args: ["--maxmemory", "10mb"] });
  await using replica = await startReplica(source);
  const check = (to: { address: string }, password = "", durable = false): Promise<unknown> => {
    const passage = passageOf(source, to, { login: { username: "", password } });
    return checkPassage(passage, "keys", { ...PACE, isDurable: durable });
  };
  const refusal = async (checking: Promise<unknown>): Promise<string> => {
    return await checking.then(
      () => "",
      (error: Error) => `${error.name}: ${error.message}`,
    );
  };
  expect(await refusal(check(source))).toContain("are the same server");
  expect(await refusal(check(replica))).toContain(`${replica.address} is a replica`);
  expect(await refusal(check(target))).toContain("NOAUTH");
  expect(await refusal(check({ address: "127.0.0.1:1" }))).toContain("MigrationStopped");
  expect(await refusal(check(free, "", true))).toContain("durable migration needs a replica");
  await source.call("SELECT", 9);
  await source.call("SET", "key", "v");
  await target.call("AUTH", "word");
  await target.call("CONFIG", "SET", "requirepass", "");
  expect(await refusal(check(target))).toContain("raise databases there to 10 or more");
  await free.call("ACL", "SETUSER", "default", "-restore");
  expect(await refusal(check(free))).toContain("allow RESTORE and SELECT to the default user");
  await free.call("ACL", "SETUSER", "default", "+restore", "-unlink");
  expect(await refusal(check(free))).toContain("refuses UNLINK");
  expect(await refusal(checkRoom(passageOf(source, free), 50 * 1024 * 1024))).toContain(
    "the slots take 50 MB: raise its maxmemory",
  );
  await checkRoom(passageOf(free, source), 2 ** 40);
});

test("before the way back, keys that both have are deleted at the source", async () => {
  for (const extra of ["source", "target"]) {
    await using source = await startServer();
    await using target = await startServer();
    for (const [redis, value] of [
      [source, "old"],
      [target, "new"],
    ] as const) {
      await redis.call("SELECT", 1);
      await redis.call("MSET", keyOf(3), value, keyOf(4), value);
    }
    // The server with fewer keys is gone through.
    const many = extra === "source" ? source : target;
    await many.call("DEBUG", "POPULATE", 500);
    await source.call("SET", keyOf(3, 1), "only here");
    const passage = passageOf(source, target, { slots: new Set([3]) });
    const durable = new TestWatch();
    durable.settings = { ...PACE, isDurable: true };
    await expect(dropTwins(passage, durable)).rejects.toThrow("durable migration needs a replica");
    expect(await dropTwins(passage, new TestWatch())).toBe(1);
    expect(await source.call("EXISTS", keyOf(3), keyOf(4), keyOf(3, 1))).toBe(2);
    expect(await target.call("MGET", keyOf(3), keyOf(4))).toEqual(["new", "new"]);
  }
});

// The slots were held until the server was back.
test("before the way back, a server that dies is not waited for", async () => {
  await using source = await startServer();
  await using target = await startServer();
  for (const redis of [source, target]) await redis.call("DEBUG", "POPULATE", 2_000);
  const watch = new TestWatch();
  watch.onProgress = () => process.kill(source.pid, "SIGKILL");
  const turning = dropTwins(passageOf(source, target), watch);
  await expect(turning).rejects.toThrow(source.address);
});

test("what a late write left at the source is deleted after the migration", async () => {
  await using source = await startServer();
  await using target = await startServer();
  await source.call("MSET", keyOf(3), "late", keyOf(4), "not ours", "\0codis:fence", "v");
  const slots = new Set([3, slotOfKey("\0codis:fence")]);
  expect(await deleteLeftovers(passageOf(source, target, { slots }), new TestWatch())).toBe(1);
  expect(await keysAt(source)).toBe(2);
});

test("a replica follows and is promoted with all the data, then each end is trimmed", async () => {
  await using source = await startServer({ args: ["--requirepass", "word"] });
  await using target = await startServer({ args: ["--requirepass", "word"] });
  for (const redis of [source, target]) await redis.call("AUTH", "word");
  await source.call("DEBUG", "POPULATE", 2_000);
  await target.call("SADD", "\0codis:fence", "token");
  const login = { username: "", password: "word" };
  const slots = new Set(Array.from({ length: 512 }, (_, slot) => slot));
  const passage = passageOf(source, target, { login, slots });
  const watch = new TestWatch();
  await attachReplica(passage);
  await attachReplica(passage);
  await awaitInSync(passage, watch);
  await source.call("SET", "last", "written");
  await catchUp(passage, 5_000);
  expect(await isTargetPromoted(passage)).toBe(false);
  await promoteTarget(passage);
  await promoteTarget(passage);
  expect(await isTargetPromoted(passage)).toBe(true);
  await target.call("AUTH", "word");
  expect(await target.call("GET", "last")).toBe("written");
  const others = new Set(Array.from({ length: 512 }, (_, slot) => 512 + slot));
  await trimServer(source.address, passage, slots, watch);
  await trimServer(target.address, passage, others, watch);
  await forgetCopy(passage);
  expect((await keysAt(source)) + (await keysAt(target))).toBe(2_001);
  for (let i = 0; i < 100; i++) {
    const place = slots.has(slotOfKey(`key:${i}`)) ? target : source;
    expect(await place.call("EXISTS", `key:${i}`)).toBe(1);
  }
});

test("a target with keys is no replica to be, and one that is given up is emptied", async () => {
  await using source = await startServer();
  await using target = await startServer();
  await source.call("SET", "key", "v");
  await target.call("SET", "mine", "v");
  const passage = passageOf(source, target);
  await expect(attachReplica(passage)).rejects.toThrow("has keys, which the copy of");
  await detachReplica(passage, ALL_SLOTS, new TestWatch());
  expect(await target.call("GET", "mine")).toBe("v");
  await target.call("DEL", "mine");
  await attachReplica(passage);
  await awaitInSync(passage, new TestWatch());
  await detachReplica(passage, ALL_SLOTS, new TestWatch());
  expect(await keysAt(target)).toBe(0);
  await expect(catchUp(passage, 1_000)).rejects.toThrow("is not a replica of");
  expect(await keysAt(source)).toBe(1);
});

test("between codis-servers slots move by their commands, and one that fails is told", async () => {
  for (const isSemiAsync of [false, true]) {
    await using source = await startScriptedCodisServer();
    await using target = await startScriptedCodisServer();
    for (const slot of [1, 2, 3]) await source.call("SET", keyOf(slot), "v");
    source.script = (request) => {
      const isStep = request[0].startsWith("SLOTSMGRTTAGSLOT");
      return isStep && request[isSemiAsync ? 6 : 4] === "2" ? "-IOERR scripted\r\n" : undefined;
    };
    const options = { isSemiAsync, timeoutMs: 3_000, maxBulks: 200, maxBytes: 1e6, keysPerStep: 9 };
    const watch = new TestWatch();
    const passage = passageOf(source, target, { slots: new Set([1, 2, 3]) });
    const result = await moveByCodis(passage, options, watch);
    expect([...result.clean]).toEqual([1, 3]);
    expect(watch.errors).toEqual([{ slot: 2, reason: "IOERR scripted" }]);
    expect(await source.call("EXISTS", keyOf(1), keyOf(2), keyOf(3))).toBe(1);
    expect(await target.call("EXISTS", keyOf(1), keyOf(3))).toBe(2);
  }
});
