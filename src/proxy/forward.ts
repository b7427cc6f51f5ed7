/**
 * What happens to a request whose slot is not plain: the slot is held, offline, or may be read from
 * replicas. Called by `Router.dispatch`.
 */
import type { Server } from "./backend-pool.ts";
import { COMMANDS, Flag } from "./commands.ts";
import { E } from "./errors.ts";
import { freeRequest, type Request } from "./request.ts";
import type { Router } from "./router.ts";
import type { Slot } from "./slot.ts";

/** Sends, keeps or refuses. `pieces` are the request's bytes, never changed again. */
export function forward(
  slot: Slot,
  request: Request,
  pieces: readonly Buffer[],
  router: Router,
): void {
  if (slot.isHeld) {
    hold(slot, request, pieces, router);
    return;
  }
  if (slot.source !== null) {
    answer(request, E.slotMoving);
    return;
  }
  const server = chooseServer(slot, request);
  if (server === null) {
    answer(request, E.slotOffline);
    return;
  }
  router.send(server, request, pieces);
}

function hold(slot: Slot, request: Request, pieces: readonly Buffer[], router: Router): void {
  const { counters } = router.context.stats;
  const { holdMaxRequests, holdMaxBytes } = router.settings;
  let bytes = 0;
  for (const piece of pieces) bytes += piece.length;
  if (slot.held.length >= holdMaxRequests || slot.heldBytes + bytes > holdMaxBytes) {
    counters.heldOverflow++;
    answer(request, E.slotHoldFull);
    return;
  }
  counters.heldRequests++;
  slot.heldBytes += bytes;
  slot.held.push({ request, pieces: pieces.map(ownBytes) });
}

/** A small request must not keep the whole chunk alive that it came in. */
function ownBytes(piece: Buffer): Buffer {
  return 8 * piece.length < piece.buffer.byteLength ? Buffer.from(piece) : piece;
}

/** Sends what waited, in the order it came. The slot has its new place. */
export function resume(slot: Slot, router: Router): void {
  const held = slot.held;
  slot.held = [];
  slot.heldBytes = 0;
  for (const { request, pieces } of held) {
    // A client that left before its request was sent does not want it executed.
    if (request.owner === null) freeRequest(request);
    else forward(slot, request, pieces, router);
  }
}

/** An answer without a server. The slot did not count this request. */
function answer(request: Request, error: Buffer): void {
  if (request.owner === null) freeRequest(request);
  else request.owner.settle(request, error, 0, error.length);
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
