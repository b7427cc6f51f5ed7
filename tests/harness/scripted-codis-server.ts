// A stand-in for codis-server 3.2, which is not installed here: a listener in front of a real
// redis-server that carries out the SLOTS commands itself, as the contract describes them, and
// hands everything else on. All commands of all clients run one after the other, as they would in
// one server. What Redis 3.2 did not have (UNLINK, MEMORY, users, a login in MIGRATE) is unknown.
//
//   await using codis = await startScriptedCodisServer();
//   codis.migrating.add("key");      // "is being migrated": EXEC-WRAPPER refuses writes
//   codis.script = ([name]) => (name === "SLOTSMGRTTAGONE" ? "-IOERR error\r\n" : undefined);
import { decode, ReplyDecoder } from "../../src/resp/value.ts";
import { slotOfKey } from "../../src/model/slot.ts";
import { commandNamed, Flag } from "../../src/proxy/commands.ts";
import { startRedis, type Redis, type RedisOptions } from "./redis.ts";
import { connect, encode, type RespClient } from "./resp-client.ts";

/** Arguments as latin1 text, the name in capitals. What is returned is the reply. */
export type CodisScript = (request: string[]) => string | undefined;

export async function startScriptedCodisServer(
  options: RedisOptions = {},
): Promise<ScriptedCodisServer> {
  return new ScriptedCodisServer(await startRedis(options));
}

const UNKNOWN = new Set(["UNLINK", "MEMORY", "HELLO", "WAITAOF", "FUNCTION"]);

export class ScriptedCodisServer implements AsyncDisposable {
  readonly port: number;
  readonly address: string;
  /** Keys, as latin1 text, that a batch in the background is moving now. */
  readonly migrating = new Set<string>();
  /** Every request, in the order in which they were carried out. */
  readonly requests: string[][] = [];
  script: CodisScript = () => undefined;
  readonly #listener: Bun.TCPSocketListener<Client>;
  #turn: Promise<void> = Promise.resolve();

  constructor(readonly redis: Redis) {
    const server = this;
    this.#listener = Bun.listen<Client>({
      hostname: "127.0.0.1",
      port: 0,
      socket: {
        open(socket) {
          socket.data = new Client(socket, connect(redis.port));
        },
        data(socket, chunk) {
          for (const request of socket.data.requestsIn(chunk))
            server.#enqueue(socket.data, request);
        },
        drain: (socket) => socket.data.flush(),
        close: (socket) => void socket.data.close(),
        error() {},
      },
    });
    this.port = this.#listener.port;
    this.address = `127.0.0.1:${this.port}`;
  }

  /** Requests by name, in capitals. */
  named(name: string): string[][] {
    return this.requests.filter(([each]) => each === name);
  }

  call: Redis["call"] = (...args) => this.redis.call(...args);

  async [Symbol.asyncDispose](): Promise<void> {
    this.#listener.stop(true);
    await this.redis[Symbol.asyncDispose]();
  }

  #enqueue(client: Client, request: string[]): void {
    this.#turn = this.#turn.then(async () => {
      const name = request[0].toUpperCase();
      const args = [name, ...request.slice(1)];
      this.requests.push(args);
      const scripted = this.script(args);
      client.send(scripted ?? (await this.#carryOut(await client.upstream, args)));
    });
    this.#turn = this.#turn.catch((error: unknown) => client.send(`-ERR ${String(error)}\r\n`));
  }

  async #carryOut(redis: RespClient, args: string[]): Promise<string> {
    const [name, ...rest] = args;
    if (UNKNOWN.has(name)) return `-ERR unknown command '${name.toLowerCase()}'\r\n`;
    if (name === "AUTH" && rest.length !== 1) {
      return "-ERR wrong number of arguments for 'auth' command\r\n";
    }
    const isMove = name === "MIGRATE" || name === "EVAL";
    if (isMove && rest.some((word) => /^AUTH2?$/.test(word))) return "-ERR syntax error\r\n";
    if (name === "EVAL") return raw(redis, [name, asOldScript(rest[0]), ...rest.slice(1)]);
    const slots = SLOTS_COMMANDS[name];
    if (slots !== undefined) return slots({ redis, server: this }, rest);
    if (name === "COMMAND" && rest[0]?.toUpperCase() === "INFO") {
      return list(rest.slice(1).map((each) => this.#commandInfo(each)));
    }
    const reply = await raw(redis, args);
    return name === "INFO" ? bulk(asOldVersion(reply)) : reply;
  }

  #commandInfo(name: string): string {
    const isOurs = SLOTS_COMMANDS[name.toUpperCase()] !== undefined;
    return isOurs
      ? list([bulk(name), ":-1\r\n", "*0\r\n", ":0\r\n", ":0\r\n", ":0\r\n"])
      : "*-1\r\n";
  }
}

class Client {
  readonly #decoder = new ReplyDecoder("bytes");
  #output = Buffer.alloc(0);

  constructor(
    readonly socket: Bun.Socket<Client>,
    readonly upstream: Promise<RespClient>,
  ) {}

  *requestsIn(chunk: Buffer): Iterable<string[]> {
    this.#decoder.feed(chunk);
    for (let next = this.#decoder.next(); next !== undefined; next = this.#decoder.next()) {
      yield (next as Uint8Array[]).map((each) => Buffer.from(each).latin1Slice());
    }
  }

  send(latin1: string): void {
    this.#output = Buffer.concat([this.#output, Buffer.from(latin1, "latin1")]);
    this.flush();
  }

  flush(): void {
    const taken = this.socket.write(this.#output);
    if (taken > 0) this.#output = this.#output.subarray(taken);
  }

  async close(): Promise<void> {
    (await this.upstream).close();
  }
}

interface Context {
  readonly redis: RespClient;
  readonly server: ScriptedCodisServer;
}

type SlotsCommand = (context: Context, args: string[]) => Promise<string> | string;

const SLOTS_COMMANDS: Readonly<Record<string, SlotsCommand>> = {
  SLOTSHASHKEY: (_, keys) => list(keys.map((key) => `:${slotOfText(key)}\r\n`)),
  SLOTSINFO: async ({ redis }, [start = "0", count = "1024"]) => {
    const end = Number(start) + Number(count);
    const found = [...(await keysBySlot(redis))].filter(([slot]) => slot >= Number(start));
    const rows = found.filter(([slot]) => slot < end).sort(([a], [b]) => a - b);
    return list(rows.map(([slot, keys]) => `*2\r\n:${slot}\r\n:${keys.length}\r\n`));
  },
  SLOTSSCAN: async ({ redis }, [slot]) => {
    const keys = await keysOf(redis, slot);
    return list([bulk("0"), list(keys.map(bulk))]);
  },
  SLOTSDEL: async ({ redis }, slots) => {
    for (const slot of slots) await remove(redis, await keysOf(redis, slot));
    return list(slots.map((slot) => `*2\r\n:${slot}\r\n:0\r\n`));
  },
  SLOTSCHECK: () => "+OK\r\n",
  SLOTSRESTORE: async ({ redis }, triples) => {
    for (let i = 0; i < triples.length; i += 3) {
      const reply = await raw(redis, ["RESTORE", ...triples.slice(i, i + 3), "REPLACE"]);
      if (reply.startsWith("-")) return reply;
    }
    return "+OK\r\n";
  },
  SLOTSMGRTONE: ({ redis }, [host, port, , key]) => move(redis, host, port, [key]),
  SLOTSMGRTTAGONE: async ({ redis }, [host, port, , key]) =>
    move(redis, host, port, await groupOf(redis, key)),
  SLOTSMGRTSLOT: async ({ redis }, [host, port, , slot]) =>
    moveSome(redis, host, port, slot, (keys) => keys.slice(0, 1)),
  SLOTSMGRTTAGSLOT: async ({ redis }, [host, port, , slot]) =>
    moveSome(redis, host, port, slot, (keys) => keys.filter((each) => sameTag(each, keys[0]))),
  "SLOTSMGRTTAGSLOT-ASYNC": async ({ redis }, [host, port, , , , slot, count]) => {
    const before = (await keysOf(redis, slot)).length;
    const moved = await moveSome(redis, host, port, slot, (keys) => keys.slice(0, Number(count)));
    // The size is taken before what was moved is removed.
    return moved.startsWith("*2") ? moved.replace(/:\d+\r\n$/, `:${before}\r\n`) : moved;
  },
  "SLOTSMGRT-ASYNC-FENCE": () => "+OK\r\n",
  "SLOTSMGRT-ASYNC-CANCEL": () => ":0\r\n",
  "SLOTSMGRT-ASYNC-STATUS": () => "*-1\r\n",
  "SLOTSMGRT-EXEC-WRAPPER": async ({ redis, server }, [key, ...command]) => {
    if ((await redis.call("EXISTS", Buffer.from(key, "latin1"))) !== 1) {
      return "*2\r\n:0\r\n-ERR the specified key doesn't exist\r\n";
    }
    const flags = commandNamed(command[0].toLowerCase())?.flags ?? 0;
    if (server.migrating.has(key) && (flags & Flag.READONLY) === 0) {
      return "*2\r\n:1\r\n-ERR the specified key is being migrated\r\n";
    }
    return `*2\r\n:2\r\n${await raw(redis, command)}`;
  },
};

function slotOfText(key: string): number {
  return slotOfKey(Buffer.from(key, "latin1"));
}

async function keysBySlot(redis: RespClient): Promise<Map<number, string[]>> {
  const bytes = Buffer.from(await raw(redis, ["KEYS", "*"]), "latin1");
  const keys = decode(bytes, 0, "bytes")?.value as Uint8Array[];
  return Map.groupBy(keys.map((key) => Buffer.from(key).latin1Slice()).sort(), (key) =>
    slotOfText(key),
  );
}

async function keysOf(redis: RespClient, slot: string): Promise<string[]> {
  return (await keysBySlot(redis)).get(Number(slot)) ?? [];
}

function tagOf(key: string): string | null {
  const open = key.indexOf("{");
  const close = key.indexOf("}", open);
  return open >= 0 && close > open ? key.slice(open + 1, close) : null;
}

function sameTag(one: string, other: string): boolean {
  return one === other || (tagOf(one) !== null && tagOf(one) === tagOf(other));
}

/** The key, if it is there, and all that share its tag. */
async function groupOf(redis: RespClient, key: string): Promise<string[]> {
  const keys = (await keysBySlot(redis)).get(slotOfText(key)) ?? [];
  return keys.filter((each) => sameTag(each, key));
}

async function moveSome(
  redis: RespClient,
  host: string,
  port: string,
  slot: string,
  choose: (keys: string[]) => string[],
): Promise<string> {
  const moved = await move(redis, host, port, choose(await keysOf(redis, slot)));
  const left = (await keysOf(redis, slot)).length;
  return moved.startsWith("-") ? moved : `*2\r\n${moved}:${left}\r\n`;
}

/** With SLOTSRESTORE on the other side, which replaces what it finds there. */
async function move(
  redis: RespClient,
  host: string,
  port: string,
  keys: string[],
): Promise<string> {
  if (keys.length === 0) return ":0\r\n";
  const target = await connect(Number(port), { hostname: host }).catch(() => null);
  if (target === null || !target.isOpen)
    return "-IOERR error or timeout connecting to the client\r\n";
  using _closing = target;
  const database = /\bdb=(\d+)/.exec(
    String(await redis.call("CLIENT", "LIST", "ID", await idOf(redis))),
  );
  await target.call("SELECT", database?.[1] ?? "0");
  const triples: (string | Buffer)[] = [];
  for (const key of keys) {
    const dump = decode(Buffer.from(await raw(redis, ["DUMP", key]), "latin1"), 0, "bytes")?.value;
    const ttl = Number(await redis.call("PTTL", Buffer.from(key, "latin1")));
    triples.push(Buffer.from(key, "latin1"), String(Math.max(0, ttl)), Buffer.from(dump as Buffer));
  }
  const reply = await target.call("SLOTSRESTORE", ...triples);
  if (reply !== "OK") return "-ERR error on slotsrestore, migration failed\r\n";
  await remove(redis, keys);
  return `:${keys.length}\r\n`;
}

async function idOf(redis: RespClient): Promise<string> {
  return String(await redis.call("CLIENT", "ID"));
}

async function remove(redis: RespClient, keys: string[]): Promise<void> {
  if (keys.length > 0) await raw(redis, ["DEL", ...keys]);
}

/** The bytes of the reply; arguments are latin1 text. */
async function raw(redis: RespClient, args: string[]): Promise<string> {
  redis.send(encode(...args.map((each) => Buffer.from(each, "latin1"))));
  return redis.readRaw();
}

/** A script that calls MEMORY gets an error from it, as from any unknown command. */
function asOldScript(script: string): string {
  return script.replaceAll("'MEMORY'", "'NOMEMORY'");
}

function asOldVersion(reply: string): string {
  const text = reply.slice(reply.indexOf("\n") + 1, -2);
  return text.replace(/redis_version:.*/, "redis_version:3.2.11");
}

function bulk(latin1: string): string {
  return `$${latin1.length}\r\n${latin1}\r\n`;
}

function list(replies: string[]): string {
  return `*${replies.length}\r\n${replies.join("")}`;
}
