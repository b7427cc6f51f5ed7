// `npm test`: types, format, then all tests. `npm test -- tests/protocol` runs a part: the
// arguments go to `bun test`, and types and format are left out.
//
// The last line is a plain count, so that any CI can read what ran.
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setup } from "./setup.mjs";
import { runBun } from "./bun.mjs";

/** A test that waits on a condition gives up long before this; it only ends tests that hang. */
const TEST_TIMEOUT_MS = 60_000;

const missing = setup("test");
if (missing.length > 0 && process.env.CI === "true") process.exit(1);

const selection = process.argv.slice(2);
const failedSteps = [];
if (selection.length === 0) {
  await step("types", ["node_modules/typescript/bin/tsc", "--noEmit"]);
  await step("format", ["fmt", "--no-script", "--check"]);
}

// Not with --no-orphans: it reaches the programs under test through their environment, and a worker
// would then end with its parent by the kernel's hand instead of its own.
const reports = mkdtempSync(join(tmpdir(), "codis-test-"));
const report = join(reports, "junit.xml");
await step("tests", [
  "test",
  `--timeout=${TEST_TIMEOUT_MS}`,
  "--reporter=junit",
  `--reporter-outfile=${report}`,
  ...selection,
]);
const counts = readCounts(report);
// A file that cannot even be loaded fails the run without a failed test.
if (failedSteps.includes("tests")) counts.failed = Math.max(1, counts.failed);
rmSync(reports, { recursive: true, force: true });

if (failedSteps.length > 0) console.log(`Failed: ${failedSteps.join(", ")}`);
console.log(`${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped`);
process.exitCode = failedSteps.length === 0 && counts.failed === 0 ? 0 : 1;

/** Later steps run although an earlier one failed: one run of CI then shows everything. */
async function step(name, args) {
  const status = await runBun(args, { stdio: ["ignore", "inherit", "inherit"] });
  if (status !== 0) failedSteps.push(name);
}

/** No report means that the runner itself died, which must not look like "nothing failed". */
function readCounts(file) {
  if (!existsSync(file)) return { passed: 0, failed: 1, skipped: 0 };
  const head = /<testsuites [^>]*>/.exec(readFileSync(file, "utf8"))?.[0] ?? "";
  const count = (name) => Number(new RegExp(` ${name}="(\\d+)"`).exec(head)?.[1] ?? 0);
  const failed = count("failures") + count("errors");
  const skipped = count("skipped");
  return { passed: count("tests") - failed - skipped, failed, skipped };
}
