// The words of etcd's transactions: keys, ranges, puts and deletes as its JSON interface wants
// them.

import type { Write } from "./coordinator.ts";

/** etcd takes 128 operations in a transaction; a delete is two, and the leader's key is one. */
const MAX_WRITES = 60;

/** Far below etcd's limit of 1.5 MB a request, in characters of base64. */
const MAX_BYTES = 400_000;

export function encode(text: string): string {
  return Buffer.from(text, "utf8").toString("base64");
}

export function decode(base64: string | undefined): string {
  return Buffer.from(base64 ?? "", "base64").toString("utf8");
}

/** The end of the range of all keys that begin with `folder`, which ends with a slash. */
export function endOf(folder: string): string {
  return encode(`${folder.slice(0, -1)}0`);
}

export function putOf(path: string, data: string, lease = "0"): unknown {
  return { request_put: { key: encode(path), value: encode(data), lease } };
}

/** The node and what is below it. */
export function deleteOf(path: string): unknown[] {
  const folder = `${path}/`;
  return [
    { request_delete_range: { key: encode(path) } },
    { request_delete_range: { key: encode(folder), range_end: endOf(folder) } },
  ];
}

/**
 * Cuts a list of writes into transactions, in order. In one transaction etcd refuses a key that is
 * put twice, or put and deleted.
 */
export function* transactionsOf(writes: readonly Write[]): Generator<unknown[]> {
  let batch: unknown[] = [];
  let paths = new Set<string>();
  let bytes = 0;
  let kind: Write["kind"] | null = null;
  for (const write of writes) {
    const isFull = paths.size >= MAX_WRITES || bytes >= MAX_BYTES;
    if (paths.size > 0 && (isFull || write.kind !== kind || paths.has(write.path))) {
      yield batch;
      [batch, paths, bytes] = [[], new Set(), 0];
    }
    kind = write.kind;
    paths.add(write.path);
    if (write.kind === "put") {
      batch.push(putOf(write.path, write.data));
      bytes += write.data.length * 1.4;
    } else {
      batch.push(...deleteOf(write.path));
    }
  }
  if (paths.size > 0) yield batch;
}
