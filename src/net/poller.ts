/**
 * The event loop of the data plane: its own epoll set, read and written by system calls through
 * bun:ffi, beside Bun's loop.
 *
 *     run ─┬─ epoll_wait ── one recv per readable socket ── handler.onData ...
 *          ├─ onTurn                         everything that was written meanwhile leaves
 *          └─ back to epoll_wait; to Bun's loop when it has something to do, or every YIELD_MS
 *
 * Bun's sockets cost an object and a copy per chunk and a turn of Bun's loop per poll, which was an
 * eighth of a worker's time (docs/performance.md). Here all sockets are read into one slab,
 * parts of which are lent to the handlers (lib/lent.ts). Bun's own epoll descriptor
 * stands in our set, so that its timers, signals and the line to the parent are served at once.
 * Promises settle only in Bun's turns: nothing in a handler may wait for one.
 *
 * Linux only, as the product is.
 */
import { readdirSync, readlinkSync } from "node:fs";
import { type Pointer, ptr } from "bun:ffi";
import { freeBytes, freeFrom, isWorn, reclaim, slab, use } from "../lib/lent.ts";
import {
  EPOLL_CLOEXEC,
  EPOLL_CTL_ADD,
  EPOLL_CTL_DEL,
  EPOLL_CTL_MOD,
  EPOLLERR,
  EPOLLET,
  EPOLLHUP,
  EPOLLIN,
  EPOLLOUT,
  EPOLLRDHUP,
  permanent,
  sys,
} from "./syscalls.ts";

/** Sockets looked at per turn. */
const MAX_EVENTS = 1024;
/** Bun's loop gets a turn at least this often while there is work, and while there is none. */
const YIELD_MS = 2;
const IDLE_YIELD_MS = 20;

/** A turn ends early, and another begins, when less than this is left of the slab. */
const MIN_READ_BYTES = 64 * 1024;
/** One socket must not have the whole slab. */
const MAX_READ_BYTES = 256 * 1024;

/** A descriptor in the set. Methods are called with the events that happened. */
export interface Polled {
  readonly fd: number;
  onEvents(events: number): void;
}

export class Poller {
  /** True while handlers run: what they write leaves at the end of this turn, unasked. */
  isInTurn = false;
  /** The last `receive` took as much as it had room for: perhaps not all. */
  hasMore = false;
  /** Called before the sockets of a turn are read, with microseconds of a monotonic clock. */
  onWake: (nowUs: number) => void = () => {};
  /** Called after all sockets of a turn were read. */
  onTurn: () => void = () => {};
  /** Called when no socket has anything for us, and before Bun's loop gets its turn. */
  onPause: () => void = () => {};
  /** Microseconds to rest after a turn of so many events, before the next one. */
  restAfter: (events: number) => number = () => 0;
  /** Called before lent memory is used again. */
  onReclaim: () => void = () => {};
  readonly #epoll: number;
  readonly #bunEpoll: number;
  readonly #byFd: (Polled | null)[] = [];
  /** Closed at the end of the turn. */
  readonly #leaving: number[] = [];
  readonly #event = permanent(3);
  readonly #events = permanent(3 * MAX_EVENTS);
  readonly #slabAt = Number(ptr(slab));
  readonly #run = (): void => this.run();

  constructor() {
    this.#bunEpoll = findBunEpoll();
    this.#epoll = sys.epoll_create1(EPOLL_CLOEXEC);
    if (this.#epoll < 0) throw new Error("the kernel has no epoll descriptor for us");
    if (this.#bunEpoll >= 0) this.#control(EPOLL_CTL_ADD, this.#bunEpoll, EPOLLIN);
  }

  /** Begins to run; goes on as long as the program. */
  start(): void {
    setImmediate(this.#run);
  }

  add(polled: Polled, events: number): void {
    this.#byFd[polled.fd] = polled;
    this.#control(EPOLL_CTL_ADD, polled.fd, events);
  }

  change(polled: Polled, events: number): void {
    this.#control(EPOLL_CTL_MOD, polled.fd, events);
  }

  remove(polled: Polled): void {
    this.#control(EPOLL_CTL_DEL, polled.fd, 0);
    this.#byFd[polled.fd] = null;
  }

  /**
   * Closes a descriptor that was removed. Not within a turn: events for its number may still be
   * among those of the turn, and whoever got the number next would take them for its own.
   */
  close(fd: number): void {
    if (this.isInTurn) this.#leaving.push(fd);
    else sys.close(fd);
  }

  #control(operation: number, fd: number, events: number): void {
    this.#event.view[0] = events;
    this.#event.view[1] = fd;
    sys.epoll_ctl(this.#epoll, operation, fd, this.#event.at);
  }

  run(): void {
    const beginUs = clockUs();
    let wait = 0;
    for (;;) {
      const count = sys.epoll_wait(this.#epoll, this.#events.at, MAX_EVENTS, wait);
      // The one look at the clock in a turn.
      const nowUs = clockUs();
      this.onWake(nowUs);
      const isBunReady = count > 0 && this.#take(count);
      if (count <= 0) this.onPause();
      const passedMs = (nowUs - beginUs) / 1000;
      if (isBunReady || passedMs >= (wait === 0 ? YIELD_MS : IDLE_YIELD_MS)) break;
      if (count > 0) {
        const restUs = this.restAfter(count);
        if (restUs > 0) sys.usleep(restUs);
        wait = 0;
      } else {
        wait = Math.max(1, Math.ceil(IDLE_YIELD_MS - passedMs));
      }
    }
    this.onPause();
    setImmediate(this.#run);
  }

  /** Serves the sockets of one turn. True when Bun's loop has something to do. */
  #take(count: number): boolean {
    const { view } = this.#events;
    let isBunReady = false;
    this.isInTurn = true;
    for (let i = 0; i < count; i++) {
      const fd = view[3 * i + 1];
      if (freeBytes() < MIN_READ_BYTES) this.#end();
      if (fd === this.#bunEpoll) isBunReady = true;
      else this.#byFd[fd]?.onEvents(view[3 * i]);
    }
    this.#end();
    this.isInTurn = false;
    if (this.#leaving.length > 0) this.#closeLeaving();
    return isBunReady;
  }

  #closeLeaving(): void {
    for (const fd of this.#leaving) sys.close(fd);
    this.#leaving.length = 0;
  }

  /** The end of a turn; now and then that of lent memory (lib/lent.ts). */
  #end(): void {
    this.onTurn();
    if (!isWorn()) return;
    this.onReclaim();
    reclaim();
  }

  /**
   * Reads what the socket has for us into the slab, from `freeFrom` on, and says how many bytes
   * these are: 0 at its end, -1 when there is nothing. Once per event at most.
   */
  receive(fd: number): number {
    const room = freeBytes();
    if (room === 0) {
      this.hasMore = true;
      return -1; // Nothing was asked for, which is not the end.
    }
    const most = room < MAX_READ_BYTES ? room : MAX_READ_BYTES;
    const got = sys.recv(fd, (this.#slabAt + freeFrom()) as Pointer, most, 0);
    if (got > 0) use(got);
    this.hasMore = got === most;
    return got;
  }
}

/** Microseconds of a monotonic clock. */
export function clockUs(): number {
  return Bun.nanoseconds() / 1000;
}

export const READABLE = EPOLLIN;
/**
 * The same for a socket that is read until nothing is left: told once for what arrives. Told again
 * and again, the kernel looks at every socket twice, the second time to find it empty.
 */
export const ARRIVED = EPOLLIN | EPOLLRDHUP | EPOLLET;
/** The other side sends no more than what is there. */
export const ENDED = EPOLLRDHUP;
export const WRITABLE = EPOLLOUT;
export const BROKEN_EVENTS = EPOLLERR | EPOLLHUP;

/** The descriptor of the loop that Bun itself waits on; -1 when it cannot be told. */
function findBunEpoll(): number {
  const found = readdirSync("/proc/self/fd").filter((name) => {
    try {
      return readlinkSync(`/proc/self/fd/${name}`) === "anon_inode:[eventpoll]";
    } catch {
      return false;
    }
  });
  return found.length === 0 ? -1 : Math.min(...found.map(Number));
}
