/**
 * Requests of a slot whose keys move from a source to the slot's master, its target.
 *
 *     request ──▶ are all its keys known to be gone from the source? ───────────▶ target
 *                   ├─ no: it waits in slot.held while the mover (mover.ts) moves them
 *                   ├─ its key is pinned, because it is too large: ─────────────▶ source
 *                   └─ its key is held, or just found to be large: it waits in moving.parked
 *
 * What a session sends for the slot while one of its requests waits there waits behind it.
 *
 * Invariants. A request goes to the target only when each of its keys was seen to be gone from the
 * source in this epoch. Nothing but requests for pinned and held keys is carried out at the source.
 * A session's requests for one slot keep their order. Called by `forward.ts`.
 */
import { ForwardMethod, type SlotFill } from "../model/slot.ts";
import type { Server } from "./backend-pool.ts";
import { COMMANDS, Flag } from "./commands.ts";
import { E } from "./errors.ts";
import { followKeys } from "./held-keys.ts";
import { freeRequest, type Request } from "./request.ts";
import { keysOf } from "./request-keys.ts";
import type { Router } from "./router.ts";
import { HeldRequest, Moving, type Slot } from "./slot.ts";
import { answer, keep, release } from "./waiting.ts";
import { wrap } from "./wrapper.ts";

/** A key that was too large is looked at again after so long. */
const BIG_RETRY_MS = 500;

/** The record of a slot that moves from now on, or the one it has when nothing of it changes. */
export function createMoving(slot: Slot, source: Server, fill: SlotFill): Moving {
  const old = slot.moving;
  const target = slot.master!;
  const { forward_method: method = ForwardMethod.SYNC, migrate_epoch: epoch = 0 } = fill;
  const isSame = old !== null && old.epoch === epoch && old.method === method;
  if (isSame && old.source === source && old.target === target) return old;
  // A master that was replaced within the epoch leaves true what is known; nothing else does.
  const isOneReplaced =
    isSame &&
    epoch > 0 &&
    (old.source.address === source.address || old.target.address === target.address);
  const moved = isOneReplaced ? old.moved : new Set<string>();
  return new Moving(slot.id, source, target, method, epoch, moved);
}

/**
 * The keys come from another server than before, in the same epoch: the source has failed over. Its
 * new master may have missed that some keys have left, and they must not come back.
 */
export function isSourceReplaced(old: Moving, next: Moving): boolean {
  return old.moved === next.moved && old.source.address !== next.source.address;
}

/** It is over; nothing of it is in flight. */
export function forget(moving: Moving): void {
  if (moving.retry !== null) clearTimeout(moving.retry);
  moving.retry = null;
}

/** What was parked stands at the front of the line again. */
export function unpark(slot: Slot, moving: Moving): void {
  forget(moving);
  if (moving.parked.length === 0) return;
  slot.held = moving.parked.concat(slot.held);
  moving.parked = [];
}

export function forwardMoving(
  slot: Slot,
  moving: Moving,
  request: Request,
  pieces: readonly Buffer[],
  router: Router,
): void {
  const held = new HeldRequest(request, pieces);
  let line = slot.held.length > 0 ? slot.held : moving.parked;
  if (!slot.waiting.has(request.seed) && !isWrapped(moving, request)) {
    const place = placeNow(slot, moving, held);
    if (place !== "move" && place !== "park") {
      carry(slot, moving, held, place, router);
      return;
    }
    line = place === "park" ? moving.parked : slot.held;
  }
  const kept = keep(slot, line, request, pieces, router);
  if (kept !== null) kept.keys = held.keys;
  if (line === slot.held) router.movers.want(moving);
}

/** Sends what need not wait any more, in order, up to the first request that must. */
export function drain(slot: Slot, moving: Moving, router: Router): void {
  while (slot.held.length > 0 && !slot.isHeld && slot.moving === moving) {
    const held = slot.held[0];
    const isWanted = held.request.owner !== null;
    let place: Place = "park";
    if (isWanted && !isBehind(moving, held.request)) place = placeNow(slot, moving, held);
    if (place === "move") {
      router.movers.want(moving);
      return;
    }
    slot.held.shift();
    if (isWanted && place === "park") {
      moving.parked.push(held);
      continue;
    }
    release(slot, held);
    // A client that left before its request was sent does not want it executed.
    if (isWanted) carry(slot, moving, held, place, router);
    else freeRequest(held.request);
  }
}

/** Does one of this session's requests for the slot wait apart from the line? */
function isBehind(moving: Moving, own: Request): boolean {
  for (const { request } of moving.parked) if (request.seed === own.seed) return true;
  return isWrapped(moving, own);
}

function isWrapped(moving: Moving, own: Request): boolean {
  for (const { request } of moving.wrapped) if (request.seed === own.seed) return true;
  return false;
}

/**
 * `follow`: where the key is, source or target. `refuse`: no server has all keys. `unclear`: nobody
 * knows all keys. `fenced`: keys would have to move, and one of the servers has shut us out.
 */
type Place =
  "target" | "source" | "follow" | "wrap" | "refuse" | "unclear" | "fenced" | "move" | "park";

/** The same as `placeOf`; nobody waits for what cannot be until a dashboard lets us in. */
function placeNow(slot: Slot, moving: Moving, held: HeldRequest): Place {
  const place = placeOf(slot, moving, held);
  const isShutOut = place === "move" && (moving.source.isFenced || moving.target.isFenced);
  return isShutOut ? "fenced" : place;
}

/** Where a request can be carried out now, or what it has to wait for. */
export function placeOf(slot: Slot, moving: Moving, held: HeldRequest): Place {
  const { names: keys, isOpen } = (held.keys ??= keysOf(held.request, held.pieces));
  // codis-server moves all that share a tag, as the keys that such a pattern makes must.
  if (isOpen && moving.method === ForwardMethod.MIGRATE) return "unclear";
  const pinned = slot.pins.size === 0 ? 0 : count(keys, (key) => slot.pins.has(key));
  if (pinned > 0) return placeByPins(slot, held, keys, pinned);
  if (keys.every((key) => moving.moved.has(key))) return "target";
  if (moving.big.size > 0 && keys.some((key) => moving.big.has(key))) return "park";
  const isSingle = keys.length === 1;
  return moving.method === ForwardMethod.SEMI_ASYNC && isSingle ? "wrap" : "move";
}

/**
 * At least one of the keys is at the source for as long as the dashboard says. With keys that are
 * not, no server has all of them: that passes soon when the pinned ones are held already, and else
 * may take minutes, which a client should not wait for.
 */
function placeByPins(
  slot: Slot,
  { request }: HeldRequest,
  keys: readonly string[],
  pinned: number,
): Place {
  const isHeld = keys.some((key) => slot.pins.get(key) === "held");
  if (pinned < keys.length) return isHeld ? "park" : "refuse";
  if (!isHeld) return "source";
  return isRead(request) ? "follow" : "park";
}

function isRead({ command }: Request): boolean {
  const flags = COMMANDS[command].flags;
  return (flags & (Flag.READONLY | Flag.WRITE)) === Flag.READONLY;
}

function count(keys: readonly string[], test: (key: string) => boolean): number {
  let found = 0;
  for (const key of keys) if (test(key)) found++;
  return found;
}

function carry(slot: Slot, moving: Moving, held: HeldRequest, place: Place, router: Router): void {
  const { request, pieces } = held;
  if (place === "target") router.send(moving.target, request, pieces);
  else if (place === "source") router.send(moving.source, request, pieces);
  else if (place === "follow") followKeys(moving, held, router);
  else if (place === "wrap") wrap(slot, moving, held, router, retry);
  else if (place === "fenced") answer(request, E.fenced);
  else answer(request, place === "unclear" ? E.keysUnclear : E.keysApart);
}

/** Lets what is parked try again. */
function retry(slot: Slot, moving: Moving, router: Router): void {
  if (slot.moving !== moving || slot.isHeld) return;
  unpark(slot, moving);
  drain(slot, moving, router);
}

/** A few times a second. */
export function onMovingTick(slot: Slot, moving: Moving, nowMs: number, router: Router): void {
  let isForgotten = false;
  for (const [key, sinceMs] of moving.big) {
    if (nowMs - sinceMs > BIG_RETRY_MS) isForgotten = moving.big.delete(key);
  }
  if (isForgotten && moving.parked.length > 0) retry(slot, moving, router);
  else if (slot.held.length > 0) drain(slot, moving, router);
}
