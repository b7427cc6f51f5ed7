// `codis admin rebalance`: shows the plan, asks, orders it.

import {
  DASHBOARD_ROUTES as routes,
  REBALANCE_MEASURES,
  type RebalancePlan,
} from "../api/dashboard-routes.ts";
import { SLOT_COUNT } from "../model/slot.ts";
import type { Call, Command } from "./command.ts";
import type { DashboardLink } from "./dashboard-link.ts";
import { bytesText, countText, rangesOf, rangesText, shortened, some, table } from "./format.ts";
import { followMoves } from "./progress.ts";

type Measure = (typeof REBALANCE_MEASURES)[number];

export const REBALANCE_COMMANDS: readonly Command[] = [
  {
    name: "rebalance",
    doc: "Moves slots so that every group has its share, or so that one has none.",
    details:
      "By slots the plan is that of the original. By keys and by memory the dashboard measures " +
      "the slots: the keys of a codis-server exactly, others from a sample of 20,000 keys a " +
      "server, and plans few moves. The plan is shown before anything is ordered. When it is " +
      "ordered, keys and memory are measured again, so that a few slots may differ.",
    reach: "dashboard",
    asks: true,
    options: [
      {
        name: "by",
        argument: "MEASURE",
        choices: REBALANCE_MEASURES,
        doc: `What to even out: ${REBALANCE_MEASURES.join(", ")}; default slots.`,
      },
      {
        name: "drain-group",
        argument: "GROUP",
        integerFrom: 1,
        doc: "Move all slots away from this group.",
      },
      { name: "dry-run", doc: "Only show the plan." },
      { name: "json", doc: "Print the plan as JSON." },
      { name: "watch", short: "w", doc: "Show the progress until all have arrived." },
    ],
    run: async (call) => {
      const link = await call.dashboard();
      const plan = await planned(call, link, false);
      if (call.given.has("json")) call.out.json(plan);
      else call.out.lines(planLines(call, plan));
      if (plan.moves.length === 0 || call.given.has("dry-run")) return;
      await call.confirm(`Move ${some(plan.moves.length, "slot")}?`);
      const ordered = await planned(call, link, true);
      const ids = ordered.moves.map((move) => move.slot);
      await followMoves(call, link, ids, `ordered: ${some(ids.length, "slot")}`);
    },
  },
];

function measureOf(call: Call): Measure {
  const text = call.given.text("by");
  return REBALANCE_MEASURES.find((measure) => measure === text) ?? "slots";
}

/** By slots through the route that dashboards of the original have as well. */
async function planned(
  call: Call,
  link: DashboardLink,
  isConfirmed: boolean,
): Promise<RebalancePlan> {
  const by = measureOf(call);
  const drain = call.given.integer("drain-group");
  if (by === "slots" && drain === null) return await originalPlan(link, isConfirmed);
  const order = { by, ...(drain === null ? {} : { drain }), confirm: isConfirmed };
  return await link.call(routes.planRebalance, {}, order);
}

async function originalPlan(link: DashboardLink, isConfirmed: boolean): Promise<RebalancePlan> {
  // Before the order: afterwards the slots have their actions already.
  const { slots } = await link.stats();
  const targets = await rebalanceBySlots(link, isConfirmed);
  const arranged = slots.map((slot) => slot.action.target_id ?? slot.group_id);
  const shares = new Map<number, { before: number; after: number }>();
  const shareOf = (group: number): { before: number; after: number } => {
    const share = shares.get(group) ?? { before: 0, after: 0 };
    shares.set(group, share);
    return share;
  };
  for (const slot of slots) {
    shareOf(slot.group_id).before += 1;
    shareOf(targets.get(slot.id) ?? arranged[slot.id]).after += 1;
  }
  const sorted = [...shares].filter(([id]) => id > 0).sort(([a], [b]) => a - b);
  const moves = [...targets].map(([slot, to]) => ({ slot, from: slots[slot].group_id, to }));
  return { moves, shares: Object.fromEntries(sorted) };
}

/** The plan of the original's route: slot → group, ascending. */
export async function rebalanceBySlots(
  link: DashboardLink,
  isConfirmed: boolean,
): Promise<Map<number, number>> {
  const plan = await link.call(routes.rebalance, { confirm: isConfirmed ? 1 : 0 });
  const targets = new Map<number, number>();
  for (let id = 0; id < SLOT_COUNT; id++) {
    const target = plan[String(id)];
    if (target !== undefined) targets.set(id, target);
  }
  return targets;
}

function planLines(call: Call, plan: RebalancePlan): string[] {
  if (plan.moves.length === 0) return ["Nothing to move: every group has its share."];
  const by = measureOf(call);
  const shown = by === "memory" ? bytesText : countText;
  const total = Object.values(plan.shares).reduce((sum, share) => sum + share.after, 0);
  const percent = (value: number): string => {
    return total === 0 ? "" : `${Math.round((100 * value) / total)}%`;
  };
  const shares = table(
    call.out,
    [
      { title: "GROUP", isNumber: true },
      { title: `${by.toUpperCase()} NOW`, isNumber: true },
      { title: "", isNumber: true },
      { title: "THEN", isNumber: true },
      { title: "", isNumber: true },
    ],
    Object.entries(plan.shares).map(([group, { before, after }]) => {
      return [group, shown(before), percent(before), shown(after), percent(after)];
    }),
  );
  const pairs = new Map<string, number[]>();
  for (const { slot, from, to } of plan.moves) {
    const pair = from === 0 ? `none → ${to}` : `${from} → ${to}`;
    pairs.set(pair, [...(pairs.get(pair) ?? []), slot]);
  }
  const moves = [...pairs].map(([pair, ids]) => {
    return shortened(`${pair}  ${some(ids.length, "slot")}: ${rangesText(ids)}`, call.out.columns);
  });
  return [...shares, "", ...moves];
}

/** --rebalance of the original: "[0342,0682] => 2" for each run of slots, then "done". */
export function originalPlanLines(targets: ReadonlyMap<number, number>): string[] {
  if (targets.size === 0) return ["nothing changes"];
  const padded = (id: number): string => String(id).padStart(4, "0");
  const lines = [...new Set(targets.values())].flatMap((group) => {
    const ids = [...targets].filter(([, target]) => target === group).map(([id]) => id);
    return rangesOf(ids).map(({ from, to }) => ({ from, to, group }));
  });
  lines.sort((a, b) => a.from - b.from);
  return [
    ...lines.map(({ from, to, group }) => `[${padded(from)},${padded(to)}] => ${group}`),
    "done",
  ];
}
