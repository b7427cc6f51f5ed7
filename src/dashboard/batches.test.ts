import { expect, test } from "bun:test";
import { Batches } from "./batches.ts";

test("who asks while a batch is under way goes with the next", async () => {
  const seen: string[] = [];
  const begun = Promise.withResolvers<void>();
  const gate = Promise.withResolvers<void>();
  const batches = new Batches(async (server, tokens) => {
    if (seen.push(`${server} ${tokens.join("+")}`) === 2) begun.resolve();
    await gate.promise;
  });
  const first = [batches.add("one", "a"), batches.add("one", "b"), batches.add("two", "a")];
  await begun.promise;
  expect(seen).toEqual(["one a+b", "two a"]);
  const later = [batches.add("one", "c"), batches.add("one", "c")];
  gate.resolve();
  await Promise.all([...first, ...later]);
  expect(seen).toEqual(["one a+b", "two a", "one c"]);
});

test("a batch that fails fails for its own, and the next is tried", async () => {
  const batches = new Batches(async (_, tokens) => {
    if (tokens.includes("bad")) throw new Error("refused");
  });
  const failed = batches.add("one", "bad");
  expect(failed).rejects.toThrow("refused");
  await failed.catch(() => {});
  await batches.add("one", "good");
});
