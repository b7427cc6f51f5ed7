// The built-in failover, for products without Sentinel.

import type { Part, Product } from "./product.ts";

export class Watcher implements Part {
  constructor(readonly product: Product) {}

  start(): void {}

  async stop(): Promise<void> {}
}
