import { expect, test } from "bun:test";
import fc from "fast-check";
import { connect } from "../../tests/harness/resp-client.ts";
import { startRedis } from "../../tests/harness/redis.ts";
import { systemTest } from "../../tests/harness/system-test.ts";
import { globMatches, hasGlob } from "./local-glob.ts";

const testWithRedis = systemTest("redis-server");

testWithRedis("patterns match what CONFIG GET of a real Redis lets through", async () => {
  await using redis = await startRedis();
  using client = await connect(redis.port);
  const all = namesOf(await client.call("CONFIG", "GET", "*"));
  const piece = fc.constantFrom(
    "*",
    "?",
    "s",
    "S",
    "a",
    "v",
    "e",
    "[a-s]",
    "[^s]",
    "[s-a]",
    "\\s",
    "\\*",
    "[",
    "]",
    "-",
    "[\\]s]",
    "[^",
  );
  const patterns = [
    ...[
      "save",
      "s*e",
      "*max*",
      "*-*-*-*",
      "?????",
      "[aeiou]*[!-z]",
      "[^a-z]*",
      "max[-]*",
      "**",
      "*?*",
    ],
    ...["[a-", "*\\", "[", "sav[e", "s\\ave", "*[x-", "*[^", "*[]*"],
    ...fc
      .sample(fc.array(piece, { maxLength: 6 }), { numRuns: 300, seed: 7 })
      .map((p) => p.join("")),
  ].filter(hasGlob);
  for (const pattern of patterns) {
    const expected = namesOf(await client.call("CONFIG", "GET", pattern));
    const actual = all.filter((name) => globMatches(pattern, name));
    expect({ pattern, names: actual.sort() }).toEqual({ pattern, names: expected.sort() });
  }
});

/** The names of a flat array of names and values. */
function namesOf(reply: unknown): string[] {
  return Array.isArray(reply) ? reply.filter((_, i) => i % 2 === 0).map(String) : [];
}

test("no pattern takes long", () => {
  const text = "a".repeat(2000);
  const startedMs = performance.now();
  expect(globMatches("*?".repeat(500) + "b", text)).toBe(false);
  expect(globMatches("*a*a*a*a*a*a*a*a*a*a*b", text)).toBe(false);
  expect(performance.now() - startedMs).toBeLessThan(2000);
});
