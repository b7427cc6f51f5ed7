// Healthy and broken clients share one connection to the server. Whatever the broken ones do, every
// healthy one gets exactly the bytes that its own requests ask for.
import { BUFFER_SIZES } from "../harness/buffer-sizes.ts";
import { owning } from "../harness/owning.ts";
import { startProduct } from "../harness/proxy.ts";
import { Random } from "../harness/random.ts";
import { connect, encode, type RespClient } from "../harness/resp-client.ts";
import { type Fuzzer, mustEqual, type Rounds } from "./fuzzer.ts";
import { brokenStream, value } from "./wire-input.ts";

export const SESSION: Fuzzer = {
  name: "session",
  about: "broken clients do not disturb healthy ones on the same backend connection",
  start,
};

/** One product with the proxy's own buffer sizes, one with tiny ones; each has a single server. */
function start(): Promise<Rounds> {
  return owning(async (stack) => {
    const products = await Promise.all(
      BUFFER_SIZES.map(async ({ config }) => {
        const parallel = { backend_primary_parallel: 1 };
        return stack.use(await startProduct({ groups: 1, config: { ...config, ...parallel } }));
      }),
    );
    return {
      async round(random: Random) {
        const { proxy, servers } = random.pick(products);
        await round(random, proxy.port);
        const clients = String(await servers[0].call("CLIENT", "LIST"));
        const shared = clients.split("\n").filter((line) => / db=0 .* cmd=(?!client)/.test(line));
        // One for each protocol, whatever the number of sessions.
        if (shared.length > 2) throw new Error(`the proxy has several connections:\n${clients}`);
        await servers[0].call("FLUSHALL");
      },
    };
  });
}

/** Each client decides for itself, so that timing changes nothing about what it sends. */
async function round(random: Random, port: number): Promise<void> {
  const proto = random.pick([2, 3] as const);
  const fork = (): Random => new Random(random.below(2 ** 32));
  const healthy = Array.from({ length: 1 + random.below(6) }, (_, i) => {
    return playHealthy(new HealthyClient(fork(), `healthy:${i}`, proto), port);
  });
  const broken = Array.from({ length: 1 + random.below(8) }, () => playBroken(fork(), port, proto));
  const ends = await Promise.allSettled([...healthy, ...broken]);
  for (const end of ends) if (end.status === "rejected") throw end.reason;
}

async function playHealthy(model: HealthyClient, port: number): Promise<void> {
  using client = await connect(port);
  if (model.proto === 3) await client.call("HELLO", 3);
  const batches = 1 + model.random.below(5);
  for (let batch = 0; batch < batches; batch++) {
    const count = 1 + model.random.below(model.random.chance(0.2) ? 300 : 20);
    const requests = Array.from({ length: count }, () => model.next());
    await sendInPieces(model.random, client, Buffer.concat(requests.map((each) => each.bytes)));
    for (const { bytes, reply } of requests) {
      const what = `the reply to ${JSON.stringify(bytes.toString("latin1", 0, 100))}`;
      mustEqual(what, await client.readRaw(), reply);
    }
  }
  mustEqual("the last reply", String(await client.call("ECHO", "the end")), "the end");
  if (client.unreadBytes > 0) throw new Error(`${client.unreadBytes} bytes too many`);
}

async function sendInPieces(random: Random, client: RespClient, bytes: Buffer): Promise<void> {
  for (const piece of random.chance(0.5) ? [bytes] : random.cut(bytes)) {
    if (!client.isOpen || client.hasEnded) return;
    client.send(piece);
    if (random.chance(0.2)) await new Promise((resolve) => setImmediate(resolve));
  }
}

interface Exchange {
  readonly bytes: Buffer;
  /** What must come back, as latin-1 text. */
  readonly reply: string;
}

const bulkOf = (text: string): string => `$${text.length}\r\n${text}\r\n`;

/** Makes up requests to keys of its own and knows what each must be answered. */
class HealthyClient {
  readonly #values = new Map<string, string>();

  constructor(
    readonly random: Random,
    readonly prefix: string,
    readonly proto: 2 | 3,
  ) {}

  next(): Exchange {
    const { random } = this;
    const [key, other, text] = [this.#key(), this.#key(), this.#text()];
    switch (random.below(12)) {
      case 0:
        return this.#exchange(["PING"], "+PONG\r\n");
      case 1:
        return this.#exchange(["ECHO", text], bulkOf(text));
      case 2:
        return this.#exchange(["SET", key], "-ERR wrong number of arguments for 'set' command\r\n");
      case 3:
      case 4:
        return this.#exchange(["SET", key, text], this.#set(key, text));
      case 5: {
        const longer = `${this.#values.get(key) ?? ""}${text.slice(0, 1000)}`;
        this.#set(key, longer);
        return this.#exchange(["APPEND", key, text.slice(0, 1000)], `:${longer.length}\r\n`);
      }
      case 6:
        return this.#exchange(["DEL", key, other], this.#delete(key, other));
      case 7:
        return this.#exchange(["MSET", key, text, other, "x"], this.#set(key, text, other, "x"));
      case 8: {
        const keys = [key, other, this.#key(), key];
        const values = keys.map((each) => this.#get(each)).join("");
        return this.#exchange(["MGET", ...keys], `*4\r\n${values}`);
      }
      case 9: {
        const length = this.#values.get(key)?.length ?? 0;
        return this.#exchange(["STRLEN", key], `:${length}\r\n`);
      }
      default:
        return this.#exchange(["GET", key], this.#get(key));
    }
  }

  #exchange(words: readonly string[], reply: string): Exchange {
    return { bytes: encode(...words.map((word) => Buffer.from(word, "latin1"))), reply };
  }

  #key(): string {
    return `${this.prefix}:${this.random.below(5)}`;
  }

  #text(): string {
    if (!this.random.chance(0.01)) return value(this.random).latin1Slice();
    return "large".repeat(this.random.below(60_000));
  }

  #set(...pairs: string[]): string {
    for (let i = 0; i < pairs.length; i += 2) this.#values.set(pairs[i], pairs[i + 1]);
    return "+OK\r\n";
  }

  #get(key: string): string {
    const text = this.#values.get(key);
    if (text !== undefined) return bulkOf(text);
    return this.proto === 3 ? "_\r\n" : "$-1\r\n";
  }

  #delete(...keys: string[]): string {
    return `:${keys.filter((key) => this.#values.delete(key)).length}\r\n`;
  }
}

/** Sends what no healthy client sends and leaves in one of the ways there are. */
async function playBroken(random: Random, port: number, proto: 2 | 3): Promise<void> {
  using client = await connect(port);
  const isDeaf = random.chance(0.3);
  if (isDeaf) client.pause();
  if (proto === 3) client.send(encode("HELLO", "3"));
  const streams = 1 + random.below(4);
  for (let i = 0; i < streams; i++) {
    await sendInPieces(
      random,
      client,
      brokenStream(random, () => brokenWords(random)),
    );
    if (random.chance(0.2)) client.send(`*3\r\n$3\r\nSET\r\n$5\r\nb:big\r\n$500000000\r\n`);
    if (random.chance(0.1)) client.send(Buffer.alloc(200_000, "SET b:x 1\r\n"));
  }
  const end = random.below(4);
  if (end === 0) client.close();
  else if (end === 1) client.reset();
  else {
    client.shutdown();
    client.resume();
    if (end === 2) await client.waitForEnd();
  }
}

function brokenWords(random: Random): (string | Buffer)[] {
  const key = (): string => `b:${random.below(4)}`;
  if (random.chance(0.3)) return random.pick(HOSTILE).split(" ");
  switch (random.below(6)) {
    case 0:
      return ["SET", key(), value(random)];
    case 1:
      return ["SET", key(), Buffer.alloc(random.below(100_000), "+OK\r\n$-1\r\n")];
    case 2:
      return ["MGET", ...Array.from({ length: random.below(40) }, key)];
    case 3:
      return [
        "MSET",
        key(),
        value(random),
        key(),
        value(random),
        ...(random.chance(0.3) ? ["x"] : []),
      ];
    case 4:
      return ["EVAL", random.pick(SCRIPTS), "1", key()];
    default:
      return ["GET", key()];
  }
}

/** Fatal for a shared connection if they reached it. */
const HOSTILE: readonly string[] = [
  ..."MULTI,EXEC,DISCARD,MONITOR,RESET,QUIT,SYNC,ASKING,READONLY,FLUSHALL,RANDOMKEY".split(","),
  "SUBSCRIBE b:c",
  "PSUBSCRIBE *",
  "SSUBSCRIBE b:c",
  "UNSUBSCRIBE",
  "WATCH b:0",
  "CLIENT REPLY OFF",
  "CLIENT REPLY SKIP",
  "CLIENT TRACKING ON",
  "CLIENT PAUSE 10000",
  "CLIENT SETNAME evil",
  "CLIENT NO-EVICT on",
  "SELECT 1",
  "HELLO 3",
  "HELLO 2",
  "AUTH nobody nothing",
  "BLPOP b:none 0",
  "BRPOPLPUSH b:none b:other 0",
  "BZMPOP 0 1 b:none MIN",
  "XREAD BLOCK 0 STREAMS b:none $",
  "WAIT 1 0",
  "PSYNC ? -1",
  "REPLICAOF NO ONE",
  "SHUTDOWN NOSAVE",
  "DEBUG SLEEP 5",
  "CONFIG SET proto-max-bulk-len 1mb",
  "SCRIPT FLUSH",
  "SWAPDB 0 1",
  "MIGRATE 127.0.0.1 1 b:0 0 1000",
];

const SCRIPTS: readonly string[] = [
  "return redis.call('select', 1)",
  "redis.setresp(3) return {map={a=1}}",
  "return redis.call('subscribe', KEYS[1])",
  "return redis.error_reply('BAD \\r\\n+OK')",
  "return {1, {2, {3, 'x'}}, false}",
  "error('stop')",
];
