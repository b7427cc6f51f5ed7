// The keys that a server has in some slots, page by page, through all its databases. One pass finds
// every key that is there from its beginning to its end; keys that come or go meanwhile may be seen
// or not, and a key may be seen twice. A stock server is scanned whole and filtered here, once for
// all slots; a codis-server has an index by slot.

import { isOwnKey } from "../model/own-keys.ts";
import { slotOf } from "../model/slot.ts";
import type { Reply } from "../resp/value.ts";
import type { Link } from "./link.ts";
import { textOf } from "./server-kind.ts";

export interface KeyPage {
  readonly database: number;
  readonly keys: readonly Uint8Array[];
  /** The slot of each key. */
  readonly slots: readonly number[];
  /** Keys that the server went through for this page, those of other slots included. */
  readonly scanned: number;
  /** How long the server was asked for it. */
  readonly tookMs: number;
}

export interface ScanOptions {
  readonly slots: ReadonlySet<number>;
  scanCount(): number;
}

export async function* scanKeys(link: Link, options: ScanOptions): AsyncGenerator<KeyPage> {
  for (const database of await link.databases()) {
    const pages = link.kind.isCodis
      ? scanBySlot(link, database, options)
      : scanAll(link, database, options);
    yield* pages;
  }
}

/** The same values, the next of which is asked for while the caller works on one. */
export async function* readAhead<T>(source: AsyncGenerator<T>): AsyncGenerator<T> {
  let next = source.next();
  try {
    for (;;) {
      const { done, value } = await next;
      if (done) return;
      next = source.next();
      yield value;
    }
  } finally {
    // Nobody waits for it any more; a broken connection is noticed by whoever uses it next.
    next.catch(() => {});
  }
}

async function* scanAll(
  link: Link,
  database: number,
  options: ScanOptions,
): AsyncGenerator<KeyPage> {
  let cursor = "0";
  do {
    const started = performance.now();
    await link.select(database);
    const reply = await link.call(["SCAN", cursor, "COUNT", options.scanCount()]);
    const page = readPage(reply);
    cursor = page.cursor;
    yield filtered(page.keys, database, options.slots, performance.now() - started);
  } while (cursor !== "0");
}

async function* scanBySlot(
  link: Link,
  database: number,
  options: ScanOptions,
): AsyncGenerator<KeyPage> {
  await link.select(database);
  const counts = await link.call(["SLOTSINFO"]);
  for (const pair of Array.isArray(counts) ? counts : []) {
    const slot = Array.isArray(pair) ? Number(pair[0]) : -1;
    if (!options.slots.has(slot)) continue;
    let cursor = "0";
    do {
      const started = performance.now();
      await link.select(database);
      const count = options.scanCount();
      const page = readPage(await link.call(["SLOTSSCAN", slot, cursor, "COUNT", count]));
      cursor = page.cursor;
      yield filtered(page.keys, database, options.slots, performance.now() - started);
    } while (cursor !== "0");
  }
}

/** The reply of SCAN and its kin. */
export function readPage(reply: Reply): { cursor: string; keys: Uint8Array[] } {
  if (!Array.isArray(reply) || !Array.isArray(reply[1])) throw new Error("SCAN gave no page");
  return { cursor: textOf(reply[0]), keys: reply[1] as Uint8Array[] };
}

function filtered(
  all: readonly Uint8Array[],
  database: number,
  wanted: ReadonlySet<number>,
  tookMs: number,
): KeyPage {
  const keys: Uint8Array[] = [];
  const slots: number[] = [];
  for (const key of all) {
    const slot = slotOf(key, 0, key.length);
    if (!wanted.has(slot) || isOwnKey(key)) continue;
    keys.push(key);
    slots.push(slot);
  }
  return { database, keys, slots, scanned: all.length, tookMs };
}
