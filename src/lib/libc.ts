// The few calls of the C library that Bun has no name for. Used at start. Every call answers -1 on
// failure, as in C. Linux only.

import { dlopen, type FFIFunction, FFIType } from "bun:ffi";

const { i32, i64, u32, u64, cstring, ptr } = FFIType;

const CALLS = {
  flock: { args: [i32, i32], returns: i32 },
  fcntl: { args: [i32, i32, i32], returns: i32 },
  listen: { args: [i32, i32], returns: i32 },
  syscall: { args: [i64, i64, ptr, i64], returns: i64 },
  prctl: { args: [i32, u64, u64, u64, u64], returns: i32 },
  memfd_create: { args: [cstring, u32], returns: i32 },
} as const;

/** For `flock`: for us alone; fail instead of waiting. Closing the file gives the lock back. */
export const LOCK_EX = 2;
export const LOCK_NB = 4;

/** For `fcntl`: a copy of a descriptor, at or above the third argument, not inherited. */
export const F_DUPFD_CLOEXEC = 1030;

/** For `prctl`: the signal that this process gets when the one that started it ends. */
export const PR_SET_PDEATHSIG = 1;

/** For `prctl`: how late a sleep of this thread may end, in nanoseconds; 50,000 unless set. */
export const PR_SET_TIMERSLACK = 29;

/** For `sched_setattr`: wakes up without pushing another process from its processor. */
export const SCHED_BATCH = 3;

/** For `memfd_create`: not inherited. */
export const MFD_CLOEXEC = 1;

/** Declares calls of the C library, whichever of its two kinds this Linux has. */
export function openLibc<const Calls extends Record<string, FFIFunction>>(calls: Calls) {
  const musl = `libc.musl-${process.arch === "arm64" ? "aarch64" : "x86_64"}.so.1`;
  for (const name of ["libc.so.6", musl]) {
    try {
      return dlopen(name, calls).symbols;
    } catch {
      // The other kind of Linux.
    }
  }
  throw new Error(`neither libc.so.6 nor ${musl} can be opened on this machine`);
}

export const libc = openLibc(CALLS);
