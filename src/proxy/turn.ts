/**
 * One turn of the event loop: sockets are read, then everything that was written meanwhile leaves
 * in one system call per socket. A client with a pipeline may wait for the next turn, when that
 * comes at once, for the replies which are still missing (`Session.postpone`).
 *
 * `touch` is called by whoever appended to a send buffer. The poller asks for the flush when it has
 * read all sockets; for what is written outside of its turns there is a `setImmediate`. Clients go
 * first: they wake up and read while we still write, and the servers get what those replies set off
 * a moment later.
 */
import { isLent, own } from "../lib/lent.ts";
import { clockUs, type Poller } from "../net/poller.ts";
import { Rest } from "./rest.ts";

/** A connection with bytes to send. */
export interface Flushable {
  /** Set while the connection stands in the list, so that it stands there once. */
  isTouched: boolean;
  flush(): void;
}

/** A client; what leaves for it may wait for a turn or two. */
export interface TurnClient extends Flushable {
  /** The tick in which it was last counted (rest.ts). */
  countedIn: number;
  /** Should it wait? True a few times in a row at most. */
  postpone(): boolean;
  /** Lent memory is used again: what waits is copied. */
  own(): void;
}

/** A request whose reply is here, but cannot go out yet. */
export interface Kept {
  reply: Buffer;
  replyFrom: number;
  replyTo: number;
}

export class Turn {
  /** Microseconds of a monotonic clock, as of the beginning of this turn. */
  nowUs = clockUs();
  /** Milliseconds of it, as of the last timer tick: good to a tenth of a second. */
  nowMs = performance.now();
  #backends: Flushable[] = [];
  #sessions: TurnClient[] = [];
  #postponed: TurnClient[] = [];
  readonly #kept: Kept[] = [];
  readonly #rest = new Rest();
  #isArmed = false;
  readonly #run = (): void => this.flush(false);

  constructor(readonly poller: Poller) {
    poller.onWake = (nowUs) => {
      this.nowUs = nowUs;
    };
    poller.onTurn = () => this.flush(true);
    poller.onPause = () => {
      if (this.#sessions.length > 0) this.flush(false);
    };
    poller.restAfter = (events) => this.#rest.after(events);
    poller.onReclaim = () => this.#reclaim();
  }

  /** Ten times a second. */
  onTick(nowMs: number): void {
    this.nowMs = nowMs;
    this.nowUs = clockUs();
    this.#rest.onTick();
  }

  touchBackend(backend: Flushable): void {
    backend.isTouched = true;
    this.#backends.push(backend);
    if (!this.#isArmed) this.#arm();
  }

  touchSession(session: TurnClient): void {
    session.isTouched = true;
    if (session.countedIn !== this.#rest.tick) this.#rest.count(session);
    this.#sessions.push(session);
    if (!this.#isArmed) this.#arm();
  }

  #arm(): void {
    this.#isArmed = true;
    // Inside of a turn of the poller its end comes by itself.
    if (!this.poller.isInTurn) setImmediate(this.#run);
  }

  /** A reply waits in this request, perhaps until lent memory is used again (lib/lent.ts). */
  keep(request: Kept): void {
    this.#kept.push(request);
  }

  /**
   * Flushes all but what may wait for the next turn. A flush that makes new work (a session that
   * goes on reading) has it done too.
   */
  flush(mayPostpone: boolean): void {
    const backends = this.#backends;
    const sessions = this.#sessions;
    const postponed = this.#postponed;
    this.#isArmed = true;
    let i = 0;
    let j = 0;
    do {
      for (; j < sessions.length; j++) {
        const session = sessions[j];
        if (mayPostpone && session.postpone()) {
          postponed.push(session);
          continue;
        }
        session.isTouched = false;
        session.flush();
      }
      for (; i < backends.length; i++) {
        backends[i].isTouched = false;
        backends[i].flush();
      }
    } while (j < sessions.length);
    backends.length = 0;
    sessions.length = 0;
    this.#sessions = postponed;
    this.#postponed = sessions;
    this.#isArmed = false;
  }

  /** Copies the replies that still wait; those that arrived one behind the other together. */
  #reclaim(): void {
    for (const session of this.#sessions) session.own();
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
