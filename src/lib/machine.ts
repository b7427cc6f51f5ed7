// What this machine is to others: its hardware addresses, its description, and the address under
// which a program on it can be reached (contract 0.4 and 2.3). Asked once, when a program starts.

import { lookup } from "node:dns/promises";
import { readdirSync, readFileSync } from "node:fs";
import { arch, hostname, machine, networkInterfaces, release, type, version } from "node:os";
import { formatAddress, parseAddress } from "./address.ts";
import { OperatorError } from "./operator-error.ts";

/** A name server that is slow must not hold up the start. */
const LOOKUP_TIMEOUT_MS = 30;

const NETWORK_FOLDER = "/sys/class/net";

/** As `uname -a` prints it. */
export function systemText(): string {
  return `${type()} ${hostname()} ${release()} ${version()} ${machine() || arch()} GNU/Linux`;
}

/** The text under which the original knows a socket: a wildcard of family "tcp" is `[::]`. */
export function socketText(protoType: string, address: string): string {
  if (protoType !== "tcp") return address;
  const parsed = parseAddress(address);
  return parsed !== null && isUnspecified(parsed.host) ? `[::]:${parsed.port}` : address;
}

/** For the error of an address that nobody can reach. */
export interface Published {
  readonly program: string;
  /** The options that mend it, in words. */
  readonly options: string;
}

/**
 * The address that others should use. What is given must name a host and a port; without it a
 * socket bound to all interfaces is published under the host's name, or else under its first
 * address that others can reach.
 */
export async function publishedAddress(
  protoType: string,
  bound: string,
  given: string | null,
  what: Published,
): Promise<string> {
  if (protoType === "unix") return given ?? bound;
  const address = given ?? bound;
  const parsed = parseAddress(address);
  const ip =
    parsed === null || parsed.host === "" ? null : await resolve(parsed.host, given !== null);
  const isUsable = parsed !== null && parsed.port !== 0 && ip !== null;
  if (isUsable && !isUnspecified(ip)) return address;
  if (given !== null) {
    const found = ip === null ? "nothing" : `'${ip}:${parsed?.port ?? 0}'`;
    throw new OperatorError(
      `cannot publish this ${what.program}: resolve address '${given}' to ${found}; ` +
        `give ${what.options} as host:port that other machines can reach`,
    );
  }
  const host = await reachableHost();
  if (host !== null) return formatAddress({ host, port: parsed?.port ?? 0 });
  throw new OperatorError(
    `cannot publish this ${what.program}: it listens at ${bound} and this machine has no address ` +
      `that others can reach; give ${what.options}`,
  );
}

/** A name that was given may take its time; one of ours is a literal. */
async function resolve(host: string, mayWait: boolean): Promise<string | null> {
  try {
    return await withDeadline(lookup(host), mayWait ? 5_000 : 1_000).then((found) => found.address);
  } catch {
    return null;
  }
}

async function reachableHost(): Promise<string | null> {
  const name = hostname();
  try {
    const found = await withDeadline(lookup(name, { all: true }), LOOKUP_TIMEOUT_MS);
    if (found.some(({ address }) => isGlobalUnicast(address))) return name;
  } catch {
    // The name is known to this machine only.
  }
  for (const addresses of Object.values(networkInterfaces())) {
    for (const { address } of addresses ?? []) if (isGlobalUnicast(address)) return address;
  }
  return null;
}

function withDeadline<T>(promise: Promise<T>, timeoutMs: number): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error("too late")), timeoutMs);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

export function isUnspecified(ip: string): boolean {
  return ip === "0.0.0.0" || /^[0:]*:[0:]*$/.test(ip) || ip === "";
}

/** Neither loopback, link-local, multicast nor unspecified. */
export function isGlobalUnicast(ip: string): boolean {
  if (isUnspecified(ip)) return false;
  if (ip.includes(":")) return !/^(::1$|fe[89ab]|ff)/i.test(ip);
  const first = Number(ip.split(".")[0]);
  return first !== 127 && first < 224 && !ip.startsWith("169.254.");
}

/** How Linux marks an address that was made up when the interface was created. */
const MADE_UP = "1";

/**
 * The hardware addresses of all interfaces that have one, as the original finds them, so that on
 * an ordinary machine a proxy of ours in the place of an original one has the same token. Left out
 * are made-up addresses, unless there are no others: containers come and go with theirs, and a
 * proxy that was started again meanwhile would be a stranger to its dashboard.
 */
export function hardwareAddresses(): string[] {
  const lasting: string[] = [];
  const madeUp: string[] = [];
  try {
    for (const name of readdirSync(NETWORK_FOLDER)) {
      const mac = readFileSync(`${NETWORK_FOLDER}/${name}/address`, "latin1").trim();
      // Tunnels have an IP address there, of 4 or 16 bytes.
      const bytes = mac.split(":").length;
      if (!/[1-9a-f]/.test(mac) || bytes === 4 || bytes === 16) continue;
      const origin = readFileSync(`${NETWORK_FOLDER}/${name}/addr_assign_type`, "latin1").trim();
      (origin === MADE_UP ? madeUp : lasting).push(mac);
    }
    return lasting.length > 0 ? lasting : madeUp;
  } catch {
    const found = Object.values(networkInterfaces()).flatMap((list) => list ?? []);
    return [...new Set(found.map(({ mac }) => mac))].filter((mac) => /[1-9a-f]/.test(mac));
  }
}
