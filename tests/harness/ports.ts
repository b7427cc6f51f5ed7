// Ports nobody uses at the moment. A program that takes port 0 is better; redis-server cannot, and
// a server that a test restarts must come back where it was.

const handedOut = new Set<number>();

/**
 * Below the ports that the kernel gives to connections: a server that is down for a moment would
 * lose its port to any of them. Above those that the demo and well-known servers have.
 */
const [LOWEST, HIGHEST] = [20_000, 32_767];

/** Test processes that run side by side (`scripts/test.mjs`) have a share each. */
const SHARES = 8;
const WORKER = process.env.BUN_TEST_WORKER_ID;
const [FIRST, LAST] = WORKER === undefined ? [LOWEST, HIGHEST] : shareOf(Number(WORKER));

function shareOf(worker: number): [first: number, last: number] {
  const size = Math.floor((HIGHEST - LOWEST + 1) / SHARES);
  // Other runs on this machine have another parent.
  const first = LOWEST + size * ((worker + process.ppid) % SHARES);
  return [first, first + size - 1];
}

/**
 * A port of 127.0.0.1 on which nothing listens, different at every call. Those that lie `offsets`
 * above it are free as well. A process of somebody else might take one before the caller does; with
 * so many to choose from that is rare.
 */
export function freePort(...offsets: number[]): number {
  for (;;) {
    const port = FIRST + Math.floor(Math.random() * (LAST - FIRST + 1));
    const all = [port, ...offsets.map((offset) => port + offset)];
    if (all.some((each) => each > LAST || handedOut.has(each) || !canBind(each))) continue;
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
