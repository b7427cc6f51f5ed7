/**
 * One slot as a worker sees it: where its requests go, and what they have to wait for.
 *
 * The record is replaced as a whole by `Router.fill`; requests only read it. A slot is *plain* when
 * requests may go straight to its master; everything else (held, offline, replica reads) is handled
 * in `forward.ts`, off the path of a plain GET.
 */
import type { SlotFill } from "../model/slot.ts";
import type { Server } from "./backend-pool.ts";
import type { Request } from "./request.ts";

/** A request that waits for its slot, with a copy of its bytes. */
export interface HeldRequest {
  readonly request: Request;
  readonly pieces: readonly Buffer[];
}

export class Slot {
  isPlain = false;
  /** The group's master; null when the slot is offline. */
  master: Server | null = null;
  /** Replicas by distance: the nearest list first. */
  replicas: readonly (readonly Server[])[] = [];
  /** Requests wait: a change is under way. */
  isHeld = false;
  /** Changes that wait for requests in flight. */
  changes = 0;
  /** Requests that wait, first come first; empty unless the slot is or was just held. */
  held: HeldRequest[] = [];
  heldBytes = 0;
  /** What was pushed, for those who ask. */
  fill: SlotFill;

  constructor(readonly id: number) {
    this.fill = { id };
  }
}
