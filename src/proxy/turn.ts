/**
 * One turn of the event loop: sockets are read, then everything that was written meanwhile leaves
 * in one system call per socket.
 *
 * `touch` is called by whoever appended to a send buffer. The flush runs in a `setImmediate`, which
 * Bun runs once after all sockets of one poll (bun-notes 2). Backends go first: the servers can
 * work while we write to clients.
 */

/** A connection with bytes to send. */
export interface Flushable {
  /** Set while the connection stands in the list, so that it stands there once. */
  isTouched: boolean;
  flush(): void;
}

export class Turn {
  /** Microseconds of a monotonic clock, as of the last `tick`. */
  nowUs = Bun.nanoseconds() / 1000;
  /** Wall clock, as of the last timer tick: good to a tenth of a second. */
  nowMs = Date.now();
  #backends: Flushable[] = [];
  #sessions: Flushable[] = [];
  #isArmed = false;
  readonly #run = (): void => this.flush();

  /** Reads the clock: once per chunk of bytes, never per request. */
  tick(): void {
    this.nowUs = Bun.nanoseconds() / 1000;
  }

  touchBackend(backend: Flushable): void {
    backend.isTouched = true;
    this.#backends.push(backend);
    if (!this.#isArmed) this.#arm();
  }

  touchSession(session: Flushable): void {
    session.isTouched = true;
    this.#sessions.push(session);
    if (!this.#isArmed) this.#arm();
  }

  #arm(): void {
    this.#isArmed = true;
    setImmediate(this.#run);
  }

  /** Flushes all. A flush that makes new work (a session that goes on reading) has it done too. */
  flush(): void {
    this.tick();
    const backends = this.#backends;
    const sessions = this.#sessions;
    this.#isArmed = true;
    let i = 0;
    let j = 0;
    do {
      for (; i < backends.length; i++) {
        backends[i].isTouched = false;
        backends[i].flush();
      }
      for (; j < sessions.length; j++) {
        sessions[j].isTouched = false;
        sessions[j].flush();
      }
    } while (i < backends.length);
    backends.length = 0;
    sessions.length = 0;
    this.#isArmed = false;
  }
}
