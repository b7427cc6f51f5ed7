// Deleting keys without stopping a server. UNLINK frees large values in the background; servers
// without it (codis-server) get a large value renamed out of sight and then cut down in slices.

import { randomBytes } from "node:crypto";
import { OWN_KEY_PREFIX } from "../model/own-keys.ts";
import { ReplyError } from "../resp/value.ts";
import { readPage } from "./key-scan.ts";
import type { Link } from "./link.ts";
import { isAtLeast } from "./server-kind.ts";
import { SizeProbe } from "./sizes.ts";

/** Elements that one command takes away from a large value. */
const SLICE = 500;

/** The keys must be in the database that the link has selected. How many there were. */
export async function removeKeys(link: Link, keys: readonly Uint8Array[]): Promise<number> {
  if (keys.length === 0) return 0;
  if (!link.kind.isCodis && isAtLeast(link.kind, 4, 0)) {
    return Number(await link.call(["UNLINK", ...keys]));
  }
  const probe = new SizeProbe(link, { bytes: Infinity, elements: SLICE });
  const big = await probe.bigAmong(keys, await probe.sizesOf(keys));
  for (const [place, { type }] of big) await removeInSlices(link, keys[place], type);
  const small = keys.filter((_, place) => !big.has(place));
  if (small.length === 0) return big.size;
  return big.size + Number(await link.call(["DEL", ...small]));
}

async function removeInSlices(link: Link, key: Uint8Array, type: string): Promise<void> {
  const trash = `${OWN_KEY_PREFIX}trash:${randomBytes(8).toString("hex")}`;
  const [renamed] = await link.pipeline([["RENAME", key, trash]]);
  if (renamed instanceof ReplyError) return; // it expired meanwhile
  let cursor = "0";
  while ((await link.call(["EXISTS", trash])) !== 0) {
    cursor = await removeSlice(link, trash, type, cursor);
  }
}

/** The cursor matters for hashes only: the place from which on there are fields. */
async function removeSlice(
  link: Link,
  trash: string,
  type: string,
  cursor: string,
): Promise<string> {
  switch (type) {
    case "list":
      await link.call(["LTRIM", trash, SLICE, -1]);
      return cursor;
    case "zset":
      await link.call(["ZREMRANGEBYRANK", trash, 0, SLICE - 1]);
      return cursor;
    case "set":
      await link.call(["SPOP", trash, SLICE]);
      return cursor;
    case "hash": {
      const page = readPage(await link.call(["HSCAN", trash, cursor, "COUNT", SLICE]));
      const fields = page.keys.filter((_, i) => i % 2 === 0);
      if (fields.length > 0) await link.call(["HDEL", trash, ...fields]);
      return page.cursor;
    }
    default:
      await link.call(["DEL", trash]);
      return cursor;
  }
}
