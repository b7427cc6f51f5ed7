// The few calls of the C library that Bun has no name for. Used by the parent at start and by
// nobody on a hot path; every call answers -1 on failure, as in C. Linux only.

import { dlopen, FFIType } from "bun:ffi";

const { i32, u32, cstring } = FFIType;

const CALLS = {
  fcntl: { args: [i32, i32, i32], returns: i32 },
  listen: { args: [i32, i32], returns: i32 },
  memfd_create: { args: [cstring, u32], returns: i32 },
} as const;

/** For `fcntl`: a copy of a descriptor, at or above the third argument, not inherited. */
export const F_DUPFD_CLOEXEC = 1030;

/** For `memfd_create`: not inherited. */
export const MFD_CLOEXEC = 1;

function open() {
  const musl = `libc.musl-${process.arch === "arm64" ? "aarch64" : "x86_64"}.so.1`;
  for (const name of ["libc.so.6", musl]) {
    try {
      return dlopen(name, CALLS).symbols;
    } catch {
      // The other kind of Linux.
    }
  }
  throw new Error(`neither libc.so.6 nor ${musl} can be opened on this machine`);
}

export const libc = open();
