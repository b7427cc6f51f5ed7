// What a fuzzer is, and the loop that runs one. A round follows from its seed alone, so that the
// seed of a failed round is all that is needed to see it again (timing aside, where servers take
// part).
import { Random } from "../harness/random.ts";

export interface Fuzzer {
  readonly name: string;
  /** One line for the person who asks what there is. */
  readonly about: string;
  start(): Promise<Rounds>;
}

export interface Rounds extends AsyncDisposable {
  /** Throws when something is not as it must be. */
  round(random: Random): void | Promise<void>;
}

/** For fuzzers that start no servers. */
export function roundsOf(round: (random: Random) => void): Promise<Rounds> {
  return Promise.resolve({ round, [Symbol.asyncDispose]: async () => {} });
}

/** Plays so many rounds with the seeds `seed`, `seed` + 1 ..., or so long; says how many. */
export async function fuzz(
  fuzzer: Fuzzer,
  seed: number,
  { rounds: most = Infinity, seconds = Infinity }: { rounds?: number; seconds?: number },
): Promise<number> {
  const deadline = performance.now() + seconds * 1000;
  await using rounds = await fuzzer.start();
  let played = 0;
  do {
    await playRound(fuzzer, rounds, (seed + played) >>> 0);
    played++;
  } while (played < most && performance.now() < deadline);
  return played;
}

async function playRound(fuzzer: Fuzzer, rounds: Rounds, seed: number): Promise<void> {
  try {
    await rounds.round(new Random(seed));
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new Error(`see it again with: npm run fuzz -- ${fuzzer.name} ${seed}\n${reason}`, {
      cause,
    });
  }
}

/** Throws with both texts, shortened to where they part, unless they are equal. */
export function mustEqual(what: string, actual: string, expected: string): void {
  if (actual === expected) return;
  let at = 0;
  while (at < actual.length && actual[at] === expected[at]) at++;
  const from = Math.max(0, at - 100);
  const show = (text: string): string => JSON.stringify(text.slice(from, at + 200));
  throw new Error(`${what}: from byte ${from} on ${show(actual)} and not ${show(expected)}`);
}
