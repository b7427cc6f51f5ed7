// A large value in pieces: reads of the source that give, piece by piece, the commands that build
// the same value under another key at the target. The bytes of elements are relayed as they come.
// The value must not change meanwhile. Elements that a scan gives twice are written twice, which
// does no harm. Streams are in stream-chunks.ts.

import type { Argument } from "../redis/client.ts";
import { ReplyError } from "../resp/value.ts";
import { CHUNK_BYTES, ChunkSize, NotDivisible, type Chunk, type ValueCopy } from "./chunk.ts";
import { readPage } from "./key-scan.ts";
import { streamChunks } from "./stream-chunks.ts";

export const LENGTH_OF: Readonly<Record<string, string>> = {
  string: "STRLEN",
  list: "LLEN",
  hash: "HLEN",
  set: "SCARD",
  zset: "ZCARD",
  stream: "XLEN",
};

export function chunksOf(type: string, copy: ValueCopy, length: number): AsyncGenerator<Chunk> {
  switch (type) {
    case "string":
      return stringChunks(copy, length);
    case "list":
      return listChunks(copy, length);
    case "hash":
      return hashChunks(copy);
    case "set":
      return scanChunks(copy, "SSCAN", 1, (page) => ["SADD", copy.hidden, ...page]);
    case "zset":
      return scanChunks(copy, "ZSCAN", 2, (page) => ["ZADD", copy.hidden, ...swapped(page)]);
    case "stream":
      return streamChunks(copy);
    default:
      throw new NotDivisible(`values of type ${type} cannot be copied in pieces`);
  }
}

async function* stringChunks(copy: ValueCopy, length: number): AsyncGenerator<Chunk> {
  const { source, key, hidden } = copy;
  // The last byte first: the target takes the memory once, instead of again with every piece.
  const last = await source.call(["GETRANGE", key, length - 1, length - 1]);
  yield [["SETRANGE", hidden, length - 1, last as Uint8Array]];
  for (let at = 0; at < length; at += CHUNK_BYTES) {
    const bytes = await source.call(["GETRANGE", key, at, at + CHUNK_BYTES - 1]);
    yield [["SETRANGE", hidden, at, bytes as Uint8Array]];
  }
}

async function* listChunks(copy: ValueCopy, length: number): AsyncGenerator<Chunk> {
  const { source, key, hidden } = copy;
  const size = new ChunkSize();
  for (let at = 0; at < length;) {
    const page = await source.call(["LRANGE", key, at, at + size.count - 1]);
    if (!Array.isArray(page) || page.length === 0) return; // it went away: the lengths will tell
    yield [["RPUSH", hidden, ...(page as Uint8Array[])]];
    at += page.length;
    size.measured(page, 1);
  }
}

async function* scanChunks(
  { source, key }: ValueCopy,
  command: string,
  perElement: number,
  build: (page: readonly Uint8Array[]) => Argument[],
): AsyncGenerator<Chunk> {
  const size = new ChunkSize();
  let cursor = "0";
  do {
    const page = readPage(await source.call([command, key, cursor, "COUNT", size.count]));
    cursor = page.cursor;
    if (page.keys.length > 0) yield [build(page.keys)];
    size.measured(page.keys, perElement);
  } while (cursor !== "0");
}

async function* hashChunks(copy: ValueCopy): AsyncGenerator<Chunk> {
  const { source, key, hidden } = copy;
  let mayHaveExpiries = true;
  for await (const chunk of scanChunks(copy, "HSCAN", 2, (page) => ["HSET", hidden, ...page])) {
    if (mayHaveExpiries) {
      const fields = chunk[0].slice(2).filter((_, i) => i % 2 === 0);
      const ask = ["HPEXPIRETIME", key, "FIELDS", fields.length, ...fields];
      const [expiries] = await source.pipeline([ask]);
      if (Array.isArray(expiries) && expiries.some((at) => Number(at) >= 0)) {
        throw new NotDivisible("fields of the hash expire one by one");
      }
      // The server knows no such thing.
      mayHaveExpiries = !(expiries instanceof ReplyError);
    }
    yield chunk;
  }
}

/** ZSCAN gives member and score, ZADD takes score and member. */
function swapped(page: readonly Uint8Array[]): Uint8Array[] {
  return page.map((_, i) => page[i ^ 1]);
}
