/**
 * How many keys or bytes each slot has, for plans that even those out.
 *
 * A codis-server counts the keys of its slots itself. A stock server knows only the number of its
 * keys, so a sample of them is read with SCAN, which goes through them in the order of their hashes
 * and so as good as at random, and what is found in each slot is scaled up to that number. A server
 * with no more keys than the sample is measured exactly. Otherwise the slots of which the sample
 * happens to have many would be taken for the heavy ones, so each slot is drawn towards the average
 * of its server, the more so the less the slots differ beyond what chance alone makes them differ.
 * Bytes are what MEMORY USAGE says of the sampled keys; servers without it are taken to have keys
 * of equal size.
 */
import { messageOf, OperatorError } from "../lib/operator-error.ts";
import { masterOf } from "../model/group.ts";
import { isOwnKey } from "../model/own-keys.ts";
import { SLOT_COUNT, slotOfKey } from "../model/slot.ts";
import type { RebalanceOrder } from "../api/dashboard-routes.ts";
import { RedisClient } from "../redis/client.ts";
import { type Info, keysByDatabase, parseInfo, totalKeys } from "../redis/info.ts";
import type { Product } from "./product.ts";

/** Keys looked at on one server. */
const SAMPLE = 20_000;
const SCAN_COUNT = 1_000;
/** Elements of a large value that MEMORY USAGE looks at. */
const MEMORY_SAMPLES = 5;

export type Measure = RebalanceOrder["by"];

/** What a server told of one database. */
interface Sample {
  readonly keys: Float64Array; // by slot, scaled up to the whole database
  readonly bytes: Float64Array;
}

/** The measure of every slot at the group it belongs to now; by slots nobody is asked. */
export async function measureSlots(
  product: Pick<Product, "config" | "records">,
  by: Measure,
): Promise<Float64Array> {
  const weights = new Float64Array(SLOT_COUNT);
  if (by === "slots") return weights.fill(1);
  const { groups, slots } = product.records;
  const asked = [...groups.values()].filter((group) => {
    return masterOf(group) !== "" && slots.some((slot) => slot.group_id === group.id);
  });
  await Promise.all(
    asked.map(async (group) => {
      const own = slots.filter((slot) => slot.group_id === group.id).map((slot) => slot.id);
      const found = await measureServer(product, masterOf(group), own, by);
      for (const slot of own) weights[slot] = found[slot];
    }),
  );
  return weights;
}

async function measureServer(
  product: Pick<Product, "config">,
  address: string,
  own: readonly number[],
  by: Measure,
): Promise<Float64Array> {
  const { productUsername: username, productAuth: password } = product.config;
  try {
    using client = await RedisClient.connect(address, { username, password, bytes: true });
    const info = parseInfo(textOf(await client.call(["INFO"])));
    const sum = { keys: new Float64Array(SLOT_COUNT), bytes: new Float64Array(SLOT_COUNT) };
    for (const [database, keys] of keysByDatabase(info)) {
      await client.call(["SELECT", database]);
      const quota = Math.ceil(SAMPLE * (keys / totalKeys(info)));
      const exact = await countedByServer(client);
      const sample = exact ?? (await sampled(client, own, { quota, keys, by }));
      for (let slot = 0; slot < SLOT_COUNT; slot++) {
        sum.keys[slot] += sample.keys[slot];
        sum.bytes[slot] += sample.bytes[slot];
      }
    }
    if (by === "keys") return sum.keys;
    const isMeasured = sum.bytes.some((bytes) => bytes > 0);
    return isMeasured ? sum.bytes : sum.keys.map((keys) => keys * averageKeyBytes(info));
  } catch (error) {
    throw new OperatorError(
      `the ${by} of ${address} cannot be measured: ${messageOf(error)} ` +
        "(by slots no server is asked)",
    );
  }
}

/** SLOTSINFO of codis-server, or null on any other server. */
async function countedByServer(client: RedisClient): Promise<Sample | null> {
  const [reply] = await client.pipeline([["SLOTSINFO"]]);
  if (!Array.isArray(reply)) return null;
  const keys = new Float64Array(SLOT_COUNT);
  for (const row of reply) {
    if (!Array.isArray(row)) return null;
    const slot = Number(row[0]);
    if (slot >= 0 && slot < SLOT_COUNT) keys[slot] = Number(row[1]);
  }
  return { keys, bytes: new Float64Array(SLOT_COUNT) };
}

async function sampled(
  client: RedisClient,
  own: readonly number[],
  { quota, keys: total, by }: { quota: number; keys: number; by: Measure },
): Promise<Sample> {
  const [keys, bytes] = [new Tally(), new Tally()];
  let cursor = "0";
  let seen = 0;
  do {
    const reply = await client.call(["SCAN", cursor, "COUNT", Math.min(SCAN_COUNT, quota)]);
    if (!Array.isArray(reply) || !Array.isArray(reply[1])) break;
    cursor = textOf(reply[0]);
    const found = reply[1]
      .filter((key) => key instanceof Uint8Array)
      .filter((key) => !isOwnKey(key));
    const sizes = by === "memory" ? await sizesOf(client, found) : [];
    found.forEach((key, i) => {
      const slot = slotOfKey(key);
      keys.add(slot, 1);
      bytes.add(slot, sizes[i] ?? 0);
    });
    seen += found.length;
  } while (cursor !== "0" && seen < quota);
  // At the end of the scan nothing was left out.
  if (cursor === "0" || seen === 0) return { keys: keys.sums, bytes: bytes.sums };
  const scale = Math.max(1, total / seen);
  return { keys: keys.estimate(own, scale), bytes: bytes.estimate(own, scale) };
}

/** Sums by slot over a sample. */
class Tally {
  readonly sums = new Float64Array(SLOT_COUNT);
  readonly #squares = new Float64Array(SLOT_COUNT);

  add(slot: number, value: number): void {
    this.sums[slot] += value;
    this.#squares[slot] += value * value;
  }

  /**
   * The sums of the whole, for the slots `own`. The number of sampled keys in a slot is a matter of
   * chance, which makes its sum vary by about the sum of squares; what the slots differ beyond that
   * is real.
   */
  estimate(own: readonly number[], scale: number): Float64Array {
    const mean = average(own, (slot) => this.sums[slot]);
    const spread = average(own, (slot) => (this.sums[slot] - mean) ** 2);
    const chance = average(own, (slot) => this.#squares[slot]);
    const trust = spread > chance ? 1 - chance / spread : 0;
    const estimate = new Float64Array(SLOT_COUNT);
    for (const slot of own) estimate[slot] = scale * (mean + trust * (this.sums[slot] - mean));
    return estimate;
  }
}

function average(slots: readonly number[], value: (slot: number) => number): number {
  return slots.reduce((sum, slot) => sum + value(slot), 0) / Math.max(1, slots.length);
}

/** Zeros from a server that has no MEMORY USAGE, or for a key that is gone meanwhile. */
async function sizesOf(client: RedisClient, keys: readonly Uint8Array[]): Promise<number[]> {
  const replies = await client.pipeline(
    keys.map((key) => ["MEMORY", "USAGE", key, "SAMPLES", MEMORY_SAMPLES]),
  );
  return replies.map((reply) => (typeof reply === "number" ? reply : 0));
}

function averageKeyBytes(info: Info): number {
  const bytes = Number(info.get("used_memory_dataset") ?? info.get("used_memory") ?? 0);
  return bytes / Math.max(1, totalKeys(info));
}

function textOf(reply: unknown): string {
  return reply instanceof Uint8Array ? Buffer.from(reply).toString() : String(reply);
}
