// The two digests of the control protocol (contract 0.4): `xauth`, which a caller of an admin API
// must know, and `token`, the stable name of a proxy or dashboard. Both are fixed by the original
// programs, so that either side may be one of them.

import { createHash, timingSafeEqual } from "node:crypto";

const XAUTH_LENGTH = 32;

/** A dashboard's segments are its product name; a proxy's are product name, product_auth, token. */
export function xauthOf(...segments: readonly string[]): string {
  const text = `Codis-XAuth${segments.map((segment) => `-[${segment}]`).join("")}`;
  return createHash("sha256").update(text).digest("hex").slice(0, XAUTH_LENGTH);
}

/** `macs` are the hardware addresses of the machine, without those that are all zero. */
export function tokenOf(macs: readonly string[], ...segments: readonly string[]): string {
  const machine = [...macs].sort().join(" ");
  const text = `Codis-Token@[${machine}]${segments.map((segment) => `-{${segment}}`).join("")}`;
  return createHash("md5").update(text).digest("hex");
}

/** Compares without telling by the time it takes how much was right. */
export function secretsEqual(given: string, expected: string): boolean {
  const digest = (text: string): Buffer => createHash("sha256").update(text).digest();
  return timingSafeEqual(digest(given), digest(expected));
}
