import { expect, test } from "bun:test";
import { formatAddress, parseAddress } from "./address.ts";

test("host and port are told apart", () => {
  expect(parseAddress("127.0.0.1:19000")).toEqual({ host: "127.0.0.1", port: 19000 });
  expect(parseAddress("redis-1.example:0")).toEqual({ host: "redis-1.example", port: 0 });
  expect(parseAddress(":11080")).toEqual({ host: "", port: 11080 });
  expect(parseAddress("[::1]:65535")).toEqual({ host: "::1", port: 65535 });
});

test("what is no address is null", () => {
  for (const text of ["", "host", "host:", "host:x", "host:65536", "::1:80", "[]:80", "a:1:2"]) {
    expect(parseAddress(text)).toBeNull();
  }
});

test("an address is printed as it was read", () => {
  for (const text of ["127.0.0.1:19000", "[::1]:80", ":11080"]) {
    const address = parseAddress(text);
    expect(address === null ? null : formatAddress(address)).toBe(text);
  }
});
