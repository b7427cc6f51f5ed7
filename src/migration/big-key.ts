/**
 * Copies a key that is too large for MIGRATE in pieces, while its writes are held. The copy grows
 * under a hidden name at the target, gets the real one in a single step, and only then the original
 * is deleted; until then reads are served by the source.
 *
 *     source        key ───────────────────────────────────────── UNLINK
 *     target              hidden, hidden, hidden ... RENAMENX key
 *
 * A crash at any point leaves a hidden copy that expires by itself, or both keys, of which the
 * target's wins; running it again is right in every case.
 */
import { messageOf } from "../lib/operator-error.ts";
import type { PinnedKey } from "../model/migration-job.ts";
import { OWN_KEY_PREFIX } from "../model/own-keys.ts";
import { slotOfKey } from "../model/slot.ts";
import { ConnectionError } from "../redis/client.ts";
import { type Reply, ReplyError } from "../resp/value.ts";
import { NotDivisible, type Chunk, type ValueCopy } from "./chunk.ts";
import { chunksOf, LENGTH_OF } from "./chunks.ts";
import { mustKeep } from "./durable.ts";
import { fenceTarget } from "./fence.ts";
import { readAhead } from "./key-scan.ts";
import { Link, partOf } from "./link.ts";
import { migrateCommand, outcomeOf } from "./migrate.ts";
import { removeKeys } from "./remove.ts";
import { Backoff, isPassing } from "./retry.ts";
import { textOf } from "./server-kind.ts";
import { SlotTroubles } from "./slot-troubles.ts";
import { MigrationStopped, type KeySize, type Passage, type Watch } from "./types.ts";

/**
 * moved: it is at the target and no longer at the source. gone: the source has none (expired,
 * deleted or moved before). In both cases the key may be released.
 */
export type BigKeyOutcome = "moved" | "gone";

/** Call it while every proxy holds the key; held reads at the source go on. */
export async function moveBigKey(
  passage: Passage,
  pin: PinnedKey,
  watch: Watch,
): Promise<BigKeyOutcome> {
  return await new BigKeyMove(passage, pin, watch).run();
}

/**
 * Microseconds for an element: about twice what was measured between two servers on one machine,
 * for the way over a network.
 */
const ELEMENT_US: Readonly<Record<string, number>> = {
  list: 1,
  hash: 3,
  set: 2.5,
  zset: 5,
  stream: 5,
};
const BYTES_PER_MS = 200 * 1024;

/** About how long writes of such a key have to wait. */
export function estimatedHoldMs({ type, bytes, elements }: KeySize): number {
  const perElement = ELEMENT_US[type] ?? 0;
  return Math.ceil(Math.max((elements * perElement) / 1000, bytes / BYTES_PER_MS));
}

/** A hidden copy that nobody goes on with is deleted by its server. */
const HIDDEN_TTL_MS = 60_000;
const MOST_WRITES_UNDER_WAY = 2;
/** For values that go over in one piece after all. */
const WHOLE_TIMEOUT_MS = 30_000;

/** The value changed while it was copied: it expired, was evicted, or somebody wrote to it. */
class CopyDiffers extends Error {
  override readonly name = "CopyDiffers";
}

class BigKeyMove {
  readonly #key: Uint8Array;
  readonly #hidden: Uint8Array;
  readonly #slot: number;
  readonly #troubles: SlotTroubles;

  constructor(
    private readonly passage: Passage,
    private readonly pin: PinnedKey,
    private readonly watch: Watch,
  ) {
    this.#key = new Uint8Array(Buffer.from(pin.key, "base64"));
    const prefix = Buffer.from(`${OWN_KEY_PREFIX}mig:${passage.jobId}:`);
    this.#hidden = new Uint8Array(Buffer.concat([prefix, this.#key]));
    this.#slot = slotOfKey(this.#key);
    this.#troubles = new SlotTroubles(watch);
  }

  async run(): Promise<BigKeyOutcome> {
    const backoff = new Backoff(this.watch.signal);
    for (;;) {
      this.watch.signal.throwIfAborted();
      try {
        const outcome = await this.#try();
        this.#troubles.takeBack([this.#slot]);
        return outcome;
      } catch (error) {
        if (error instanceof ReplyError && error.code === "OOM") {
          const advice = "raise its maxmemory";
          throw new MigrationStopped(`${this.passage.target} is out of memory: ${advice}`);
        }
        if (!isPassing(error) && !(error instanceof CopyDiffers)) throw this.#explained(error);
        this.#troubles.tell([this.#slot], messageOf(error));
        await backoff.wait();
      }
    }
  }

  async #try(): Promise<BigKeyOutcome> {
    const part = partOf(this.passage.jobId, "big");
    using source = await Link.openAlone(this.passage.source, this.passage, part);
    using target = await Link.openAlone(this.passage.target, this.passage, part);
    for (const link of [source, target]) {
      link.mustBeMaster();
      await link.select(this.pin.db);
    }
    if ((await target.call(["EXISTS", this.#key])) === 0) {
      const type = textOf(await source.call(["TYPE", this.#key]));
      await target.call(["UNLINK", this.#hidden]);
      if (type === "none") return "gone";
      await this.#copy({ source, target, key: this.#key, hidden: this.#hidden }, type);
    }
    await this.#makeSure(target);
    await removeKeys(source, [this.#key]);
    return "moved";
  }

  async #copy(copy: ValueCopy, type: string): Promise<void> {
    const { source, target, key, hidden } = copy;
    try {
      const command = LENGTH_OF[type] ?? "EXISTS";
      const length = await source.call([command, key]);
      await this.#write(readAhead(chunksOf(type, copy, Number(length))), target);
      const still = await source.call([command, key]);
      if (still !== length || (await target.call([command, hidden])) !== length) {
        throw new CopyDiffers("the value changed while it was copied");
      }
      await this.#reveal(source, target);
      this.watch.onProgress({ keys: 1, bytes: 0, scanned: 0 });
    } catch (error) {
      if (target.client.isOpen) await target.pipeline([["UNLINK", hidden]]).catch(() => {});
      if (!(error instanceof NotDivisible)) throw error;
      await this.#moveWhole(copy, messageOf(error));
    }
  }

  async #write(chunks: AsyncGenerator<Chunk>, target: Link): Promise<void> {
    const underWay: Promise<void>[] = [];
    for await (const chunk of chunks) {
      this.watch.signal.throwIfAborted();
      // In one transaction: a server that dies in between must not keep a copy that never ends.
      const commands = [["MULTI"], ...chunk, ["PEXPIRE", this.#hidden, HIDDEN_TTL_MS], ["EXEC"]];
      const written = target.pipeline(commands).then(mustHaveWorked);
      written.catch(() => {}); // it is awaited below, perhaps after another one that failed
      underWay.push(written);
      if (underWay.length > MOST_WRITES_UNDER_WAY) await underWay.shift();
    }
    await Promise.all(underWay);
  }

  /** The clocks of the servers may differ: what is left of the lifetime goes over, not its end. */
  async #reveal(source: Link, target: Link): Promise<void> {
    const leftMs = Number(await source.call(["PTTL", this.#key]));
    if (leftMs === -2) throw new CopyDiffers("the key expired while it was copied");
    const lifetime = leftMs < 0 ? ["PERSIST", this.#hidden] : ["PEXPIRE", this.#hidden, leftMs];
    const rename = ["RENAMENX", this.#hidden, this.#key];
    // A copy that could not be renamed dies even if nobody comes to delete it.
    const end = ["PEXPIRE", this.#hidden, HIDDEN_TTL_MS];
    const replies = await target.pipeline([["MULTI"], lifetime, rename, end, ["EXEC"]]);
    const results = replies.at(-1);
    if (results instanceof ReplyError) throw results;
    const renamed = Array.isArray(results) ? results[1] : null;
    if (renamed instanceof ReplyError) throw new CopyDiffers(renamed.message);
    // 0: somebody was faster; then the target's wins, and ours is dropped.
    if (renamed === 0) await target.call(["UNLINK", this.#hidden]);
  }

  async #moveWhole({ source, target, key }: ValueCopy, reason: string): Promise<void> {
    const announcement = `a large key moves in one piece, while both servers stand: ${reason}`;
    this.#troubles.tell([this.#slot], announcement);
    const command = {
      ...{ source: source.kind, target: target.address, login: this.passage.login },
      ...{ database: this.pin.db, keys: [key], isCopy: true, timeoutMs: WHOLE_TIMEOUT_MS },
    };
    const [reply] = await source.pipeline([migrateCommand(command)], 4 * WHOLE_TIMEOUT_MS);
    const outcome = outcomeOf(reply, command, source.address);
    switch (outcome.kind) {
      case "done":
      case "busy":
        return;
      case "late":
        await fenceTarget(target.address, this.passage.login);
        throw new ConnectionError(outcome.reason);
      case "passing":
        throw new ConnectionError(outcome.reason);
      case "key":
      case "stop":
        throw new MigrationStopped(outcome.reason);
    }
  }

  async #makeSure(target: Link): Promise<void> {
    if (this.watch.pace().isDurable) await mustKeep(target, this.passage.jobId);
  }

  #explained(error: unknown): unknown {
    if (!(error instanceof ReplyError)) return error;
    return new MigrationStopped(`a large key cannot move: ${error.message}`);
  }
}

/** The replies to a transaction: throws the first refusal, when it was queued or carried out. */
function mustHaveWorked(replies: readonly Reply[]): void {
  const results = replies.at(-1);
  const all = Array.isArray(results) ? [...replies, ...results] : replies;
  const refused = all.find((reply) => reply instanceof ReplyError);
  if (refused instanceof ReplyError) throw refused;
}
