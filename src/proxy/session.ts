/**
 * One client: its requests in, its replies out, in the same order.
 *
 *     client bytes
 *        │ onData
 *     RequestReader.feed ── scanRequest       one request = [from, to) in the chunk      resp/
 *        │ onRequest
 *        ├─ lookup, arity, authorisation      refuse, answer here (special), or         commands.ts
 *        ├─ slotOf(key)                       find the slot,
 *        ├─ #enqueue                          take a place in the order of replies,
 *        ▼
 *     Router.dispatch ── Backend.push         append to the server's send buffer         router.ts
 *        .                                    (the turn ends: one write per connection)
 *        ▼ reply bytes: the head of the backend's queue owns them                        backend.ts
 *     settle                                  at the head of our queue: append to #out,
 *        │                                    and whatever behind it is settled too
 *     flush                                   one write
 *
 * Everything that is not a plain forwarded command is in `special.ts` and what it calls. A session
 * never waits: it stops its reader (`#suspend`) and goes on when the reason is gone.
 */
import { log } from "../lib/log.ts";
import type { NativeSocket, SocketHandler } from "../net/native-socket.ts";
import { SendBuffer } from "../resp/buffer.ts";
import type { LargeRequest } from "../resp/large.ts";
import { type RequestHandler, RequestReader } from "../resp/reader.ts";
import type { Args } from "../resp/args.ts";
import { slotOf } from "../model/slot.ts";
import { laneOf } from "./backend-pool.ts";
import { ClientProfile } from "./client-profile.ts";
import { type Command, lookup, PLAIN_KEY } from "./commands.ts";
import type { Deferred } from "./local-types.ts";
import {
  compact,
  type Crowded,
  freeRequest,
  type Owner,
  type Request,
  takeRequest,
} from "./request.ts";
import type { SessionContext } from "./session-context.ts";
import { onSpecialLarge, onSpecialRequest, protocolError } from "./special.ts";
import type { TurnClient } from "./turn.ts";

/** Why a session does not read. Bits. */
const PIPELINE = 1; // as many requests in flight as allowed
const BACKEND = 2; // a server's connection is crowded
const BARRIER = 4; // a change of database or protocol waits for the requests before it
const CLOSING = 8; // no further request is wanted; the connection ends after the last reply
const CLOSED = 16;
const RESUMING = 32; // the reasons are gone; reading goes on when this turn is flushed

const MINUS = 45;
/** An unfinished request that grows by less than SLOW_BYTES in SLOW_MS is given up. */
const SLOW_MS = 60_000;
const SLOW_BYTES = 16 * 1024;
/** Chunks from this size on are not kept for the sake of a small part. */
const COMPACT_BYTES = 4096;

/** Replies wait for the rest of their pipeline: for so many turns, if so few are missing. */
const PATIENCE = 2;
const MISSING = 16;
/** More is worth a call of its own. */
const POSTPONED_BYTES = 1024;

export class Session
  extends ClientProfile
  implements RequestHandler, Owner, TurnClient, SocketHandler
{
  isTouched = false;
  countedIn = -1;
  lane: number;
  readonly reader = new RequestReader(this);
  /** Requests without a delivered reply, in the order they came. */
  #head: Request | null = null;
  #tail: Request | null = null;
  #pending = 0;
  /** Bytes of replies that are here, but not at the head of the queue. */
  #keptBytes = 0;
  readonly #out: SendBuffer;
  /** A giant request that waits for the replies before it; see `sendAlone`. */
  #giant: readonly Buffer[] | null = null;
  #suspended = 0;
  #isPaused = false;
  /** The socket took less than offered; it will call `onDrain`. */
  #isBlocked = false;
  /** When the client last took bytes while it was blocked; milliseconds. */
  #blockedMs = 0;
  /** For so many turns yet replies may wait for others. */
  #patience = PATIENCE;
  /** The client has closed its sending side. */
  #isInputOver = false;
  /** The unfinished request at the last look, for the deadline of slow senders. */
  #slowMs = 0;
  #slowBytes = 0;

  constructor(
    readonly socket: NativeSocket,
    id: number,
    address: string,
    localAddress: string,
    readonly context: SessionContext,
  ) {
    super(id, address, localAddress, context.settings.auth === "");
    this.#out = new SendBuffer(context.settings.sendBytes);
    this.lane = laneOf(0, 2);
    this.reader.isRestricted = !this.isAuthorized;
  }

  // ---------------------------------------------------------------- requests

  /** Bytes from the client. More than `recvBytes` are taken in several steps. */
  onData(bytes: Buffer, from: number, to: number): void {
    const step = this.context.settings.recvBytes;
    const { turn } = this.context;
    this.lastActiveMs = turn.nowMs;
    this.context.stats.counters.bytesIn += to - from;
    let pos = from;
    for (; to - pos > step && !this.reader.isStopped; pos += step) {
      this.reader.feed(bytes, pos, pos + step);
    }
    this.reader.feed(bytes, pos, to);
    if (this.#suspended !== 0) this.#pause();
    if (this.reader.isInside) this.#checkInput();
  }

  /** One request. The plain ones go straight on; `special` takes the others. */
  onRequest(args: Args): void {
    const offsets = args.offsets;
    const command = lookup(args.bytes, offsets[0], offsets[1]);
    this.commandsDone++;
    if (command === null || !this.isAuthorized) {
      onSpecialRequest(this, command, args);
      return;
    }
    this.last = command;
    const key = PLAIN_KEY[command.id];
    const { arity } = command;
    if (key === 0 || (arity > 0 ? args.count !== arity : args.count < -arity)) {
      onSpecialRequest(this, command, args);
      return;
    }
    const request = takeRequest();
    request.slot = slotOf(args.bytes, offsets[2 * key], offsets[2 * key + 1]);
    this.enqueue(request, command);
    this.context.router.dispatch(request, args.bytes as Buffer, args.from, args.to);
  }

  onLargeRequest(large: LargeRequest): void {
    this.commandsDone++;
    onSpecialLarge(this, large);
  }

  /** The bytes are not a request: one error line as Redis words it, then the end. */
  onBroken(code: number, badByte: number): void {
    this.context.stats.counters.closedProtocolError++;
    this.replyTo(null, protocolError(code, badByte));
    this.closeAfterReplies();
  }

  /** Gives the request its place in the order of replies. */
  enqueue(request: Request, command: Command | null): void {
    request.owner = this;
    request.command = command === null ? 0 : command.id;
    request.lane = this.lane;
    request.seed = this.id;
    request.startedUs = this.context.turn.nowUs;
    if (this.#tail === null) this.#head = request;
    else this.#tail.next = request;
    this.#tail = request;
    if (++this.#pending >= this.context.settings.maxPipeline) {
      this.context.stats.counters.pausedPipeline++;
      this.#suspend(PIPELINE);
    }
  }

  /**
   * Sends a request on the server's connection for giants. Neither does it overtake what the
   * session sent before, nor is it overtaken: it goes when it is at the head, and the session reads
   * on when it is answered.
   */
  sendAlone(request: Request, pieces: readonly Buffer[]): void {
    request.isAlone = true;
    this.#suspend(BARRIER);
    this.#giant = pieces;
    if (request === this.#head) this.#sendGiant();
  }

  #sendGiant(): void {
    const pieces = this.#giant!;
    this.#giant = null;
    this.context.router.dispatchPieces(this.#head!, pieces);
  }

  /** A reply of the proxy's own, after all replies that are still to come. */
  replyTo(command: Command | null, bytes: Buffer): void {
    const request = takeRequest();
    this.enqueue(request, command);
    this.settle(request, bytes, 0, bytes.length);
  }

  /** A place for a reply that comes later. */
  defer(): Deferred {
    const request = takeRequest();
    this.enqueue(request, this.last);
    const session = this;
    let isDone = false;
    return {
      get isOpen(): boolean {
        return !isDone && !session.isClosed;
      },
      finish(reply: Uint8Array): void {
        if (!this.isOpen) return;
        isDone = true;
        const bytes = Buffer.from(reply);
        session.settle(request, bytes, 0, bytes.length);
      },
    };
  }

  // ---------------------------------------------------------------- replies

  /** The whole reply, or its last piece. Replies leave in the order of requests. */
  settle(request: Request, bytes: Buffer, from: number, to: number): void {
    if (request !== this.#head) {
      request.isSettled = true;
      request.reply = bytes;
      request.replyFrom = from;
      request.replyTo = to;
      const length = to - from + request.pieceBytes;
      this.#keptBytes += length;
      this.context.turn.keep(request);
      this.#checkOutput(this.#keptBytes - length);
      return;
    }
    this.#deliver(request, bytes, from, to);
    for (let next = this.#head; next !== null && next.isSettled; next = this.#head) {
      this.#keptBytes -= next.replyTo - next.replyFrom + next.pieceBytes;
      this.#deliver(next, next.reply, next.replyFrom, next.replyTo);
    }
    if (this.#giant !== null && this.#pending === 1) this.#sendGiant();
    if (!this.isTouched) this.context.turn.touchSession(this);
  }

  /** The head of the queue is answered. */
  #deliver(request: Request, bytes: Buffer, from: number, to: number): void {
    const { stats, turn } = this.context;
    // First out of the queue: what follows may close the session, which frees all that stand there.
    this.#head = request.next;
    if (this.#head === null) this.#tail = null;
    this.#pending--;
    let isError = bytes[from] === MINUS;
    if (request.pieceBytes > 0) {
      if (request.isStreaming && request.isLost) {
        // Half of the reply is out: only the end of the connection can tell that there is no rest.
        stats.fails[request.command]++;
        freeRequest(request);
        this.close();
        return;
      }
      isError = this.#deliverPieces(request);
    }
    this.#out.append(bytes, from, to);
    if (this.#isBlocked) this.#checkOutput(this.#out.pending - (to - from + request.pieceBytes));
    stats.record(request.command, turn.nowUs - request.startedUs, isError);
    if (isError && this.context.settings.breakOnFailure) this.#breakOnFailure(bytes, from);
    freeRequest(request);
  }

  /** The pieces before the last one, unless they went out before. Says whether this is an error. */
  #deliverPieces(request: Request): boolean {
    if (request.pieces === null) return false;
    for (const piece of request.pieces) this.#out.append(piece, 0, piece.length);
    return request.pieces[0][0] === MINUS;
  }

  /** A piece of a large reply: it goes out at once when its turn has come, else it is kept. */
  settlePiece(request: Request, bytes: Buffer, from: number, to: number): void {
    if (request !== this.#head) {
      request.keep(bytes, from, to);
      return;
    }
    if (!request.isStreaming) {
      for (const piece of request.pieces ?? []) this.#out.append(piece, 0, piece.length);
      request.isStreaming = true;
      request.pieces = null;
    }
    this.#out.append(bytes, from, to);
    request.pieceBytes += to - from;
    if (this.#isBlocked) this.#checkOutput(this.#out.pending - request.pieceBytes);
    if (!this.isTouched) this.context.turn.touchSession(this);
  }

  /**
   * Some replies of a pipeline are here while others are on their way, mostly from another server:
   * they leave together when those come at once. What is sent twice costs more than all the rest.
   */
  postpone(): boolean {
    const missing = this.#pending;
    if (missing === 0 || missing > MISSING || this.#patience === 0) return false;
    if (this.#out.pending > POSTPONED_BYTES || this.#isBlocked) return false;
    if (this.#suspended !== 0) return false;
    this.#patience--;
    return true;
  }

  own(): void {
    this.#out.own();
  }

  /**
   * Writes what is there, or makes it our own; goes on reading when the reason to stop is gone.
   */
  flush(): void {
    if ((this.#suspended & CLOSED) !== 0) return;
    this.#patience = PATIENCE;
    const before = this.#out.pending;
    if (this.#isBlocked) {
      this.#out.own();
    } else if (before > 0) {
      const result = this.#out.flush(this.socket);
      this.context.stats.counters.bytesOut += before - this.#out.pending;
      if (result < 0) return this.close();
      if (result === 0) this.#block();
    }
    if (this.#suspended !== 0) this.#reconsider();
    const isIdle = this.#suspended === 0 && this.#pending === 0 && this.#out.pending === 0;
    if (this.#isInputOver && isIdle) this.close();
  }

  onDrain(): void {
    if (!this.#isBlocked) return;
    this.#isBlocked = false;
    this.flush();
  }

  #block(): void {
    this.#isBlocked = true;
    this.#blockedMs = performance.now();
  }

  /**
   * A client is cut off when more waits for it than allowed: because it does not read, or behind a
   * reply that does not come. `waiting` leaves out the newest reply, which may be of any size.
   */
  #checkOutput(waiting: number): void {
    if (waiting <= this.context.settings.maxOutputBytes) return;
    this.context.stats.counters.closedOutputLimit++;
    this.close();
  }

  #checkInput(): void {
    if (this.reader.heldBytes <= this.context.settings.maxInputBytes) return;
    this.context.stats.counters.closedInputLimit++;
    this.close();
  }

  /**
   * `session_break_on_failure`: a failure of the proxy's own is the last that the client hears.
   */
  #breakOnFailure(bytes: Buffer, from: number): void {
    const text = bytes.latin1Slice(from, from + 15);
    if (text !== "-ERR handle req" && text !== "-ERR handle res") return;
    this.#abandonRequests();
    this.closeAfterReplies();
  }

  // ---------------------------------------------------------------- stopping and going on

  #suspend(reason: number): void {
    this.#suspended |= reason;
    this.reader.stop();
  }

  #pause(): void {
    if (this.#isPaused || (this.#suspended & CLOSED) !== 0) return;
    this.#isPaused = true;
    this.socket.pause();
  }

  /** Is a reason to stop gone? Called after replies were delivered. */
  #reconsider(): void {
    if (
      (this.#suspended & PIPELINE) !== 0 &&
      2 * this.#pending <= this.context.settings.maxPipeline
    ) {
      this.#suspended &= ~PIPELINE;
    }
    this.#suspended &= ~RESUMING;
    if (this.#pending === 0) {
      this.#suspended &= ~BARRIER;
      if ((this.#suspended & CLOSING) !== 0 && this.#out.pending === 0) return this.close();
    }
    this.#goOn();
  }

  #goOn(): void {
    if (this.#suspended !== 0) return;
    this.reader.resume();
    if (this.#suspended !== 0 || !this.#isPaused) return;
    this.#isPaused = false;
    this.socket.resume();
  }

  onCrowded(backend: Crowded): void {
    if ((this.#suspended & (BACKEND | CLOSED)) !== 0) return;
    this.context.stats.counters.pausedBackend++;
    this.#suspend(BACKEND);
    backend.wait(this);
  }

  onRoom(): void {
    if ((this.#suspended & CLOSED) !== 0) return;
    this.#suspended = (this.#suspended & ~BACKEND) | RESUMING;
    // Through the list of this turn, because the caller is in the middle of a reply.
    if (!this.isTouched) this.context.turn.touchSession(this);
  }

  setDatabase(index: number): void {
    this.database = index;
    this.#changeLane();
  }

  setProtocol(proto: 2 | 3): void {
    this.proto = proto;
    this.#changeLane();
  }

  /**
   * Requests that follow use other connections. They wait for those in flight, so that none of the
   * session's requests overtakes another one at the server.
   */
  #changeLane(): void {
    const lane = laneOf(this.database, this.proto);
    if (lane === this.lane) return;
    this.lane = lane;
    if (this.#pending > 0) this.#suspend(BARRIER);
  }

  // ---------------------------------------------------------------- the end

  /** The client has closed its side: what it asked for is still answered. */
  onEnd(): void {
    this.#isInputOver = true;
    if (!this.isTouched) this.context.turn.touchSession(this);
  }

  closeAfterReplies(): void {
    this.#suspend(CLOSING);
    if (!this.isTouched) this.context.turn.touchSession(this);
  }

  /** Ends the connection now. Replies that are still to come are dropped. */
  close(): void {
    if ((this.#suspended & CLOSED) !== 0) return;
    this.onClose();
    this.socket.end();
  }

  /** The connection is gone. */
  onClose(): void {
    if ((this.#suspended & CLOSED) !== 0) return;
    this.#suspended |= CLOSED;
    this.reader.clear();
    this.#out.clear();
    this.#abandonRequests();
    this.context.onSessionClosed(this);
  }

  /** A fault of ours in one of the methods above ends this connection and no other. */
  onFault(error: unknown): void {
    log.error("a client's connection is closed because of a fault of ours", error);
    this.onClose();
    this.socket.terminate();
  }

  /** Nobody waits for the replies of these requests any more. */
  #abandonRequests(): void {
    const { stats } = this.context;
    for (let request = this.#head; request !== null;) {
      const { next } = request;
      stats.fails[request.command]++;
      request.next = null;
      // Settled ones are in no other queue any more; the others are freed by whoever settles them.
      if (request.isSettled) freeRequest(request);
      else request.owner = null;
      request = next;
    }
    this.#head = null;
    this.#tail = null;
    this.#pending = 0;
    this.#keptBytes = 0;
    this.#giant = null;
  }

  get isClosed(): boolean {
    return (this.#suspended & CLOSED) !== 0;
  }

  get pending(): number {
    return this.#pending;
  }

  override get pendingInputBytes(): number {
    return this.reader.heldBytes;
  }

  override get pendingOutputBytes(): number {
    return this.#out.pending;
  }

  /** Called about once a second: deadlines, and memory that need not be held. */
  onSweep(nowMs: number): void {
    const { settings, stats } = this.context;
    if (this.#isBlocked && settings.sendTimeoutMs > 0) {
      if (nowMs - this.#blockedMs > settings.sendTimeoutMs) {
        stats.counters.closedSendTimeout++;
        return this.close();
      }
    }
    if (this.#pending > 0) return this.#compactReplies();
    if (settings.recvTimeoutMs > 0 && nowMs - this.lastActiveMs > settings.recvTimeoutMs) {
      stats.counters.closedIdle++;
      return this.close();
    }
    this.#checkSlowRequest(nowMs);
  }

  /** A request that has begun must go on: SLOW_BYTES in SLOW_MS, or the client is cut off. */
  #checkSlowRequest(nowMs: number): void {
    if (!this.reader.isInside) {
      this.#slowMs = 0;
      return;
    }
    const held = this.reader.heldBytes;
    if (this.#slowMs === 0 || held < this.#slowBytes || held - this.#slowBytes > SLOW_BYTES) {
      this.#slowMs = nowMs;
      this.#slowBytes = held;
    } else if (nowMs - this.#slowMs > SLOW_MS) {
      this.context.stats.counters.closedSlowRequest++;
      this.close();
    }
  }

  /** Replies that wait behind a slow one must not keep whole chunks alive. */
  #compactReplies(): void {
    for (let request = this.#head; request !== null; request = request.next) {
      if (!request.isSettled || request.reply.length < COMPACT_BYTES) continue;
      request.reply = compact(request.reply, request.replyFrom, request.replyTo);
      request.replyTo -= request.replyFrom;
      request.replyFrom = 0;
    }
  }
}
