// The listening sockets of the product's port. The parent opens one per worker and keeps all of
// them for its whole life without ever accepting: a worker inherits its own, so that connections
// which wait in the accept queue of a worker that dies are served by its replacement.
//
// Bun can open a listener but not one that nobody accepts from. So: let Bun open it, copy the
// descriptor, and stop Bun's listener, all in one turn of the event loop, before it could accept.
// The copy keeps the socket listening. Bun.listen({ fd }) in a worker calls listen(2) again with
// Bun's fixed backlog of 512, so `raiseBacklog` follows when the worker has begun. (Bun 1.4.5)

import { closeSync, existsSync, linkSync, renameSync, statSync, unlinkSync } from "node:fs";
import { formatAddress } from "../lib/address.ts";
import { F_DUPFD_CLOEXEC, libc } from "../lib/libc.ts";
import { listenProblem, resolveListenAddress } from "../lib/listen-address.ts";
import { codeOf, OperatorError } from "../lib/operator-error.ts";

/** Connections that may wait for a worker that is busy or being replaced; the kernel caps it. */
const BACKLOG = 4096;

const FIRST_FREE_FD = 3;

/** Workers of a proxy that was killed a moment ago hold the port until they are gone. */
const IN_USE_PATIENCE_MS = 2_000;
const RETRY_MS = 20;

interface BunListener {
  readonly fd: number;
  readonly port: number;
  stop(): void;
}

interface ListenOptions {
  readonly hostname?: string;
  readonly port?: number;
  readonly unix?: string;
  readonly reusePort?: boolean;
  readonly ipv6Only?: boolean;
}

/** The sockets, one a worker. With proto_type unix all workers share one. */
export class ListenSockets {
  #isOpen = true;

  constructor(
    readonly fds: readonly number[],
    /** As bound: with the real port when 0 was asked for; a path with proto_type unix. */
    readonly address: string,
    private readonly unixPath: string,
  ) {}

  /** After a worker began to listen on its socket. */
  raiseBacklog(worker: number): void {
    if (this.#isOpen) libc.listen(this.fds[worker], BACKLOG);
  }

  /** Nothing new is queued once the workers have let go as well. */
  close(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    for (const fd of new Set(this.fds)) closeSync(fd);
    if (this.unixPath !== "" && existsSync(this.unixPath)) unlinkSync(this.unixPath);
  }
}

/** Throws an `OperatorError` of one sentence when the address cannot be had. */
export async function openListenSockets(
  protoType: string,
  address: string,
  workers: number,
): Promise<ListenSockets> {
  if (protoType === "unix") return openUnix(address, workers);
  const { host, port, ipv6Only } = await resolveListenAddress(protoType, address);
  const options = { hostname: host, ipv6Only };
  // SO_REUSEPORT would let two proxies of one user share a port unnoticed, so ask without it first.
  const probe = await probePatiently({ ...options, port }, address);
  const actualPort = probe.port;
  probe.stop();
  const fds = Array.from({ length: workers }, () => {
    const listener = listenOn({ ...options, port: actualPort, reusePort: true }, address);
    return takeDescriptor(listener);
  });
  return new ListenSockets(fds, formatAddress({ host, port: actualPort }), "");
}

async function probePatiently(options: ListenOptions, address: string): Promise<BunListener> {
  const deadlineMs = performance.now() + IN_USE_PATIENCE_MS;
  for (;;) {
    try {
      return bind(options);
    } catch (error) {
      const isInUse = codeOf(error) === "EADDRINUSE";
      if (!isInUse || performance.now() > deadlineMs) throw listenProblem(address, error);
    }
    await Bun.sleep(RETRY_MS);
  }
}

function listenOn(options: ListenOptions, address: string): BunListener {
  try {
    return bind(options);
  } catch (error) {
    throw listenProblem(address, error);
  }
}

/** The types of Bun.listen lack `reusePort` and `ipv6Only` here, and `fd` of the result. */
function bind(options: ListenOptions): BunListener {
  const socket = { data(): void {} };
  return Bun.listen({
    ...options,
    socket,
  } as Bun.TCPSocketListenOptions) as unknown as BunListener;
}

/** Takes the socket away from Bun's listener, which is stopped. */
function takeDescriptor(listener: BunListener): number {
  const fd = libc.fcntl(listener.fd, F_DUPFD_CLOEXEC, FIRST_FREE_FD);
  listener.stop();
  if (fd < 0 || libc.listen(fd, BACKLOG) < 0) {
    throw new OperatorError("cannot keep a listening socket; are there too few file descriptors?");
  }
  return fd;
}

// ------------------------------------------------------------------------------- unix sockets

async function openUnix(path: string, workers: number): Promise<ListenSockets> {
  await removeStaleSocket(path);
  const listener = listenOn({ unix: path }, path);
  // stop() removes the file, so that a second name must keep it.
  const kept = `${path}.${process.pid}`;
  linkSync(path, kept);
  const fd = takeDescriptor(listener);
  renameSync(kept, path);
  return new ListenSockets(
    Array.from({ length: workers }, () => fd),
    path,
    path,
  );
}

/** A file that a dead process left behind is in the way; one that somebody serves must stay. */
async function removeStaleSocket(path: string): Promise<void> {
  if (!existsSync(path)) return;
  if (!statSync(path).isSocket()) {
    throw new OperatorError(`cannot listen at ${path}: there is a file that is not a socket`);
  }
  const isServed = await new Promise<boolean>((resolve) => {
    const socket = {
      open(peer: Bun.Socket): void {
        resolve(true);
        peer.terminate();
      },
      connectError: (_: unknown, error: Error) => resolve(codeOf(error) !== "ECONNREFUSED"),
      data(): void {},
    };
    Bun.connect({ unix: path, socket }).catch(() => resolve(true));
  });
  if (isServed) {
    throw new OperatorError(`cannot listen at ${path}: another program serves that socket file`);
  }
  unlinkSync(path);
}
