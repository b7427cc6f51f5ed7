/**
 * One turn of the event loop: sockets are read, then everything that was written meanwhile leaves
 * in one system call per socket.
 *
 * `touch` is called by whoever appended to a send buffer. The flush runs in a `setImmediate`, which
 * Bun runs once after all sockets of one poll (bun-notes 2). Clients go first: they wake up and
 * read while we still write, and the servers get what those replies set off a moment later.
 *
 * A turn costs a poll, a read and a write per server, and often two switches of the processor,
 * however many requests it carries. Under load from many clients the loop would run thousands of
 * turns with a few requests each, so it rests for some microseconds first and finds more of them:
 * what network cards do with interrupts. It never rests for a few clients, or when it has time to
 * spare.
 */

import { isLent, own } from "../lib/lent.ts";
import type { Poller } from "../net/poller.ts";

/** How long a rest is, in microseconds. */
const REST_US = 40;
/** It rests from this many clients and requests per tick (a tenth of a second) on ... */
const REST_CLIENTS = 16;
const REST_REQUESTS = 2000;
/** ... when a turn carried less than this part of the clients, and less than so many. */
const REST_PART = 1 / 4;
const REST_FULL = 32;

/** A connection with bytes to send. */
export interface Flushable {
  /** Set while the connection stands in the list, so that it stands there once. */
  isTouched: boolean;
  flush(): void;
}

/** A client's connection, with the tick in which it was last counted. */
export interface FlushableClient extends Flushable {
  countedIn: number;
}

/** A request whose reply is here, but cannot go out yet. */
export interface Kept {
  reply: Buffer;
  replyFrom: number;
  replyTo: number;
}

export class Turn {
  /** Microseconds of a monotonic clock, as of the last `tick`. */
  nowUs = Bun.nanoseconds() / 1000;
  /** Wall clock, as of the last timer tick: good to a tenth of a second. */
  nowMs = Date.now();
  #backends: Flushable[] = [];
  #sessions: FlushableClient[] = [];
  readonly #kept: Kept[] = [];
  #isArmed = false;
  readonly #run = (): void => this.flush();
  /** Clients and replies of the present tick, and a turn that carries fewer clients than `#worth`
   * is followed by a rest; 0 while there is no need. */
  #ticks = 0;
  #clients = 0;
  #replies = 0;
  #worth = 0;

  /** `rest` lets so many microseconds pass; null where that cannot be had. */
  constructor(
    readonly rest: ((micros: number) => void) | null = null,
    readonly poller: Poller | null = null,
  ) {
    if (poller !== null) poller.onTurn = () => this.flush();
  }

  /** Ten times a second: the wall clock, and whether the load is worth resting for. */
  onTick(nowMs: number): void {
    this.nowMs = nowMs;
    this.tick();
    const isBusy = this.#clients >= REST_CLIENTS && this.#replies >= REST_REQUESTS;
    this.#worth = isBusy ? Math.min(REST_FULL, this.#clients * REST_PART) : 0;
    this.#ticks++;
    this.#clients = 0;
    this.#replies = 0;
  }

  /** Reads the clock: once per chunk of bytes, never per request. */
  tick(): void {
    this.nowUs = Bun.nanoseconds() / 1000;
  }

  touchBackend(backend: Flushable): void {
    backend.isTouched = true;
    this.#backends.push(backend);
    if (!this.#isArmed) this.#arm();
  }

  touchSession(session: FlushableClient): void {
    session.isTouched = true;
    if (session.countedIn !== this.#ticks) {
      session.countedIn = this.#ticks;
      this.#clients++;
    }
    this.#sessions.push(session);
    if (!this.#isArmed) this.#arm();
  }

  #arm(): void {
    this.#isArmed = true;
    // Inside of a turn of the poller its end comes by itself.
    if (this.poller === null || !this.poller.isInTurn) setImmediate(this.#run);
  }

  /** A reply waits in this request, perhaps beyond the end of the turn. */
  keep(request: Kept): void {
    this.#kept.push(request);
  }

  /**
   * Flushes all. A flush that makes new work (a session that goes on reading) has it done too.
   * Afterwards nothing refers to memory that is lent for the turn: send buffers copy what the
   * kernel did not take, and replies that must wait are copied.
   */
  flush(): void {
    this.tick();
    const backends = this.#backends;
    const sessions = this.#sessions;
    this.#isArmed = true;
    let i = 0;
    let j = 0;
    do {
      for (; j < sessions.length; j++) {
        sessions[j].isTouched = false;
        sessions[j].flush();
      }
      for (; i < backends.length; i++) {
        backends[i].isTouched = false;
        backends[i].flush();
      }
    } while (j < sessions.length);
    if (this.#kept.length > 0) this.#ownKept();
    const carried = sessions.length;
    this.#replies += carried;
    backends.length = 0;
    sessions.length = 0;
    this.#isArmed = false;
    if (carried < this.#worth && this.rest !== null) this.rest(REST_US);
  }

  /** Replies that arrived one behind the other are copied together. */
  #ownKept(): void {
    const kept = this.#kept;
    for (let i = 0; i < kept.length; i++) {
      const { reply, replyFrom } = kept[i];
      if (!isLent(reply)) continue;
      let end = kept[i].replyTo;
      let next = i + 1;
      while (next < kept.length && kept[next].reply === reply && kept[next].replyFrom === end) {
        end = kept[next++].replyTo;
      }
      const copy = own(reply, replyFrom, end);
      for (; i < next; i++) {
        kept[i].reply = copy;
        kept[i].replyFrom -= replyFrom;
        kept[i].replyTo -= replyFrom;
      }
      i--;
    }
    kept.length = 0;
  }
}
