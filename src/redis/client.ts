/**
 * A Redis client for the control side: one connection, commands awaited one by one or in pipelines.
 * RESP2 only, no reconnecting, no queue while connecting. Used by the dashboard, the migration and
 * the command line; the data plane has its own connections and never comes here.
 *
 * A reply of type error is thrown as `ReplyError` by `call`, and is a value in `pipeline`. Trouble
 * of the connection is a `ConnectionError`: the outcome of commands under way is then unknown.
 */
import { parseAddress } from "../lib/address.ts";
import { connectTrouble, messageOf } from "../lib/operator-error.ts";
import { type Reply, ReplyDecoder, ReplyError } from "../resp/value.ts";
import { encodeCommand } from "./encode.ts";
import { KNOWS_NO_USERS } from "./login.ts";

export type Argument = string | number | Uint8Array;

/** The server could not be reached, hung up, or did not answer in time. */
export class ConnectionError extends Error {
  override readonly name = "ConnectionError";
}

export interface ConnectOptions {
  /** Empty: not authenticated. */
  readonly password?: string;
  /** Empty: the password alone. */
  readonly username?: string;
  readonly database?: number;
  /** Given to CLIENT SETNAME when not empty; a refusal is ignored. */
  readonly name?: string;
  readonly connectTimeoutMs?: number;
  /** For each call that does not say otherwise. */
  readonly callTimeoutMs?: number;
  /** Bulk strings as bytes instead of text. */
  readonly bytes?: boolean;
}

const CONNECT_TIMEOUT_MS = 3_000;
const CALL_TIMEOUT_MS = 5_000;
const ANSWERED_KEPT = 1_000;

/** Replies are given to the oldest of these until it has as many as it sent commands. */
interface Waiting {
  readonly count: number;
  readonly replies: Reply[];
  readonly resolve: (replies: Reply[]) => void;
  readonly reject: (error: ConnectionError) => void;
  readonly timeoutMs: number;
  readonly deadline: number;
  readonly what: string; // the first command, for the error
}

export class RedisClient {
  /** Unset while nobody listens for messages that were not asked for (SUBSCRIBE). */
  onMessage: ((message: Reply) => void) | null = null;
  readonly closed: Promise<void>;
  #socket: Bun.Socket | null = null;
  #output: Buffer[] = [];
  #waiting: Waiting[] = [];
  #oldest = 0; // those before it in #waiting are answered
  #timer: Timer | null = null;
  #timerAt = Infinity;
  readonly #decoder: ReplyDecoder;
  readonly #callTimeoutMs: number;
  #trouble: ConnectionError | null = null;
  #onClosed: () => void = () => {};

  private constructor(
    readonly address: string,
    options: ConnectOptions,
  ) {
    this.#decoder = new ReplyDecoder(options.bytes ? "bytes" : "text");
    this.#callTimeoutMs = options.callTimeoutMs ?? CALL_TIMEOUT_MS;
    this.closed = new Promise((resolve) => {
      this.#onClosed = resolve;
    });
  }

  /** Connects, authenticates and selects. Throws `ConnectionError` or `ReplyError`. */
  static async connect(address: string, options: ConnectOptions = {}): Promise<RedisClient> {
    const client = new RedisClient(address, options);
    await client.#open(options.connectTimeoutMs ?? CONNECT_TIMEOUT_MS);
    try {
      const { password = "", username = "", database = 0, name = "" } = options;
      await client.#logIn(username, password);
      if (database !== 0) await client.call(["SELECT", database]);
      if (name !== "") await client.pipeline([["CLIENT", "SETNAME", name]]);
      return client;
    } catch (error) {
      client.close();
      throw error;
    }
  }

  get isOpen(): boolean {
    return this.#socket !== null && this.#trouble === null;
  }

  /** One command. A late reply closes the connection, since nobody could tell it from the next. */
  async call(command: readonly Argument[], timeoutMs?: number): Promise<Reply> {
    const [reply] = await this.#send([command], timeoutMs ?? this.#callTimeoutMs);
    if (reply instanceof ReplyError) throw reply;
    return reply;
  }

  /** All commands in one write; replies in order, errors among them as values. */
  async pipeline(commands: readonly (readonly Argument[])[], timeoutMs?: number): Promise<Reply[]> {
    if (commands.length === 0) return [];
    return await this.#send(commands, timeoutMs ?? this.#callTimeoutMs);
  }

  close(): void {
    this.#fail(new ConnectionError(`the connection to ${this.address} was closed`));
  }

  [Symbol.dispose](): void {
    this.close();
  }

  async #open(timeoutMs: number): Promise<void> {
    const place = parseAddress(this.address);
    if (place === null) throw new ConnectionError(`${this.address} is not host:port`);
    const late = Promise.withResolvers<never>();
    const timer = setTimeout(() => {
      late.reject(new ConnectionError(`${this.address} did not accept within ${timeoutMs} ms`));
    }, timeoutMs);
    const connecting = Bun.connect({
      hostname: place.host === "" ? "127.0.0.1" : place.host,
      port: place.port,
      socket: {
        data: (_, chunk) => this.#onData(chunk),
        drain: () => this.#flush(),
        close: () => this.#fail(new ConnectionError(`${this.address} closed the connection`)),
        end: () => this.#fail(new ConnectionError(`${this.address} closed the connection`)),
        error: (_, error) => this.#fail(new ConnectionError(`${this.address}: ${error.message}`)),
      },
    });
    try {
      this.#socket = await Promise.race([connecting, late.promise]);
    } catch (error) {
      // A connection that comes too late must not stay open.
      connecting.then((socket) => socket.terminate()).catch(() => {});
      if (error instanceof ConnectionError) throw error;
      throw new ConnectionError(`${this.address} cannot be reached: ${connectTrouble(error)}`);
    } finally {
      clearTimeout(timer);
    }
  }

  async #logIn(username: string, password: string): Promise<void> {
    try {
      if (username !== "") await this.call(["AUTH", username, password]);
      else if (password !== "") await this.call(["AUTH", password]);
    } catch (error) {
      if (username === "" || !KNOWS_NO_USERS.test(messageOf(error))) throw error;
      await this.#logIn("", password);
    }
  }

  #send(commands: readonly (readonly Argument[])[], timeoutMs: number): Promise<Reply[]> {
    if (this.#trouble !== null) return Promise.reject(this.#trouble);
    return new Promise((resolve, reject) => {
      const deadline = performance.now() + timeoutMs;
      this.#waiting.push({
        ...{ count: commands.length, replies: [], resolve, reject },
        ...{ timeoutMs, deadline, what: String(commands[0][0]) },
      });
      if (deadline < this.#timerAt) this.#armTimer(deadline);
      for (const command of commands) this.#output.push(encodeCommand(command));
      // One write for all that is sent in this turn.
      if (this.#output.length === commands.length) queueMicrotask(() => this.#flush());
    });
  }

  /** One timer for all that waits. It goes off too early when what it was for is answered. */
  #armTimer(at: number): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timerAt = at;
    this.#timer = setTimeout(() => this.#onTimer(), Math.max(1, at - performance.now()));
  }

  #onTimer(): void {
    this.#timer = null;
    this.#timerAt = Infinity;
    const now = performance.now();
    let next = Infinity;
    for (let i = this.#oldest; i < this.#waiting.length; i++) {
      const { deadline, timeoutMs, what } = this.#waiting[i];
      if (deadline <= now) {
        const trouble = `did not answer ${what} within ${timeoutMs} ms`;
        this.#fail(new ConnectionError(`${this.address} ${trouble}`));
        return;
      }
      next = Math.min(next, deadline);
    }
    if (next < Infinity) this.#armTimer(next);
  }

  #flush(): void {
    if (this.#socket === null || this.#output.length === 0) return;
    const bytes = this.#output.length === 1 ? this.#output[0] : Buffer.concat(this.#output);
    const taken = Math.max(0, this.#socket.write(bytes));
    this.#output = taken < bytes.length ? [bytes.subarray(taken)] : [];
  }

  #onData(chunk: Uint8Array): void {
    try {
      this.#decoder.feed(chunk);
      for (let reply = this.#decoder.next(); reply !== undefined; reply = this.#decoder.next()) {
        if (this.#oldest === this.#waiting.length) this.onMessage?.(reply);
        else this.#answer(reply);
      }
    } catch (error) {
      this.#fail(new ConnectionError(`${this.address} does not speak RESP: ${messageOf(error)}`));
    }
  }

  #answer(reply: Reply): void {
    const waiting = this.#waiting[this.#oldest];
    waiting.replies.push(reply);
    if (waiting.replies.length < waiting.count) return;
    this.#oldest++;
    if (this.#oldest === this.#waiting.length || this.#oldest >= ANSWERED_KEPT) {
      this.#waiting.splice(0, this.#oldest);
      this.#oldest = 0;
    }
    waiting.resolve(waiting.replies);
  }

  #fail(error: ConnectionError): void {
    if (this.#trouble !== null) return;
    this.#trouble = error;
    this.#output = [];
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#socket?.terminate();
    const waiting = this.#waiting.slice(this.#oldest);
    this.#waiting = [];
    this.#oldest = 0;
    for (const each of waiting) each.reject(error);
    this.#onClosed();
  }
}
