// The state machine of migration jobs in a world of crashes, late messages and dying proxies.
import { describe, expect, test } from "bun:test";
import { messageOf } from "../../src/lib/operator-error.ts";
import { JOB_STATES } from "../../src/model/migration-job.ts";
import { Random, seedFromEnv } from "../harness/random.ts";
import { type Rule, RULES } from "./model-ground.ts";
import { World } from "./model.ts";

/** Plays a world of so many steps by the choices of a seed. Throws what went wrong in it. */
function play(seed: number, broken: ReadonlySet<Rule>, story: string[] | null = null): World {
  const random = new Random(seed);
  const world = new World((limit) => random.below(limit), broken, story);
  for (let i = 0; i < STEPS; i++) world.step();
  world.settle();
  return world;
}

const STEPS = 3000;

/** Throws with the seed of the first world that goes wrong, and what happened in it. */
function playMany(first: number, count: number, look: (world: World) => void): void {
  for (let i = 0; i < count; i++) {
    const seed = (first + i) >>> 0;
    try {
      look(play(seed, new Set()));
    } catch (error) {
      const story: string[] = [];
      try {
        play(seed, new Set(), story);
      } catch {
        // It goes wrong again, and tells more.
      }
      const end = story.slice(-100).join("\n");
      throw new Error(`${end}\n${messageOf(error)} (FUZZ_SEED=${seed} begins with this world)`);
    }
  }
}

describe("in a world of crashes, late messages and dying proxies", () => {
  test("every acknowledged write is executed once and every job ends", () => {
    const seen = new Set<string>();
    let [migrations, reversals, divisions, crashes] = [0, 0, 0, 0];
    playMany(seedFromEnv(), 300, (world) => {
      world.states.forEach((state) => seen.add(state));
      migrations += world.migrations;
      reversals += world.reversals;
      divisions += world.divisions;
      crashes += world.crashes;
    });
    // The world must be interesting, or nothing was shown.
    expect([...seen].sort()).toEqual([...JOB_STATES].sort());
    expect(migrations).toBeGreaterThan(300);
    expect(Math.min(reversals, divisions, crashes)).toBeGreaterThan(50);
  }, 60_000);

  for (const rule of RULES) {
    test(`it breaks without the rule "${rule}"`, () => {
      const broken = new Set([rule]);
      const playAll = (): void => {
        for (let seed = 0; seed < 500; seed++) play(seed, broken);
      };
      expect(playAll).toThrow();
    }, 60_000);
  }
});
