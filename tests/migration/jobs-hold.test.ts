// How long requests wait when slots change hands: the hold of 1024 slots with three proxies.
import { expect } from "bun:test";
import { Writers } from "../exactness/checker.ts";
import { Ledger } from "../exactness/ledger.ts";
import { systemTest } from "../harness/system-test.ts";
import { until } from "../harness/until.ts";
import { startMovingProduct } from "./moving-product.ts";

const test = systemTest("redis-server");

/** docs/performance.md has the figures. */
const ROUNDS = process.env.CODIS_TEST_FIGURES === "1" ? 4 : 2;

test("1024 slots are held for a moment, and no request fails", async () => {
  await using product = await startMovingProduct({
    proxies: 3,
    config: { migration_parallel_slots: 1024 },
    isDurable: false,
  });
  const ledger = new Ledger();
  const ports = product.proxies.map(({ port }) => port);
  const writers = new Writers({ ledger, seed: 3, count: 6, ports });
  const holds: number[] = [];
  // A job shows its hold only while it is there.
  await product.dashboard.put("slotActionInterval", { value: 50_000 });
  for (let round = 0; round < ROUNDS; round++) {
    await product.move(0, 1023, round % 2 === 0 ? 2 : 1);
    await until(async () => {
      const [job] = await product.jobs();
      if (job !== undefined && job.hold_ms > 0) holds[round] = job.hold_ms;
      return holds[round] !== undefined;
    });
    await product.untilAtRest();
  }
  await writers.stop();
  if (process.env.CODIS_TEST_FIGURES === "1")
    process.stdout.write(`hold and switch, ms: ${holds.join(" ")}\n`);
  expect(ledger.surprises).toEqual([]);
}, 90_000);
