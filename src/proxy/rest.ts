/**
 * How long a worker rests after a turn: what network cards do with interrupts.
 *
 * A turn costs a poll, a read and a write per server and often two switches of the processor,
 * however few requests it carries. And a worker that waits for events is woken by the first one,
 * which its sender pays for: on a virtual machine, when the worker has a processor to itself, with
 * as much as a request costs. A worker that rests is woken by the clock, and finds more.
 *
 * Only a busy worker rests, only with many clients, and only after a turn that carried few of them.
 * Those may wait for it, so a rest is short beside what they wait anyway (docs/performance.md).
 */

/** A tick, a tenth of a second, is busy with so many events; a request has about two at most. */
const BUSY_EVENTS = 8000;
/** So many clients of a tick are many. */
const MANY_CLIENTS = 16;
/** A turn has few events when it has less than this part of the clients, and less than so many. */
const FEW_PART = 1 / 4;
const MOST_FEW = 96;
/** So long for each event that would not have been few, in microseconds: 192 at most. */
const REST_US = 2;

export class Rest {
  /** The number of this tick; a client with another one was not counted in it yet. */
  tick = 0;
  #clients = 0;
  #events = 0;
  #few = 0;

  /** A client that has something to send, for the first time in this tick. */
  count(client: { countedIn: number }): void {
    client.countedIn = this.tick;
    this.#clients++;
  }

  /** Ten times a second: this one is as the last one was. */
  onTick(): void {
    const isBusy = this.#events >= BUSY_EVENTS && this.#clients >= MANY_CLIENTS;
    this.#few = isBusy ? Math.min(MOST_FEW, Math.floor(this.#clients * FEW_PART)) : 0;
    this.tick++;
    this.#clients = 0;
    this.#events = 0;
  }

  /** Microseconds to rest after a turn of so many events. */
  after(events: number): number {
    this.#events += events;
    return events < this.#few ? this.#few * REST_US : 0;
  }
}
