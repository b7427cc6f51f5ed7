// Makes a replica the master of its group (contract 6.6).

import { ApiError } from "../api/errors.ts";
import type { Product } from "./product.ts";

export async function promoteServer(
  _product: Product,
  _gid: number,
  _address: string,
): Promise<void> {
  throw notBuilt("promoting a server");
}

function notBuilt(what: string): ApiError {
  return new ApiError("not-ready", `${what} is not built yet`);
}
