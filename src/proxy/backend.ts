/**
 * One connection to one Redis server, shared by many sessions.
 *
 * Two clients, one connection; every request stands in two queues, and only their order matters:
 *
 *     session A: a1 a2        written to the server:  a1 b1 a2
 *     session B: b1           this backend's queue:   a1 b1 a2   (head = whose reply comes next)
 *
 *     the reply bytes r(a1) r(b1) r(a2) arrive in that order, so the head of the queue owns the
 *     next reply and replies cannot cross. A session may have a2 answered here before its a1 is
 *     answered by another backend: the session keeps r(a2) until a1 is settled.
 *
 * When the connection is lost, requests of which a byte was written have an unknown outcome and are
 * answered with an error; the others are still in the send buffer and go out on the next
 * connection. Opened and found by `backend-pool.ts`; `push` is called by `router.ts`.
 */
import { lookup } from "node:dns";
import { NativeSocket, type SocketHandler } from "../net/native-socket.ts";
import { inetAddress, type SocketAddress, unixAddress } from "../net/socket-address.ts";
import { BROKEN, MORE, ReplyCursor, scanReply } from "../resp/reply.ts";
import { LARGE_BYTES, SendBuffer } from "../resp/buffer.ts";
import { assert } from "../lib/assert.ts";
import type { BackendContext } from "./backend-context.ts";
import { backendFailed, E } from "./errors.ts";
import { FENCED, Handshake } from "./handshake.ts";
import {
  freeRequest,
  NO_SLOT,
  type Owner,
  type Request,
  takeRequest,
  type Waiter,
} from "./request.ts";
import { parseTarget } from "./target.ts";
import type { Flushable, Turn } from "./turn.ts";

/**
 *     IDLE ──push──▶ CONNECTING ──handshake done──▶ READY
 *       ▲               │ failed                     │ lost
 *       │               ▼                            ▼
 *       └─wait over── DOWN ◀───────────────── (CONNECTING again at once)
 *
 * CLOSED is final: the server left the slot table.
 */
export type BackendState = "idle" | "connecting" | "ready" | "down" | "closed";

/** First wait after a failed connect, and the longest. */
const BACKOFF_MS = 50;
const BACKOFF_MAX_MS = 5000;
/** The longest for a server that is there and has only shut us out. */
const FENCED_MAX_MS = 500;
/** A connection that ends sooner and without an answer was not wanted by the server. */
const TURNED_AWAY_MS = 1000;
/** Bytes waiting to be written from which on sessions are asked to wait. */
const SEND_HIGH_BYTES = 64 * 1024 * 1024;

export class Backend implements Flushable, Owner, SocketHandler {
  isTouched = false;
  state: BackendState = "idle";
  /** Requests without a reply, in the order of their bytes. */
  inflight = 0;
  /** The server said LOADING or MASTERDOWN: not for replica reads until INFO says otherwise. */
  isStale = false;
  /** The server says that a dashboard has shut this proxy out; tried again like any failure. */
  isFenced = false;
  roomFrom = 0;
  #head: Request | null = null;
  #tail: Request | null = null;
  readonly #out: SendBuffer;
  readonly #turn: Turn;
  readonly #maxPipeline: number;
  /** Bytes ever appended to `#out` for this connection; minus what is pending = bytes written. */
  #appended = 0;
  readonly #cursor = new ReplyCursor();
  #socket: NativeSocket | null = null;
  /** The socket took less than offered; it will call `onDrain`. */
  #isBlocked = false;
  /** Told apart from a late `open` of an attempt that was given up. */
  #attempt = 0;
  #handshake: Handshake | null = null;
  /** Of the fences, when the handshake began (fence-memory.ts). */
  #round = 0;
  /** When the present state or the present blockage began; for deadlines. */
  #sinceMs = 0;
  #blockedMs = 0;
  /** When the queue last became non-empty and when reply bytes last came, on the turn's clock. */
  #waitingUs = 0;
  #lastReplyUs = 0;
  #failures = 0;
  /** Connections in a row on which the server hung up at once. */
  #turnedAway = 0;
  #readyUs = 0;
  /** The first reply was an error; perhaps it was meant for the connection. */
  #beganWithError = false;
  #waiters: Waiter[] = [];

  constructor(
    readonly address: string,
    readonly database: number,
    readonly proto: 2 | 3,
    readonly isReplica: boolean,
    readonly context: BackendContext,
  ) {
    this.#turn = context.turn;
    this.#maxPipeline = context.settings.maxPipeline;
    this.#out = new SendBuffer(context.settings.sendBytes);
  }

  /** While this is true, owners are asked to stop sending; see `wait`. */
  get isCrowded(): boolean {
    return this.inflight >= this.#maxPipeline || this.#out.pending >= SEND_HIGH_BYTES;
  }

  get isUsable(): boolean {
    return this.state === "ready" && !this.isStale;
  }

  /**
   * Queues a request and its bytes, which may be lent (lib/lent.ts). It is settled exactly
   * once: by its reply, or by an error when there can be none.
   */
  push(request: Request, bytes: Buffer, from: number, to: number): void {
    if (!this.#takes(request)) return;
    this.#appended += to - from;
    this.#out.append(bytes, from, to);
    this.#onPushed(request);
  }

  /** The same for a request in several pieces, none of which ever changes again. */
  pushPieces(request: Request, pieces: readonly Buffer[]): void {
    if (!this.#takes(request)) return;
    for (const piece of pieces) {
      this.#appended += piece.length;
      this.#out.append(piece, 0, piece.length);
    }
    this.#onPushed(request);
  }

  /**
   * The same for a request of `length` bytes that the caller writes at once, into the buffer that
   * this returns, from `roomFrom` on. Null when the request was refused, and is settled.
   */
  reserve(request: Request, length: number): Buffer | null {
    if (!this.#takes(request)) return null;
    this.#appended += length;
    const room = this.#out.room(length);
    this.roomFrom = this.#out.roomFrom;
    this.#onPushed(request);
    return room;
  }

  #takes(request: Request): boolean {
    if (this.state === "ready" || this.#open()) {
      this.#link(request);
      return true;
    }
    this.#refuse(request);
    return false;
  }

  #onPushed(request: Request): void {
    if (!this.isTouched) this.#turn.touchBackend(this);
    if (this.isCrowded) request.owner?.onCrowded(this);
  }

  #link(request: Request): void {
    request.sentAt = this.#appended;
    request.peer = null;
    if (this.#tail === null) {
      this.#head = request;
      this.#waitingUs = this.#turn.nowUs;
    } else this.#tail.peer = request;
    this.#tail = request;
    this.inflight++;
  }

  /** Known to be down: the answer is an error now, not after a timeout. */
  #refuse(request: Request): void {
    const error = this.isFenced ? E.fenced : E.backendReset;
    this.#settle(request, error, 0, error.length);
  }

  /** Gives the reply to whoever waits for it. The request is not touched after that. */
  #settle(request: Request, bytes: Buffer, from: number, to: number): void {
    if (request.slotCount > 0) this.context.traffic.leaveAll(request);
    else this.context.traffic.leave(request.slot);
    if (request.owner === null) freeRequest(request);
    else request.owner.settle(request, bytes, from, to);
  }

  /** Calls `waiter` once there is room again. */
  wait(waiter: Waiter): void {
    this.#waiters.push(waiter);
  }

  #wakeWaiters(): void {
    const waiters = this.#waiters;
    this.#waiters = [];
    for (const waiter of waiters) waiter.onRoom();
  }

  // ---------------------------------------------------------------- connecting

  /** Starts a connection unless one is under way. False when the server is known to be down. */
  #open(): boolean {
    if (this.state === "connecting") return true;
    if (this.state !== "idle") return false;
    this.#connect();
    return true;
  }

  /** Opens the connection before the first request needs it. */
  warm(): void {
    this.#open();
  }

  #connect(): void {
    this.#become("connecting");
    this.context.stats.counters.backendConnects++;
    const attempt = ++this.#attempt;
    const { host, port } = parseTarget(this.address);
    const address = host.startsWith("/") ? unixAddress(host) : inetAddress(host, port);
    if (address !== null) this.#dial(address);
    else this.#resolve(host, port, attempt);
  }

  /** A name is looked up at every connect: the server may have moved. */
  #resolve(host: string, port: number, attempt: number): void {
    const isWanted = (): boolean => attempt === this.#attempt && this.state === "connecting";
    lookup(host, (error, found) => {
      if (!isWanted()) return;
      const address = error === null ? inetAddress(found, port) : null;
      if (address !== null) this.#dial(address);
      else this.#fail(error?.code ?? "ENOTFOUND");
    });
  }

  #dial(address: SocketAddress): void {
    const socket = NativeSocket.connect(this.context.poller, address, this);
    if (socket === null) this.#fail("EMFILE");
    else this.#socket = socket;
  }

  onOpen(socket: NativeSocket): void {
    if (socket !== this.#socket || this.state !== "connecting") {
      socket.terminate();
      return;
    }
    const { settings, fences } = this.context;
    if (settings.keepaliveMs > 0) socket.setKeepAlive(settings.keepaliveMs);
    this.#round = fences.round;
    this.#handshake = new Handshake(settings.login, this.database, this.proto);
    this.#greet(socket, this.#handshake.bytes);
  }

  #greet(socket: NativeSocket, hello: Buffer): void {
    if (hello.length === 0) this.#onReady();
    else socket.write(hello, 0, hello.length);
  }

  onFault(error: unknown, socket: NativeSocket): void {
    const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
    this.context.log(`backend ${this.address}: our fault: ${text}`);
    socket.terminate();
    this.onClose("our fault", socket);
  }

  /** A server that sends no more is as good as gone. */
  onEnd(socket: NativeSocket): void {
    socket.end();
    this.onClose("EOF", socket);
  }

  #onReady(): void {
    this.#complain(this.#handshake?.complaint ?? "");
    this.#handshake = null;
    this.isFenced = false;
    if (this.#turnedAway === 0) this.#failures = 0;
    this.isStale = false;
    this.#become("ready");
    this.#readyUs = this.#turn.nowUs;
    this.#beganWithError = false;
    this.#lastReplyUs = this.#readyUs;
    this.#waitingUs = this.#readyUs;
    if (this.#out.pending > 0 && !this.isTouched) this.#turn.touchBackend(this);
  }

  /** Says once for each server that a dashboard could not shut this proxy out of it. */
  #complain(error: string): void {
    if (error === "" || complained.has(this.address)) return;
    complained.add(this.address);
    this.context.log(`backend ${this.address} does not support fences: ${error}`);
  }

  /** A connect or its handshake failed: everything that waits is refused, nothing was written. */
  #fail(cause: string): void {
    this.#attempt++;
    this.#socket = null;
    this.#handshake = null;
    this.#failures++;
    this.context.stats.counters.backendConnectFails++;
    if (this.#failures === 1) this.context.log(`backend ${this.address} is down: ${cause}`);
    this.#become("down");
    if (cause === FENCED) this.isFenced = true;
    const error = this.isFenced ? E.fenced : backendFailed(this.address, cause);
    this.#dropQueue(error, Infinity);
    this.#out.clear();
    this.#wakeWaiters();
    if (this.#isClosing) this.#shut(cause);
  }

  /**
   * Did the server accept the lost connection and the one before it only to hang up? Redis does
   * that beyond its maxclients; without a pause between attempts we would do nothing else.
   */
  #wasTurnedAway(): boolean {
    const hasAnswered = this.#lastReplyUs > this.#readyUs && !this.#beganWithError;
    if (hasAnswered) this.#failures = 0;
    const isShort = performance.now() - this.#sinceMs < TURNED_AWAY_MS;
    this.#turnedAway = isShort && !hasAnswered ? this.#turnedAway + 1 : 0;
    return this.#turnedAway > 1;
  }

  #become(state: BackendState): void {
    assert(this.state !== "closed", "a closed backend stays closed");
    this.state = state;
    this.#sinceMs = performance.now();
  }

  /** Leaves the pool: nothing new comes; what is under way is still answered, then it ends. */
  close(): void {
    if (this.state === "closed") return;
    if (this.inflight > 0 && this.state === "ready") {
      this.#isClosing = true;
      return;
    }
    this.#shut("closed");
  }

  #isClosing = false;

  #shut(reason: string): void {
    const socket = this.#socket;
    this.#socket = null;
    this.#attempt++;
    if (this.state !== "closed") this.#become("closed");
    this.#dropQueue(backendFailed(this.address, reason), Infinity);
    this.#out.clear();
    this.#wakeWaiters();
    socket?.end();
  }

  onClose(cause: string, socket: NativeSocket): void {
    if (socket !== this.#socket) return;
    if (this.state === "connecting" && this.#handshake === null) this.#fail(cause);
    else this.#lose(cause);
  }

  /**
   * The connection is gone. What was written, even in part, has an unknown outcome; the rest is
   * kept for the next connection, which is tried at once.
   */
  #lose(cause: string): void {
    this.#socket = null;
    this.#isBlocked = false;
    this.#cursor.reset();
    if (this.#handshake !== null || this.#wasTurnedAway()) {
      // What the server said before it hung up tells more.
      this.#fail(this.#handshake?.complaint || cause);
      return;
    }
    this.context.stats.counters.backendLost++;
    const written = this.#appended - this.#out.pending;
    this.#dropQueue(backendFailed(this.address, cause), written);
    const keptFrom = this.#head === null ? this.#appended : this.#head.sentAt;
    this.#out.drop(keptFrom - written);
    this.context.stats.counters.requestsRetried += this.inflight;
    this.#wakeWaiters();
    // The last request that left may have taken the server out of the slot table.
    if ((this.state as BackendState) === "closed") return;
    if (this.#isClosing) this.#shut(cause);
    else this.#connect();
  }

  /** Settles, in order, every request that began before `written` with `error`. */
  #dropQueue(error: Buffer, written: number): void {
    while (this.#head !== null && this.#head.sentAt < written) {
      const request = this.#unlink();
      request.lose();
      this.#settle(request, error, 0, error.length);
    }
  }

  #unlink(): Request {
    const request = this.#head!;
    this.#head = request.peer;
    if (this.#head === null) this.#tail = null;
    request.peer = null;
    this.inflight--;
    return request;
  }

  // ---------------------------------------------------------------- bytes

  /** Writes what is there; what cannot leave yet becomes our own. */
  flush(): void {
    const socket = this.#socket;
    if (socket === null || this.state !== "ready" || this.#isBlocked) return this.#out.own();
    if (this.#out.flush(socket) === 0) {
      this.#isBlocked = true;
      this.#blockedMs = performance.now();
    }
  }

  onDrain(): void {
    if (!this.#isBlocked) return;
    this.#isBlocked = false;
    this.flush();
    if (this.#waiters.length > 0 && !this.isCrowded) this.#wakeWaiters();
  }

  /** Reply bytes. More than `recvBytes` are taken in several steps. */
  onData(bytes: Buffer, from: number, to: number, socket: NativeSocket): void {
    const step = this.context.settings.recvBytes;
    for (let pos = from; pos < to && socket === this.#socket; pos += step) {
      const end = to - pos > step ? pos + step : to;
      if (this.#handshake !== null) this.#onHandshake(bytes.subarray(pos, end));
      else this.#onReplies(bytes, pos, end);
    }
  }

  /** Each reply goes to the head of the queue. */
  #onReplies(chunk: Buffer, from: number, to: number): void {
    let pos = from;
    let isInside = this.#cursor.isInside;
    while (pos < to) {
      const isBegun = isInside;
      let end = isBegun ? MORE : scanReply(chunk, pos, to);
      if (end < 0) {
        isInside = false;
        end = this.#cursor.advance(chunk, pos, to);
        if (end === BROKEN) return this.#kill("it sent bytes that are not RESP");
        if (end === MORE) return this.#onPiece(chunk, pos, to);
      }
      if (this.#head === null) return this.#kill("it sent a reply that nobody asked for");
      if (chunk[pos] === MINUS && !isBegun) this.#watchState(chunk, pos, end);
      const request = this.#unlink();
      this.#settle(request, chunk, pos, end);
      pos = end;
    }
    this.#lastReplyUs = this.#turn.nowUs;
    if (this.#waiters.length > 0 && !this.isCrowded) this.#wakeWaiters();
    if (this.#isClosing && this.inflight === 0) this.#shut("closed");
  }

  /** The chunk ends inside a reply. Large ones are passed on; small ones wait for their end. */
  #onPiece(chunk: Buffer, from: number, to: number): void {
    const request = this.#head;
    if (request === null) return this.#kill("it sent a reply that nobody asked for");
    this.#lastReplyUs = this.#turn.nowUs;
    if (request.owner === null) return;
    const isLarge = this.#cursor.missing >= LARGE_BYTES || request.pieceBytes >= LARGE_BYTES;
    if (isLarge || request.isStreaming) request.owner.settlePiece(request, chunk, from, to);
    else request.keep(chunk, from, to);
  }

  #onHandshake(chunk: Buffer): void {
    const said = this.#handshake!.read(chunk);
    const verdict = this.context.fences.judge(this.address, said, this.#round);
    if (verdict === "more") return;
    if (verdict === "done") return this.#onReady();
    const socket = this.#socket!;
    if (verdict === "again") return this.#greet(socket, this.#handshake!.bytes);
    this.#fail(verdict);
    socket.terminate();
  }

  /** The server broke the protocol or a deadline: nothing it sends can be believed any more. */
  #kill(cause: string): void {
    const socket = this.#socket;
    this.context.log(`backend ${this.address}: connection closed: ${cause}`);
    if (socket === null) return;
    this.#socket = null;
    this.#lose(cause);
    socket.terminate();
  }

  /**
   * The server is known to be dead, whatever its connection looks like: what waits is refused now.
   */
  abandon(): void {
    if (this.inflight === 0 || this.state === "closed") return;
    const socket = this.#socket;
    this.context.stats.counters.backendLost++;
    this.#isBlocked = false;
    this.#cursor.reset();
    this.#fail("another server has become master");
    socket?.terminate();
  }

  /** LOADING and MASTERDOWN are passed on, and remembered: a replica in that state is avoided. */
  #watchState(chunk: Buffer, from: number, to: number): void {
    if (this.#lastReplyUs === this.#readyUs) this.#beganWithError = true;
    if (to - from < 9) return;
    const code = chunk[from + 1];
    if (code !== 76 && code !== 77) return;
    const text = chunk.latin1Slice(from + 1, Math.min(to, from + 12));
    if (text.startsWith("LOADING") || text.startsWith("MASTERDOWN")) this.isStale = true;
  }

  // ---------------------------------------------------------------- deadlines and probes

  /** Called a few times a second: deadlines, the end of a back-off, keep-alive. */
  onTick(nowMs: number): void {
    const { settings } = this.context;
    if (this.state === "connecting") {
      const limit = settings.connectTimeoutMs;
      if (limit > 0 && nowMs - this.#sinceMs > limit) {
        const socket = this.#socket;
        this.#fail("connect timeout");
        socket?.terminate();
      }
    } else if (this.state === "down") {
      const longest = this.isFenced ? FENCED_MAX_MS : BACKOFF_MAX_MS;
      const wait = Math.min(BACKOFF_MS * 2 ** (this.#failures - 1), longest);
      if (nowMs - this.#sinceMs >= wait) this.#connect();
    } else if (this.state === "ready") {
      this.#checkReady(nowMs);
    }
  }

  /** How long what waits has not had a byte of a reply; 0 when nothing waits. */
  get silentMs(): number {
    return this.#head === null || this.state !== "ready" ? 0 : this.#sinceByteMs;
  }

  get #sinceByteMs(): number {
    return (this.#turn.nowUs - Math.max(this.#waitingUs, this.#lastReplyUs)) / 1000;
  }

  #checkReady(nowMs: number): void {
    const { settings, stats } = this.context;
    if (this.#isBlocked && settings.sendTimeoutMs > 0) {
      if (nowMs - this.#blockedMs > settings.sendTimeoutMs) return this.#kill("write timeout");
    }
    const silentMs = this.#sinceByteMs;
    if (this.#head !== null) {
      if (settings.recvTimeoutMs > 0 && silentMs > settings.recvTimeoutMs) {
        stats.counters.backendTimeouts++;
        this.#kill("read timeout");
      }
    } else if (settings.pingPeriodMs > 0 && silentMs >= settings.pingPeriodMs) {
      this.#probe();
    }
  }

  /** PING keeps the connection alive; INFO finds out whether a stale server has recovered. */
  #probe(): void {
    const request = takeRequest();
    request.owner = this;
    request.slot = NO_SLOT;
    request.startedUs = this.#turn.nowUs;
    this.context.traffic.enter(NO_SLOT);
    const bytes = this.isStale ? INFO : PING;
    this.push(request, bytes, 0, bytes.length);
  }

  /** The reply to a probe of our own. */
  settle(request: Request, bytes: Buffer, from: number, to: number): void {
    request.reply = bytes;
    request.replyFrom = from;
    request.replyTo = to;
    const text = request.wholeReply().latin1Slice();
    freeRequest(request);
    if (!this.isStale || text.startsWith("-")) return;
    const isLinkDown = text.includes("master_link_status:down");
    if (text.includes("loading:") && !text.includes("loading:1") && !isLinkDown)
      this.isStale = false;
  }

  settlePiece(request: Request, bytes: Buffer, from: number, to: number): void {
    request.keep(bytes, from, to);
  }

  /** A probe goes out only when nothing else waits. */
  onCrowded(): void {}
}

/** Servers that have refused the commands of a fence, once in the log is enough. */
const complained = new Set<string>();
const MINUS = 45;
const PING = Buffer.from("*1\r\n$4\r\nPING\r\n");
const INFO = Buffer.from("*1\r\n$4\r\nINFO\r\n");
