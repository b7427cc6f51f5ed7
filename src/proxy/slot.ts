/**
 * One slot as a worker sees it: where its requests go, and what they have to wait for.
 *
 * The record is replaced as a whole by `Router.fill`; requests only read it. A slot is *plain* when
 * requests may go straight to its master; everything else (held, offline, replica reads, moving) is
 * handled in `forward.ts`, off the path of a plain GET.
 */
import type { PinState } from "../model/key-pin.ts";
import type { SlotFill } from "../model/slot.ts";
import type { Server } from "./backend-pool.ts";
import type { Request } from "./request.ts";

/** A request that waits for its slot, with a copy of its bytes. */
export interface HeldRequest {
  readonly request: Request;
  readonly pieces: readonly Buffer[];
}

/** Keys that are too large to move in one step, as `pinName` names them. */
export type Pins = ReadonlyMap<string, PinState>;

export const NO_PINS: Pins = new Map();

/** What is to become of a slot as soon as none of its requests is in flight. */
export interface SlotChange {
  /** The record that is to be in force; null: the present one stays. */
  fill: SlotFill | null;
  /** Null: the present ones stay. */
  pins: Pins | null;
  /** Who waits for it. */
  readonly done: (() => void)[];
}

export class Slot {
  isPlain = false;
  /** The group's master; null when the slot is offline. */
  master: Server | null = null;
  /** Where its keys come from, while they move to `master`; null when they do not. */
  source: Server | null = null;
  pins: Pins = NO_PINS;
  /** Replicas by distance: the nearest list first. */
  replicas: readonly (readonly Server[])[] = [];
  /** Requests wait: a change is under way. */
  isHeld = false;
  /** A change that waits for requests in flight; one that follows is made part of it. */
  change: SlotChange | null = null;
  /** Requests that wait, first come first; empty unless the slot is or was just held. */
  held: HeldRequest[] = [];
  heldBytes = 0;
  /** What was pushed, for those who ask. */
  fill: SlotFill;

  constructor(readonly id: number) {
    this.fill = { id };
  }
}
