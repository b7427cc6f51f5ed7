// Whether keys can go from one server to the other, found out before anything moves. What can be
// tried is tried, with a key of our own, instead of being reasoned about: a version that cannot
// read the other's values, a password, a right that is missing, a network that is shut.

import { messageOf } from "../lib/operator-error.ts";
import type { JobMethod } from "../model/migration-job.ts";
import { OWN_KEY_PREFIX } from "../model/own-keys.ts";
import { ConnectionError, type Argument } from "../redis/client.ts";
import { keysByDatabase, parseInfo, totalKeys, type Info } from "../redis/info.ts";
import { ReplyError } from "../resp/value.ts";
import { durabilityOf } from "./durable.ts";
import { Link, partOf } from "./link.ts";
import { migrateCommand, outcomeOf, unreadable, WRONG_DUMP } from "./migrate.ts";
import { kindText, textOf, type ServerKind } from "./server-kind.ts";
import { MigrationStopped, type Pace, type Passage } from "./types.ts";

export interface PassageFacts {
  readonly source: ServerKind;
  readonly target: ServerKind;
  /** Keys of the whole source, in all slots. */
  readonly sourceKeys: number;
  /** A cancelled job can bring its keys back: the source reads what the target writes. */
  readonly canReverse: boolean;
}

const TRIAL_TTL_MS = 60_000;

/** Roles, versions, databases, credentials and rights. Throws `MigrationStopped`. */
export async function checkPassage(
  passage: Passage,
  method: JobMethod,
  pace: Pace,
): Promise<PassageFacts> {
  try {
    const part = partOf(passage.jobId, "check");
    using source = await Link.open(passage.source, passage, part);
    using target = await Link.open(passage.target, passage, part);
    const sourceInfo = await source.info();
    checkKinds(source, target, method);
    await checkDatabases(sourceInfo, target);
    if (pace.isDurable) await durabilityOf(target);
    if (method === "keys") {
      await checkRights(source, target);
      const trouble = await tryMigrate(source, target, passage);
      if (trouble !== "") throw new MigrationStopped(trouble);
    }
    if (method === "replica") await mustBeReadable(source, target, passage.jobId);
    return {
      source: source.kind,
      target: target.kind,
      sourceKeys: totalKeys(sourceInfo),
      canReverse: method === "codis" || (await tryMigrate(target, source, passage)) === "",
    };
  } catch (error) {
    if (!(error instanceof ConnectionError || error instanceof ReplyError)) throw error;
    throw new MigrationStopped(messageOf(error));
  }
}

/** Whether the target takes `bytes` more without evicting or refusing. */
export async function checkRoom(passage: Passage, bytes: number): Promise<void> {
  using target = await Link.open(passage.target, passage, partOf(passage.jobId, "check"));
  const info = await target.info("memory");
  const most = Number(info.get("maxmemory") ?? 0);
  const free = most - Number(info.get("used_memory") ?? 0);
  if (most === 0 || free >= bytes) return;
  throw new MigrationStopped(
    `${passage.target} has room for ${megabytes(free)} and the slots take ${megabytes(bytes)}: ` +
      `raise its maxmemory, or move fewer slots`,
  );
}

function megabytes(bytes: number): string {
  return `${Math.max(0, Math.ceil(bytes / 1024 / 1024))} MB`;
}

function checkKinds(source: Link, target: Link, method: JobMethod): void {
  if (source.kind.runId === target.kind.runId) {
    throw new MigrationStopped(`${source.address} and ${target.address} are the same server`);
  }
  source.mustBeMaster();
  // By replication the target becomes a replica, and is one when the job is taken over.
  if (method !== "replica") target.mustBeMaster();
  if (method !== "codis" || (source.kind.isCodis && target.kind.isCodis)) return;
  const other = source.kind.isCodis ? target : source;
  throw new MigrationStopped(
    `method codis needs codis-server at both ends, and ${other.address} is ` +
      `${kindText(other.kind)}: use the method keys`,
  );
}

/** A source database that the target lacks would end in another one. */
async function checkDatabases(sourceInfo: Info, target: Link): Promise<void> {
  const info = parseInfo(textOf(await target.call(["INFO", "cluster"])));
  if (info.get("cluster_enabled") === "1") {
    throw new MigrationStopped(
      `${target.address} is part of a Redis Cluster and decides by itself`,
    );
  }
  const last = Math.max(0, ...keysByDatabase(sourceInfo).keys());
  const [reply] = await target.pipeline([["SELECT", last]]);
  await target.call(["SELECT", 0]);
  if (!(reply instanceof ReplyError)) return;
  throw new MigrationStopped(
    `the source has keys in database ${last} and ${target.address} refuses it ` +
      `(${reply.message}): raise databases there to ${last + 1} or more`,
  );
}

/** Commands that the engine uses at either end besides those that the trial shows. */
async function checkRights(source: Link, target: Link): Promise<void> {
  const probe = `${OWN_KEY_PREFIX}probe`;
  const removal = (link: Link): string => (link.kind.isCodis ? "DEL" : "UNLINK");
  const list = ["CLIENT", "LIST"];
  await mustBeAllowed(source, [["SCAN", 0, "COUNT", 1], ["TYPE", probe], list]);
  await mustBeAllowed(source, [[removal(source), probe]]);
  await mustBeAllowed(target, [["EXISTS", probe], [removal(target), probe], list]);
}

async function mustBeAllowed(link: Link, commands: Argument[][]): Promise<void> {
  const replies = await link.pipeline(commands);
  replies.forEach((reply, i) => {
    if (!(reply instanceof ReplyError)) return;
    throw new MigrationStopped(
      `${link.address} refuses ${commands[i][0]} (${reply.message}): allow it to the user of the ` +
        `product, with all keys`,
    );
  });
}

/**
 * A replica of a newer server asks for a copy that it cannot read again and again. The value of a
 * single key has the version of the whole copy in it.
 */
async function mustBeReadable(source: Link, target: Link, jobId: number): Promise<void> {
  const key = trialKey(jobId);
  const trial = [
    ["SET", key, "1", "PX", TRIAL_TTL_MS],
    ["DUMP", key],
    ["DEL", key],
  ];
  const [, dump] = await source.pipeline(trial);
  if (!(dump instanceof Uint8Array)) return; // it may not be asked for: the copy will tell
  const [reply] = await target.pipeline([
    ["RESTORE", key, TRIAL_TTL_MS, dump],
    ["DEL", key],
  ]);
  if (!(reply instanceof ReplyError && reply.message.includes(WRONG_DUMP))) return;
  throw new MigrationStopped(unreadable(source.kind, target.address));
}

function trialKey(jobId: number): string {
  return `${OWN_KEY_PREFIX}mig:${jobId}:trial`;
}

/** Sends a key of our own over and deletes it there. "" or why that does not work. */
async function tryMigrate(from: Link, to: Link, { login, jobId }: Passage): Promise<string> {
  const key = trialKey(jobId);
  await to.pipeline([["DEL", key]]);
  const [set] = await from.pipeline([["SET", key, "1", "PX", TRIAL_TTL_MS]]);
  // A source that is full may be what the migration is for; it can still send what it has.
  if (set instanceof ReplyError) {
    return set.code === "OOM" ? "" : `${from.address} refuses SET (${set.message})`;
  }
  const command = {
    ...{ source: from.kind, target: to.address, login, database: 0 },
    keys: [Buffer.from(key)],
  };
  const [reply] = await from.pipeline([migrateCommand(command)]);
  const outcome = outcomeOf(reply, command, from.address);
  await Promise.all([from.pipeline([["DEL", key]]), to.pipeline([["DEL", key]])]);
  return "reason" in outcome ? outcome.reason : "";
}
