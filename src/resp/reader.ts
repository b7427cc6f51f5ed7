/**
 * The bytes of one client become requests.
 *
 * `feed` takes a chunk and calls the handler for every request that is complete in it; what is left
 * over is kept until more comes. The handler may call `stop` in between (its queue is full): the
 * rest waits until `resume`. Whole requests in a chunk, the common case, are never copied; a
 * request that straddles chunks is gathered in one buffer, or, when large, kept in pieces
 * (`large.ts`).
 */
import { own } from "../lib/lent.ts";
import { LARGE_BYTES } from "./buffer.ts";
import { encodeArgs } from "./inline.ts";
import { LargeRequest } from "./large.ts";
import { Args, INCOMPLETE } from "./args.ts";
import { resumeRequest, scanRequest } from "./scan.ts";

export interface RequestHandler {
  /** One request; `args` is valid during the call, its bytes as long as lent (lib/lent.ts). */
  onRequest(args: Args): void;
  /** One request in pieces. */
  onLargeRequest(request: LargeRequest): void;
  /**
   * The bytes are not a request: `code` is one of the errors of scan.ts. The reader has stopped.
   */
  onBroken(code: number, badByte: number): void;
}

/**
 * The request being looked at, of whichever session: a request is handled before the next begins.
 */
const whole = new Args();

export class RequestReader {
  /** Set while a client that has not given the password sends: lower limits apply. */
  isRestricted = false;
  isStopped = false;
  /** Bytes that arrived while stopped, or were left when the handler stopped. */
  #waiting: Buffer | null = null;
  /** The beginning of a request: `#partial` was scanned as far as `#tail` goes. */
  #tail: Buffer | null = null;
  #tailBytes = 0;
  #partial: Args | null = null;
  #large: LargeRequest | null = null;

  constructor(readonly handler: RequestHandler) {}

  /** Bytes held for requests that are not complete or not looked at yet. */
  get heldBytes(): number {
    const waiting = this.#waiting === null ? 0 : this.#waiting.length;
    return waiting + this.#tailBytes + (this.#large === null ? 0 : this.#large.heldBytes);
  }

  /** Is a request begun that is not complete? */
  get isInside(): boolean {
    return this.#tail !== null || this.#large !== null;
  }

  /** Takes `bytes[from, to)`, which may be lent. */
  feed(bytes: Buffer, from = 0, to = bytes.length): void {
    if (this.isStopped) {
      const waiting = this.#waiting;
      if (waiting === null) this.#waiting = own(bytes, from, to);
      else this.#waiting = Buffer.concat([waiting, bytes.subarray(from, to)]);
    } else if (this.#large !== null) {
      this.#feedLarge(this.#large, bytes, from, to);
    } else if (this.#tail !== null) {
      this.#feedTail(this.#tail, bytes, from, to);
    } else {
      this.#read(bytes, from, to);
    }
  }

  /** The handler takes no more for now. What is left of the chunk waits. */
  stop(): void {
    this.isStopped = true;
  }

  /** Goes on with what waits. The handler may stop again. */
  resume(): void {
    this.isStopped = false;
    const waiting = this.#waiting;
    this.#waiting = null;
    if (waiting !== null) this.feed(waiting);
  }

  /** Forgets everything: the session is over. */
  clear(): void {
    this.isStopped = true;
    this.#waiting = null;
    this.#tail = null;
    this.#tailBytes = 0;
    this.#large = null;
  }

  #read(bytes: Buffer, from: number, to: number): void {
    let pos = from;
    while (pos < to) {
      if (this.isStopped) {
        this.#waiting = own(bytes, pos, to);
        return;
      }
      whole.isRestricted = this.isRestricted;
      const end = scanRequest(whole, bytes, pos, to);
      if (end < 0) {
        if (end === INCOMPLETE) this.#keep(whole, bytes, to);
        else this.#break(end, whole.badByte);
        return;
      }
      pos = end;
      if (whole.count === 0) continue;
      if (!whole.isCanonical) encodeArgs(whole);
      this.handler.onRequest(whole);
    }
  }

  /** Keeps the beginning of a request. */
  #keep(scanned: Args, bytes: Buffer, to: number): void {
    if (scanned.missing >= LARGE_BYTES) {
      this.#large = new LargeRequest(scanned, bytes, to);
      return;
    }
    const length = to - scanned.from;
    const tail = Buffer.allocUnsafeSlow(Math.max(2 * length, length + scanned.missing));
    bytes.copy(tail, 0, scanned.from, to);
    this.#partial ??= new Args();
    this.#partial.adopt(scanned, tail, -scanned.from);
    this.#tail = tail;
    this.#tailBytes = length;
  }

  #feedTail(tail: Buffer, chunk: Buffer, from: number, to: number): void {
    const length = this.#tailBytes + to - from;
    let bytes = tail;
    if (length > tail.length) {
      // Doubling, so that a request which comes in drops is copied a few times, not a thousand.
      bytes = Buffer.allocUnsafeSlow(Math.max(length, 2 * tail.length));
      tail.copy(bytes, 0, 0, this.#tailBytes);
    }
    chunk.copy(bytes, this.#tailBytes, from, to);
    this.#tail = bytes;
    this.#tailBytes = length;
    const args = this.#partial!;
    const end = resumeRequest(args, bytes, length);
    if (end === INCOMPLETE) {
      if (args.missing < LARGE_BYTES) return;
      this.#forgetTail();
      this.#large = new LargeRequest(args, bytes, length);
      return;
    }
    // From here on the buffer belongs to those who were given parts of it.
    this.#forgetTail();
    if (end < 0) return this.#break(end, args.badByte);
    if (args.count > 0) {
      if (!args.isCanonical) encodeArgs(args);
      this.handler.onRequest(args);
    }
    this.#read(bytes, end, length);
  }

  #feedLarge(large: LargeRequest, bytes: Buffer, from: number, to: number): void {
    const end = large.feed(bytes, from, to);
    if (end === INCOMPLETE) return;
    this.#large = null;
    if (end < 0) return this.#break(end, large.args.badByte);
    if (large.args.isCanonical) {
      this.handler.onLargeRequest(large);
    } else {
      large.join();
      encodeArgs(large.args);
      this.handler.onRequest(large.args);
    }
    this.#read(large.after, end, large.afterTo);
  }

  #break(code: number, badByte: number): void {
    this.clear();
    this.handler.onBroken(code, badByte);
  }

  #forgetTail(): void {
    this.#tail = null;
    this.#tailBytes = 0;
  }
}
