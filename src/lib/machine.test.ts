import { expect, test } from "bun:test";
import { hostname } from "node:os";
import { isGlobalUnicast, isUnspecified, publishedAddress } from "./machine.ts";

const WHAT = { program: "proxy", options: "--host-proxy" };

test("a specific address is published as it is", async () => {
  expect(await publishedAddress("tcp4", "127.0.0.1:19000", null, WHAT)).toBe("127.0.0.1:19000");
  expect(await publishedAddress("tcp", "[::1]:19000", null, WHAT)).toBe("[::1]:19000");
  expect(await publishedAddress("unix", "/tmp/x.sock", null, WHAT)).toBe("/tmp/x.sock");
});

test("a given address stands above the bound one and must be reachable in form", async () => {
  expect(await publishedAddress("tcp4", "0.0.0.0:1", "10.1.2.3:5", WHAT)).toBe("10.1.2.3:5");
  expect(await publishedAddress("tcp4", "0.0.0.0:1", "localhost:5", WHAT)).toBe("localhost:5");
  for (const [given, why] of [
    ["0.0.0.0:1", "resolve address '0.0.0.0:1' to '0.0.0.0:1'"],
    ["10.1.2.3:0", "resolve address '10.1.2.3:0' to '10.1.2.3:0'"],
    ["nonsense", "resolve address 'nonsense' to nothing"],
  ]) {
    expect(publishedAddress("tcp4", "127.0.0.1:1", given, WHAT)).rejects.toThrow(why);
  }
});

test("a socket on all interfaces is published under an address that others can reach", async () => {
  try {
    const published = await publishedAddress("tcp4", "0.0.0.0:19000", null, WHAT);
    const host = published.replace(/:19000$/, "");
    expect(host === hostname() || isGlobalUnicast(host.replace(/[[\]]/g, ""))).toBe(true);
  } catch (error) {
    expect(String(error)).toContain("no address that others can reach"); // only loopback here
  }
});

test("addresses are told apart by their reach", () => {
  expect(["0.0.0.0", "::", "0:0:0:0:0:0:0:0"].every(isUnspecified)).toBe(true);
  expect(["10.0.0.1", "2001:db8::1", "fd00::1"].every(isGlobalUnicast)).toBe(true);
  const near = ["127.0.0.1", "::1", "169.254.1.1", "fe80::1", "224.0.0.1", "ff02::1", "::"];
  expect(near.some(isGlobalUnicast)).toBe(false);
});
