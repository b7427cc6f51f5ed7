// The state machine of migration jobs in a world of crashes, late messages and dying proxies.
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { messageOf } from "../../src/lib/operator-error.ts";
import { JOB_STATES } from "../../src/model/migration-job.ts";
import { Random } from "../harness/random.ts";
import { type Rule, RULES } from "./model-ground.ts";
import { World } from "./model.ts";

/** Plays a world of so many steps by the choices of a seed. */
function play(seed: number, broken: ReadonlySet<Rule> = new Set()): World {
  const random = new Random(seed);
  const world = new World((limit) => random.below(limit), broken);
  try {
    for (let i = 0; i < STEPS; i++) world.step();
    world.settle();
  } catch (error) {
    const story = world.ground.trace.slice(-60).join("\n");
    throw new Error(`${story}\n${messageOf(error)}`);
  }
  return world;
}

const STEPS = 3000;

/** Throws with the seed and what happened in it. */
function playMany(numRuns: number, broken: ReadonlySet<Rule>, look = (_: World): void => {}): void {
  const property = fc.property(fc.nat(), (seed) => look(play(seed, broken)));
  // The same worlds in every run: a world that goes wrong is a bug of the code, not of the day.
  fc.assert(property, { numRuns, seed: 20_261_125, endOnFailure: true });
}

describe("in a world of crashes, late messages and dying proxies", () => {
  test("every acknowledged write is executed once and every job ends", () => {
    const seen = new Set<string>();
    let [migrations, reversals, crashes] = [0, 0, 0];
    playMany(1000, new Set(), (world) => {
      world.states.forEach((state) => seen.add(state));
      migrations += world.migrations;
      reversals += world.reversals;
      crashes += world.crashes;
    });
    // The world must be interesting, or nothing was shown.
    expect([...seen].sort()).toEqual([...JOB_STATES].sort());
    expect(Math.min(migrations / 100, reversals / 10, crashes / 100)).toBeGreaterThan(1);
  }, 60_000);

  for (const rule of RULES) {
    test(`it breaks without the rule "${rule}"`, () => {
      expect(() => playMany(500, new Set([rule]))).toThrow();
    }, 60_000);
  }
});
