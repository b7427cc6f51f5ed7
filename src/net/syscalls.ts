// What the loop of the data plane calls in the C library, by bun:ffi, and the few numbers of Linux
// that go with it.
// Everything answers -1 on failure, as in C. There is no `errno`: between a call and a look at it
// the engine may do calls of its own. Whoever needs a reason asks the descriptor (SO_ERROR, epoll).

import { FFIType, type Pointer, ptr } from "bun:ffi";
import { constants } from "node:os";
import { openLibc } from "../lib/libc.ts";

const { i32, u32, u64, ptr: pointer } = FFIType;

const CALLS = {
  socket: { args: [i32, i32, i32], returns: i32 },
  connect: { args: [i32, pointer, u32], returns: i32 },
  accept4: { args: [i32, pointer, pointer, i32], returns: i32 },
  getpeername: { args: [i32, pointer, pointer], returns: i32 },
  getsockname: { args: [i32, pointer, pointer], returns: i32 },
  getsockopt: { args: [i32, i32, i32, pointer, pointer], returns: i32 },
  setsockopt: { args: [i32, i32, i32, pointer, u32], returns: i32 },
  recv: { args: [i32, pointer, u64, i32], returns: i32 },
  send: { args: [i32, pointer, u64, i32], returns: i32 },
  sendmsg: { args: [i32, pointer, i32], returns: i32 },
  shutdown: { args: [i32, i32], returns: i32 },
  close: { args: [i32], returns: i32 },
  epoll_create1: { args: [i32], returns: i32 },
  epoll_ctl: { args: [i32, i32, i32, pointer], returns: i32 },
  usleep: { args: [u32], returns: i32 },
  epoll_wait: { args: [i32, pointer, i32, i32], returns: i32 },
} as const;

export const sys = openLibc(CALLS);

const ERROR_NAMES = new Map(Object.entries(constants.errno).map(([name, code]) => [code, name]));

/** "ECONNREFUSED" */
export function errorName(code: number): string {
  return ERROR_NAMES.get(code) ?? `errno ${code}`;
}

export const SOCK_STREAM = 1;
export const SOCK_FLAGS = 0o4000 | 0o2000000; // SOCK_NONBLOCK | SOCK_CLOEXEC
export const SOL_SOCKET = 1;
export const SO_ERROR = 4;
export const SO_KEEPALIVE = 9;
export const SO_LINGER = 13;
export const IPPROTO_TCP = 6;
export const TCP_NODELAY = 1;
export const TCP_KEEPIDLE = 4;
export const TCP_CONGESTION = 13;
export const MSG_NOSIGNAL = 0x4000;
export const SHUT_WR = 1;
export const EPOLL_CLOEXEC = 0o2000000;
export const EPOLL_CTL_ADD = 1;
export const EPOLL_CTL_DEL = 2;
export const EPOLL_CTL_MOD = 3;
export const EPOLLIN = 1;
export const EPOLLOUT = 4;
export const EPOLLERR = 8;
export const EPOLLHUP = 16;
export const EPOLLRDHUP = 0x2000;
export const EPOLLET = 1 << 31;

/**
 * Integers that the calls may read and write at `at` for as long as the program runs. The buffer is
 * asked for by name: the engine keeps small arrays without one in memory that it moves and frees.
 */
export function permanent(count: number): { readonly view: Int32Array; readonly at: Pointer } {
  const view = new Int32Array(new ArrayBuffer(4 * count));
  kept.push(view);
  return { view, at: ptr(view) };
}

/** Writes an address or a length as 64 bits into two cells. */
export function putWord(view: Int32Array, cell: number, value: number): void {
  view[cell] = value | 0;
  view[cell + 1] = value / 2 ** 32;
}

/** Without a reference from here they would be collected: the calls know only numbers. */
const kept: Int32Array[] = [];
