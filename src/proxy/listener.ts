/**
 * Accepts clients on the inherited socket, keeps the sessions, and gives them their clock.
 *
 * The parent holds the same socket (`listen-fd.ts`); this worker only accepts from it. A client
 * over the limit, or one that comes before the proxy is online, gets one error line and is closed.
 * An exception in a handler is our bug: it ends that connection, is logged, and nothing else.
 */
import type { Socket } from "bun";
import { log } from "../lib/log.ts";
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
  #listener: { stop(closeConnections?: boolean): void } | null = null;

  constructor(
    readonly context: SessionContext,
    readonly admission: Admission,
    idBase: number,
  ) {
    this.#nextId = idBase + 1;
  }

  accept(): void {
    this.#listener = Bun.listen<Session | null>({
      // Not used: the socket is bound already.
      hostname: "127.0.0.1",
      port: 0,
      fd: LISTEN_FD,
      allowHalfOpen: true,
      socket: {
        open: (socket) => this.#onOpen(socket),
        data: (socket, chunk) => socket.data?.onData(chunk),
        drain: (socket) => socket.data?.onDrain(),
        end: (socket) => {
          if (socket.data === null || socket.data === undefined) socket.end();
          else socket.data.onEnd();
        },
        close: (socket) => socket.data?.onClose(),
        error: (socket, error) => this.#onError(socket, error),
      },
    });
  }

  stop(): void {
    this.#listener?.stop();
    this.#listener = null;
  }

  #onOpen(socket: Socket<Session | null>): void {
    socket.data = null;
    const { stats, settings } = this.context;
    stats.sessionsTotal++;
    if (!this.admission.hasRoom(this.sessions.size)) {
      stats.counters.rejectedMaxClients++;
      this.#refuse(socket, E.maxClients);
    } else if (!this.admission.isOnline) {
      stats.counters.rejectedNotOnline++;
      this.#refuse(socket, E.notOnline);
    } else {
      if (settings.keepaliveMs > 0) socket.setKeepAlive(true, settings.keepaliveMs);
      this.#begin(socket);
    }
  }

  #begin(socket: Socket<Session | null>): void {
    const address = `${socket.remoteAddress ?? "unix"}:${socket.remotePort ?? 0}`;
    const localAddress = `${socket.localAddress ?? "unix"}:${socket.localPort ?? 0}`;
    const id = this.#nextId++;
    const typed = socket as Socket<Session>;
    const session = new Session(typed, id, address, localAddress, this.context);
    typed.data = session;
    this.sessions.set(id, session);
    this.#count();
  }

  #refuse(socket: Socket<Session | null>, error: Buffer): void {
    socket.write(error, 0, error.length);
    socket.end();
  }

  #onError(socket: Socket<Session | null>, error: Error): void {
    log.error("a client's connection is closed because of a fault of ours", error);
    socket.data?.onClose();
    socket.terminate();
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

  /** Ends the sessions that owe nobody a reply; says how many are left. */
  closeIdle(): number {
    for (const session of this.sessions.values()) {
      if (session.pending === 0 && session.pendingOutputBytes === 0) session.close();
    }
    return this.sessions.size;
  }
}
