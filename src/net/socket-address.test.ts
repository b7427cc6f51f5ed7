import { expect, test } from "bun:test";
import { addressText, inetAddress, isLoopback, unixAddress } from "./socket-address.ts";

const ROUND_TRIPS: readonly (readonly [host: string, text: string])[] = [
  ["127.0.0.1", "127.0.0.1:7000"],
  ["255.255.255.255", "255.255.255.255:7000"],
  ["::1", "::1:7000"],
  ["::", ":::7000"],
  ["fe80::1:2", "fe80::1:2:7000"],
  ["2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1:7000"],
  ["1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7:8:7000"],
  // A client that came over IPv4 to a socket of both families.
  ["::ffff:10.0.0.7", "10.0.0.7:7000"],
];

for (const [host, text] of ROUND_TRIPS) {
  test(`${host} goes to the kernel and back`, () => {
    const address = inetAddress(host, 7000);
    expect(address).not.toBeNull();
    expect(addressText(address!.bytes)).toBe(text);
  });
}

for (const host of [
  "",
  "localhost",
  "1.2.3",
  "1.2.3.256",
  "1:2",
  "1::2::3",
  "12345::",
  "::1.2.3.400",
]) {
  test(`${JSON.stringify(host)} is no address but a name to look up`, () => {
    expect(inetAddress(host, 1)).toBeNull();
  });
}

test("a path is a unix socket", () => {
  expect(addressText(unixAddress("/tmp/redis.sock").bytes)).toBe("unix:0");
});

test("the addresses of this machine are known", () => {
  const hosts = ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"];
  const others = ["128.0.0.1", "10.0.0.127", "::", "::2", "1::1", "::ffff:10.0.0.127", "::1:0:1"];
  const isHere = (host: string): boolean => isLoopback(inetAddress(host, 1)!.bytes);
  expect([...hosts, ...others].filter(isHere)).toEqual(hosts);
  expect(isLoopback(unixAddress("/tmp/redis.sock").bytes)).toBe(false);
});
