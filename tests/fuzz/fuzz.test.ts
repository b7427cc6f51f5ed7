// Every fuzzer plays some rounds, the same at each run of the tests; FUZZ_SEED sets another first
// seed. A failure names the command that shows it again.
import { test as plainTest } from "bun:test";
import { seedFromEnv } from "../harness/random.ts";
import { systemTest } from "../harness/system-test.ts";
import { fuzz } from "./fuzzer.ts";
import { REPLY } from "./reply.ts";
import { SCAN } from "./scan.ts";
import { SESSION } from "./session.ts";
import { WIRE } from "./wire.ts";

const test = systemTest("redis-server");

plainTest("requests are found however their bytes are cut", async () => {
  await fuzz(SCAN, seedFromEnv(), { rounds: 1_500 });
});

plainTest("the ends of replies are found however their bytes are cut", async () => {
  await fuzz(REPLY, seedFromEnv(), { rounds: 1_500 });
});

test("broken requests in random pieces are answered as by Redis", async () => {
  await fuzz(WIRE, seedFromEnv(), { rounds: 300 });
});

test("broken clients do not disturb healthy ones on the same backend connection", async () => {
  await fuzz(SESSION, seedFromEnv(), { rounds: 200 });
});
