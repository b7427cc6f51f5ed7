/**
 * One slot as a worker sees it: where its requests go, and what they have to wait for.
 *
 * The record is replaced as a whole by `Router.fill`; requests only read it. A slot is *plain* when
 * requests may go straight to its master (`Router.plain`); everything else (held, offline, replica
 * reads, moving) is handled in `forward.ts`, off the path of a plain GET.
 */
import type { PinState } from "../model/key-pin.ts";
import type { SlotFill } from "../model/slot.ts";
import type { Server } from "./backend-pool.ts";
import type { Request } from "./request.ts";

/** What a request touches; see `keysOf`. */
export interface RequestKeys {
  readonly names: readonly string[];
  /** It may read more than these: keys that a pattern makes. */
  readonly isOpen: boolean;
}

/** A request that waits for its slot, with a copy of its bytes. */
export class HeldRequest {
  /** Names of its keys, once somebody has asked for them. */
  keys: RequestKeys | null = null;
  /** When it began to wait. Not by the clock of the last tick: it would be given up too early. */
  readonly sinceMs = performance.now();
  /** How often codis-server has said that the key is just being moved. */
  tries = 0;

  constructor(
    readonly request: Request,
    readonly pieces: readonly Buffer[],
  ) {}
}

/** A slot whose keys move from `source` to the slot's master: what is known of it. */
export class Moving {
  /** Requests that wait for one key, and those of the same sessions behind them. */
  parked: HeldRequest[] = [];
  /** Requests that codis-server is carrying out where their key is now. */
  readonly wrapped = new Set<HeldRequest>();
  /** Keys that are too large to be handed over, and when that was found out. */
  readonly big = new Map<string, number>();
  /** A timer that makes the parked ones try again. */
  retry: Timer | null = null;

  constructor(
    readonly slot: number,
    readonly source: Server,
    readonly target: Server,
    readonly method: number,
    /** 0 when the dashboard does not tell epochs apart. */
    readonly epoch: number,
    /**
     * Names of keys that the source does not have any more, and will not have again in this epoch.
     * To forget one costs a round trip; a wrong one would lose data.
     */
    readonly moved: Set<string>,
  ) {}
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
  /** The group's master; null when the slot is offline. */
  master: Server | null = null;
  /** Its keys move to `master` from elsewhere; null when they do not. */
  moving: Moving | null = null;
  pins: Pins = NO_PINS;
  /** Replicas by distance: the nearest list first. */
  replicas: readonly (readonly Server[])[] = [];
  /** Requests wait: a change is under way. */
  isHeld = false;
  /** A change that waits for requests in flight; one that follows is made part of it. */
  change: SlotChange | null = null;
  /** Requests that wait, first come first, because the slot is held or for keys that move. */
  held: HeldRequest[] = [];
  heldBytes = 0;
  /** How many requests wait in the slot, by session (`Request.seed`). */
  readonly waiting = new Map<number, number>();
  /** What was pushed, for those who ask. */
  fill: SlotFill;

  constructor(readonly id: number) {
    this.fill = { id };
  }
}
