// The progress of slots on the move: bars that are redrawn until everything has arrived.

import type { TopomStats } from "../model/topom-stats.ts";
import type { Call } from "./command.ts";
import type { DashboardLink } from "./dashboard-link.ts";
import { bar, durationText, percentText, some } from "./format.ts";
import { migrationOf } from "./summary.ts";
import { show } from "./view.ts";
import { migrationLines, shareOf } from "./views.ts";

const BAR_WIDTH = 30;
/** What is left is guessed from what took how long; too little says nothing. */
const LEAST_SHARE_FOR_ETA = 0.03;

export async function showMigrations(call: Call, link: DashboardLink): Promise<void> {
  await show(call, {
    fetch: async () => migrationOf(await link.stats()),
    render: (migration) => migrationLines(call.out, migration),
    isOver: ({ waiting, under_way }) => waiting + under_way === 0,
  });
}

/** After an order: says so, and with --watch shows these slots until none has an action. */
export async function followMoves(
  call: Call,
  link: DashboardLink,
  slots: readonly number[],
  ordered: string,
): Promise<void> {
  if (!call.given.has("watch")) {
    call.done(`${ordered}; codis admin migrations --watch shows how it goes`);
    return;
  }
  call.done(`${ordered} (Ctrl-C ends this view, not the migration)`);
  const startedMs = performance.now();
  await show(call, {
    fetch: () => link.stats(),
    render: (stats) => [...overallLines(call, stats, slots, startedMs), ...jobsLines(call, stats)],
    json: (stats) => ({ left: leftOf(stats, slots), ...migrationOf(stats) }),
    isOver: (stats) => leftOf(stats, slots) === 0,
  });
}

function leftOf(stats: TopomStats, slots: readonly number[]): number {
  return slots.filter((id) => stats.slots[id].action.state !== undefined).length;
}

/** One bar for all slots of the order; slots of a job count by the share of its keys. */
function overallLines(
  call: Call,
  stats: TopomStats,
  slots: readonly number[],
  startedMs: number,
): string[] {
  const left = leftOf(stats, slots);
  const done = slots.length - left;
  const begun = (stats.slot_action.jobs ?? []).reduce((sum, job) => {
    return sum + (job.slots - job.slots_done) * shareOf(job);
  }, 0);
  const share = slots.length === 0 ? 1 : (done + Math.min(left, begun)) / slots.length;
  const facts = [percentText(share), `${done} of ${some(slots.length, "slot")}`];
  if (left > 0 && share >= LEAST_SHARE_FOR_ETA) {
    const seconds = (performance.now() - startedMs) / 1000;
    facts.push(`about ${durationText((seconds * (1 - share)) / share)} left`);
  }
  return [`${bar(call.out, share, BAR_WIDTH)} ${facts.join(", ")}`];
}

function jobsLines(call: Call, stats: TopomStats): string[] {
  const migration = migrationOf(stats);
  const isDone = migration.waiting + migration.under_way === 0;
  return isDone ? ["All have arrived."] : migrationLines(call.out, migration);
}
