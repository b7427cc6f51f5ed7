// Method `codis`: the commands of codis-server, from one to another, slot by slot and database by
// database, as the original does it. Here the source wins, as these commands have it. One slot that
// fails is told and left; the others go on.

import { parseAddress } from "../lib/address.ts";
import { assert } from "../lib/assert.ts";
import { messageOf } from "../lib/operator-error.ts";
import type { Argument } from "../redis/client.ts";
import { ReplyError } from "../resp/value.ts";
import { Link, partOf } from "./link.ts";
import { Pacer } from "./pacer.ts";
import { isPassing } from "./retry.ts";
import { SlotTroubles } from "./slot-troubles.ts";
import { MigrationStopped, type Passage, type PassResult, type Watch } from "./types.ts";

export interface CodisMoveOptions {
  readonly isSemiAsync: boolean;
  readonly timeoutMs: number;
  readonly maxBulks: number;
  readonly maxBytes: number;
  readonly keysPerStep: number;
}

/** The original caps the timeout of one asynchronous step. */
const LONGEST_STEP_MS = 5_000;

/** One pass: slots that failed are not among the clean ones. */
export async function moveByCodis(
  passage: Passage,
  options: CodisMoveOptions,
  watch: Watch,
): Promise<PassResult> {
  const troubles = new SlotTroubles(watch);
  const pacer = new Pacer(watch);
  const clean = new Set<number>();
  let moved = 0;
  const slots = [...passage.slots].sort((a, b) => a - b);
  try {
    using source = await openSource(passage);
    for (const slot of slots) {
      try {
        moved += await moveSlot(source, slot, passage, options, pacer, watch);
        clean.add(slot);
        troubles.takeBack([slot]);
      } catch (error) {
        if (!(error instanceof ReplyError)) throw error;
        troubles.tell([slot], messageOf(error));
      }
    }
  } catch (error) {
    if (!isPassing(error)) throw error;
    const left = slots.filter((slot) => !clean.has(slot));
    troubles.tell(left, messageOf(error));
  }
  return { clean, moved, scanned: 0 };
}

async function openSource(passage: Passage): Promise<Link> {
  const { source, jobId } = passage;
  const link = await Link.openAlone(source, passage, partOf(jobId, "codis"));
  link.mustBeMaster();
  if (link.kind.isCodis) return link;
  link[Symbol.dispose]();
  throw new MigrationStopped(`${source} is no codis-server: use the method keys`);
}

/** All databases, the smallest first, each until nothing is left of the slot. */
async function moveSlot(
  source: Link,
  slot: number,
  passage: Passage,
  options: CodisMoveOptions,
  pacer: Pacer,
  watch: Watch,
): Promise<number> {
  const step = stepCommand(passage.target, slot, options);
  let moved = 0;
  await pacer.whilePaused();
  for (let database = 0; database >= 0; database = await nextDatabase(source, database)) {
    await source.select(database);
    for (;;) {
      const started = performance.now();
      const reply = await source.call(step, 2 * options.timeoutMs + LONGEST_STEP_MS);
      const [count, left] = Array.isArray(reply) ? reply.map(Number) : [0, 0];
      moved += count;
      watch.onProgress({ keys: count, bytes: 0, scanned: count });
      // An asynchronous step does not stop the server.
      await pacer.afterWork(options.isSemiAsync ? 0 : performance.now() - started);
      if (left === 0) break;
    }
  }
  return moved;
}

function stepCommand(target: string, slot: number, options: CodisMoveOptions): Argument[] {
  const place = parseAddress(target);
  assert(place !== null, "a target is host:port");
  const { host, port } = place;
  if (!options.isSemiAsync) return ["SLOTSMGRTTAGSLOT", host, port, options.timeoutMs, slot];
  const timeoutMs = Math.min(options.timeoutMs, LONGEST_STEP_MS);
  return [
    ...["SLOTSMGRTTAGSLOT-ASYNC", host, port, timeoutMs, options.maxBulks, options.maxBytes],
    ...[slot, options.keysPerStep],
  ];
}

/** The smallest one above `database` that has keys, or -1. */
async function nextDatabase(source: Link, database: number): Promise<number> {
  return (await source.databases()).find((each) => each > database) ?? -1;
}
