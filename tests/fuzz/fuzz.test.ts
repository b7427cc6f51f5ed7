// Every fuzzer plays for a few seconds with new seeds at each run of the tests. A failure names the
// command that shows it again; FUZZ_SEED sets the first seed.
import { expect, test as plainTest } from "bun:test";
import { seedFromEnv } from "../harness/random.ts";
import { systemTest } from "../harness/system-test.ts";
import { fuzz } from "./fuzzer.ts";
import { REPLY } from "./reply.ts";
import { SCAN } from "./scan.ts";
import { SESSION } from "./session.ts";
import { WIRE } from "./wire.ts";

const test = systemTest("redis-server");

plainTest("requests are found however their bytes are cut", async () => {
  expect(await fuzz(SCAN, seedFromEnv(), 1000)).toBeGreaterThan(0);
});

plainTest("the ends of replies are found however their bytes are cut", async () => {
  expect(await fuzz(REPLY, seedFromEnv(), 1000)).toBeGreaterThan(0);
});

test("broken requests in random pieces are answered as by Redis", async () => {
  expect(await fuzz(WIRE, seedFromEnv(), 3000)).toBeGreaterThan(0);
});

test("broken clients do not disturb healthy ones on the same backend connection", async () => {
  expect(await fuzz(SESSION, seedFromEnv(), 5000)).toBeGreaterThan(0);
});
