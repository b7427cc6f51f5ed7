// Ports nobody uses at the moment. A program that takes port 0 is better; redis-server cannot, and
// a server that a test restarts must come back where it was.

const handedOut = new Set<number>();

/**
 * A port of 127.0.0.1 on which nothing listens, different at every call. Those that lie `offsets`
 * above it are free as well. Another process might take one before the caller does; the kernel goes
 * through its range in an order that makes this rare.
 */
export function freePort(...offsets: number[]): number {
  for (;;) {
    const port = bind(0);
    if (handedOut.has(port) || offsets.some((offset) => bind(port + offset) === 0)) continue;
    handedOut.add(port);
    return port;
  }
}

/** The port that could be bound, or 0. */
function bind(port: number): number {
  try {
    const listener = Bun.listen({ hostname: "127.0.0.1", port, socket: { data() {} } });
    listener.stop(true);
    return listener.port;
  } catch {
    return 0;
  }
}
