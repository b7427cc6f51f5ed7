// The promise of the whole product: an acknowledged write is never lost or doubled, whatever dies.
import { expect } from "bun:test";
import { systemTest } from "../harness/system-test.ts";
import { play } from "./soak.ts";

const test = systemTest("redis-server");

test("no write is lost or doubled while slots move and everything dies in turn", async () => {
  const events: string[] = [];
  const { wrong, summary } = await play({
    seed: 20_261_125,
    lengthMs: 45_000,
    onEvent: (text) => events.push(text),
  });
  if (wrong.length > 0) process.stderr.write(`${events.join("\n")}\n${summary}\n`);
  expect(wrong).toEqual([]);
}, 240_000);
