/**
 * 1024 slots; `dispatch` sends a request to the server of its slot; `fill` changes where a slot is.
 *
 * Invariant: a slot changes its server only when none of its requests is on the way to the old one
 * (`SlotTraffic`), and requests that arrive meanwhile wait in the slot. So every request of a slot
 * sees one server after the other, and none is answered by a server that has already lost the slot.
 * Called by sessions for every request and by `worker.ts` for slot changes.
 */
import { assert } from "../lib/assert.ts";
import { SLOT_COUNT, type SlotFill } from "../model/slot.ts";
import type { BackendContext } from "./backend.ts";
import { BackendPool, type Server } from "./backend-pool.ts";
import { forward, resume } from "./forward.ts";
import type { Request } from "./request.ts";
import { Slot } from "./slot.ts";

export interface RouterSettings {
  readonly primaryOnly: boolean;
  readonly primaryParallel: number;
  readonly replicaParallel: number;
  /** Requests that may wait for one held slot. */
  readonly holdMaxRequests: number;
  readonly holdMaxBytes: number;
}

export class Router {
  readonly slots: readonly Slot[];
  readonly masters: BackendPool;
  readonly replicas: BackendPool;

  constructor(
    readonly settings: RouterSettings,
    readonly context: BackendContext,
  ) {
    this.slots = Array.from({ length: SLOT_COUNT }, (_, id) => new Slot(id));
    this.masters = new BackendPool(false, Math.max(1, settings.primaryParallel), context);
    this.replicas = new BackendPool(true, Math.max(1, settings.replicaParallel), context);
  }

  /**
   * Sends `bytes[from, to)` to the server of `request.slot`. The bytes are never changed again. The
   * request is settled exactly once, possibly before this returns.
   */
  dispatch(request: Request, bytes: Buffer, from: number, to: number): void {
    const slot = this.slots[request.slot];
    if (slot.isPlain) {
      this.context.traffic.enter(request.slot);
      slot.master!.lane(request.lane, request.seed).push(request, bytes, from, to);
    } else {
      forward(slot, request, [bytes.subarray(from, to)], this);
    }
  }

  /** The same for a request in several pieces. */
  dispatchPieces(request: Request, pieces: readonly Buffer[]): void {
    forward(this.slots[request.slot], request, pieces, this);
  }

  /** Puts a request on its way to a server and counts it in. */
  send(server: Server, request: Request, pieces: readonly Buffer[]): void {
    this.context.traffic.enter(request.slot);
    const backend = request.isAlone
      ? server.bulk(request.lane)
      : server.lane(request.lane, request.seed);
    backend.pushPieces(request, pieces);
  }

  /** The server with this address, as a master or else as a replica. */
  find(address: string): Server | undefined {
    return this.masters.find(address) ?? this.replicas.find(address);
  }

  /**
   * Applies slot records in order and calls `done` when all are in force. Each slot is held, waits
   * for its requests in flight, changes, and is released unless the record says `locked`.
   */
  fill(fills: readonly SlotFill[], done: () => void): void {
    let left = 1;
    const step = (): void => {
      left--;
      if (left === 0) done();
    };
    for (const fill of fills) {
      const slot = this.slots[fill.id];
      assert(slot !== undefined, "slot records are checked before they reach the router");
      slot.isHeld = true;
      slot.isPlain = false;
      slot.changes++;
      left++;
      this.context.traffic.awaitQuiet(fill.id, () => {
        this.#apply(slot, fill);
        step();
      });
    }
    step();
  }

  #apply(slot: Slot, fill: SlotFill): void {
    assert(
      this.context.traffic.inflight[slot.id] === 0,
      "a slot changes only when none of its requests is in flight",
    );
    const oldMaster = slot.master;
    const oldReplicas = slot.replicas.flat();
    const address = fill.backend_addr ?? "";
    slot.master = address === "" ? null : this.masters.retain(address);
    const groups = this.settings.primaryOnly ? [] : (fill.replica_groups ?? []);
    slot.replicas = groups.map((group) => group.map((replica) => this.replicas.retain(replica)));
    // After retaining: a server that stays keeps its connections.
    if (oldMaster !== null) this.masters.release(oldMaster);
    for (const server of oldReplicas) this.replicas.release(server);
    slot.fill = fill;
    slot.changes--;
    // Another change is waiting: it finds the slot as quiet as this one did.
    slot.isHeld = fill.locked === true || slot.changes > 0;
    slot.isPlain = !slot.isHeld && slot.master !== null && slot.replicas.length === 0;
    if (!slot.isHeld) resume(slot, this);
  }

  onTick(nowMs: number): void {
    this.masters.onTick(nowMs);
    this.replicas.onTick(nowMs);
  }

  /** Requests on the way to servers or waiting for a slot. */
  get inflight(): number {
    let total = 0;
    for (const slot of this.slots) total += slot.held.length;
    for (const pool of [this.masters, this.replicas]) {
      for (const backend of pool.backends()) total += backend.inflight;
    }
    return total;
  }
}
