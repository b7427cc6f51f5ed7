/**
 * A stream in pieces: its entries, its counters, its groups, their consumers and what is pending
 * with them. Times of consumers ("seen", "active") start anew; everything else is as it was.
 *
 * An entry may be pending although the stream has lost it, by XTRIM or XDEL. A pending entry can
 * only be made from one that is there, so such entries are added with a dummy value, claimed, and
 * deleted again; those before the first entry by XTRIM, which leaves no trace in the counters.
 */
import type { Argument } from "../redis/client.ts";
import { type Reply, ReplyError } from "../resp/value.ts";
import { ChunkSize, type Chunk, type ValueCopy } from "./chunk.ts";
import { isAtLeast, textOf } from "./server-kind.ts";

const PAGE = 500;
/** A delivery may be dated a moment early when the clock has jumped so often. */
const CLOCK_ATTEMPTS = 10;

interface StreamFacts {
  readonly lastId: string;
  /** Redis 7.0 and newer; null before. */
  readonly counters: { readonly added: number; readonly maxDeletedId: string } | null;
}

interface Group {
  readonly name: Uint8Array;
  readonly lastId: string;
  /** Null where the server does not know it. */
  readonly entriesRead: number | null;
  readonly consumers: readonly Uint8Array[];
}

interface PendingEntry {
  readonly id: string;
  readonly consumer: Uint8Array;
  readonly deliveredAtMs: number;
  readonly deliveries: number;
}

export async function* streamChunks(copy: ValueCopy): AsyncGenerator<Chunk> {
  const { hidden } = copy;
  const facts = await readFacts(copy);
  const groups = await readGroups(copy);
  const lost = await findLost(copy, groups);
  // Creates the stream even if it has no entries.
  yield [
    ["XGROUP", "CREATE", hidden, "\0", "0", "MKSTREAM"],
    ["XGROUP", "DESTROY", hidden, "\0"],
  ];
  yield* entryChunks(copy, lost);
  for (const group of groups) yield* groupChunks(copy, group, facts);
  yield* lostChunks(copy, lost);
  yield [setId(hidden, facts, isAtLeast(copy.target.kind, 7, 0))];
}

function setId(hidden: Uint8Array, facts: StreamFacts, isKnown: boolean): Argument[] {
  const command: Argument[] = ["XSETID", hidden, facts.lastId];
  if (facts.counters === null || !isKnown) return command;
  const { added, maxDeletedId } = facts.counters;
  return [...command, "ENTRIESADDED", added, "MAXDELETEDID", maxDeletedId];
}

async function* entryChunks(copy: ValueCopy, lost: readonly string[]): AsyncGenerator<Chunk> {
  const { source, key, hidden } = copy;
  const size = new ChunkSize();
  let nextLost = 0;
  const lostBefore = (id: string | null): Argument[][] => {
    const commands: Argument[][] = [];
    while (nextLost < lost.length && (id === null || compareIds(lost[nextLost], id) < 0)) {
      commands.push(["XADD", hidden, lost[nextLost++], "", ""]);
    }
    return commands;
  };
  for (let from: string | null = "-"; from !== null;) {
    const page = await source.call(["XRANGE", key, from, "+", "COUNT", size.count]);
    const entries = (Array.isArray(page) ? page : []) as [Uint8Array, Uint8Array[]][];
    const commands: Argument[][] = [];
    for (const [id, fields] of entries) {
      commands.push(...lostBefore(textOf(id)), ["XADD", hidden, id, ...fields]);
    }
    if (commands.length > 0) yield commands;
    const last = entries.at(-1);
    from = last === undefined ? null : nextId(textOf(last[0]));
    const fields = entries.flatMap((entry) => entry[1]);
    size.measured(fields, fields.length / Math.max(1, entries.length));
  }
  const rest = lostBefore(null);
  for (let i = 0; i < rest.length; i += PAGE) yield rest.slice(i, i + PAGE);
}

async function* groupChunks(
  copy: ValueCopy,
  group: Group,
  facts: StreamFacts,
): AsyncGenerator<Chunk> {
  const { hidden, target } = copy;
  const isCounted = facts.counters !== null && isAtLeast(target.kind, 7, 0);
  const read = isCounted && group.entriesRead !== null ? ["ENTRIESREAD", group.entriesRead] : [];
  const commands: Argument[][] = [["XGROUP", "CREATE", hidden, group.name, group.lastId, ...read]];
  if (isAtLeast(target.kind, 6, 2)) {
    for (const consumer of group.consumers) {
      commands.push(["XGROUP", "CREATECONSUMER", hidden, group.name, consumer]);
    }
  }
  yield commands;
  for await (const page of pendingPages(copy, group.name)) {
    yield page.map(({ id, consumer, deliveredAtMs, deliveries }) => [
      ...["XCLAIM", hidden, group.name, consumer, 0, id],
      ...["TIME", deliveredAtMs, "RETRYCOUNT", deliveries, "FORCE", "JUSTID"],
    ]);
  }
}

async function* lostChunks(copy: ValueCopy, lost: readonly string[]): AsyncGenerator<Chunk> {
  if (lost.length === 0) return;
  const { source, target, key, hidden } = copy;
  const head = await source.call(["XRANGE", key, "-", "+", "COUNT", 1]);
  const first = Array.isArray(head) && head.length > 0 ? textOf((head[0] as Reply[])[0]) : null;
  let inside = lost;
  if (isAtLeast(target.kind, 6, 2)) {
    if (first === null) {
      yield [["XTRIM", hidden, "MAXLEN", "=", 0]];
      return;
    }
    yield [["XTRIM", hidden, "MINID", "=", first]];
    inside = lost.filter((id) => compareIds(id, first) > 0);
  }
  for (let i = 0; i < inside.length; i += PAGE) {
    yield [["XDEL", hidden, ...inside.slice(i, i + PAGE)]];
  }
}

/** Pending entries of all groups that the stream does not have any more, ascending, once each. */
async function findLost(copy: ValueCopy, groups: readonly Group[]): Promise<string[]> {
  const { source, key } = copy;
  const lost = new Set<string>();
  for (const group of groups) {
    for await (const page of pendingPages(copy, group.name)) {
      const found = await source.pipeline(page.map(({ id }) => ["XRANGE", key, id, id]));
      page.forEach(({ id }, i) => {
        const entry = found[i];
        if (Array.isArray(entry) && entry.length === 0) lost.add(id);
      });
    }
  }
  return [...lost].sort(compareIds);
}

async function* pendingPages(copy: ValueCopy, group: Uint8Array): AsyncGenerator<PendingEntry[]> {
  for (let from: string | null = "-"; from !== null;) {
    const { nowMs, rows } = await readPending(copy, group, from);
    const page = rows.map(([id, consumer, idleMs, deliveries]) => {
      return { id: textOf(id), consumer, deliveredAtMs: nowMs - idleMs, deliveries };
    });
    if (page.length > 0) yield page;
    from = page.length < PAGE ? null : nextId(page[page.length - 1].id);
  }
}

/** Identifier, consumer, idle time in milliseconds, deliveries. */
type PendingRow = [Uint8Array, Uint8Array, number, number];

/**
 * The server says how long ago an entry was delivered, not when, and reads its clock anew for each
 * command. So it is asked again when a millisecond has passed in between.
 */
async function readPending(
  { source, key }: ValueCopy,
  group: Uint8Array,
  from: string,
): Promise<{ nowMs: number; rows: PendingRow[] }> {
  for (let attempt = 1; ; attempt++) {
    const replies = await source.pipeline([
      ["MULTI"],
      ["TIME"],
      ["XPENDING", key, group, from, "+", PAGE],
      ["TIME"],
      ["EXEC"],
    ]);
    const refused = replies.find((reply) => reply instanceof ReplyError);
    if (refused !== undefined) throw refused;
    const [before, rows, after] = replies[4] as [Reply[], PendingRow[], Reply[]];
    if (rows instanceof ReplyError) throw rows;
    const nowMs = millisecondsOf(before);
    if (nowMs === millisecondsOf(after) || attempt === CLOCK_ATTEMPTS) return { nowMs, rows };
  }
}

function millisecondsOf([seconds, micros]: Reply[]): number {
  return Number(textOf(seconds)) * 1000 + Math.floor(Number(textOf(micros)) / 1000);
}

async function readFacts({ source, key }: ValueCopy): Promise<StreamFacts> {
  const info = fieldsOf(await source.call(["XINFO", "STREAM", key]));
  const lastId = textOf(info.get("last-generated-id") ?? "0-0");
  const [added, maxDeleted] = [info.get("entries-added"), info.get("max-deleted-entry-id")];
  if (added === undefined || maxDeleted === undefined) return { lastId, counters: null };
  return { lastId, counters: { added: Number(added), maxDeletedId: textOf(maxDeleted) } };
}

async function readGroups({ source, key }: ValueCopy): Promise<Group[]> {
  const rows = await source.call(["XINFO", "GROUPS", key]);
  const groups: Group[] = [];
  for (const row of Array.isArray(rows) ? rows : []) {
    const fields = fieldsOf(row);
    const name = fields.get("name") as Uint8Array;
    const consumers = await source.call(["XINFO", "CONSUMERS", key, name]);
    const read = fields.get("entries-read");
    groups.push({
      name,
      lastId: textOf(fields.get("last-delivered-id") ?? "0-0"),
      entriesRead: typeof read === "number" ? read : null,
      consumers: (Array.isArray(consumers) ? consumers : []).map((consumer) => {
        return fieldsOf(consumer).get("name") as Uint8Array;
      }),
    });
  }
  return groups;
}

function fieldsOf(row: Reply): Map<string, Reply> {
  const fields = new Map<string, Reply>();
  if (!Array.isArray(row)) return fields;
  for (let i = 0; i + 1 < row.length; i += 2) fields.set(textOf(row[i]), row[i + 1]);
  return fields;
}

const MOST_SEQUENCE = 2n ** 64n - 1n;

function partsOf(id: string): [bigint, bigint] {
  const [time, sequence = "0"] = id.split("-");
  return [BigInt(time), BigInt(sequence)];
}

export function compareIds(a: string, b: string): number {
  const [[aTime, aSequence], [bTime, bSequence]] = [partsOf(a), partsOf(b)];
  if (aTime !== bTime) return aTime < bTime ? -1 : 1;
  if (aSequence === bSequence) return 0;
  return aSequence < bSequence ? -1 : 1;
}

/** Redis before 6.2 has no ranges that leave their first entry out. Null after the last id. */
export function nextId(id: string): string | null {
  const [time, sequence] = partsOf(id);
  if (sequence < MOST_SEQUENCE) return `${time}-${sequence + 1n}`;
  return time < MOST_SEQUENCE ? `${time + 1n}-0` : null;
}
