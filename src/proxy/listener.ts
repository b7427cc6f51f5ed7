/**
 * Accepts clients on the inherited socket, keeps the sessions, and gives them their clock.
 *
 * The parent holds the same socket (`listen-fd.ts`); this worker only accepts from it. A client
 * over the limit, or one that comes before the proxy is online, gets one error line and is closed.
 * An exception in a handler is our bug: it ends that connection, is logged, and nothing else.
 */
import { localAddressOf, NativeListener } from "../net/native-listener.ts";
import { NativeSocket } from "../net/native-socket.ts";
import { E } from "./errors.ts";
import { LISTEN_FD } from "./ipc.ts";
import { Session } from "./session.ts";
import type { SessionContext } from "./session-context.ts";

/** Sessions by state of the world: changed by the worker, read for every new client. */
export interface Admission {
  isOnline: boolean;
  /** May one more client be served? `alive` are those of this worker. */
  hasRoom(alive: number): boolean;
  onCount(alive: number): void;
}

export class Listener {
  readonly sessions = new Map<number, Session>();
  #nextId: number;
  #door: NativeListener | null = null;

  constructor(
    readonly context: SessionContext,
    readonly admission: Admission,
    idBase: number,
  ) {
    this.#nextId = idBase + 1;
  }

  accept(): void {
    this.#door = new NativeListener(this.context.poller, LISTEN_FD, (fd, address) => {
      this.#onOpen(fd, address);
    });
  }

  stop(): void {
    this.#door?.close();
    this.#door = null;
  }

  #onOpen(fd: number, address: string): void {
    const { stats, settings, poller } = this.context;
    const socket = new NativeSocket(poller, fd, null, false);
    stats.sessionsTotal++;
    if (!this.admission.hasRoom(this.sessions.size)) {
      stats.counters.rejectedMaxClients++;
      this.#refuse(socket, E.maxClients);
    } else if (!this.admission.isOnline) {
      stats.counters.rejectedNotOnline++;
      this.#refuse(socket, E.notOnline);
    } else {
      if (settings.keepaliveMs > 0) socket.setKeepAlive(settings.keepaliveMs);
      const id = this.#nextId++;
      const session = new Session(socket, id, address, localAddressOf(fd), this.context);
      socket.handler = session;
      this.sessions.set(id, session);
      this.#count();
    }
  }

  #refuse(socket: NativeSocket, error: Buffer): void {
    socket.write(error, 0, error.length);
    socket.end();
  }

  /** Called by sessions when they end. */
  forget(session: Session): void {
    this.sessions.delete(session.id);
    this.#count();
  }

  #count(): void {
    this.context.stats.sessionsAlive = this.sessions.size;
    this.admission.onCount(this.sessions.size);
  }

  onSweep(nowMs: number): void {
    for (const session of this.sessions.values()) session.onSweep(nowMs);
  }

  /** What has been read is answered, and no more. */
  stopReading(): void {
    for (const session of this.sessions.values()) session.closeAfterReplies();
  }

  /** Ends the sessions that owe nobody a reply; says how many are left. */
  closeIdle(): number {
    for (const session of this.sessions.values()) {
      if (session.pending === 0 && session.pendingOutputBytes === 0) session.close();
    }
    return this.sessions.size;
  }
}
