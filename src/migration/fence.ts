// Ends connections of migrations at servers, so that nothing that was sent over them runs later.
// A MIGRATE that timed out has closed its socket, but the kernel of the source goes on sending what
// was written: a RESTORE can run long after the next attempt has moved the key, and would bring it
// back after a deletion. So the connection is ended at the target before the next attempt.

import { RedisClient } from "../redis/client.ts";
import { endConnections, type ServerConnection } from "./connections.ts";
import { Link, partOf } from "./link.ts";
import type { Login, Passage } from "./types.ts";

/** What a connection may have said last that a server opened for MIGRATE. */
const MIGRATE_COMMANDS = new Set(["restore", "restore-asking", "select", "auth", "null", ""]);

/**
 * Closes what a source may have opened to `target` for MIGRATE. How many connections. It asks over
 * a connection of its own: whatever waits to be accepted is accepted before that.
 */
export async function fenceTarget(target: string, login: Login): Promise<number> {
  using client = await RedisClient.connect(target, { ...login, name: "codis-fence", bytes: true });
  return await endConnections(client, isMigrateConnection);
}

/** All of ours have names; a client of somebody else that is hit only connects again. */
function isMigrateConnection({ name, command }: ServerConnection): boolean {
  return name === "" && MIGRATE_COMMANDS.has(command);
}

/**
 * Ends whatever another dashboard (that opening a link sees to) or this one still runs at both
 * servers for this job, and for the one that its slots were in before. Call it when a job is taken
 * over, before its next step, with no part of it running.
 */
export async function silenceJob(passage: Passage): Promise<void> {
  const { source, target, login, authority, jobId, parentId } = passage;
  const jobs = [jobId, ...(parentId === undefined ? [] : [parentId])];
  const prefixes = jobs.map((id) => authority.nameOf(partOf(id, "")));
  for (const address of [source, target]) {
    using link = await Link.open(address, passage, "silence");
    const isOfJob = (name: string): boolean => prefixes.some((each) => name.startsWith(each));
    await endConnections(link.client, ({ name }) => isOfJob(name));
    if (address === source) await cancelBatches(link);
  }
  for (const address of [source, target]) await fenceTarget(address, login);
}

/** A batch of a codis-server goes on without whoever asked for it. Others know no such command. */
async function cancelBatches(link: Link): Promise<void> {
  for (const database of await link.databases()) {
    await link.pipeline([["SELECT", database], ["SLOTSMGRT-ASYNC-CANCEL"]]);
  }
}
