// What every connection to a server is given: its settings, and the parts of the worker it touches.
import type { Poller } from "../net/poller.ts";
import type { FenceMemory } from "./fence-memory.ts";
import type { Login } from "./handshake.ts";
import type { Stats } from "./stats.ts";
import type { SlotTraffic } from "./traffic.ts";
import type { Turn } from "./turn.ts";

/** What a connection needs to know; the same for all of them. Times in milliseconds, 0 = never. */
export interface BackendSettings {
  readonly login: Login;
  readonly connectTimeoutMs: number;
  readonly recvTimeoutMs: number;
  readonly sendTimeoutMs: number;
  readonly keepaliveMs: number;
  readonly pingPeriodMs: number;
  /** Bytes taken apart at once, and bytes offered to the kernel at once. */
  readonly recvBytes: number;
  readonly sendBytes: number;
  /** Requests waiting for replies from which on sessions are asked to wait. */
  readonly maxPipeline: number;
}

/** Everything of the worker that a connection touches. */
export interface BackendContext {
  readonly settings: BackendSettings;
  readonly turn: Turn;
  readonly poller: Poller;
  readonly stats: Stats;
  readonly traffic: SlotTraffic;
  readonly fences: FenceMemory;
  log(text: string): void;
}
