/**
 * What a session knows about its client besides bytes: the part of `Session` that CLIENT, HELLO and
 * AUTH read and set. Kept apart so that session.ts holds only what moves requests and replies.
 */
import type { Command } from "./commands.ts";
import type { Deferred, LocalSession } from "./local-types.ts";

export abstract class ClientProfile implements LocalSession {
  readonly createdMs = performance.now();
  lastActiveMs = this.createdMs;
  proto: 2 | 3 = 2;
  database = 0;
  name = "";
  libName = "";
  libVersion = "";
  user = "default";
  noEvict = false;
  noTouch = false;
  commandsDone = 0;
  /** The latest command that exists. */
  last: Command | null = null;

  constructor(
    readonly id: number,
    readonly address: string,
    readonly localAddress: string,
    public isAuthorized: boolean,
  ) {}

  get lastCommand(): string {
    return this.last === null ? "" : this.last.name;
  }

  abstract get pendingInputBytes(): number;
  abstract get pendingOutputBytes(): number;
  abstract setDatabase(index: number): void;
  abstract setProtocol(proto: 2 | 3): void;
  abstract closeAfterReplies(): void;
  abstract close(): void;
  abstract defer(): Deferred;
}
