// Ports nobody uses at the moment. A program that takes port 0 is better; redis-server cannot, and
// a server that a test restarts must come back where it was.

const handedOut = new Set<number>();

/**
 * Below the ports that the kernel gives to connections: a server that is down for a moment would
 * lose its port to any of them. Above those that the demo and well-known servers have.
 */
const [FIRST, END] = [20_000, 32_768];

/**
 * A port of 127.0.0.1 on which nothing listens, different at every call. Those that lie `offsets`
 * above it are free as well. Another process might take one before the caller does; with so many
 * to choose from that is rare.
 */
export function freePort(...offsets: number[]): number {
  for (;;) {
    const port = FIRST + Math.floor(Math.random() * (END - FIRST));
    const all = [port, ...offsets.map((offset) => port + offset)];
    if (all.some((each) => each >= END || handedOut.has(each) || !canBind(each))) continue;
    for (const each of all) handedOut.add(each);
    return port;
  }
}

function canBind(port: number): boolean {
  try {
    Bun.listen({ hostname: "127.0.0.1", port, socket: { data() {} } }).stop(true);
    return true;
  } catch {
    return false;
  }
}
