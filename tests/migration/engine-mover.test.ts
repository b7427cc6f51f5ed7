// Passes of the mover between two real servers.
import { expect } from "bun:test";
import { moveKeys } from "../../src/migration/mover.ts";
import { RecentlyMoved } from "../../src/migration/recently-moved.ts";
import { systemTest } from "../harness/system-test.ts";
import { keysAt, passageOf, startServer, TestWatch } from "./engine-fixture.ts";

const test = systemTest("redis-server");

test("a pass moves every key of all slots and databases", async () => {
  await using source = await startServer();
  await using target = await startServer();
  for (const db of [0, 3]) {
    await source.call("SELECT", db);
    await source.call("DEBUG", "POPULATE", 5_000, `key-${db}`, 32);
  }
  const watch = new TestWatch();
  const result = await moveKeys(passageOf(source, target), watch, new RecentlyMoved());
  expect(result.clean.size).toBe(1024);
  expect(await keysAt(source)).toBe(0);
  expect(await keysAt(target)).toBe(10_000);
  expect(watch.errors).toEqual([]);
  expect(watch.keys).toBe(10_000);
});
