/**
 * How a worker asks the kernel to be scheduled. These are wishes: where the kernel refuses,
 * everything works as before. Figures are in docs/performance.md; `struct sched_attr` is that of
 * sched_setattr(2).
 */
import { ptr } from "bun:ffi";
import { getPriority } from "node:os";
import { libc, PR_SET_TIMERSLACK, SCHED_BATCH } from "../lib/libc.ts";

/**
 * A worker that has run for so long lets others run. They come first as long as theirs is shorter,
 * which the kernel's default is. Since Linux 6.12.
 */
const SLICE_NS = 6_000_000;

const SCHED_SETATTR = process.arch === "arm64" ? 274 : 314;
/** `size`, `policy`, `flags` (64 bits), `nice`, `priority`; three times of 64 bits. */
const ATTRIBUTE_BYTES = 48;

/**
 * A worker that is woken waits for its turn on the processor instead of interrupting a server or a
 * client, and finds more to do when it comes.
 */
export function askForBatches(): void {
  const attributes = new DataView(new ArrayBuffer(ATTRIBUTE_BYTES));
  attributes.setUint32(0, ATTRIBUTE_BYTES, true);
  attributes.setUint32(4, SCHED_BATCH, true);
  attributes.setInt32(16, getPriority(), true);
  // Where a deadline scheduler has the runtime, the others have the slice.
  attributes.setBigUint64(24, BigInt(SLICE_NS), true);
  libc.syscall(SCHED_SETATTR, 0, ptr(attributes), 0);
}

/** A rest between two turns (rest.ts) ends when it should, not up to 50 µs later. */
export function askForShortRests(): void {
  libc.prctl(PR_SET_TIMERSLACK, 1, 0, 0, 0);
}
