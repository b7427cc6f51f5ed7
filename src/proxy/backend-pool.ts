/**
 * The connections of one worker: a `Server` per address, and in it a connection per lane.
 *
 * A lane is what requests must agree on to share a connection: database, protocol, and, with
 * `backend_primary_parallel` above 1, which of the parallel connections. A session always uses the
 * same one, so its requests to a server never overtake each other. Connections open when first
 * used. Slots hold servers by count (`retain`, `release`); at zero the server's connections end
 * once they are quiet. Used by `router.ts`.
 */
import { assert } from "../lib/assert.ts";
import { Backend } from "./backend.ts";
import type { BackendContext } from "./backend-context.ts";

/** Where the lanes of a (database, protocol) begin: see `Server.lane`. */
export function laneOf(database: number, proto: 2 | 3): number {
  return 2 * database + (proto - 2);
}

export class Server {
  /** By lane × parallel connection; a hole is a connection nobody has needed yet. */
  readonly #backends: (Backend | undefined)[] = [];
  /** By lane: the connections for giant requests, which would keep all others waiting. */
  readonly #bulk: (Backend | undefined)[] = [];
  /** By lane: the connections for moving keys, which must not wait behind requests of clients. */
  readonly #moving: (Backend | undefined)[] = [];
  holders = 0;
  /** Notes of `split.ts`: the number of the command being split, and its part for this server. */
  splitNumber = 0;
  splitPart = 0;

  constructor(
    readonly address: string,
    readonly isReplica: boolean,
    readonly parallel: number,
    readonly context: BackendContext,
  ) {}

  /** The connection for this lane; sessions with the same `seed` get the same one. */
  lane(lane: number, seed: number): Backend {
    const index = this.parallel === 1 ? lane : lane * this.parallel + (seed % this.parallel);
    return this.#backends[index] ?? (this.#backends[index] = this.#create(lane));
  }

  /** The connection for giant requests of this lane. */
  bulk(lane: number): Backend {
    return this.#bulk[lane] ?? (this.#bulk[lane] = this.#create(lane));
  }

  /** The connection for what concerns the moving of keys in this lane. */
  mover(lane: number): Backend {
    return this.#moving[lane] ?? (this.#moving[lane] = this.#create(lane));
  }

  #create(lane: number): Backend {
    const proto = (lane & 1) === 0 ? 2 : 3;
    return new Backend(this.address, lane >> 1, proto, this.isReplica, this.context);
  }

  *backends(): Iterable<Backend> {
    for (const backend of this.#backends) if (backend !== undefined) yield backend;
    for (const backend of this.#bulk) if (backend !== undefined) yield backend;
    for (const backend of this.#moving) if (backend !== undefined) yield backend;
  }

  /** The server has told one of them that this proxy is shut out. */
  get isFenced(): boolean {
    for (const backend of this.backends()) if (backend.isFenced) return true;
    return false;
  }

  close(): void {
    for (const backend of this.backends()) backend.close();
  }
}

export class BackendPool {
  readonly #servers = new Map<string, Server>();
  /** Out of the slot table, but with requests still to answer. */
  readonly #leaving = new Set<Server>();

  constructor(
    readonly isReplica: boolean,
    readonly parallel: number,
    readonly context: BackendContext,
  ) {}

  retain(address: string): Server {
    let server = this.#servers.get(address);
    if (server === undefined) {
      server = new Server(address, this.isReplica, this.parallel, this.context);
      this.#servers.set(address, server);
    }
    server.holders++;
    return server;
  }

  release(server: Server): void {
    server.holders--;
    assert(server.holders >= 0, "a server is released as often as it is retained");
    if (server.holders > 0) return;
    this.#servers.delete(server.address);
    this.#leaving.add(server);
    server.close();
  }

  find(address: string): Server | undefined {
    return this.#servers.get(address);
  }

  *backends(): Iterable<Backend> {
    for (const server of this.#servers.values()) yield* server.backends();
    for (const server of this.#leaving) yield* server.backends();
  }

  onTick(nowMs: number): void {
    for (const backend of this.backends()) backend.onTick(nowMs);
    for (const server of this.#leaving) {
      if ([...server.backends()].every((backend) => backend.state === "closed")) {
        this.#leaving.delete(server);
      }
    }
  }
}
