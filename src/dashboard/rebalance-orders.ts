// Plans an even distribution of slots, and orders it: `slot-weights.ts` measures, `rebalance.ts`
// plans, `slots.ts` orders.

import type { RebalanceOrder, RebalancePlan } from "../api/dashboard-routes.ts";
import type { SlotMapping } from "../model/slot-mapping.ts";
import { jobsBySlot } from "./job-records.ts";
import type { Product, Records } from "./product.ts";
import { planRebalance } from "./rebalance.ts";
import { measureSlots } from "./slot-weights.ts";
import { createSlotActions } from "./slots.ts";

/** The original's plan, as it shows it: slot → group. */
export async function rebalanceSlots(
  product: Product,
  isConfirmed: boolean,
): Promise<Record<string, number>> {
  const { moves } = await planSlots(product, { by: "slots", confirm: isConfirmed });
  return Object.fromEntries(moves.map(({ slot, to }) => [String(slot), to]));
}

/**
 * Measuring takes servers a moment, so it happens outside of the queue of changes; what has changed
 * meanwhile is seen when the moves are ordered, all or none.
 */
export async function planSlots(product: Product, order: RebalanceOrder): Promise<RebalancePlan> {
  const weights = await measureSlots(product, order.by);
  const { records } = product;
  const plan = planRebalance(arrangedSlots(records), records.groups, order, weights);
  if (order.confirm) {
    await createSlotActions(
      product,
      plan.moves.map(({ slot, to }) => ({ slot, group: to })),
    );
  }
  return plan;
}

/** A slot of a job counts as moving even in the moment in which its record does not say so. */
function arrangedSlots(records: Records): readonly SlotMapping[] {
  const jobs = jobsBySlot(records.jobs.values());
  return records.slots.map((slot): SlotMapping => {
    const job = jobs.get(slot.id);
    if (job === undefined || slot.action.state !== undefined) return slot;
    return { ...slot, action: { state: "migrating", target_id: job.target_id } };
  });
}
