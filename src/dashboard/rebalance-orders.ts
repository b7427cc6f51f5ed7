// Plans an even distribution of slots, and orders it: `rebalance.ts` plans, `slots.ts` orders.

import type { RebalanceOrder, RebalancePlan } from "../api/dashboard-routes.ts";
import { ApiError } from "../api/errors.ts";
import type { Product } from "./product.ts";

export async function rebalanceSlots(
  _product: Product,
  _isConfirmed: boolean,
): Promise<Record<string, number>> {
  throw notBuilt("rebalance");
}

export async function planSlots(_product: Product, _order: RebalanceOrder): Promise<RebalancePlan> {
  throw notBuilt("rebalance");
}

function notBuilt(what: string): ApiError {
  return new ApiError("not-ready", `${what} is not built yet`);
}
