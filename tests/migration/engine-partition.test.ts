// A network between source and target that loses packets for a while: what was sent before goes on
// arriving later, when nobody waits for it any more.
import { test as bunTest, expect } from "bun:test";
import { moveKeys } from "../../src/migration/mover.ts";
import { RecentlyMoved } from "../../src/migration/recently-moved.ts";
import { connect } from "../harness/resp-client.ts";
import { systemTest } from "../harness/system-test.ts";
import { until } from "../harness/until.ts";
import { passageOf, startServer, TestWatch } from "./engine-fixture.ts";
import { canSplitNetworks, SplitServer, TARGET_HOST } from "./split-network.ts";

const isPossible = canSplitNetworks();
const test = isPossible ? systemTest("redis-server") : skip;

function skip(name: string): void {
  bunTest.skip(`${name} [skipped: no network namespaces here]`, () => {});
}

test("a RESTORE of before a partition does not bring a deleted key back", async () => {
  await using source = await SplitServer.start();
  await using target = await startServer({ args: ["--bind", "0.0.0.0"] });
  const passage = passageOf(source, { address: `${TARGET_HOST}:${target.port}` });
  const recent = new RecentlyMoved();
  await source.call("SET", "first", "v");
  await moveKeys(passage, new TestWatch(), recent); // now the source has a connection to the target
  for (let i = 0; i < 20; i++) await source.call("SET", `key:${i}`, "old");
  const watch = new TestWatch();
  source.cut();
  const moving = moveKeys(passage, watch, recent);
  // By then the kernel waits so long between its attempts that the mover's next one is first.
  const isLate = (): boolean => source.orphans(target.port).some((attempts) => attempts >= 5);
  await until(isLate, { timeoutMs: 30_000 });
  expect(watch.errors.at(-1)?.reason).toContain("cannot reach");
  source.heal();
  await moving;
  using client = await connect(target.port);
  await client.call("DEL", ...Array.from({ length: 10 }, (_, i) => `key:${i}`));
  for (let i = 10; i < 20; i++) await client.call("SET", `key:${i}`, "new");
  await until(() => source.orphans(target.port).length === 0, { timeoutMs: 60_000 });
  expect(await client.call("KEYS", "key:?")).toEqual([]);
  const values = await client.call(
    "MGET",
    ...Array.from({ length: 10 }, (_, i) => `key:${i + 10}`),
  );
  expect(values).toEqual(Array.from({ length: 10 }, () => "new"));
}, 120_000);
