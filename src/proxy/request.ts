/**
 * The record that travels session → backend → session.
 *
 * A request stands in two queues at once, by links of its own: in its session's, in the order the
 * client sent it (`next`), and in a backend's, in the order it was written (`peer`). Records are
 * taken from a pool and given back, so that a request allocates nothing.
 */
import { own } from "../lib/lent.ts";

/**
 * Whoever gets the reply: a session, a split command that joins several, a connection's own probe.
 */
export interface Owner {
  /** The whole reply is `bytes[from, to)`, perhaps lent: whoever keeps it calls `Turn.keep`. */
  settle(request: Request, bytes: Buffer, from: number, to: number): void;
  /**
   * A piece of a large reply whose end is not here yet; `settle` follows with the last piece.
   * The owner either passes it on or keeps it with `Request.keep`.
   */
  settlePiece(request: Request, bytes: Buffer, from: number, to: number): void;
  /** The request was taken, but the connection wants no more until it calls `onRoom`. */
  onCrowded(backend: Crowded): void;
}

/** A connection that has more to do than it should. */
export interface Crowded {
  wait(waiter: Waiter): void;
}

/** Whoever stopped sending until a connection has room again. */
export interface Waiter {
  onRoom(): void;
}

/** Stands for "no slot": probes, and parts whose slots are counted one by one. */
export const NO_SLOT = 1024;

const NO_SLOTS = new Int32Array(0);

export class Request {
  /** Null when nobody waits any more: the reply is read and dropped. */
  owner: Owner | null = null;
  /** The command's id, for statistics. */
  command = 0;
  slot = NO_SLOT;
  /** Database × protocol of the session when it sent this; see `laneOf`. */
  lane = 0;
  /** The session's number, which picks one of several parallel connections. */
  seed = 0;
  /** A giant that travels on a connection of its own; see `Session.sendAlone`. */
  isAlone = false;
  /** When the bytes arrived, in microseconds of the turn's clock. */
  startedUs = 0;
  /** Position in the byte stream of its backend: whether it was written is decided by this. */
  sentAt = 0;
  /** The slots of its keys, when they are several: the first `slotCount` cells. */
  slots = NO_SLOTS;
  slotCount = 0;
  next: Request | null = null;
  peer: Request | null = null;

  /** The reply is here, or will not come: `reply*` and `pieces` hold it until its turn. */
  isSettled = false;
  /** Part of the reply has already gone to the client: it cannot become an error any more. */
  isStreaming = false;
  /** The connection broke: what is settled is our error, not the server's reply. */
  isLost = false;
  reply: Buffer = EMPTY;
  replyFrom = 0;
  replyTo = 0;
  /** What came before `reply`, when it came in several pieces. */
  pieces: Buffer[] | null = null;
  pieceBytes = 0;

  /** One more slot that this request has a key in. */
  addSlot(slot: number): void {
    if (this.slotCount === this.slots.length) {
      const grown = new Int32Array(Math.max(16, 2 * this.slots.length));
      grown.set(this.slots);
      this.slots = grown;
    }
    this.slots[this.slotCount++] = slot;
  }

  /** Keeps a piece of the reply until the rest is here. */
  keep(bytes: Buffer, from: number, to: number): void {
    this.pieces ??= [];
    this.pieces.push(own(bytes, from, to));
    this.pieceBytes += to - from;
  }

  /** The rest of the reply will never come. What is kept of it is worthless. */
  lose(): void {
    this.isLost = true;
    if (this.isStreaming) return;
    this.pieces = null;
    this.pieceBytes = 0;
  }

  /** Puts the pieces and the end of the reply into one buffer. */
  joinPieces(): void {
    const last = this.reply.subarray(this.replyFrom, this.replyTo);
    this.reply = Buffer.concat([...(this.pieces ?? []), last]);
    this.replyFrom = 0;
    this.replyTo = this.reply.length;
    this.pieces = null;
  }

  /** The reply in one buffer, for those who look inside. */
  wholeReply(): Buffer {
    if (this.pieces !== null) this.joinPieces();
    return this.reply.subarray(this.replyFrom, this.replyTo);
  }
}

const EMPTY = Buffer.allocUnsafeSlow(0);
const POOL_LIMIT = 65536;
const pool: Request[] = [];

export function takeRequest(): Request {
  return pool.pop() ?? new Request();
}

/** Gives a record back. The caller holds the last link to it. */
export function freeRequest(request: Request): void {
  request.owner = null;
  request.next = null;
  request.peer = null;
  request.isSettled = false;
  if (request.reply !== EMPTY) request.reply = EMPTY;
  if (request.pieceBytes > 0) {
    request.pieces = null;
    request.pieceBytes = 0;
    request.isStreaming = false;
  }
  request.isLost = false;
  request.isAlone = false;
  request.slotCount = 0;
  // A giant MGET must not leave its memory in the pool.
  if (request.slots.length > 1024) request.slots = NO_SLOTS;
  if (pool.length < POOL_LIMIT) pool.push(request);
}

/** A view that may wait for long: a few bytes of much memory are copied, or they keep it alive. */
export function compact(bytes: Buffer, from: number, to: number): Buffer {
  if (from === 0 && to === bytes.length) return bytes;
  if (8 * (to - from) > bytes.length) return bytes.subarray(from, to);
  const copy = Buffer.allocUnsafeSlow(to - from);
  bytes.copy(copy, 0, from, to);
  return copy;
}
