// Servers that die and come back while requests run. What a client may rely on: every request gets
// one reply, in order; an acknowledged write is there; an error says what happened.
import { expect } from "bun:test";
import { type Reply, ReplyError } from "../../src/resp/value.ts";
import { startFaultyBackend } from "../harness/faulty-backend.ts";
import { counters } from "../harness/figures.ts";
import { keyOf } from "../harness/keys.ts";
import { ALL_SLOTS, assignSlots, startProxy, type Proxy } from "../harness/proxy.ts";
import { startRedis, type Redis } from "../harness/redis.ts";
import { connect, encode, type RespClient } from "../harness/resp-client.ts";
import { connectMany } from "../harness/sessions.ts";
import { systemTest } from "../harness/system-test.ts";
import { until } from "../harness/until.ts";

const test = systemTest("redis-server");

const DYING = { from: 0, to: 511 };
const STAYING = { from: 512, to: 1023 };

/** Every way in which a request may fail while its server is away. */
const FAILURE = new RegExp(
  "^ERR handle (request, backend conn reset|" +
    "response, backend conn failure, (EOF|ECONNRESET|ECONNREFUSED|EPIPE) \\(.+\\))$",
);

function startOverTwo(dying: Redis, staying: Redis, config = {}): Promise<Proxy> {
  const slots = [
    { addr: dying.address, ...DYING },
    { addr: staying.address, ...STAYING },
  ];
  return startProxy({ config, slots });
}

test("a server killed under load loses no acknowledged write and no reply", async () => {
  await using dying = await startRedis({ durable: true });
  await using staying = await startRedis();
  await using proxy = await startOverTwo(dying, staying);
  using sessions = await connectMany(proxy.port, 10);
  const writers = sessions.clients.map((client, c) => new Writer(client, c));
  const acknowledged = (): number => writers.reduce((sum, writer) => sum + writer.acknowledged, 0);
  for (const writer of writers) void writer.run();
  for (let round = 0; round < 3; round++) {
    const before = acknowledged();
    await until(() => acknowledged() > before + 300);
    await dying.kill();
    const failed = writers.reduce((sum, writer) => sum + writer.failed, 0);
    await until(() => writers.reduce((sum, writer) => sum + writer.failed, 0) > failed + 50);
    await dying.start();
    const killed = writers.map((writer) => writer.acknowledged);
    await until(() => writers.every((writer, i) => writer.acknowledged > killed[i] + 20), {
      what: "every session writes again",
    });
  }
  for (const writer of writers) await writer.stop();
  for (const writer of writers) {
    expect(writer.problems).toEqual([]);
    const list = (await dying.call("LRANGE", writer.key, 0, -1)) as string[];
    expect(isRising(list.map(Number))).toBe(true);
    const kept = new Set(list);
    expect(writer.acknowledgedValues.filter((value) => !kept.has(value))).toEqual([]);
  }
});

/**
 * Appends numbers to a list of its own on the server that dies, between requests that are answered
 * elsewhere: by the proxy itself and by the server that stays. Those show that the replies are in
 * order.
 */
class Writer {
  readonly key: string;
  readonly acknowledgedValues: string[] = [];
  readonly problems: string[] = [];
  failed = 0;
  #isOver = false;
  #next = 0;
  #done: Promise<void> = Promise.resolve();
  readonly #client: RespClient;
  readonly #other: string;

  constructor(client: RespClient, index: number) {
    this.#client = client;
    this.key = keyOf(DYING.from + index);
    this.#other = keyOf(STAYING.from + index);
  }

  get acknowledged(): number {
    return this.acknowledgedValues.length;
  }

  run(): Promise<void> {
    this.#done = this.#run();
    return this.#done;
  }

  async stop(): Promise<void> {
    this.#isOver = true;
    await this.#done;
  }

  async #run(): Promise<void> {
    while (!this.#isOver) {
      const values = Array.from({ length: 5 }, () => String(this.#next++));
      const replies = await this.#client.pipeline(
        values.flatMap((value) => [
          ["RPUSH", this.key, value],
          ["ECHO", value],
          ["SET", this.#other, value],
          ["GET", this.#other],
        ]),
      );
      values.forEach((value, i) => this.#check(value, replies.slice(4 * i, 4 * i + 4)));
    }
  }

  #check(value: string, [pushed, echoed, set, got]: Reply[]): void {
    if (typeof pushed === "number") this.acknowledgedValues.push(value);
    else if (pushed instanceof ReplyError && isRefusal(pushed)) this.failed++;
    else this.problems.push(`RPUSH ${value}: ${String(pushed)}`);
    if (echoed !== value || set !== "OK" || got !== value) {
      this.problems.push(`around ${value}: ${String([echoed, set, got])}`);
    }
  }
}

test("requests fail fast while their server is known to be down; others are served", async () => {
  await using dying = await startRedis();
  await using staying = await startRedis();
  await using proxy = await startOverTwo(dying, staying);
  using client = await connect(proxy.port);
  const [gone, there] = [keyOf(DYING.from), keyOf(STAYING.from)];
  await client.pipeline([
    ["SET", gone, 1],
    ["SET", there, 1],
  ]);
  await dying.kill();
  await until(async () => (await client.call("GET", gone)) instanceof ReplyError);
  const { backendConnectFails } = await counters(proxy);
  for (let i = 0; i < 200; i++) {
    const [failed, served] = await client.pipeline([
      ["GET", gone],
      ["GET", there],
    ]);
    expect((failed as ReplyError).message).toMatch(FAILURE);
    expect(served).toBe("1");
  }
  // They are refused by what is known, and not by an attempt of their own.
  const attempts = (await counters(proxy)).backendConnectFails - backendConnectFails;
  expect(attempts).toBeLessThan(100);
  const split = (await client.call("MGET", there, gone)) as ReplyError;
  expect(split.message).toMatch(FAILURE);
});

test("a server is used again after its return, without being asked for", async () => {
  await using dying = await startRedis();
  await using staying = await startRedis();
  await using proxy = await startOverTwo(dying, staying);
  using client = await connect(proxy.port);
  const key = keyOf(DYING.from);
  await client.call("SET", key, 1);
  await dying.kill();
  const { backendConnectFails } = await counters(proxy);
  // 50 + 100 + 200 milliseconds of waiting between these attempts.
  await until(async () => (await counters(proxy)).backendConnectFails >= backendConnectFails + 4);
  await dying.start();
  await until(async () => (await client.call("SET", key, 1)) === "OK");
});

test("a connection that a server closes while idle is replaced without an error", async () => {
  await using redis = await startRedis();
  await using proxy = await startProxy({ slots: [{ addr: redis.address, ...ALL_SLOTS }] });
  using client = await connect(proxy.port);
  for (let round = 0; round < 20; round++) {
    expect(await client.call("SET", "key", round)).toBe("OK");
    const { backendConnects } = await counters(proxy);
    await redis.call("CLIENT", "KILL", "TYPE", "normal");
    await until(async () => (await counters(proxy)).backendConnects === backendConnects + 1);
    expect(await client.call("GET", "key")).toBe(String(round));
  }
});

/** Copied into the proxy's send buffer, kept as references of one piece, and in several pieces. */
for (const [size, count] of [
  [2_000, 9_000],
  [60_000, 400],
  [300_000, 80],
]) {
  test(`requests of ${size} bytes not yet written go out on the next connection`, async () => {
    await using server = startFaultyBackend(([name]) => (name === "SET" ? "+OK\r\n" : undefined));
    await using proxy = await startProxy({ slots: [{ addr: server.address, ...ALL_SLOTS }] });
    using client = await connect(proxy.port);
    await client.call("SET", "warm", "up");
    server.connections[0].pause();
    const values = Array.from({ length: count }, (_, i) => `${i}:`.padEnd(size, "x"));
    const requests = Buffer.concat(values.map((value, i) => encode("SET", `key:${i}`, value)));
    const { bytesIn } = await counters(proxy);
    client.send(requests);
    // All of them are in the proxy, and what the kernel takes is on its way to the server.
    await until(async () => (await counters(proxy)).bytesIn === bytesIn + requests.length);
    server.connections[0].reset();
    const replies: Reply[] = [];
    while (replies.length < count) replies.push(await client.read());
    const firstKept = replies.indexOf("OK");
    expect(firstKept).toBeGreaterThan(0);
    expect(replies.slice(firstKept).every((reply) => reply === "OK")).toBe(true);
    for (const reply of replies.slice(0, firstKept)) {
      expect((reply as ReplyError).message).toMatch(FAILURE);
    }
    const retried = server.connections[1].requests.filter(([name]) => name === "SET");
    expect(retried).toHaveLength(count - firstKept);
    const wrong = retried.findIndex(([, key, value], i) => {
      return key !== `key:${firstKept + i}` || value !== values[firstKept + i];
    });
    expect(wrong).toBe(-1);
    expect((await counters(proxy)).requestsRetried).toBe(count - firstKept);
  });
}

test("a server that turns every connection away is not flooded with attempts", async () => {
  // As Redis does beyond its maxclients: an error nobody asked for, then the end.
  const refusal = "-ERR max number of clients reached\r\n";
  let attempts = 0;
  const listener = Bun.listen({
    hostname: "127.0.0.1",
    port: 0,
    socket: {
      open(socket) {
        attempts++;
        socket.write(refusal);
        socket.end();
      },
      data() {},
    },
  });
  await using _ = { [Symbol.asyncDispose]: async () => listener.stop(true) };
  const addr = `127.0.0.1:${listener.port}`;
  await using proxy = await startProxy({ slots: [{ addr, ...ALL_SLOTS }] });
  using client = await connect(proxy.port);
  const begun = performance.now();
  for (let i = 0; i < 50; i++) {
    expect(await client.call("GET", "key")).toBeInstanceOf(ReplyError);
  }
  await until(() => performance.now() - begun > 1500);
  // At 0, 50, 150, 350 and 750 milliseconds, each time at most twice.
  expect(attempts).toBeGreaterThan(2);
  expect(attempts).toBeLessThan(15);
});

test("a server that dies while its last slots leave it is let go in order", async () => {
  await using old = startFaultyBackend();
  await using next = startFaultyBackend(([name]) => (name === "GET" ? "+next\r\n" : undefined));
  await using proxy = await startProxy({ slots: [{ addr: old.address, ...ALL_SLOTS }] });
  using client = await connect(proxy.port);
  client.send(encode("GET", "key"));
  await until(() => old.dataRequests.length === 1);
  const moving = assignSlots(proxy, [{ addr: next.address, ...ALL_SLOTS }]);
  await until(async () => {
    const slots = await proxy.get<{ backend_addr?: string }[]>("/proxy/slots");
    return slots.every((slot) => slot.backend_addr === next.address);
  });
  old.goDown();
  await moving;
  const lost = (await client.read()) as ReplyError;
  expect(lost.message).toMatch(FAILURE);
  expect(await client.call("GET", "key")).toBe("next");
  expect(proxy.log()).not.toContain("our fault");
});

/** A server that comes back reads its file first, and carries nothing out until it has. */
function isRefusal({ message }: ReplyError): boolean {
  return FAILURE.test(message) || message.startsWith("LOADING ");
}

function isRising(numbers: readonly number[]): boolean {
  return numbers.every((number, i) => i === 0 || number > numbers[i - 1]);
}
