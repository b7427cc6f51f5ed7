// The parts of a job, performed by the engine (`src/migration`): from the words of
// `next-step.ts` to its calls and back. An error is an outcome here, since whatever went wrong,
// the job tries again.

import { messageOf } from "../lib/operator-error.ts";
import { deleteLeftovers } from "../migration/audit.ts";
import { moveBigKey } from "../migration/big-key.ts";
import { checkPassage, checkRoom } from "../migration/check.ts";
import { moveByCodis } from "../migration/codis.ts";
import { moveKeys } from "../migration/mover.ts";
import { confirmPurge, lifeOfTarget, purgeTarget } from "../migration/purge.ts";
import type { RecentlyMoved } from "../migration/recently-moved.ts";
import {
  attachReplica,
  awaitInSync,
  catchUp,
  detachReplica,
  forgetCopy,
  isTargetPromoted,
  mustKeepCopy,
  promoteTarget,
  trimServer,
} from "../migration/replica.ts";
import { dropTwins } from "../migration/reverse.ts";
import { scanSizes } from "../migration/size-scan.ts";
import type { Login, Passage, Watch } from "../migration/types.ts";
import { masterOf } from "../model/group.ts";
import type { MigrationJob, PinnedKey } from "../model/migration-job.ts";
import type { SlotMapping } from "../model/slot-mapping.ts";
import type { Outcome, Part } from "./next-step.ts";
import type { Product } from "./product.ts";
import type { DashboardConfig } from "./settings.ts";

export interface PartCall {
  readonly job: MigrationJob;
  readonly passage: Passage;
  readonly config: DashboardConfig;
  readonly slots: readonly SlotMapping[];
  /** Of one epoch. */
  readonly recent: RecentlyMoved;
  readonly watch: Watch;
  /** How many keys there are to move. */
  readonly onTotal: (keys: number) => void;
}

export function loginOf(config: DashboardConfig): Login {
  return { username: config.productUsername, password: config.productAuth };
}

export function passageOf(job: MigrationJob, product: Product): Passage {
  const { config, authority } = product;
  const { groups } = product.records;
  return {
    source: masterOf(groups.get(job.source_id)),
    target: masterOf(groups.get(job.target_id)),
    login: loginOf(config),
    authority,
    slots: new Set(job.slots),
    jobId: job.id,
    parentId: job.parent,
    bigKeys: { bytes: config.migrationBigKeyBytes, elements: config.migrationBigKeyElements },
  };
}

/** Rejects only with the reason of the watch's signal. */
export async function runPart(part: Part, call: PartCall): Promise<Outcome> {
  const found = new Map<string, PinnedKey>();
  const watch: Watch = {
    ...call.watch,
    pace: () => call.watch.pace(),
    onBigKey: (slot, pin, size) => {
      found.set(`${pin.db} ${pin.key}`, { ...pin, state: "pinned" });
      call.watch.onBigKey(slot, pin, size);
    },
  };
  try {
    const outcome = await perform(part, { ...call, watch });
    return outcome.kind === "done" && found.size > 0
      ? { ...outcome, bigKeys: [...found.values()] }
      : outcome;
  } catch (error) {
    if (call.watch.signal.aborted) throw error;
    return { kind: "failed", reason: messageOf(error) || "it failed without a reason" };
  }
}

async function perform(part: Part, call: PartCall): Promise<Outcome> {
  const { passage, watch } = call;
  switch (part.name) {
    case "prepare":
      return prepare(call);
    case "confirm":
      await confirmPurge(passage, call.job.target_life, call.config.migrationHoldTimeoutMs);
      return { kind: "done" };
    case "move":
      return move(call);
    case "moveKey":
      await moveBigKey(passage, part.pin, watch);
      return { kind: "done" };
    case "reconcile":
      await dropTwins(decided(call), watch);
      return { kind: "done" };
    case "audit":
      await deleteLeftovers(passage, watch);
      return { kind: "done" };
    case "attach":
      await checkPassage(passage, "replica", watch.pace());
      await attachReplica(passage);
      await awaitInSync(passage, watch);
      return { kind: "done" };
    case "detach":
      await detachReplica(passage, foreignTo(call, call.job.target_id), watch);
      return { kind: "done" };
    case "promote":
      return promote(call);
    case "trim":
      return trim(call);
  }
}

async function prepare(call: PartCall): Promise<Outcome> {
  const { job, passage, config, watch } = call;
  const facts = await checkPassage(passage, job.method, watch.pace());
  if (job.method === "codis") {
    // The commands of codis-server replace what is at the target and cut large keys themselves.
    const served = call.slots.filter(({ group_id }) => group_id === job.source_id).length;
    call.onTotal(Math.round((facts.sourceKeys * job.slots.length) / Math.max(1, served)));
    return { kind: "done" };
  }
  // Asked before: if it ends in the middle of the purge, the purge does not count.
  const targetLife = await lifeOfTarget(passage, config.migrationTimeoutMs);
  await purgeTarget(passage, watch);
  const sizes = await scanSizes(passage, watch);
  call.onTotal(sizes.keys);
  await checkRoom(passage, sizes.bytes);
  return { kind: "done", targetLife };
}

async function move(call: PartCall): Promise<Outcome> {
  const { job, passage, config, watch } = call;
  if (job.method !== "codis") {
    const { clean } = await moveKeys(passage, watch, call.recent);
    return { kind: "done", clean };
  }
  const options = {
    isSemiAsync: config.migrationMethod === "semi-async",
    timeoutMs: config.migrationTimeoutMs,
    maxBulks: config.migrationAsyncMaxbulks,
    maxBytes: config.migrationAsyncMaxbytesBytes,
    keysPerStep: config.migrationAsyncNumkeys,
  };
  const { clean } = await moveByCodis(passage, options, watch);
  return { kind: "done", clean };
}

/** The passage in the direction in which its source is the one that loses a key on both ends. */
function decided({ job, passage }: PartCall): Passage {
  // With the commands of codis-server the source wins, so the target's copy goes.
  if (job.method !== "codis") return passage;
  return { ...passage, source: passage.target, target: passage.source };
}

async function promote({ passage, config }: PartCall): Promise<Outcome> {
  if (await isTargetPromoted(passage)) {
    // By whom, and when? It may have been started again, and have lost its master with its data.
    const reason = `${passage.target} is a master already, which need not have everything`;
    return { kind: "failed", reason };
  }
  try {
    await catchUp(passage, config.migrationHoldTimeoutMs);
  } catch (error) {
    // It was still a replica a moment ago and nobody else promotes it.
    return { kind: "unchanged", reason: messageOf(error) };
  }
  await promoteTarget(passage);
  return { kind: "done" };
}

/**
 * Both ends have everything: the source loses what has moved, the target all but its own. A group
 * that has been removed, or has no server any more, has nothing to lose.
 */
async function trim(call: PartCall): Promise<Outcome> {
  const { job, passage, slots, watch } = call;
  const { source, target } = passage;
  const moved = job.slots.filter((id) => slots[id].group_id !== job.source_id);
  if (target !== "" && watch.pace().isDurable) await mustKeepCopy(passage);
  if (source !== "") await trimServer(source, passage, new Set(moved), watch);
  if (target !== "") await trimServer(target, passage, foreignTo(call, job.target_id), watch);
  await forgetCopy(passage);
  return { kind: "done" };
}

/** The slots that are not the group's. */
function foreignTo({ slots }: PartCall, groupId: number): Set<number> {
  return new Set(slots.filter(({ group_id }) => group_id !== groupId).map(({ id }) => id));
}
