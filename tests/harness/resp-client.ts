// A client that does exactly what a test says: it sends the bytes it is given, when it is told, and
// shows the replies as decoded values or as the raw bytes that arrived.
//
//   using client = await connect(proxy.port);
//   await client.call("GET", "key");                 // one request, its decoded reply
//   client.send("*1\r\n$4\r\nPI"); client.send("NG\r\n"); await client.readRaw();
import { decode, ReplyDecoder, ReplyError, type Reply } from "../../src/resp/value.ts";

export type Argument = string | Uint8Array | number;

const READ_TIMEOUT_MS = 20_000;

export interface ConnectOptions {
  readonly hostname?: string;
  /** How long read() waits before it gives up. */
  readonly readTimeoutMs?: number;
}

export async function connect(port: number, options: ConnectOptions = {}): Promise<RespClient> {
  const client = new RespClient(options.readTimeoutMs ?? READ_TIMEOUT_MS);
  await Bun.connect({
    hostname: options.hostname ?? "127.0.0.1",
    port,
    allowHalfOpen: true,
    socket: {
      open: (socket) => client.opened(socket),
      data: (_socket, chunk) => client.arrived(chunk),
      drain: () => client.drained(),
      end: () => client.peerEnded(),
      close: (_socket, error) => client.closed(error),
      error() {},
      connectError() {},
    },
  });
  return client;
}

/** Does nobody take connections there any more? */
export async function isRefused(port: number): Promise<boolean> {
  return await connect(port).then(
    (client) => (client.reset(), false),
    () => true,
  );
}

/** A request as clients send it: an array of bulk strings. Strings are UTF-8. */
export function encode(...args: Argument[]): Buffer {
  const parts: Uint8Array[] = [Buffer.from(`*${args.length}\r\n`)];
  for (const arg of args) {
    const bytes = arg instanceof Uint8Array ? arg : Buffer.from(String(arg));
    parts.push(Buffer.from(`$${bytes.length}\r\n`), bytes, Buffer.from("\r\n"));
  }
  return Buffer.concat(parts);
}

/** Decodes the one reply that `reply` must be, for comparing literal bytes in a test. */
export function decodeOne(reply: Uint8Array | string): Reply {
  const bytes = Buffer.from(reply as string, "latin1");
  const decoded = decode(bytes);
  if (decoded === null || decoded.end !== bytes.length) throw new Error("not one whole reply");
  return decoded.value;
}

export class RespClient implements Disposable {
  /** False once the connection is gone, whoever closed it. */
  isOpen = false;
  /** True when the other side said that it sends no more. */
  hasEnded = false;
  #socket: Bun.Socket | null = null;
  #readTimeoutMs: number;
  #input = Buffer.alloc(4096); // received and not yet read: #input[#start, #end)
  #start = 0;
  #end = 0;
  #decoder = new ReplyDecoder(); // gets the same bytes
  #received = 0; // bytes, since the begin
  #readBytes = 0; // of these, those before #start
  #lastError = "none"; // the error reply that may say why the connection ends
  #closedBy = "an orderly end";
  #output: Uint8Array[] = []; // not yet taken by the kernel
  #wake: (() => void)[] = []; // whoever waits for something to happen

  constructor(readTimeoutMs: number) {
    this.#readTimeoutMs = readTimeoutMs;
  }

  /** Sends as much as the kernel takes now and the rest when it can; strings are latin1. */
  send(bytes: Uint8Array | string): void {
    const copy = Buffer.from(bytes as string, "latin1");
    this.#output.push(copy);
    if (this.#output.length === 1) this.#flush();
  }

  /** Sends the bytes one by one, each in a packet and a turn of the event loop of its own. */
  async sendByteByByte(bytes: Uint8Array | string): Promise<void> {
    const all = Buffer.from(bytes as string, "latin1");
    for (let i = 0; i < all.length; i++) {
      this.send(all.subarray(i, i + 1));
      await new Promise<void>((resolve) => setImmediate(resolve));
    }
  }

  /** One request and its reply. Not to be mixed with replies of send() that were not read. */
  async call(...args: Argument[]): Promise<Reply> {
    this.send(encode(...args));
    return this.read();
  }

  /** Several requests in one packet; their replies in order. */
  async pipeline(requests: Argument[][]): Promise<Reply[]> {
    this.send(Buffer.concat(requests.map((args) => encode(...args))));
    const replies: Reply[] = [];
    while (replies.length < requests.length) replies.push(await this.read());
    return replies;
  }

  async read(): Promise<Reply> {
    const value = await this.#next();
    if (value instanceof ReplyError) this.#lastError = value.message;
    this.#take(this.#decoder.consumedBytes - this.#readBytes);
    return value;
  }

  /** The bytes of the next whole reply, as latin1 text. */
  async readRaw(): Promise<string> {
    await this.#next();
    return this.#take(this.#decoder.consumedBytes - this.#readBytes);
  }

  /** All bytes up to the end of the stream, as latin1 text. */
  async readToEnd(): Promise<string> {
    await this.#wait(() => this.hasEnded || !this.isOpen, "the end of the stream");
    return this.#take(this.unreadBytes);
  }

  /** Resolves when the other side has closed or reset the connection. */
  async waitForEnd(): Promise<void> {
    await this.#wait(() => this.hasEnded || !this.isOpen, "the end of the connection");
  }

  /** Bytes received and not yet read by the test. */
  get unreadBytes(): number {
    return this.#end - this.#start;
  }

  /** Bytes given to send() that the kernel has not taken: the other side does not read. */
  get unsentBytes(): number {
    return this.#output.reduce((sum, bytes) => sum + bytes.length, 0);
  }

  /** Stops reading, so that the other side finds its buffers full: a slow reader. */
  pause(): void {
    this.#socket?.pause();
  }

  resume(): void {
    this.#socket?.resume();
  }

  /** Closes our side for writing; replies still arrive. */
  shutdown(): void {
    this.#socket?.shutdown();
  }

  /** An orderly close of both directions. */
  close(): void {
    this.#socket?.end();
  }

  /** An abrupt close: the other side gets a reset. */
  reset(): void {
    this.#socket?.terminate();
  }

  [Symbol.dispose](): void {
    this.reset();
  }

  // Called by the socket.

  opened(socket: Bun.Socket): void {
    this.#socket = socket;
    this.isOpen = true;
  }

  arrived(chunk: Buffer): void {
    this.#reserve(chunk.length);
    chunk.copy(this.#input, this.#end);
    this.#end += chunk.length;
    this.#received += chunk.length;
    this.#decoder.feed(chunk);
    this.#notify();
  }

  drained(): void {
    this.#flush();
  }

  peerEnded(): void {
    this.hasEnded = true;
    this.#notify();
  }

  closed(error?: Error): void {
    if (error !== undefined) this.#closedBy = error.message;
    this.isOpen = false;
    this.#notify();
  }

  async #next(): Promise<Reply> {
    for (;;) {
      const value = this.#decoder.next();
      if (value !== undefined) return value;
      if (this.hasEnded || !this.isOpen) throw new Error(this.#endedText());
      const before = this.#received;
      await this.#wait(() => this.#received > before || this.hasEnded || !this.isOpen, "a reply");
    }
  }

  /** The next bytes as latin1 text; they count as read. */
  #take(count: number): string {
    const text = this.#input.toString("latin1", this.#start, this.#start + count);
    this.#start += count;
    this.#readBytes += count;
    return text;
  }

  #endedText(): string {
    const rest = JSON.stringify(
      this.#input.toString("latin1", this.#start, this.#end).slice(0, 200),
    );
    return (
      `the connection ended while a reply was awaited (last error reply: ${this.#lastError}; ` +
      `closed by: ${this.#closedBy}); unread bytes: ${rest}`
    );
  }

  #wait(condition: () => boolean, what: string): Promise<void> {
    if (condition()) return Promise.resolve();
    return new Promise((resolve, reject) => {
      const late = setTimeout(() => {
        reject(new Error(`no sign of ${what} after ${this.#readTimeoutMs} ms`));
      }, this.#readTimeoutMs);
      const check = (): void => {
        if (!condition()) {
          this.#wake.push(check);
          return;
        }
        clearTimeout(late);
        resolve();
      };
      this.#wake.push(check);
    });
  }

  #notify(): void {
    const waiting = this.#wake;
    this.#wake = [];
    for (const check of waiting) check();
  }

  #flush(): void {
    while (this.#output.length > 0) {
      const head = this.#output[0];
      const taken = this.#socket?.write(head) ?? -1;
      if (taken < 0) {
        this.#output.length = 0;
        return;
      }
      if (taken < head.length) {
        this.#output[0] = head.subarray(taken);
        return;
      }
      this.#output.shift();
    }
  }

  #reserve(bytes: number): void {
    if (this.#end + bytes <= this.#input.length) return;
    const live = this.unreadBytes;
    const size = Math.max(this.#input.length, 2 * (live + bytes));
    const target = size > this.#input.length ? Buffer.alloc(size) : this.#input;
    this.#input.copy(target, 0, this.#start, this.#end);
    this.#input = target;
    this.#start = 0;
    this.#end = live;
  }
}
