// Slots that change their server while requests run. The rule that keeps data safe: once the admin
// call that moved a slot has answered, the old server sees none of its requests any more.
import { expect } from "bun:test";
import { ReplyError } from "../../src/resp/value.ts";
import { type FaultyBackend, startFaultyBackend } from "../harness/faulty-backend.ts";
import { workers } from "../harness/figures.ts";
import { keyOf } from "../harness/keys.ts";
import { ALL_SLOTS, assignSlots, startProxy, type Proxy } from "../harness/proxy.ts";
import { startRedis } from "../harness/redis.ts";
import { connect, encode, type RespClient } from "../harness/resp-client.ts";
import { connectMany } from "../harness/sessions.ts";
import { systemTest } from "../harness/system-test.ts";
import { until } from "../harness/until.ts";

const test = systemTest("redis-server");

const MOVED = 300;
const OTHER = 301;
const UNUSED = 1023;
const key = keyOf(MOVED);

/** A server that answers every request with its own name. */
function named(name: string): FaultyBackend {
  return startFaultyBackend(([command]) => (command === "GET" ? `+${name}\r\n` : undefined));
}

function move(proxy: Proxy, server: { readonly address: string }): Promise<void> {
  return assignSlots(proxy, [{ addr: server.address, from: MOVED, to: MOVED }]);
}

/** Resolves when the change is under way: the proxy's table names the server, workers know. */
async function untilAccepted(proxy: Proxy, server: FaultyBackend): Promise<void> {
  const addressOf = async (slot: number): Promise<string | undefined> => {
    return (await proxy.get<{ backend_addr?: string }[]>("/proxy/slots"))[slot].backend_addr;
  };
  await until(async () => (await addressOf(MOVED)) === server.address);
  // Workers take fills in their order, and this one changes nothing.
  await assignSlots(proxy, [{ addr: await addressOf(UNUSED), from: UNUSED, to: UNUSED }]);
}

test("a slot moves only when its requests in flight are answered; new ones wait", async () => {
  await using old = startFaultyBackend();
  await using next = named("next");
  await using proxy = await startProxy({ slots: [{ addr: old.address, ...ALL_SLOTS }] });
  using client = await connect(proxy.port);
  client.send(encode("GET", key));
  await until(() => old.dataRequests.length === 1);
  let isMoved = false;
  const moving = move(proxy, next).then(() => (isMoved = true));
  await untilAccepted(proxy, next);
  using late = await connect(proxy.port);
  late.send(Buffer.concat([encode("GET", keyOf(OTHER)), encode("GET", key)]));
  // Requests of the other slot still run, which proves that the ones behind them are held.
  await until(() => old.dataRequests.length === 2);
  expect(old.dataRequests[1]).toEqual(["GET", keyOf(OTHER)]);
  expect([isMoved, next.dataRequests.length]).toEqual([false, 0]);
  old.connections[0].send("+old\r\n+other\r\n");
  expect(await client.read()).toBe("old");
  await moving;
  expect([await late.read(), await late.read()]).toEqual(["other", "next"]);
  expect(old.dataRequests).toHaveLength(2);
});

test("a split command in flight keeps every slot in place that it names", async () => {
  await using old = startFaultyBackend();
  await using next = startFaultyBackend(() => "*1\r\n+next\r\n");
  await using proxy = await startProxy({ slots: [{ addr: old.address, ...ALL_SLOTS }] });
  using client = await connect(proxy.port);
  client.send(encode("MGET", keyOf(OTHER), key, keyOf(1)));
  await until(() => old.dataRequests.length === 1);
  const moving = move(proxy, next);
  await untilAccepted(proxy, next);
  client.send(Buffer.concat([encode("MGET", keyOf(2), keyOf(3)), encode("MGET", key, keyOf(2))]));
  // Two keys of slots that stay go on together; of the last command only one part does.
  await until(() => old.dataRequests.length === 3);
  expect(old.dataRequests.slice(1)).toEqual([
    ["MGET", keyOf(2), keyOf(3)],
    ["mget", keyOf(2)],
  ]);
  expect(next.dataRequests).toEqual([]);
  old.connections[0].send("*3\r\n:1\r\n:2\r\n:3\r\n*2\r\n:4\r\n:5\r\n*1\r\n:6\r\n");
  await moving;
  expect([await client.read(), await client.read()]).toEqual([
    [1, 2, 3],
    [4, 5],
  ]);
  expect(await client.read()).toEqual(["next", 6]);
});

test("under load, no request of a slot reaches the server that it has left", async () => {
  await using a = named("a");
  await using b = named("b");
  await using proxy = await startProxy({ ncpu: 2, slots: [{ addr: a.address, ...ALL_SLOTS }] });
  using sessions = await connectMany(proxy.port, 16);
  const load = startLoad(sessions.clients);
  const count = (server: FaultyBackend): number =>
    server.dataRequests.filter(([, name]) => name === key).length;
  for (let round = 0; round < 12; round++) {
    const [from, to] = round % 2 === 0 ? [a, b] : [b, a];
    await move(proxy, to);
    const before = count(from);
    const answered = load.answers;
    await until(() => load.answers > answered + 500);
    expect(count(from)).toBe(before);
    expect(load.errors).toEqual([]);
  }
  await load.stop();
  expect(load.errors).toEqual([]);
});

test("two changes of one slot at the same time end with the later one", async () => {
  await using old = startFaultyBackend();
  await using second = named("second");
  await using third = named("third");
  await using proxy = await startProxy({ slots: [{ addr: old.address, ...ALL_SLOTS }] });
  using client = await connect(proxy.port);
  client.send(encode("GET", key));
  await until(() => old.dataRequests.length === 1);
  const toSecond = move(proxy, second);
  await untilAccepted(proxy, second);
  const toThird = move(proxy, third);
  await untilAccepted(proxy, third);
  old.connections[0].send("+old\r\n");
  await Promise.all([toSecond, toThird]);
  client.send(encode("GET", key));
  expect([await client.read(), await client.read()]).toEqual(["old", "third"]);
  expect(second.dataRequests).toEqual([]);
});

test("a change is in force in every worker when the admin call answers", async () => {
  await using a = named("a");
  await using b = named("b");
  await using proxy = await startProxy({ ncpu: 2, slots: [{ addr: a.address, ...ALL_SLOTS }] });
  using sessions = await connectMany(proxy.port, 24);
  await until(async () => (await workers(proxy)).every((worker) => worker.sessions_alive > 0));
  for (const [server, name] of [[b, "b"] as const, [a, "a"] as const, [b, "b"] as const]) {
    await move(proxy, server);
    const replies = await Promise.all(sessions.clients.map((client) => client.call("GET", key)));
    expect(replies).toEqual(sessions.clients.map(() => name));
  }
});

test("a slot leaves a hung server when backend_recv_timeout is over", async () => {
  await using hung = startFaultyBackend();
  await using next = named("next");
  await using proxy = await startProxy({
    config: { backend_recv_timeout: "500ms" },
    slots: [{ addr: hung.address, ...ALL_SLOTS }],
  });
  using client = await connect(proxy.port);
  client.send(encode("GET", key));
  await until(() => hung.dataRequests.length === 1);
  const moving = move(proxy, next);
  await untilAccepted(proxy, next);
  client.send(encode("GET", key));
  // The admin API answers others meanwhile, and other slots can be filled.
  expect((await proxy.stats()).online).toBe(true);
  await assignSlots(proxy, [{ addr: next.address, from: OTHER, to: OTHER }]);
  await moving;
  const lost = (await client.read()) as ReplyError;
  expect(lost.message).toBe(
    `ERR handle response, backend conn failure, read timeout (${hung.address})`,
  );
  expect(await client.read()).toBe("next");
});

test("writes go on without an error or a loss while their slots move between servers", async () => {
  await using a = await startRedis();
  await using b = await startRedis();
  await using proxy = await startProxy({ slots: [{ addr: a.address, ...ALL_SLOTS }] });
  using sessions = await connectMany(proxy.port, 8);
  let isOver = false;
  const writing = sessions.clients.map(async (client, c) => {
    let done = 0;
    for (; !isOver; done++)
      expect(typeof (await client.call("INCR", `{${key}}:${c}`))).toBe("number");
    return done;
  });
  for (let round = 0; round < 10; round++) await move(proxy, round % 2 === 0 ? b : a);
  isOver = true;
  const counts = await Promise.all(writing);
  for (const [c, count] of counts.entries()) {
    const name = `{${key}}:${c}`;
    const sum = Number(await a.call("GET", name)) + Number(await b.call("GET", name));
    expect(sum).toBe(count);
  }
});

interface Load {
  readonly answers: number;
  readonly errors: string[];
  stop(): Promise<void>;
}

/** Every client asks for the key of the moving slot in batches, until the load is stopped. */
function startLoad(clients: readonly RespClient[]): Load {
  const batch = Array.from({ length: 10 }, () => ["GET", key]);
  const load = { answers: 0, errors: [] as string[] };
  let isOver = false;
  const running = clients.map(async (client) => {
    while (!isOver) {
      for (const reply of await client.pipeline(batch)) {
        load.answers++;
        if (reply !== "a" && reply !== "b") load.errors.push(String(reply));
      }
    }
  });
  const stop = async (): Promise<void> => {
    isOver = true;
    await Promise.all(running);
  };
  return Object.assign(load, { stop });
}
