import { expect, test } from "bun:test";
import { getPriority } from "node:os";
import { SCHED_BATCH } from "../lib/libc.ts";

/** What this thread is scheduled by, after a program of its own has asked. */
async function statOf(): Promise<string[]> {
  const program = `
    import { askForBatches, askForShortRests } from "${import.meta.dirname}/scheduling.ts";
    askForBatches();
    askForShortRests();
    const read = (file) => require("node:fs").readFileSync("/proc/self/" + file, "utf8").trim();
    console.log(JSON.stringify([read("stat"), read("timerslack_ns")]));`;
  const child = Bun.spawn([process.execPath, "-e", program], { stdout: "pipe" });
  return JSON.parse(await child.stdout.text());
}

test("a worker runs in batches, as nice as it was started, and its rests end in time", async () => {
  const [stat, slack] = await statOf();
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  expect({ nice: Number(fields[16]), policy: Number(fields[38]) }).toEqual({
    nice: getPriority(),
    policy: SCHED_BATCH,
  });
  expect(slack).toBe("1");
});
