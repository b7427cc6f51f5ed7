/**
 * One session with ZooKeeper over one connection at a time, to one of several servers. Requests are
 * sent as they come, without waiting for each other, and answered in order. A connection that is
 * lost is replaced and the session goes on, until a server says that it has expired.
 *
 *     connecting ──▶ connected ──▶ ended           connected ──lost──▶ connecting
 *                       ▲                              (the same session, perhaps another server)
 *
 * A request that only reads is sent again on the next connection; one that changes something and
 * whose answer is lost ends with `OutcomeUnknown`.
 *
 * We speak the protocol ourselves because the library that works here sends one request each
 * millisecond, so that 1024 slots take a second, and cannot tell how sure it is of its session.
 */
import { connect, type Socket } from "node:net";
import { parseAddress } from "../lib/address.ts";
import { messageOf, OperatorError } from "../lib/operator-error.ts";
import { OutcomeUnknown } from "./patience.ts";
import {
  Code,
  codeName,
  Opcode,
  type Operation,
  WireReader,
  WireWriter,
} from "./zookeeper-wire.ts";

const PATIENCE_MS = 6_000;
const SWEEP_MS = 50;
const RECONNECT_PAUSE_MS = 100;
const CLOSE_TIMEOUT_MS = 1_000;
const LONGEST_CONNECT_MS = 2_000;

/** Numbers of what is no request. */
const PING_XID = -2;
const AUTH_XID = -4;
const EVENT_XID = -1;

/** A server understood the request and refused it. */
export class ZookeeperRefusal extends OperatorError {
  constructor(
    readonly code: number,
    message: string,
  ) {
    super(message);
  }
}

export interface SessionOptions {
  /** "host:port" texts with commas between them. */
  readonly address: string;
  /** "user:password" or "". */
  readonly auth: string;
  /** The servers have bounds of their own for it. */
  readonly timeoutMs: number;
}

interface Request {
  readonly operation: Operation;
  readonly isOnce: boolean;
  readonly deadline: number;
  readonly resolve: (reader: WireReader) => void;
  readonly reject: (error: Error) => void;
  sentMs: number;
  isSettled: boolean;
}

export class ZookeeperSession {
  readonly #hosts: readonly string[];
  readonly #options: SessionOptions;
  readonly #ended = Promise.withResolvers<string>();
  #endedWhy = "";
  #socket: Socket | null = null;
  #isConnected = false;
  #input: Buffer = Buffer.alloc(0);
  #waiting: Request[] = []; // not sent yet
  #inFlight: Request[] = []; // sent, in order
  #pingSentMs = 0; // of the ping that is not answered yet, or 0
  #lastSendMs = 0;
  #connectMs = 0; // when the connection was begun
  #hostIndex = 0;
  #trouble = "no connection yet";
  #id = 0n;
  #password: Buffer = Buffer.alloc(16);
  #lastZxid = 0n;
  #timeoutMs: number;
  #goodUntilMs = 0;
  #nextXid = 1;
  #isFlushing = false;
  readonly #sweeper: ReturnType<typeof setInterval>;

  constructor(options: SessionOptions) {
    this.#options = options;
    this.#timeoutMs = options.timeoutMs;
    const hosts = options.address.split(",").map((text) => text.trim());
    this.#hosts = hosts.filter((text) => text !== "");
    this.#sweeper = setInterval(() => this.#sweep(), SWEEP_MS);
    this.#sweeper.unref();
    this.#connect();
  }

  /** Nobody else's; 0 before the first connection. */
  get id(): bigint {
    return this.#id;
  }

  /** As the servers granted it. */
  get timeoutMs(): number {
    return this.#timeoutMs;
  }

  get hasEnded(): boolean {
    return this.#endedWhy !== "";
  }

  /** Why it expired or was closed. */
  get ended(): Promise<string> {
    return this.#ended.promise;
  }

  /** By our clock, which counts from when an answered request was sent: never later than theirs. */
  get isGood(): boolean {
    return !this.hasEnded && performance.now() < this.#goodUntilMs;
  }

  /** A request that may be repeated. */
  read(operation: Operation, patienceMs = PATIENCE_MS): Promise<WireReader> {
    return this.#request(operation, false, patienceMs);
  }

  /** A request that must not be repeated. */
  change(operation: Operation, patienceMs = PATIENCE_MS): Promise<WireReader> {
    return this.#request(operation, true, patienceMs);
  }

  /** Ends the session at the servers too, if they can be reached: its nodes go away at once. */
  async close(): Promise<void> {
    if (this.hasEnded) return;
    const closeSession = { opcode: Opcode.closeSession, body: Buffer.alloc(0), path: "" };
    const closing = this.change(closeSession, CLOSE_TIMEOUT_MS);
    if (this.#isConnected) await closing.catch(() => {});
    else closing.catch(() => {});
    this.#end("it was closed");
  }

  // ------------------------------------------------------------------------------------ requests

  #request(operation: Operation, isOnce: boolean, patienceMs: number): Promise<WireReader> {
    if (this.hasEnded) return Promise.reject(this.#endError());
    return new Promise((resolve, reject) => {
      const deadline = performance.now() + patienceMs;
      const state = { sentMs: 0, isSettled: false };
      this.#waiting.push({ operation, isOnce, deadline, resolve, reject, ...state });
      this.#flushSoon();
    });
  }

  /** All requests of one turn go out with one write. */
  #flushSoon(): void {
    if (this.#isFlushing || !this.#isConnected) return;
    this.#isFlushing = true;
    queueMicrotask(() => {
      this.#isFlushing = false;
      if (!this.#isConnected || this.#waiting.length === 0) return;
      const requests = this.#waiting;
      this.#waiting = [];
      const nowMs = performance.now();
      const frames = requests.map(({ operation: { opcode, body } }) => {
        return frame(new WireWriter().int(this.#nextXid++).int(opcode).raw(body));
      });
      for (const request of requests) request.sentMs = nowMs;
      this.#inFlight.push(...requests);
      this.#send(Buffer.concat(frames));
    });
  }

  #send(bytes: Buffer): void {
    this.#lastSendMs = performance.now();
    this.#socket?.write(bytes);
  }

  /** Deadlines of requests, pings, and a server that does not answer. */
  #sweep(): void {
    const nowMs = performance.now();
    for (const request of [...this.#waiting, ...this.#inFlight]) {
      if (nowMs <= request.deadline || request.isSettled) continue;
      request.isSettled = true;
      request.reject(this.#lateError(request));
    }
    this.#waiting = this.#waiting.filter((request) => !request.isSettled);
    if (!this.#isConnected) {
      const isLate = nowMs - this.#connectMs > this.#connectTimeoutMs();
      if (this.#socket !== null && isLate) this.#drop("it does not answer");
      return;
    }
    const oldestMs = Math.min(
      this.#inFlight.at(0)?.sentMs ?? Infinity,
      this.#pingSentMs === 0 ? Infinity : this.#pingSentMs,
    );
    if (nowMs - oldestMs > (this.#timeoutMs * 2) / 3) return this.#drop("it does not answer");
    const isIdle = nowMs - this.#lastSendMs > this.#timeoutMs / 3;
    if (isIdle && this.#pingSentMs === 0) {
      this.#pingSentMs = nowMs;
      this.#send(frame(new WireWriter().int(PING_XID).int(Opcode.ping)));
    }
  }

  #lateError({ isOnce, sentMs }: Request): Error {
    const what = `ZooKeeper at ${this.#options.address}`;
    if (isOnce && sentMs > 0) return new OutcomeUnknown(`${what} did not answer a change in time`);
    return new OperatorError(`${what} cannot be used: ${this.#trouble}`);
  }

  // --------------------------------------------------------------------------------- connections

  #connect(): void {
    if (this.hasEnded) return;
    const host = this.#hosts[this.#hostIndex++ % this.#hosts.length] ?? "";
    const address = parseAddress(host) ?? { host, port: 2181 };
    this.#connectMs = performance.now();
    this.#input = Buffer.alloc(0);
    const socket = connect({ host: address.host || "127.0.0.1", port: address.port });
    this.#socket = socket;
    socket.setNoDelay(true);
    socket.on("connect", () => socket.write(this.#connectFrame()));
    socket.on("data", (chunk: Buffer) => {
      if (this.#socket === socket) this.#onData(chunk);
    });
    const onEnd = (why: string): void => {
      if (this.#socket === socket) this.#drop(why);
    };
    socket.on("error", (error) => onEnd(`${host}: ${messageOf(error)}`));
    socket.on("close", () => onEnd(`${host} closed the connection`));
  }

  #connectTimeoutMs(): number {
    const share = this.#timeoutMs / (2 * this.#hosts.length);
    return Math.min(LONGEST_CONNECT_MS, Math.max(200, share));
  }

  #connectFrame(): Buffer {
    const body = new WireWriter().int(0).long(this.#lastZxid).int(this.#options.timeoutMs);
    return frame(body.long(this.#id).buffer(this.#password).flag(false));
  }

  /** Gives the connection up and opens another one a little later. */
  #drop(why: string): void {
    this.#trouble = why;
    const socket = this.#socket;
    this.#socket = null;
    this.#isConnected = false;
    this.#pingSentMs = 0;
    socket?.destroy();
    const again: Request[] = [];
    for (const request of this.#inFlight) {
      if (request.isSettled) continue;
      if (!request.isOnce) again.push(request);
      else request.reject(new OutcomeUnknown(`the connection to ZooKeeper was lost (${why})`));
    }
    this.#inFlight = [];
    this.#waiting.unshift(...again);
    if (!this.hasEnded) setTimeout(() => this.#connect(), RECONNECT_PAUSE_MS).unref();
  }

  #onData(chunk: Buffer): void {
    let input = this.#input.length === 0 ? chunk : Buffer.concat([this.#input, chunk]);
    while (input.length >= 4) {
      const end = 4 + input.readInt32BE(0);
      if (input.length < end) break;
      const reader = new WireReader(input.subarray(4, end));
      input = input.subarray(end);
      if (this.#isConnected) this.#onReply(reader);
      else this.#onConnected(reader);
      if (this.#socket === null) return;
    }
    this.#input = input;
  }

  #onConnected(reader: WireReader): void {
    reader.int();
    const timeoutMs = reader.int();
    const id = reader.long();
    const password = Buffer.from(reader.buffer());
    if (timeoutMs <= 0) return this.#end("it expired at ZooKeeper");
    this.#timeoutMs = timeoutMs;
    this.#id = id;
    this.#password = password;
    this.#isConnected = true;
    this.#goodUntilMs = this.#connectMs + timeoutMs;
    if (this.#options.auth !== "") {
      const body = new WireWriter().int(AUTH_XID).int(Opcode.auth).int(0).text("digest");
      this.#send(frame(body.text(this.#options.auth)));
    }
    this.#flushSoon();
  }

  #onReply(reader: WireReader): void {
    const xid = reader.int();
    const zxid = reader.long();
    const code = reader.int();
    if (xid === EVENT_XID) return;
    if (xid === AUTH_XID) {
      if (code !== Code.ok) this.#end("ZooKeeper refused the account");
      return;
    }
    if (zxid > this.#lastZxid) this.#lastZxid = zxid;
    if (xid === PING_XID) {
      this.#goodUntilMs = Math.max(this.#goodUntilMs, this.#pingSentMs + this.#timeoutMs);
      this.#pingSentMs = 0;
      return;
    }
    const request = this.#inFlight.shift();
    if (request === undefined) return this.#drop("it answered what was not asked");
    this.#goodUntilMs = Math.max(this.#goodUntilMs, request.sentMs + this.#timeoutMs);
    if (request.isSettled) return;
    request.isSettled = true;
    if (code === Code.sessionExpired) {
      this.#end("it expired at ZooKeeper");
      request.reject(this.#endError());
    } else if (code === Code.ok) request.resolve(reader);
    else request.reject(refusal(request.operation.path, code));
  }

  #end(why: string): void {
    if (this.hasEnded) return;
    this.#endedWhy = why;
    clearInterval(this.#sweeper);
    this.#drop(why);
    for (const request of this.#waiting) request.reject(this.#endError());
    this.#waiting = [];
    this.#ended.resolve(why);
  }

  #endError(): Error {
    return new SessionEnded(`the session with ZooKeeper has ended: ${this.#endedWhy}`);
  }
}

function refusal(path: string, code: number): ZookeeperRefusal {
  const what = path === "" ? "a request" : path;
  return new ZookeeperRefusal(code, `ZooKeeper refused ${what}: ${codeName(code)}`);
}

/** Nothing was done: the session was over before the request was sent. */
export class SessionEnded extends OperatorError {}

function frame(body: WireWriter): Buffer {
  const bytes = body.bytes();
  return new WireWriter().int(bytes.length).raw(bytes).bytes();
}
