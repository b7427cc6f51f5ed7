// "host:port" texts, as settings, flags and slots spell them.

export interface Address {
  /** A name or an IP address without brackets; "" when the text began with the colon. */
  readonly host: string;
  readonly port: number;
}

const ADDRESS = /^(?:\[([^\[\]]+)\]|([^:\[\]]*)):(\d{1,5})$/;

/** Parses "host:port", "[::1]:port" and ":port" (all interfaces); null when it is none of them. */
export function parseAddress(text: string): Address | null {
  const match = ADDRESS.exec(text);
  if (match === null) return null;
  const port = Number(match[3]);
  if (port > 65535) return null;
  return { host: match[1] ?? match[2] ?? "", port };
}

/** The reverse of `parseAddress`: an IPv6 address gets its brackets back. */
export function formatAddress(address: Address): string {
  const host = address.host.includes(":") ? `[${address.host}]` : address.host;
  return `${host}:${address.port}`;
}
