// Method `replica`: the target becomes a replica of the source, catches up while the slots are
// held, and is promoted; afterwards each of the two deletes what the other serves. Nothing here
// costs time per key, and there are no big keys; the target needs room for all that the source has.

import { parseAddress } from "../lib/address.ts";
import { assert } from "../lib/assert.ts";
import { messageOf } from "../lib/operator-error.ts";
import { OWN_KEY_PREFIX } from "../model/own-keys.ts";
import { SLOT_COUNT } from "../model/slot.ts";
import type { Argument } from "../redis/client.ts";
import { keysByDatabase, masterAddressOf, totalKeys, type Info } from "../redis/info.ts";
import { ReplyError } from "../resp/value.ts";
import { mustKeep } from "./durable.ts";
import { scanKeys } from "./key-scan.ts";
import { Link, partOf } from "./link.ts";
import { rest } from "./pacer.ts";
import { Backoff, isPassing } from "./retry.ts";
import { isAtLeast, textOf } from "./server-kind.ts";
import { SlotTroubles } from "./slot-troubles.ts";
import { sweepAway } from "./sweep.ts";
import { type Access, MigrationStopped, type Login, type Passage, type Watch } from "./types.ts";

/** So far behind the source the target may be when the slots are held. */
const CLOSE_BYTES = 1024 * 1024;
const SYNC_POLL_MS = 100;
const CATCH_UP_POLL_MS = 1;
const ALL_SLOTS = Array.from({ length: SLOT_COUNT }, (_, slot) => slot);

/** Makes the target, which must be empty, a replica of the source. May be repeated. */
export async function attachReplica(passage: Passage): Promise<void> {
  using source = await openEnd(passage, passage.source, "attach");
  source.mustBeMaster();
  using target = await openEnd(passage, passage.target, "attach");
  const info = await target.info();
  if (isReplicaOf(info, passage.source)) return;
  target.mustBeMaster();
  if (totalKeys(info) > 0 && (await hasKeysOfClients(target))) {
    throw new MigrationStopped(
      `${passage.target} has keys, which the copy of ${passage.source} would replace: ` +
        `empty it, or use the method keys`,
    );
  }
  await setMasterLogin(target, source, passage.login);
  await markCopy(source, passage.jobId);
  await target.call([...replicaOf(target), ...hostAndPort(passage.source)]);
}

/** Waits until the target has the data and follows closely. */
export async function awaitInSync(passage: Passage, watch: Watch): Promise<void> {
  const troubles = new SlotTroubles(watch);
  const backoff = new Backoff(watch.signal);
  for (;;) {
    try {
      using source = await openEnd(passage, passage.source, "sync");
      using target = await openEnd(passage, passage.target, "sync");
      for (;;) {
        const missing = await missingBytes(source, target, passage);
        if (missing !== null && missing <= CLOSE_BYTES) {
          troubles.takeBack(passage.slots);
          return;
        }
        await rest(SYNC_POLL_MS, watch.signal);
      }
    } catch (error) {
      watch.signal.throwIfAborted();
      if (!isPassing(error)) throw error;
      troubles.tell(passage.slots, messageOf(error));
      await backoff.wait();
    }
  }
}

/** How far the target is behind; null while it has no link or still copies. */
async function missingBytes(source: Link, target: Link, passage: Passage): Promise<number | null> {
  const [ours, theirs] = await Promise.all([source.info(), target.info()]);
  mustFollow(theirs, passage);
  if (theirs.get("master_link_status") !== "up") return null;
  if (theirs.get("master_sync_in_progress") === "1") return null;
  return Number(ours.get("master_repl_offset")) - Number(theirs.get("slave_repl_offset"));
}

/**
 * Waits, while the slots are held, until the target has all that the source had when this was
 * called. Throws `MigrationStopped` when that takes longer than `timeoutMs`.
 */
export async function catchUp(passage: Passage, timeoutMs: number): Promise<void> {
  using source = await openEnd(passage, passage.source, "switch");
  using target = await openEnd(passage, passage.target, "switch");
  const deadline = performance.now() + timeoutMs;
  const goal = Number((await source.info("replication")).get("master_repl_offset"));
  for (;;) {
    const info = await target.info("replication");
    mustFollow(info, passage);
    const isUp = info.get("master_link_status") === "up";
    if (isUp && Number(info.get("slave_repl_offset")) >= goal) break;
    if (performance.now() > deadline) {
      throw new MigrationStopped(
        `${passage.target} did not catch up with ${passage.source} within ${timeoutMs} ms`,
      );
    }
    await Bun.sleep(CATCH_UP_POLL_MS);
  }
  if (source.kind.isCodis && !target.kind.isCodis) {
    await mustBeTrueCopy(source, target, passage.jobId);
  }
}

const REMEMBERED_MS = 7 * 24 * 3_600_000;
const SKIPPED = /^cmdstat_(slotsrestore|slotsdel)/;

/** Its copy at the target says whose the keys there are. */
function memoryKey(jobId: number): string {
  return `${OWN_KEY_PREFIX}mig:${jobId}:copy`;
}

/** How often the source has carried out commands that a stock replica would not. */
async function skippedCommands(source: Link): Promise<string> {
  let calls = 0;
  for (const [name, figures] of await source.info("commandstats")) {
    if (SKIPPED.test(name)) calls += Number(/calls=(\d+)/.exec(figures)?.[1] ?? 0);
  }
  return `${source.kind.runId}:${calls}`;
}

/** At the source itself: whoever takes the job over has to know it. */
async function markCopy(source: Link, jobId: number): Promise<void> {
  const text = source.kind.isCodis ? await skippedCommands(source) : "1";
  const [reply] = await source.pipeline([["SET", memoryKey(jobId), text, "PX", REMEMBERED_MS]]);
  // A source that is full can be copied, but not a codis-server without this.
  if (reply instanceof ReplyError && source.kind.isCodis) throw reply;
}

/** When the job has ended. The key dies by itself where this does not get to. */
export async function forgetCopy(passage: Passage): Promise<void> {
  for (const address of [passage.source, passage.target]) {
    if (address === "") continue;
    try {
      using link = await openEnd(passage, address, "forget");
      await link.call(["DEL", memoryKey(passage.jobId)]);
    } catch (error) {
      if (!isPassing(error) && !(error instanceof ReplyError)) throw error;
    }
  }
}

/**
 * A stock replica of a codis-server skips SLOTSRESTORE, SLOTSDEL and their kin without a word to
 * its master: keys that moved into the source while the replica was attached are not in it.
 */
async function mustBeTrueCopy(source: Link, target: Link, jobId: number): Promise<void> {
  const advice = `detach it, let no keys move into ${source.address}, and attach it again`;
  const remembered = await source.call(["GET", memoryKey(jobId)]);
  if (remembered === null || textOf(remembered) !== (await skippedCommands(source))) {
    throw new MigrationStopped(
      `${source.address} has taken keys from another codis-server, or deleted slots, since ` +
        `${target.address} is its replica, which has not heard of it: ${advice}`,
    );
  }
  const [ours, theirs] = await Promise.all([source.info("keyspace"), target.info("keyspace")]);
  const [before, after] = [keysByDatabase(ours), keysByDatabase(theirs)];
  for (const [database, count] of before) {
    if (after.get(database) === count) continue;
    throw new MigrationStopped(
      `${target.address} has ${after.get(database) ?? 0} keys in database ${database} and ` +
        `${source.address} has ${count}: ${advice}`,
    );
  }
}

/** May be repeated. */
export async function promoteTarget(passage: Passage): Promise<void> {
  using target = await openEnd(passage, passage.target, "promote");
  if (target.kind.isMaster) return;
  await target.call([...replicaOf(target), "NO", "ONE"]);
}

/** Whether `promoteTarget` ran, or the target has lost its master in another way. */
export async function isTargetPromoted(passage: Passage): Promise<boolean> {
  using target = await openEnd(passage, passage.target, "promote");
  return target.kind.isMaster;
}

/**
 * Gives up: the target is a master again, and loses what it has copied, the keys of `slots`. A
 * target that was never attached keeps what it has.
 */
export async function detachReplica(
  passage: Passage,
  slots: ReadonlySet<number>,
  watch: Watch,
): Promise<void> {
  if (!(await hasCopy(passage))) return;
  await promoteTarget(passage);
  await trimServer(passage.target, passage, slots, watch);
  await forgetCopy(passage);
}

async function hasCopy(passage: Passage): Promise<boolean> {
  using target = await openEnd(passage, passage.target, "promote");
  if (isReplicaOf(await target.info("replication"), passage.source)) return true;
  return target.kind.isMaster && (await target.call(["EXISTS", memoryKey(passage.jobId)])) === 1;
}

/** Before the source is trimmed: what the target has copied is in a replica or on its disk. */
export async function mustKeepCopy(passage: Passage): Promise<void> {
  using target = await openEnd(passage, passage.target, "keep");
  await mustKeep(target, passage.jobId);
}

/** Deletes the keys of these slots at one server. How many. */
export async function trimServer(
  address: string,
  access: Access,
  slots: ReadonlySet<number>,
  watch: Watch,
): Promise<number> {
  return await sweepAway({ address, access, slots, part: "trim" }, watch);
}

async function hasKeysOfClients(link: Link): Promise<boolean> {
  const scan = { slots: new Set(ALL_SLOTS), scanCount: () => 100 };
  for await (const { keys } of scanKeys(link, scan)) if (keys.length > 0) return true;
  return false;
}

async function openEnd(passage: Passage, address: string, part: string): Promise<Link> {
  return await Link.open(address, passage, partOf(passage.jobId, part));
}

function mustFollow(target: Info, { source, target: address }: Passage): void {
  if (isReplicaOf(target, source)) return;
  throw new MigrationStopped(
    `${address} is not a replica of ${source} any more (somebody else changed its role): ` +
      `cancel the job`,
  );
}

function isReplicaOf(info: Info, address: string): boolean {
  if (info.get("role") !== "slave") return false;
  const [host, port] = hostAndPort(address);
  return masterAddressOf(info) === address || masterAddressOf(info) === `${host}:${port}`;
}

function hostAndPort(address: string): [string, number] {
  const place = parseAddress(address);
  assert(place !== null, "a server is host:port");
  return [place.host || "127.0.0.1", place.port];
}

function replicaOf(link: Link): string[] {
  return [isAtLeast(link.kind, 5, 0) ? "REPLICAOF" : "SLAVEOF"];
}

async function setMasterLogin(target: Link, source: Link, login: Login): Promise<void> {
  const { username, password } = login;
  if (password === "") return;
  const settings: Argument[][] = [["CONFIG", "SET", "masterauth", password]];
  // A source without users refuses one.
  const user = isAtLeast(source.kind, 6, 0) ? username : "";
  if (username !== "") settings.push(["CONFIG", "SET", "masteruser", user]);
  const refused = (await target.pipeline(settings)).find((reply) => reply instanceof ReplyError);
  if (!(refused instanceof ReplyError)) return;
  // With CONFIG renamed this may be in its file already; the sync tells.
  const isRenamed = /unknown command|NOPERM/.test(refused.message);
  if (!isRenamed) throw new MigrationStopped(`${target.address} answers: ${refused.message}`);
}
