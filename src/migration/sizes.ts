// How large keys are, asked for a page of them at a time. A stock server is asked by a script of
// one call, which costs it less than a microsecond for a key; where scripts are not allowed, by
// MEMORY USAGE in a pipeline; a codis-server knows only types and lengths.

import { type Reply, ReplyError } from "../resp/value.ts";
import type { Link } from "./link.ts";
import { textOf } from "./server-kind.ts";
import type { BigKeyLimits, KeySize } from "./types.ts";

/** Smaller ones are not told apart: a batch of them is limited by its number of keys. */
const SMALL_BYTES = 4 * 1024;

/** What one element of a collection takes at least; fewer bytes cannot hold many elements. */
const LEAST_ELEMENT_BYTES = 8;

/** A guess for servers that cannot say. */
const GUESSED_ELEMENT_BYTES = 64;

const SCRIPT = `
local small = tonumber(ARGV[1])
local found = {0}
local total = 0
for i, key in ipairs(KEYS) do
  local bytes = redis.call('MEMORY', 'USAGE', key)
  if bytes then
    total = total + bytes
    if bytes > small then
      found[#found + 1] = i - 1
      found[#found + 1] = bytes
    end
  end
end
found[1] = total
return found`;

const LENGTH_COMMANDS: Readonly<Record<string, string>> = {
  string: "STRLEN",
  hash: "HLEN",
  set: "SCARD",
  zset: "ZCARD",
  list: "LLEN",
  stream: "XLEN",
};

export interface PageSizes {
  /** Of all keys of the page together. */
  readonly bytes: number;
  /** By position in the page; small keys are absent. */
  readonly large: ReadonlyMap<number, number>;
  /** The average of the small ones. */
  readonly smallBytes: number;
}

export class SizeProbe {
  /** What this server lets us do; found out by trying, best first. */
  #way: "script" | "pipeline" | "lengths";

  constructor(
    private readonly link: Link,
    private readonly limits: BigKeyLimits,
  ) {
    this.#way = link.kind.isCodis ? "lengths" : "script";
  }

  /** The keys must be in the database that the link has selected. */
  async sizesOf(keys: readonly Uint8Array[]): Promise<PageSizes> {
    if (keys.length === 0) return { bytes: 0, large: new Map(), smallBytes: 0 };
    if (this.#way === "script") {
      const sizes = await this.#byScript(keys);
      if (sizes !== null) return sizes;
      this.#way = "pipeline";
    }
    if (this.#way === "pipeline") {
      const replies = await this.link.pipeline(keys.map((key) => ["MEMORY", "USAGE", key]));
      if (!(replies[0] instanceof ReplyError)) return collect(replies.map(numberOf));
      this.#way = "lengths";
    }
    return collect((await this.#byLength(keys)).map((size) => size?.bytes ?? 0));
  }

  /** Those keys of the page that are too large for MIGRATE, by position. */
  async bigAmong(keys: readonly Uint8Array[], sizes: PageSizes): Promise<Map<number, KeySize>> {
    const { bytes, elements } = this.limits;
    const least = Math.min(bytes, elements * LEAST_ELEMENT_BYTES);
    const places = [...sizes.large].filter(([, size]) => size >= least).map(([place]) => place);
    const big = new Map<number, KeySize>();
    if (places.length === 0) return big;
    const found = await this.#byLength(places.map((place) => keys[place]));
    places.forEach((place, i) => {
      const size = found[i];
      if (size === null) return;
      const exact = this.#way === "lengths" ? size.bytes : (sizes.large.get(place) ?? 0);
      const isBig = exact > bytes || (size.type !== "string" && size.elements > elements);
      if (isBig) big.set(place, { ...size, bytes: exact });
    });
    return big;
  }

  async #byScript(keys: readonly Uint8Array[]): Promise<PageSizes | null> {
    const [reply] = await this.link.pipeline([["EVAL", SCRIPT, keys.length, ...keys, SMALL_BYTES]]);
    if (!Array.isArray(reply)) return null;
    const large = new Map<number, number>();
    for (let i = 1; i + 1 < reply.length; i += 2) large.set(Number(reply[i]), Number(reply[i + 1]));
    return withAverage(Number(reply[0]), large, keys.length);
  }

  /** Type and length of each key; null for those that are gone. */
  async #byLength(keys: readonly Uint8Array[]): Promise<(KeySize | null)[]> {
    const types = (await this.link.pipeline(keys.map((key) => ["TYPE", key]))).map(textOf);
    const commands = keys.map((key, i) => [LENGTH_COMMANDS[types[i]] ?? "EXISTS", key]);
    const lengths = await this.link.pipeline(commands);
    return types.map((type, i) => {
      if (type === "none") return null;
      const length = numberOf(lengths[i]);
      if (type === "string") return { type, bytes: length, elements: 1 };
      return { type, bytes: length * GUESSED_ELEMENT_BYTES, elements: length };
    });
  }
}

function numberOf(reply: Reply): number {
  return typeof reply === "number" ? reply : 0;
}

function collect(sizes: readonly number[]): PageSizes {
  const large = new Map<number, number>();
  let bytes = 0;
  sizes.forEach((size, place) => {
    bytes += size;
    if (size > SMALL_BYTES) large.set(place, size);
  });
  return withAverage(bytes, large, sizes.length);
}

function withAverage(bytes: number, large: Map<number, number>, count: number): PageSizes {
  let ofLarge = 0;
  for (const size of large.values()) ofLarge += size;
  const smallBytes = Math.ceil((bytes - ofLarge) / Math.max(1, count - large.size));
  return { bytes, large, smallBytes };
}
