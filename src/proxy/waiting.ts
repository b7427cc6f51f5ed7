/**
 * Requests that wait for their slot: how many may, how long, and what they hear when it takes too
 * long. Used by `forward.ts` and `moving.ts`.
 */
import { E } from "./errors.ts";
import { freeRequest, type Request } from "./request.ts";
import type { Router } from "./router.ts";
import { HeldRequest, type Moving, type Slot } from "./slot.ts";

/** Puts a request at the end of `line`, unless too much waits for the slot already. */
export function keep(
  slot: Slot,
  line: HeldRequest[],
  request: Request,
  pieces: readonly Buffer[],
  router: Router,
): HeldRequest | null {
  const { counters } = router.context.stats;
  const { holdMaxRequests, holdMaxBytes } = router.settings;
  const bytes = bytesOf(pieces);
  const count = slot.held.length + (slot.moving?.parked.length ?? 0);
  if (count >= holdMaxRequests || slot.heldBytes + bytes > holdMaxBytes) {
    counters.heldOverflow++;
    answer(request, E.slotHoldFull);
    return null;
  }
  counters.heldRequests++;
  const held = new HeldRequest(request, pieces.map(ownBytes));
  enter(slot, held);
  line.push(held);
  return held;
}

/** Puts one that was on its way back, before those of its session that wait behind it. */
export function hold(slot: Slot, moving: Moving, held: HeldRequest): void {
  enter(slot, held);
  moving.parked.unshift(held);
}

function enter(slot: Slot, { request, pieces }: HeldRequest): void {
  slot.heldBytes += bytesOf(pieces);
  slot.waiting.set(request.seed, (slot.waiting.get(request.seed) ?? 0) + 1);
}

function bytesOf(pieces: readonly Buffer[]): number {
  let bytes = 0;
  for (const piece of pieces) bytes += piece.length;
  return bytes;
}

/** A small request must not keep the whole chunk alive that it came in. */
function ownBytes(piece: Buffer): Buffer {
  return 8 * piece.length < piece.buffer.byteLength ? Buffer.from(piece) : piece;
}

/** It waits no longer. */
export function release(slot: Slot, { request, pieces }: HeldRequest): void {
  slot.heldBytes -= bytesOf(pieces);
  const left = (slot.waiting.get(request.seed) ?? 0) - 1;
  if (left > 0) slot.waiting.set(request.seed, left);
  else slot.waiting.delete(request.seed);
}

/** An answer without a server. The slot did not count this request. */
export function answer(request: Request, error: Buffer): void {
  if (request.owner === null) freeRequest(request);
  else request.owner.settle(request, error, 0, error.length);
}

/** Refuses what has waited for too long. It was not carried out, so it may be tried again. */
export function expire(slot: Slot, nowMs: number, router: Router): void {
  const { holdTimeoutMs } = router.settings;
  if (holdTimeoutMs === 0) return;
  const isLate = (held: HeldRequest): boolean => nowMs - held.sinceMs > holdTimeoutMs;
  const parked = slot.moving?.parked ?? [];
  if (!slot.held.some(isLate) && !parked.some(isLate)) return;
  const late = [...parked.filter(isLate), ...slot.held.filter(isLate)];
  slot.held = slot.held.filter((held) => !isLate(held));
  if (slot.moving !== null) slot.moving.parked = parked.filter((held) => !isLate(held));
  for (const held of late) {
    release(slot, held);
    router.context.stats.counters.heldTooLong++;
    answer(held.request, slot.isHeld ? E.slotHeldTooLong : E.slotMovesTooLong);
  }
}
