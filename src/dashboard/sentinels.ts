// Redis Sentinel (contract 6.7): the operator's commands, the watch, and the polls.

import { ApiError } from "../api/errors.ts";
import type { RedisStats, SentinelGroup } from "../model/topom-stats.ts";
import type { Part, Product } from "./product.ts";

export async function addSentinel(_product: Product, _address: string): Promise<void> {
  throw notBuilt("sentinels");
}

export async function removeSentinel(
  _product: Product,
  _address: string,
  _isForced: boolean,
): Promise<void> {
  throw notBuilt("sentinels");
}

export async function resyncSentinels(_product: Product): Promise<void> {
  throw notBuilt("sentinels");
}

export async function sentinelInfo(
  _product: Product,
  _address: string,
): Promise<Record<string, string>> {
  throw notBuilt("sentinels");
}

export async function sentinelMonitored(
  _product: Product,
  _address: string,
): Promise<Record<string, SentinelGroup>> {
  throw notBuilt("sentinels");
}

export class Sentinels implements Part {
  /** The last polls, by address. */
  readonly polls: ReadonlyMap<string, RedisStats> = new Map();
  /** Group → the master that the sentinels agree on. */
  readonly masters: ReadonlyMap<number, string> = new Map();

  constructor(readonly product: Product) {}

  start(): void {}

  async stop(): Promise<void> {}
}

function notBuilt(what: string): ApiError {
  return new ApiError("not-ready", `${what} is not built yet`);
}
