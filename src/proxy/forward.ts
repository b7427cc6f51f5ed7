/**
 * What happens to a request whose slot is not plain: the slot is held, offline, moving, or may be
 * read from replicas. Called by `Router.dispatch`. Requests that wait do so here; `moving.ts` says
 * what those of a moving slot wait for.
 */
import type { Server } from "./backend-pool.ts";
import { COMMANDS, Flag } from "./commands.ts";
import { E } from "./errors.ts";
import { drain, forwardMoving, onMovingTick } from "./moving.ts";
import { freeRequest, type Request } from "./request.ts";
import type { Router } from "./router.ts";
import type { Slot } from "./slot.ts";
import { answer, expire, keep } from "./waiting.ts";

/** Sends, keeps or refuses. `pieces` are the request's bytes, never changed again. */
export function forward(
  slot: Slot,
  request: Request,
  pieces: readonly Buffer[],
  router: Router,
): void {
  if (slot.isHeld) {
    keep(slot, slot.held, request, pieces, router);
    return;
  }
  if (slot.moving !== null) {
    forwardMoving(slot, slot.moving, request, pieces, router);
    return;
  }
  const server = chooseServer(slot, request);
  if (server === null) {
    answer(request, E.slotOffline);
    return;
  }
  router.send(server, request, pieces);
}

/** Sends what waited, in the order it came. The slot has its new place. */
export function resume(slot: Slot, router: Router): void {
  if (slot.moving !== null) {
    drain(slot, slot.moving, router);
    return;
  }
  const held = slot.held;
  slot.held = [];
  slot.heldBytes = 0;
  slot.waiting.clear();
  for (const { request, pieces } of held) {
    // A client that left before its request was sent does not want it executed.
    if (request.owner === null) freeRequest(request);
    else forward(slot, request, pieces, router);
  }
}

/** A few times a second for a slot in which requests wait or may wait. */
export function onSlotTick(slot: Slot, nowMs: number, router: Router): void {
  expire(slot, nowMs, router);
  if (slot.moving !== null && !slot.isHeld) onMovingTick(slot, slot.moving, nowMs, router);
}

/** A command that reads, and may do so from a replica. */
const READ_MASK = Flag.READONLY | Flag.WRITE | Flag.MASTER_ONLY;

/** A replica for a read, the nearest that is connected and in sync; else the master. */
function chooseServer(slot: Slot, request: Request): Server | null {
  if (slot.master === null || slot.replicas.length === 0) return slot.master;
  if ((COMMANDS[request.command].flags & READ_MASK) !== Flag.READONLY) return slot.master;
  for (const replicas of slot.replicas) {
    const count = replicas.length;
    for (let i = 0; i < count; i++) {
      const server = replicas[(request.seed + i) % count];
      const backend = server.lane(request.lane, request.seed);
      if (backend.isUsable) return server;
      // Not connected yet: this read goes elsewhere, the next may find it ready.
      backend.warm();
    }
  }
  return slot.master;
}
