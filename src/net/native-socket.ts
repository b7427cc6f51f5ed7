/**
 * One connection in a `Poller`: non-blocking, edge-triggered, half-open until both sides have
 * ended. Its handler is called from the poller's turn only, never from inside a call of ours.
 */
import { type Pointer, ptr } from "bun:ffi";
import { freeFrom, slab } from "../lib/lent.ts";
import {
  ARRIVED,
  BROKEN_EVENTS,
  ENDED,
  type Poller,
  type Polled,
  READABLE,
  WRITABLE,
} from "./poller.ts";
import {
  errorName,
  IPPROTO_TCP,
  MSG_NOSIGNAL,
  permanent,
  putWord,
  SHUT_WR,
  SO_ERROR,
  SO_KEEPALIVE,
  SO_LINGER,
  SOCK_FLAGS,
  SOCK_STREAM,
  SOL_SOCKET,
  sys,
  TCP_CONGESTION,
  TCP_KEEPIDLE,
  TCP_NODELAY,
} from "./syscalls.ts";
import { isLoopback, type SocketAddress } from "./socket-address.ts";

export interface SocketHandler {
  /** The connection that we opened is there. */
  onOpen?(socket: NativeSocket): void;
  /** Input is `bytes[from, to)`, which is lent (lib/lent.ts). */
  onData(bytes: Buffer, from: number, to: number, socket: NativeSocket): void;
  onDrain(): void;
  /** The other side sends no more. */
  onEnd(socket: NativeSocket): void;
  /** It is gone, not by our doing; `cause` is "EOF" or the name of a system error. */
  onClose(cause: string, socket: NativeSocket): void;
  /** A method of the handler threw. */
  onFault(error: unknown, socket: NativeSocket): void;
}

/** After our end a client has so long to read what we sent, until its unread bytes reset it. */
const LINGER_MS = 1000;

const option = permanent(2);
const optionLength = permanent(1);

/** "reno" in one cell. */
const reno = permanent(1);
reno.view[0] = Buffer.from("reno").readInt32LE();

/**
 * Between two programs of one machine nothing is ever congested, and what the kernel does against
 * it is pure loss: BBR, for one, holds bytes back and sets timers. Reno does least. For a peer
 * elsewhere the choice stays with whoever set up this machine.
 */
export function easeLoopback(fd: number, peer: Uint8Array): void {
  if (isLoopback(peer)) sys.setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, reno.at, 4);
}

/** Cells of `struct iovec`, and where `struct msghdr` has its vectors and their number. */
const VECTOR_CELLS = 4;
const MESSAGE_CELLS = 14;
const MESSAGE_VECTORS = 4;
const MESSAGE_COUNT = 6;
/** One message is put together at a time. */
const MAX_NOTED = 64;
const vectors = permanent(VECTOR_CELLS * MAX_NOTED);
const message = permanent(MESSAGE_CELLS);
putWord(message.view, MESSAGE_VECTORS, vectors.at);
let noted = 0;
let notedBytes = 0;

type State = "connecting" | "open" | "ended" | "closed";

export class NativeSocket implements Polled {
  #state: State;
  #interest: number;
  #isInputOver = false;
  #isPaused = false;
  #isBlocked = false;

  constructor(
    readonly poller: Poller,
    readonly fd: number,
    public handler: SocketHandler | null,
    isConnecting: boolean,
  ) {
    this.#state = isConnecting ? "connecting" : "open";
    this.#interest = isConnecting ? WRITABLE : ARRIVED;
    this.#setOption(IPPROTO_TCP, TCP_NODELAY, 1);
    poller.add(this, this.#interest);
  }

  /** Begins to connect; the handler hears how it went. Null when there is no descriptor left. */
  static connect(
    poller: Poller,
    address: SocketAddress,
    handler: SocketHandler,
  ): NativeSocket | null {
    const fd = sys.socket(address.family, SOCK_STREAM | SOCK_FLAGS, 0);
    if (fd < 0) return null;
    easeLoopback(fd, address.bytes);
    // Under way or refused at once: the descriptor tells when it is asked.
    sys.connect(fd, ptr(address.bytes), address.bytes.length);
    return new NativeSocket(poller, fd, handler, true);
  }

  setKeepAlive(idleMs: number): void {
    this.#setOption(SOL_SOCKET, SO_KEEPALIVE, 1);
    this.#setOption(IPPROTO_TCP, TCP_KEEPIDLE, Math.max(1, Math.round(idleMs / 1000)));
  }

  #setOption(level: number, name: number, value: number): void {
    option.view[0] = value;
    sys.setsockopt(this.fd, level, name, option.at, 4);
  }

  /** How many bytes the kernel took; fewer than offered: wait for `onDrain`. -1: it is gone. */
  write(bytes: Uint8Array, offset: number, length: number): number {
    if (this.#state !== "open") return -1;
    const at = (ptr(bytes) + offset) as Pointer;
    return this.#taken(sys.send(this.fd, at, length, MSG_NOSIGNAL), length);
  }

  /** Puts a stretch of bytes into the next `writeNoted`; false when that has enough of them. */
  note(bytes: Uint8Array, offset: number, length: number): boolean {
    if (noted === MAX_NOTED) return false;
    putWord(vectors.view, VECTOR_CELLS * noted, ptr(bytes) + offset);
    putWord(vectors.view, VECTOR_CELLS * noted + 2, length);
    noted++;
    notedBytes += length;
    return true;
  }

  /** Writes all that was noted with one call; answers as `write` does. */
  writeNoted(): number {
    const length = notedBytes;
    message.view[MESSAGE_COUNT] = noted;
    noted = 0;
    notedBytes = 0;
    if (this.#state !== "open") return -1;
    return this.#taken(sys.sendmsg(this.fd, message.at, MSG_NOSIGNAL), length);
  }

  #taken(taken: number, offered: number): number {
    if (taken === offered) return taken;
    // Full, or broken: the next event tells which.
    this.#isBlocked = true;
    this.#watch();
    return Math.max(0, taken);
  }

  pause(): void {
    this.#isPaused = true;
    this.#watch();
  }

  resume(): void {
    this.#isPaused = false;
    this.#watch();
  }

  #watch(): void {
    if (this.#state === "closed" || this.#state === "connecting") return;
    const wantsInput = !this.#isInputOver && (!this.#isPaused || this.#state === "ended");
    // What is only discarded is told again and again, until there is no more.
    const input = this.#state === "ended" ? READABLE : ARRIVED;
    const interest = (wantsInput ? input : 0) | (this.#isBlocked ? WRITABLE : 0);
    if (interest === this.#interest) return;
    this.#interest = interest;
    this.poller.change(this, interest);
  }

  /**
   * Ends the connection in order: what the kernel took still arrives. The handler hears no more.
   * Closing at once would reset a client that has sent something we did not read, and with it the
   * error that it should get.
   */
  end(): void {
    if (this.#state === "closed" || this.#state === "ended") return;
    if (this.#state === "connecting" || this.#isInputOver) return this.#close();
    sys.shutdown(this.fd, SHUT_WR);
    this.#state = "ended";
    this.#isBlocked = false;
    this.#watch();
    setTimeout(() => this.#close(), LINGER_MS).unref();
  }

  /** Ends it with a reset. */
  terminate(): void {
    if (this.#state === "closed") return;
    option.view[0] = 1;
    option.view[1] = 0;
    sys.setsockopt(this.fd, SOL_SOCKET, SO_LINGER, option.at, 8);
    this.#close();
  }

  #close(): void {
    if (this.#state === "closed") return;
    this.#state = "closed";
    this.poller.remove(this);
    this.poller.close(this.fd);
  }

  // ---------------------------------------------------------------- what the poller calls

  onEvents(events: number): void {
    try {
      if (this.#state === "connecting") this.#onConnected();
      else if (this.#state === "ended") this.#discard(events);
      else {
        if ((events & WRITABLE) !== 0) this.#onWritable();
        if ((events & (READABLE | BROKEN_EVENTS)) !== 0) this.#onReadable(events);
      }
    } catch (error) {
      this.handler?.onFault(error, this);
    }
  }

  #onConnected(): void {
    const code = this.#error();
    optionLength.view[0] = 8;
    if (code !== 0 || sys.getpeername(this.fd, option.at, optionLength.at) !== 0) {
      this.#close();
      this.handler?.onClose(code === 0 ? "ENETUNREACH" : errorName(code), this);
      return;
    }
    this.#state = "open";
    this.#watch();
    this.handler?.onOpen?.(this);
  }

  #error(): number {
    optionLength.view[0] = 4;
    sys.getsockopt(this.fd, SOL_SOCKET, SO_ERROR, option.at, optionLength.at);
    return option.view[0];
  }

  #onWritable(): void {
    if (!this.#isBlocked) return;
    this.#isBlocked = false;
    this.handler?.onDrain();
    this.#watch();
  }

  #onReadable(events: number): void {
    if (this.#state !== "open") return;
    if (this.#isPaused || this.#isInputOver) {
      if ((events & BROKEN_EVENTS) !== 0) this.#onBroken();
      return;
    }
    const from = freeFrom();
    const got = this.poller.receive(this.fd);
    if (got > 0) {
      const isAll = !this.poller.hasMore && (events & ENDED) === 0;
      this.handler?.onData(slab, from, from + got, this);
      if (!isAll) this.#askAgain();
    } else if (got < 0) {
      if ((events & BROKEN_EVENTS) !== 0) this.#onBroken();
      else if (this.poller.hasMore) this.#askAgain();
    } else {
      this.#isInputOver = true;
      this.#watch();
      this.handler?.onEnd(this);
    }
  }

  /** There may be more to read, or the end, of which the kernel has told already. */
  #askAgain(): void {
    if (this.#state !== "open" || (this.#interest & READABLE) === 0) return;
    this.poller.change(this, this.#interest);
  }

  #onBroken(): void {
    const code = this.#error();
    this.#close();
    this.handler?.onClose(code === 0 ? "ECONNRESET" : errorName(code), this);
  }

  /** We have ended; whatever still comes is of no interest. */
  #discard(events: number): void {
    const got = this.poller.receive(this.fd);
    if (got === 0 || (got < 0 && (events & BROKEN_EVENTS) !== 0)) this.#close();
  }
}
