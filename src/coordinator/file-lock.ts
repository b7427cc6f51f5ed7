// An exclusive lock on a file by flock: the kernel gives it back when its owner dies, however it
// dies. Waiting is done by asking again, because a call that blocks would stop the event loop.

import { closeSync, fstatSync, mkdirSync, openSync, statSync } from "node:fs";
import { dirname } from "node:path";
import { libc, LOCK_EX, LOCK_NB } from "../lib/libc.ts";

const DIRECTORY_MODE = 0o755;

/** A lock that we have, until `close`. */
export interface FileLock {
  readonly fd: number;
  /** False when somebody has put another file in its place, which others can lock. */
  isInPlace(): boolean;
  close(): void;
}

/** The lock, or null while another one has it; never waits. Creates the file. */
export function tryLock(file: string, mode: number): FileLock | null {
  mkdirSync(dirname(file), { recursive: true, mode: DIRECTORY_MODE });
  const fd = openSync(file, "a+", mode);
  const lock = { fd, isInPlace: () => isSameFile(fd, file), close: () => closeSync(fd) };
  if (libc.flock(fd, LOCK_EX | LOCK_NB) === 0 && lock.isInPlace()) return lock;
  lock.close();
  return null;
}

function isSameFile(fd: number, file: string): boolean {
  const there = statSync(file, { throwIfNoEntry: false });
  return there !== undefined && there.ino === fstatSync(fd).ino;
}
