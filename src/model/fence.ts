// How a dashboard shuts a proxy out of a server that it can reach, when it cannot reach the proxy
// (ARCHITECTURE.md, "A proxy that cannot be told"). Every connection of a proxy first names itself
// and then asks whether its proxy is in the set of those shut out, in this order. The dashboard
// adds the proxy to the set first and ends the connections of that name afterwards. So a connection
// that asked too early was named before, and is ended.

/** A set in database 0 of each server: the tokens of the proxies that are shut out. */
export const FENCE_KEY = "\0codis:fence";

/** The name of every connection from that proxy to a server. */
export function proxyConnectionName(token: string): string {
  return `codis-proxy-${token}`;
}
