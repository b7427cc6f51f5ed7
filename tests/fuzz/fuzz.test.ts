// Every fuzzer plays some rounds, the same at each run of the tests; FUZZ_SEED sets another first
// seed. A failure names the command that shows it again.
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
  expect(await fuzz(SCAN, seedFromEnv(), { rounds: 1_500 })).toBe(1_500);
});

plainTest("the ends of replies are found however their bytes are cut", async () => {
  expect(await fuzz(REPLY, seedFromEnv(), { rounds: 1_500 })).toBe(1_500);
});

test("broken requests in random pieces are answered as by Redis", async () => {
  expect(await fuzz(WIRE, seedFromEnv(), { rounds: 300 })).toBe(300);
});

test("broken clients do not disturb healthy ones on the same backend connection", async () => {
  expect(await fuzz(SESSION, seedFromEnv(), { rounds: 200 })).toBe(200);
});
