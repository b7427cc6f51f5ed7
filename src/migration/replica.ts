// Method `replica`: the target becomes a replica of the source, catches up while the slots are
// held, and is promoted; afterwards each of the two deletes what the other serves.

import type { Login, Passage, Watch } from "./types.ts";

/** Makes the target, which must be empty, a replica of the source. May be repeated. */
export async function attachReplica(passage: Passage): Promise<void> {
  throw new Error(`not here yet: ${passage.source}`);
}

/** Waits until the target has the data and follows closely. */
export async function awaitInSync(passage: Passage, watch: Watch): Promise<void> {
  throw new Error(`not here yet: ${passage.source} ${watch.signal.aborted}`);
}

/**
 * Waits, while the slots are held, until the target has all that the source had when this was
 * called. Throws `MigrationStopped` when that takes longer than `timeoutMs`.
 */
export async function catchUp(passage: Passage, timeoutMs: number): Promise<void> {
  throw new Error(`not here yet: ${passage.source} ${timeoutMs}`);
}

/** From here on only forward. May be repeated. */
export async function promoteTarget(passage: Passage): Promise<void> {
  throw new Error(`not here yet: ${passage.source}`);
}

/** Whether `promoteTarget` ran: for whoever takes the job over. */
export async function isTargetPromoted(passage: Passage): Promise<boolean> {
  throw new Error(`not here yet: ${passage.source}`);
}

/** Gives up before the promotion: the target is a master again, and loses what it copied. */
export async function detachReplica(passage: Passage, watch: Watch): Promise<void> {
  throw new Error(`not here yet: ${passage.source} ${watch.signal.aborted}`);
}

/** Deletes the keys of these slots at one server. How many. */
export async function trimServer(
  address: string,
  login: Login,
  slots: ReadonlySet<number>,
  watch: Watch,
): Promise<number> {
  throw new Error(`not here yet: ${address} ${login.username} ${slots.size} ${watch.signal}`);
}
