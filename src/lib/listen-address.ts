// Where a program listens: an address of the settings made something to bind, and the sentence for
// one that cannot be had.

import { lookup } from "node:dns/promises";
import { parseAddress } from "./address.ts";
import { codeOf, messageOf, OperatorError } from "./operator-error.ts";
import { portOwner } from "./port-owner.ts";

/** What to bind for a setting such as "0.0.0.0:19000", ":19000" or "localhost:19000". */
export async function resolveListenAddress(
  protoType: string,
  address: string,
): Promise<{ host: string; port: number; ipv6Only: boolean }> {
  const parsed = parseAddress(address);
  if (parsed === null) throw new OperatorError(`cannot listen at '${address}': it is no host:port`);
  const family = protoType === "tcp4" ? 4 : protoType === "tcp6" ? 6 : 0;
  const ipv6Only = family === 6;
  if (parsed.host === "")
    return { host: family === 4 ? "0.0.0.0" : "::", port: parsed.port, ipv6Only };
  try {
    const found = await lookup(parsed.host, { family });
    return { host: found.address, port: parsed.port, ipv6Only };
  } catch (error) {
    throw new OperatorError(
      `cannot listen at ${address}: the host has no ${protoType} address (${codeOf(error)})`,
    );
  }
}

/** The sentence for a port that cannot be had, with the program that holds it when it is known. */
export function listenProblem(address: string, error: unknown): OperatorError {
  const port = parseAddress(address)?.port ?? 0;
  if (codeOf(error) !== "EADDRINUSE") {
    const why = codeOf(error) || messageOf(error);
    return new OperatorError(`cannot listen at ${address}: ${why}`);
  }
  const owner = portOwner(port);
  const by = owner === "" ? "by another program" : `by ${owner}`;
  return new OperatorError(`cannot listen at ${address}: port ${port} is already in use ${by}`);
}
