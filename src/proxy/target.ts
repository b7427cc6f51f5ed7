// The address of a server, as the slot table has it, taken apart: for connecting to it, and for
// telling another server where it is.

/** "host:port", "[v6]:port" or the path of a unix socket. */
export function parseTarget(address: string): { host: string; port: number } {
  if (address.startsWith("/")) return { host: address, port: 0 };
  const colon = address.lastIndexOf(":");
  const host = address.slice(0, colon).replace(/^\[|\]$/g, "");
  return { host, port: Number(address.slice(colon + 1)) };
}
