// `npm run bench`: sets the machine up and runs the comparison, with the flags given after `--`;
// other programs of bench/ are named first.
// A missing nutcracker is no reason to stop: the table then has one column less.
import { setup } from "./setup.mjs";
import { runBun } from "./bun.mjs";

const missing = setup("bench").filter((program) => program !== "nutcracker");
if (missing.length > 0) process.exit(1);
const [first = "", ...rest] = process.argv.slice(2);
const isProgram = first.endsWith(".ts");
const program = isProgram ? [first, ...rest] : ["bench/main.ts", ...process.argv.slice(2)];
process.exitCode = await runBun(program);
