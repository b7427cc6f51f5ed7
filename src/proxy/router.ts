/**
 * 1024 slots; `dispatch` sends a request to the server of its slot; `fill` changes where a slot is.
 *
 * Invariant: a slot changes its server only when none of its requests is on the way to the old one
 * (`SlotTraffic`), and requests that arrive meanwhile wait in the slot. So every request of a slot
 * sees one server after the other, and none is answered by a server that has already lost the slot.
 * Called by sessions for every request and by `worker.ts` for slot changes.
 */
import { assert } from "../lib/assert.ts";
import { own } from "../lib/lent.ts";
import type { PinTable } from "../model/key-pin.ts";
import { SLOT_COUNT, type SlotFill } from "../model/slot.ts";
import type { BackendContext } from "./backend-context.ts";
import { BackendPool, type Server } from "./backend-pool.ts";
import { forward, onSlotTick, resume } from "./forward.ts";
import { Movers } from "./movers.ts";
import { createMoving, forget, isSourceReplaced, unpark } from "./moving.ts";
import { arePinsEqual, pinsBySlot } from "./pins.ts";
import type { Request } from "./request.ts";
import { NO_PINS, type Pins, Slot, type SlotChange } from "./slot.ts";

export interface RouterSettings {
  readonly primaryOnly: boolean;
  readonly primaryParallel: number;
  readonly replicaParallel: number;
  /** Requests that may wait for one held slot. */
  readonly holdMaxRequests: number;
  readonly holdMaxBytes: number;
  /** How long one may wait; 0 = for ever. */
  readonly holdTimeoutMs: number;
  /** How long a MIGRATE may stop its source, and keys from which size on never move that way. */
  readonly migrateTimeoutMs: number;
  readonly bigKeyBytes: number;
}

export class Router {
  readonly slots: readonly Slot[];
  /**
   * By slot: the master of a slot that is plain, where its requests go at once; null when
   * `forward.ts` has to look at them. Apart from the slots: most requests read nothing else.
   */
  readonly plain: (Server | null)[] = Array.from({ length: SLOT_COUNT }, () => null);
  readonly masters: BackendPool;
  readonly replicas: BackendPool;
  readonly movers: Movers;

  constructor(
    readonly settings: RouterSettings,
    readonly context: BackendContext,
  ) {
    this.slots = Array.from({ length: SLOT_COUNT }, (_, id) => new Slot(id));
    this.masters = new BackendPool(false, Math.max(1, settings.primaryParallel), context);
    this.replicas = new BackendPool(true, Math.max(1, settings.replicaParallel), context);
    this.movers = new Movers(this);
  }

  /**
   * Sends `bytes[from, to)` to the server of `request.slot`. They may be lent (lib/lent.ts);
   * what leaves the plain path gets a copy of its own. The request is settled
   * exactly once, possibly before this returns.
   */
  dispatch(request: Request, bytes: Buffer, from: number, to: number): void {
    const server = this.plain[request.slot];
    if (server !== null) {
      this.context.traffic.enter(request.slot);
      server.lane(request.lane, request.seed).push(request, bytes, from, to);
    } else {
      forward(this.slots[request.slot], request, [own(bytes, from, to)], this);
    }
  }

  /** The same for a request in several pieces, which are never changed again. */
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
   * Applies slot records, the last one for each slot, and a new table of pins unless that is null;
   * calls `done` when all are in force. A slot is held, waits for its requests in flight, changes,
   * and is released unless the record says `locked`. What comes for a slot that still waits takes
   * the place of what it waits for: the newest record is the only one that matters.
   */
  fill(fills: readonly SlotFill[], pins: PinTable | null, done: () => void): void {
    let left = 1;
    const step = (): void => {
      left--;
      if (left === 0) done();
    };
    const changed = pins === null ? new Map<number, Pins>() : this.#pinsThatChange(pins);
    for (const fill of fills) {
      left++;
      this.#change(fill.id, fill, changed.get(fill.id) ?? null, step);
      changed.delete(fill.id);
    }
    for (const [id, each] of changed) {
      left++;
      this.#change(id, null, each, step);
    }
    step();
  }

  /** Slots whose pins differ from those that they have or will have. */
  #pinsThatChange(table: PinTable): Map<number, Pins> {
    const wanted = pinsBySlot(table);
    const changed = new Map<number, Pins>();
    for (const slot of this.slots) {
      const next = wanted.get(slot.id) ?? NO_PINS;
      if (!arePinsEqual(slot.change?.pins ?? slot.pins, next)) changed.set(slot.id, next);
    }
    return changed;
  }

  #change(id: number, fill: SlotFill | null, pins: Pins | null, step: () => void): void {
    const slot = this.slots[id];
    assert(slot !== undefined, "slot records are checked before they reach the router");
    const change = (slot.change ??= { fill: null, pins: null, done: [] });
    if (fill !== null) change.fill = fill;
    if (pins !== null) change.pins = pins;
    change.done.push(step);
    if (!needsQuiet(slot, change)) {
      this.#apply(slot);
      return;
    }
    slot.isHeld = true;
    this.plain[id] = null;
    this.context.traffic.awaitQuiet(id, () => {
      // Null when a later change was applied without waiting.
      if (slot.change !== null) this.#apply(slot);
    });
  }

  #apply(slot: Slot): void {
    const change = slot.change!;
    assert(
      this.context.traffic.inflight[slot.id] === 0 || !needsQuiet(slot, change),
      "a slot changes its place only when none of its requests is in flight",
    );
    slot.change = null;
    const old = slot.moving;
    if (old !== null) unpark(slot, old);
    if (change.pins !== null) slot.pins = change.pins;
    if (change.fill !== null) this.#place(slot, change.fill);
    if (slot.moving !== null && old !== null && isSourceReplaced(old, slot.moving)) {
      slot.isHeld = true;
      this.movers.clean(slot.moving, () => this.#release(slot, change.done));
    } else this.#release(slot, change.done);
  }

  /** The slot is where it should be; what waited goes on, unless more is to come. */
  #release(slot: Slot, done: readonly (() => void)[]): void {
    slot.isHeld = slot.fill.locked === true || slot.change !== null;
    const isAlone = slot.replicas.length === 0 && slot.moving === null;
    this.plain[slot.id] = !slot.isHeld && isAlone ? slot.master : null;
    if (!slot.isHeld) resume(slot, this);
    for (const step of done) step();
  }

  #place(slot: Slot, fill: SlotFill): void {
    const old = slot.moving;
    const oldMasters = [slot.master, old?.source ?? null];
    const oldReplicas = slot.replicas.flat();
    const retain = (address: string | undefined): Server | null => {
      return address === undefined || address === "" ? null : this.masters.retain(address);
    };
    slot.master = retain(fill.backend_addr);
    const source = slot.master === null ? null : retain(fill.migrate_from);
    slot.moving = source === null ? null : createMoving(slot, source, fill);
    const groups = this.settings.primaryOnly ? [] : (fill.replica_groups ?? []);
    slot.replicas = groups.map((group) => group.map((replica) => this.replicas.retain(replica)));
    // After retaining: a server that stays keeps its connections.
    for (const server of oldMasters) if (server !== null) this.masters.release(server);
    for (const server of oldReplicas) this.replicas.release(server);
    slot.fill = fill;
    if (old !== null && old !== slot.moving) forget(old);
  }

  onTick(nowMs: number): void {
    this.masters.onTick(nowMs);
    this.replicas.onTick(nowMs);
    this.movers.onTick(nowMs);
    for (const slot of this.slots) {
      if (slot.held.length > 0 || slot.moving !== null) onSlotTick(slot, nowMs, this);
    }
  }

  /** Requests on the way to servers or waiting for a slot. */
  get inflight(): number {
    let total = 0;
    for (const slot of this.slots) {
      total += slot.held.length + (slot.moving?.parked.length ?? 0);
    }
    for (const pool of [this.masters, this.replicas]) {
      for (const backend of pool.backends()) total += backend.inflight;
    }
    return total;
  }
}

/**
 * A slot that is served on where it is served now needs no pause, and must not be given one: it may
 * be the release of a slot that was to be held, and whose server hangs.
 */
function needsQuiet(slot: Slot, { fill, pins }: SlotChange): boolean {
  if (pins !== null) return true;
  return fill !== null && (fill.locked === true || !isSamePlace(slot.fill, fill));
}

function isSamePlace(one: SlotFill, other: SlotFill): boolean {
  return (
    (one.backend_addr ?? "") === (other.backend_addr ?? "") &&
    (one.migrate_from ?? "") === (other.migrate_from ?? "") &&
    (one.forward_method ?? 0) === (other.forward_method ?? 0) &&
    (one.migrate_epoch ?? 0) === (other.migrate_epoch ?? 0)
  );
}
