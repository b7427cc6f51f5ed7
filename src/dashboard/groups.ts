// The operator's commands on groups and their servers (contract 6.6).

import { ApiError } from "../api/errors.ts";
import type { Product } from "./product.ts";

export async function createGroup(_product: Product, _gid: number): Promise<void> {
  throw notBuilt("creating groups");
}

export async function removeGroup(_product: Product, _gid: number): Promise<void> {
  throw notBuilt("removing groups");
}

export async function resyncGroup(_product: Product, _gid: number): Promise<void> {
  throw notBuilt("resync of a group");
}

export async function resyncGroups(_product: Product): Promise<void> {
  throw notBuilt("resync of all groups");
}

export async function addServer(
  _product: Product,
  _gid: number,
  _address: string,
  _datacenter: string,
): Promise<void> {
  throw notBuilt("adding servers");
}

export async function removeServer(
  _product: Product,
  _gid: number,
  _address: string,
): Promise<void> {
  throw notBuilt("removing servers");
}

export async function setReplicaReads(
  _product: Product,
  _gid: number,
  _address: string,
  _isOn: boolean,
): Promise<void> {
  throw notBuilt("reading from replicas");
}

export async function setAllReplicaReads(_product: Product, _isOn: boolean): Promise<void> {
  throw notBuilt("reading from replicas");
}

function notBuilt(what: string): ApiError {
  return new ApiError("not-ready", `${what} is not built yet`);
}
