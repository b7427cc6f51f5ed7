// `npm run soak -- --minutes N [--seed S]`: everything that the exactness test does, for as long as
// one likes. `play` is that test; the seed of a failure plays the same mishaps again.
import { messageOf } from "../../src/lib/operator-error.ts";
import { Ledger } from "./ledger.ts";
import { Chaos } from "./chaos.ts";
import { patient, Writers } from "./checker.ts";
import { planOf } from "./plan.ts";
import { setupOf, type SoakProduct, startSoakProduct } from "./soak-product.ts";

export interface PlayOptions {
  readonly seed: number;
  readonly lengthMs: number;
  readonly writers?: number;
  readonly onEvent?: (text: string) => void;
}

export interface Played {
  /** Empty when everything was exact. */
  readonly wrong: readonly string[];
  readonly summary: string;
}

const REST_TIMEOUT_MS = 120_000;
const LOG_LINES = 600;

export async function play(options: PlayOptions): Promise<Played> {
  const { seed, lengthMs, writers: count = 8, onEvent } = options;
  const setup = setupOf(seed);
  onEvent?.(`the product: ${JSON.stringify(setup)}`);
  await using product = await startSoakProduct(setup);
  const ledger = new Ledger();
  const ports = product.proxies.map(({ port }) => port);
  const writers = new Writers({ ledger, seed, count, ports, onEvent });
  const chaos = new Chaos(product, { seed, plan: planOf(seed, lengthMs, setup), onEvent });
  const wrong: string[] = [];
  try {
    await Bun.sleep(lengthMs);
    await chaos.finish();
    await product.untilAtRest(REST_TIMEOUT_MS);
    await writers.stop();
    await product.untilSynced();
    onEvent?.("everything is at rest; comparing");
    wrong.push(...(await ledger.check(patient(ports[0]))));
    wrong.push(...(await product.misplaced()).map((sentence) => `place: ${sentence}`));
  } catch (error) {
    wrong.push(messageOf(error));
  }
  wrong.push(...chaos.wrong);
  if (wrong.length > 0) onEvent?.(logsOf(product));
  return { wrong, summary: summaryOf(ledger, chaos, writers) };
}

function summaryOf(ledger: Ledger, chaos: Chaos, writers: Writers): string {
  const { acknowledged, refused, unknown } = ledger.counts;
  const mishaps = [...chaos.happened].map(([kind, n]) => `${n} ${kind}`).sort();
  const errors = [...ledger.errors].map(([text, n]) => `  ${n} x ${text}`).join("\n");
  return (
    `${acknowledged} writes acknowledged, ${unknown} unknown, ${refused} refused; ` +
    `${chaos.moves} ranges moved, ${chaos.cancels} cancels; ${mishaps.join(", ")}; ` +
    `longest wait for a reply ${Math.round(writers.longestMs)} ms, ` +
    `longest gap of a client ${Math.round(writers.longestGapMs)} ms\n${errors}`
  );
}

function logsOf(product: SoakProduct): string {
  const programs = [...product.dashboards, ...product.proxies];
  return programs.map((each) => `--- ${each.address}\n${lastLines(each.log())}`).join("\n");
}

function lastLines(text: string): string {
  return text.split("\n").slice(-LOG_LINES).join("\n");
}

if (import.meta.main) {
  const value = (name: string): string | undefined => {
    const at = process.argv.indexOf(`--${name}`);
    return at < 0 ? undefined : process.argv[at + 1];
  };
  const minutes = Number(value("minutes") ?? 10);
  const first = Number(value("seed") ?? Date.now() % 1_000_000_000);
  const print = (text: string): void => void process.stdout.write(`${text}\n`);
  // Rounds of a minute, so that a seed that fails is played again soon.
  for (let round = 0; round < minutes; round++) {
    const seed = first + round;
    const startMs = performance.now();
    print(`seed ${seed}`);
    const onEvent = (text: string): void => {
      print(`  ${((performance.now() - startMs) / 1000).toFixed(1)} s: ${text}`);
    };
    const lengthMs = Math.min(1, minutes - round) * 60_000;
    const { wrong, summary } = await play({ seed, lengthMs, onEvent });
    print(summary);
    if (wrong.length === 0) continue;
    print(`not exact:\n${wrong.slice(0, 50).join("\n")}`);
    print(`again: npm run soak -- --minutes ${Math.min(1, minutes)} --seed ${seed}`);
    process.exit(1);
  }
  process.exit(0);
}
