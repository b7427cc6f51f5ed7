// Whether keys can go from one server to the other, found out before anything moves.

import type { JobMethod } from "../model/migration-job.ts";
import type { ServerKind } from "./server-kind.ts";
import type { Pace, Passage } from "./types.ts";

export interface PassageFacts {
  readonly source: ServerKind;
  readonly target: ServerKind;
  /** Keys of the whole source, in all slots. */
  readonly sourceKeys: number;
  /** A cancelled job can bring its keys back: the source reads what the target writes. */
  readonly canReverse: boolean;
}

/** Roles, versions, databases, credentials and rights. Throws `MigrationStopped`. */
export async function checkPassage(
  passage: Passage,
  method: JobMethod,
  pace: Pace,
): Promise<PassageFacts> {
  throw new Error(`not here yet: ${passage.source} ${method} ${pace.goalMs}`);
}

/** Whether the target takes `bytes` more without evicting or refusing. */
export async function checkRoom(passage: Passage, bytes: number): Promise<void> {
  throw new Error(`not here yet: ${passage.source} ${bytes}`);
}
