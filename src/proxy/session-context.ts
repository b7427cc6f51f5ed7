/** What all sessions of a worker share. Made by `listener.ts`; types only. */
import type { Poller } from "../net/poller.ts";
import type { ReplyWriter } from "../resp/write.ts";
import type { WorkerServices } from "./local-types.ts";
import type { Router } from "./router.ts";
import type { Session } from "./session.ts";
import type { Stats } from "./stats.ts";
import type { Turn } from "./turn.ts";

/** Limits of a session. Sizes in bytes, times in milliseconds, 0 ms = never. */
export interface SessionSettings {
  readonly auth: string;
  readonly recvBytes: number;
  readonly sendBytes: number;
  readonly recvTimeoutMs: number;
  readonly sendTimeoutMs: number;
  readonly keepaliveMs: number;
  /** Requests in flight from which on the session stops reading. */
  readonly maxPipeline: number;
  readonly maxInputBytes: number;
  readonly maxOutputBytes: number;
  readonly breakOnFailure: boolean;
}

export interface SessionContext {
  readonly settings: SessionSettings;
  readonly turn: Turn;
  readonly poller: Poller;
  readonly stats: Stats;
  readonly router: Router;
  readonly services: WorkerServices;
  /** For the proxy's own replies; empty between two requests. */
  readonly writer: ReplyWriter;
  onSessionClosed(session: Session): void;
}
