// `npm test`: types, format, then all tests. `npm test -- tests/protocol` runs a part: the
// arguments go to `bun test`, and types and format are left out.
//
// The last line is a plain count, so that any CI can read what ran.
import { existsSync, mkdtempSync, readFileSync, rmSync, statfsSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setup } from "./setup.mjs";
import { runBun } from "./bun.mjs";

/** A test that waits on a condition gives up long before this; it only ends tests that hang. */
const TEST_TIMEOUT_MS = 60_000;

/** A file system without a disk, and how much must be free there. */
const MEMORY = "/dev/shm";
const LEAST_MEMORY_BYTES = 2 ** 31;

const SLOWEST = 10;

const missing = setup("test");
if (missing.length > 0 && process.env.CI === "true") process.exit(1);

const selection = process.argv.slice(2);
const failedSteps = [];
if (selection.length === 0) {
  await step("types", ["node_modules/typescript/bin/tsc", "--noEmit"]);
  await step("format", ["fmt", "--no-script", "--check"]);
}

// One file after the other: two at a time (--parallel=2) take half as long, but show in every run
// another test that depends on which of two processes comes first.
//
// Not with --no-orphans: it reaches the programs under test through their environment, and a worker
// would then end with its parent by the kernel's hand instead of its own.
const scratch = mkdtempSync(join(scratchRoot(), "codis-test-"));
const report = join(scratch, "junit.xml");
await step(
  "tests",
  [
    "test",
    `--timeout=${TEST_TIMEOUT_MS}`,
    "--reporter=junit",
    `--reporter-outfile=${report}`,
    ...selection,
  ],
  { ...process.env, TMPDIR: scratch },
);
const outcome = existsSync(report) ? readFileSync(report, "utf8") : "";
const counts = countsOf(outcome);
// A file that cannot even be loaded fails the run without a failed test.
if (failedSteps.includes("tests")) counts.failed = Math.max(1, counts.failed);
rmSync(scratch, { recursive: true, force: true });

if (selection.length === 0) printSlowest(outcome);
if (failedSteps.length > 0) console.log(`Failed: ${failedSteps.join(", ")}`);
console.log(`${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped`);
process.exitCode = failedSteps.length === 0 && counts.failed === 0 ? 0 : 1;

/** Later steps run although an earlier one failed: one run of CI then shows everything. */
async function step(name, args, env = process.env) {
  const status = await runBun(args, { stdio: ["ignore", "inherit", "inherit"], env });
  if (status !== 0) failedSteps.push(name);
}

/**
 * In memory where there is room: the servers of the tests wait for their disk at every write, and
 * what a test needs to know is that a killed program finds its files again.
 */
function scratchRoot() {
  try {
    const { bavail, bsize } = statfsSync(MEMORY);
    if (bavail * bsize >= LEAST_MEMORY_BYTES) return MEMORY;
  } catch {
    // No such directory here.
  }
  return tmpdir();
}

/** No report means that the runner itself died, which must not look like "nothing failed". */
function countsOf(text) {
  if (text === "") return { passed: 0, failed: 1, skipped: 0 };
  const head = /<testsuites [^>]*>/.exec(text)?.[0] ?? "";
  const count = (name) => Number(attribute(head, name) ?? 0);
  const failed = count("failures") + count("errors");
  const skipped = count("skipped");
  return { passed: count("tests") - failed - skipped, failed, skipped };
}

/** Where the time went. */
function printSlowest(text) {
  const cases = text.match(/<testcase [^>]*>/g) ?? [];
  const rows = cases.map((tag) => ({
    seconds: Number(attribute(tag, "time")),
    title: `${attribute(tag, "file")}: ${attribute(tag, "name")}`,
  }));
  const slowest = rows.sort((a, b) => b.seconds - a.seconds).slice(0, SLOWEST);
  if (slowest.length > 0) console.log("The slowest tests, in seconds:");
  for (const { seconds, title } of slowest) {
    console.log(`  ${seconds.toFixed(1).padStart(5)}  ${title}`);
  }
}

function attribute(tag, name) {
  const text = new RegExp(` ${name}="([^"]*)"`).exec(tag)?.[1];
  const signs = { "&lt;": "<", "&gt;": ">", "&quot;": '"', "&apos;": "'", "&amp;": "&" };
  return text?.replace(/&\w+;/g, (sign) => signs[sign] ?? sign);
}
