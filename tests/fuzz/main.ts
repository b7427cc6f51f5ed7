// `npm run fuzz -- NAME SEED` plays one round again; `npm run fuzz -- NAME` plays new ones for a
// minute, or for as many seconds as FUZZ_SECONDS says.
import { DIFFERENTIAL } from "./differential.ts";
import { fuzz, type Fuzzer } from "./fuzzer.ts";
import { REPLY } from "./reply.ts";
import { SCAN } from "./scan.ts";
import { SESSION } from "./session.ts";
import { WIRE } from "./wire.ts";

const FUZZERS: readonly Fuzzer[] = [SCAN, REPLY, WIRE, SESSION, DIFFERENTIAL];

const [name = "", seedText = ""] = process.argv.slice(2);
const chosen = FUZZERS.find((each) => each.name === name);
if (chosen === undefined || !/^\d*$/.test(seedText)) {
  const list = FUZZERS.map((each) => `  ${each.name.padEnd(14)}${each.about}\n`).join("");
  process.stderr.write(`npm run fuzz -- NAME [SEED]\n${list}`);
  process.exit(1);
}
const isNew = seedText === "";
const seed = isNew ? (Date.now() ^ (process.pid << 16)) >>> 0 : Number(seedText);
const seconds = Number(process.env.FUZZ_SECONDS ?? 60);
const played = await fuzz(chosen, seed, isNew ? { seconds } : { rounds: 1 });
process.stdout.write(`${name}: ${played} rounds from seed ${seed} on, nothing found\n`);
process.exit(0);
