import { expect, test } from "bun:test";
import { checkDescriptorLimit, descriptorLimit } from "./descriptor-limit.ts";

test("this process has a limit and a proxy without demands fits into it", () => {
  expect(descriptorLimit()).toBeGreaterThan(0);
  expect(() => checkDescriptorLimit(null, 0, 1, 1024)).not.toThrow();
});

test("a limit below what was demanded or below any use stops the start", () => {
  expect(() => checkDescriptorLimit(65536, 0, 1, 1024)).toThrow("--ulimit demands 65536");
  expect(() => checkDescriptorLimit(null, 0, 1, 300)).toThrow("too few for a proxy");
});

test("more clients than the workers can open stop the start", () => {
  expect(() => checkDescriptorLimit(null, 2000, 1, 1024)).toThrow(
    "proxy_max_clients = 2000 with 1 workers needs 2256 open files each, but `ulimit -n` allows",
  );
  expect(() => checkDescriptorLimit(null, 1500, 2, 1024)).not.toThrow();
  expect(() => checkDescriptorLimit(null, 1e9, 1, Infinity)).not.toThrow();
});
