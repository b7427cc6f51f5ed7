// Servers that die or stand still while keys move between them: nothing that was acknowledged is
// lost, nothing is carried out twice, and a target that hangs does not take its source with it.
import { expect } from "bun:test";
import type { Reply } from "../../src/resp/value.ts";
import { counters } from "../harness/figures.ts";
import { begin, finish, moveRest, movingKey, type Pair, startPair } from "../harness/moving.ts";
import { startProbe } from "../harness/probe.ts";
import type { Redis } from "../harness/redis.ts";
import { connect, encode, type RespClient } from "../harness/resp-client.ts";
import { connectMany } from "../harness/sessions.ts";
import { systemTest } from "../harness/system-test.ts";
import { until } from "../harness/until.ts";

const test = systemTest("redis-server");

const CLIENTS = 6;
/** So many that most are new to every move. */
const KEYS = 500;

/** What a client knows of one of its counters. */
class Counter {
  acknowledged = 0;
  unknown = 0;

  constructor(readonly key: string) {}

  note(reply: Reply): void {
    if (typeof reply === "number") {
      // Between the last two answers only requests of unknown outcome may have been carried out.
      expect(reply).toBeGreaterThan(this.acknowledged);
      expect(reply).toBeLessThanOrEqual(this.acknowledged + this.unknown + 1);
      this.unknown = Math.max(0, this.acknowledged + this.unknown + 1 - reply);
      this.acknowledged = reply;
      return;
    }
    const text = String(reply);
    if (/TRYAGAIN|handle request|LOADING/.test(text)) return;
    expect(text).toContain("handle response");
    this.unknown++;
  }

  check(value: Reply): void {
    expect(Number(value ?? 0)).toBeGreaterThanOrEqual(this.acknowledged);
    expect(Number(value ?? 0)).toBeLessThanOrEqual(this.acknowledged + this.unknown);
  }
}

interface Load {
  readonly counters: Counter[];
  answers: number;
  stop(): Promise<void>;
}

function startLoad(clients: readonly RespClient[]): Load {
  let isOver = false;
  const all: Counter[] = [];
  const load = { counters: all, answers: 0, stop };
  const running = clients.map(async (client, c) => {
    const own = Array.from({ length: KEYS }, (_, i) => new Counter(movingKey(`${c}:${i}`)));
    all.push(...own);
    for (let round = 0; !isOver; round++) {
      const some = [own[round % KEYS], own[(7 * round + 3) % KEYS]];
      const replies = await client.pipeline(some.map(({ key }) => ["INCR", key]));
      some.forEach((counter, i) => counter.note(replies[i]));
      load.answers += replies.filter((reply) => typeof reply === "number").length;
    }
  });
  async function stop(): Promise<void> {
    isOver = true;
    await Promise.all(running);
  }
  return load;
}

/** Something happens again and again while slots go to and fro; then everything is counted. */
async function survive(pair: Pair, harm: (source: Redis, target: Redis) => Promise<void>) {
  const { source, target, proxy } = pair;
  using sessions = await connectMany(proxy.port, CLIENTS);
  const load = startLoad(sessions.clients);
  const enough = async (): Promise<void> => {
    const { answers } = load;
    await until(() => load.answers > answers + 200, { timeoutMs: 20_000 });
  };
  await enough();
  for (let round = 0; round < 4; round++) {
    const [from, to] = round % 2 === 0 ? [source, target] : [target, source];
    await begin(proxy, from, to);
    await enough();
    await harm(from, to);
    await enough();
    await moveRest(from, to);
    await finish(proxy, to);
    await enough();
    expect(await from.call("DBSIZE")).toBe(0);
  }
  await load.stop();
  expect((await counters(proxy)).moveUnknown).toBeGreaterThan(0);
  for (const counter of load.counters) counter.check(await source.call("GET", counter.key));
}

const OPTIONS = { ncpu: 2, config: { migration_on_demand_timeout: "200ms" } };

test("a target that is killed and comes back loses nothing", async () => {
  await using pair = await startPair(OPTIONS, { durable: true });
  await survive(pair, async (_source, target) => target.restart());
}, 60_000);

test("a source that is killed and comes back loses nothing", async () => {
  await using pair = await startPair(OPTIONS, { durable: true });
  await survive(pair, async (source) => source.restart());
}, 60_000);

test("servers that stand still for longer than a move may take lose nothing", async () => {
  await using pair = await startPair(OPTIONS);
  await survive(pair, async (source, target) => {
    const { moveUnknown } = await counters(pair.proxy);
    // A key that nobody has asked for, so that the target hangs while it is moved.
    const key = movingKey(`fresh:${moveUnknown}`);
    await source.call("SET", key, "1");
    using client = await connect(pair.proxy.port);
    target.pause();
    client.send(encode("GET", key));
    await until(async () => (await counters(pair.proxy)).moveUnknown > moveUnknown);
    target.resume();
    expect(await client.read()).toBe("1");
    source.pause();
    const begun = performance.now();
    await until(() => performance.now() - begun > 500);
    source.resume();
  });
}, 60_000);

test("a source answers while its target hangs, and the moves go on when that is over", async () => {
  await using pair = await startPair({
    config: { slot_hold_timeout: "1s", migration_on_demand_timeout: "200ms" },
  });
  const { source, target, proxy } = pair;
  for (let i = 0; i < 100; i++) await source.call("SET", movingKey(`${i}`), i);
  await begin(proxy, source, target);
  using client = await connect(proxy.port);
  expect(await client.call("GET", movingKey("0"))).toBe("0");
  target.pause();
  await source.call("SET", "elsewhere", "1");
  using direct = await connect(source.port);
  const probe = startProbe(direct, "elsewhere");
  const begun = performance.now();
  const names = Array.from({ length: 20 }, (_, i) => movingKey(`${i + 1}`));
  const replies = await client.pipeline(names.map((name) => ["GET", name]));
  expect(performance.now() - begun).toBeGreaterThan(900);
  expect(replies.every((reply) => String(reply).includes("TRYAGAIN"))).toBe(true);
  const { answers } = await probe.stop();
  expect(answers).toBeGreaterThan(100);
  target.resume();
  await until(async () => (await client.call("GET", movingKey("50"))) === "50");
  expect((await counters(proxy)).moveBatches).toBeLessThan(10);
});
