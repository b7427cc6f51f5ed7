// Which replicas are too far behind, or replicate nobody, to be read from.

import type { Part, Product } from "./product.ts";

export class ReplicaLag implements Part {
  /** Addresses; proxies read from none of them. */
  readonly unreadable: ReadonlySet<string> = new Set();

  constructor(readonly product: Product) {}

  start(): void {}

  async stop(): Promise<void> {}
}
