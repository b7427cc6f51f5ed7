// How many sessions each worker has, in memory that all of them share, so that proxy_max_clients
// holds for the whole proxy without a message per connection. The parent creates it, workers
// inherit its descriptor. Each cell has one writer; a reader may be late by a few sessions, never
// more.

import { closeSync, ftruncateSync } from "node:fs";
import { BOARD_FD } from "./ipc.ts";
import { libc, MFD_CLOEXEC } from "../lib/libc.ts";

/** Cells lie this many integers apart, on cache lines of their own. */
const STRIDE = 16;

const BYTES_PER_CELL = STRIDE * Int32Array.BYTES_PER_ELEMENT;

export class SessionBoard {
  readonly #cells: Int32Array;

  private constructor(
    readonly fd: number,
    readonly workers: number,
  ) {
    const bytes = Bun.mmap(`/proc/self/fd/${fd}`, { shared: true });
    this.#cells = new Int32Array(bytes.buffer, bytes.byteOffset, workers * STRIDE);
  }

  /** In the parent, once. */
  static create(workers: number): SessionBoard {
    const fd = libc.memfd_create(Buffer.from("codis-sessions\0"), MFD_CLOEXEC);
    if (fd < 0) throw new Error("the kernel gives no shared memory for the count of sessions");
    ftruncateSync(fd, workers * BYTES_PER_CELL);
    return new SessionBoard(fd, workers);
  }

  /** In a worker: the board it inherited. */
  static inherit(workers: number): SessionBoard {
    return new SessionBoard(BOARD_FD, workers);
  }

  /** The worker's own cell, whenever a session opens or closes; the parent's when it died. */
  set(worker: number, sessions: number): void {
    this.#cells[worker * STRIDE] = sessions;
  }

  /** Sessions of all workers. */
  total(): number {
    let sum = 0;
    for (let i = 0; i < this.workers; i++) sum += this.#cells[i * STRIDE];
    return sum;
  }

  /** In the parent, at the end. */
  close(): void {
    closeSync(this.fd);
  }
}
