// Ends connections of migrations at servers, so that nothing that was sent over them runs later.

import type { Login, Passage } from "./types.ts";

/** Closes what a source may have opened to `target` for MIGRATE. How many connections. */
export async function fenceTarget(target: string, login: Login): Promise<number> {
  throw new Error(`not here yet: ${target} ${login.username}`);
}

/**
 * Ends whatever another dashboard (or this one before a crash) still runs for this job at both
 * servers. Call it when a job is taken over, before its next step, with no part of it running.
 */
export async function silenceJob(passage: Passage): Promise<void> {
  throw new Error(`not here yet: ${passage.source}`);
}
