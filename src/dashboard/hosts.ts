// The IP addresses behind the host names of servers and proxies. Views are derived without waiting,
// so a name that is not known yet counts as unknown and is looked up for the next time.

import { lookup } from "node:dns/promises";
import { parseAddress } from "../lib/address.ts";
import { literalIp } from "./views.ts";

/** How long a name keeps its address. */
const FRESH_MS = 60_000;

/** As long as the original waits before it takes a proxy for being elsewhere. */
const PATIENCE_MS = 50;

interface Entry {
  ip: string;
  asked: Promise<void> | null;
  freshUntilMs: number;
}

export class Hosts {
  readonly #entries = new Map<string, Entry>();

  /** The IP address of "host:port"; "" while nobody knows it. */
  ipOf(address: string): string {
    const literal = literalIp(address);
    if (literal !== "") return literal;
    const host = parseAddress(address)?.host ?? "";
    return host === "" ? "" : this.#entry(host).ip;
  }

  /** Waits a moment for the addresses of these, so that a first view has them. */
  async learn(addresses: Iterable<string>): Promise<void> {
    const asked: Promise<void>[] = [];
    for (const address of addresses) {
      const host = parseAddress(address)?.host ?? "";
      if (host === "" || this.ipOf(address) !== "") continue;
      const { asked: lookingUp } = this.#entry(host);
      if (lookingUp !== null) asked.push(lookingUp);
    }
    if (asked.length === 0) return;
    const late = Promise.withResolvers<void>();
    const timer = setTimeout(late.resolve, PATIENCE_MS);
    await Promise.race([Promise.all(asked), late.promise]);
    clearTimeout(timer);
  }

  #entry(host: string): Entry {
    const entry = this.#entries.get(host) ?? { ip: "", asked: null, freshUntilMs: 0 };
    this.#entries.set(host, entry);
    if (entry.asked === null && performance.now() >= entry.freshUntilMs) {
      entry.asked = lookUp(host, entry);
    }
    return entry;
  }
}

async function lookUp(host: string, entry: Entry): Promise<void> {
  try {
    entry.ip = (await lookup(host)).address;
  } catch {
    entry.ip = "";
  }
  entry.asked = null;
  entry.freshUntilMs = performance.now() + FRESH_MS;
}
