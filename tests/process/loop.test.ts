// The loop of a worker: what one handler does must not meet the events that are meant for another.
import { expect, test } from "bun:test";
import { ONE_TURN } from "../harness/one-turn.ts";

test("the number of a descriptor is not used again in the turn in which it was closed", () => {
  const { stdout, stderr } = Bun.spawnSync([process.execPath, ONE_TURN], { timeout: 20_000 });
  expect(String(stderr)).toBe("");
  const [closed, next] = String(stdout).trim().split(" ");
  expect(Number(closed)).toBeGreaterThan(2);
  expect(Number(next)).toBeGreaterThan(2);
  expect(next).not.toBe(closed);
});
