// Orders to replicate (contract 6.6): making and removing them, and the loop that obeys them.

import { ApiError } from "../api/errors.ts";
import type { Part, Product } from "./product.ts";

export async function createSyncAction(_product: Product, _address: string): Promise<void> {
  throw notBuilt("sync actions");
}

export async function removeSyncAction(_product: Product, _address: string): Promise<void> {
  throw notBuilt("sync actions");
}

export class SyncActions implements Part {
  constructor(readonly product: Product) {}

  start(): void {}

  async stop(): Promise<void> {}
}

function notBuilt(what: string): ApiError {
  return new ApiError("not-ready", `${what} is not built yet`);
}
