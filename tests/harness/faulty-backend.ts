// A listener that plays a Redis server by the test's script: it answers what the test says, late,
// wrong or not at all, and shows which requests arrived.
//
//   await using backend = startFaultyBackend((request, connection) => {
//     if (request[0] === "GET") return "$-1\r\n";
//     if (request[0] === "SET") connection.reset();
//   });
import { ReplyDecoder } from "../../src/resp/value.ts";

/** One request, decoded as text; the name as the client spelled it. */
export type Request = string[];

/** What a script returns is sent as the reply; undefined means the usual reply, or silence. */
export type Script = (request: Request, connection: BackendConnection) => string | undefined | void;

export interface BackendConnection {
  /** 1, 2, 3 ... in the order of arrival. */
  readonly number: number;
  readonly requests: Request[];
  readonly isOpen: boolean;
  send(bytes: string | Uint8Array): void;
  close(): void;
  reset(): void;
  /** Stops reading, so that the other side finds its buffers full. */
  pause(): void;
}

/**
 * What a connection is told when it opens or keeps itself alive; answered unless the script does.
 */
const USUAL_REPLIES: Record<string, string> = {
  PING: "+PONG\r\n",
  SELECT: "+OK\r\n",
  AUTH: "+OK\r\n",
  CLIENT: "+OK\r\n",
  SISMEMBER: ":0\r\n", // is this proxy fenced?
  READONLY: "+OK\r\n",
  HELLO: "%2\r\n$6\r\nserver\r\n$5\r\nredis\r\n$5\r\nproto\r\n:3\r\n",
};

export function startFaultyBackend(script: Script = () => undefined, port = 0): FaultyBackend {
  return new FaultyBackend(script, port);
}

export class FaultyBackend implements AsyncDisposable {
  readonly port: number;
  readonly address: string;
  readonly connections: BackendConnection[] = [];
  script: Script;
  #listener: Bun.TCPSocketListener<Connection> | null;

  constructor(script: Script, port: number) {
    this.script = script;
    this.#listener = this.#listen(port);
    this.port = this.#listener.port;
    this.address = `127.0.0.1:${this.port}`;
  }

  /** Every request of every connection, in the order of arrival within each. */
  get requests(): Request[] {
    return this.connections.flatMap((connection) => connection.requests);
  }

  /** Requests that are not part of opening or keeping a connection. */
  get dataRequests(): Request[] {
    return this.requests.filter(([name]) => USUAL_REPLIES[name.toUpperCase()] === undefined);
  }

  get openConnections(): BackendConnection[] {
    return this.connections.filter((connection) => connection.isOpen);
  }

  /** Refuses new connections and resets those that are open: the server is gone. */
  goDown(): void {
    this.#listener?.stop(true);
    this.#listener = null;
    for (const connection of this.openConnections) connection.reset();
  }

  comeBack(): void {
    this.#listener ??= this.#listen(this.port);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.goDown();
  }

  #listen(port: number): Bun.TCPSocketListener<Connection> {
    const backend = this;
    return Bun.listen<Connection>({
      hostname: "127.0.0.1",
      port,
      socket: {
        open(socket) {
          socket.data = new Connection(socket, backend.connections.length + 1);
          backend.connections.push(socket.data);
        },
        data: (socket, chunk) => socket.data.arrived(chunk, backend.script),
        drain: (socket) => socket.data.flush(),
        close(socket) {
          socket.data.isOpen = false;
        },
        error(_socket, error) {
          throw error;
        },
      },
    });
  }
}

class Connection implements BackendConnection {
  readonly number: number;
  readonly requests: Request[] = [];
  isOpen = true;
  #socket: Bun.Socket<Connection>;
  #decoder = new ReplyDecoder(); // a request has the form of a reply: an array of bulk strings
  #output = Buffer.alloc(0);

  constructor(socket: Bun.Socket<Connection>, number: number) {
    this.#socket = socket;
    this.number = number;
  }

  arrived(chunk: Buffer, script: Script): void {
    this.#decoder.feed(chunk);
    for (;;) {
      const request = this.#decoder.next() as Request | undefined;
      if (request === undefined) return;
      this.requests.push(request);
      const reply = script(request, this) ?? USUAL_REPLIES[request[0].toUpperCase()];
      if (reply !== undefined) this.send(reply);
    }
  }

  send(bytes: string | Uint8Array): void {
    this.#output = Buffer.concat([this.#output, Buffer.from(bytes as string, "latin1")]);
    this.flush();
  }

  flush(): void {
    const taken = this.#socket.write(this.#output);
    if (taken > 0) this.#output = this.#output.subarray(taken);
  }

  close(): void {
    this.#socket.end();
  }

  reset(): void {
    this.#socket.terminate();
  }

  pause(): void {
    this.#socket.pause();
  }
}
