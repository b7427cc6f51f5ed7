// What clients of a proxy see while slots move: the first request of a key, which moves it, and
// requests for slots that stay. A part of `npm run bench:migration`.
import { moveKeys } from "../src/migration/mover.ts";
import { RecentlyMoved } from "../src/migration/recently-moved.ts";
import { slotOfKey } from "../src/model/slot.ts";
import { passageOf, TestWatch } from "../tests/migration/engine-fixture.ts";
import { keyOf } from "../tests/harness/keys.ts";
import { begin } from "../tests/harness/moving.ts";
import { type Proxy, startProxy } from "../tests/harness/proxy.ts";
import { type Redis, startRedis } from "../tests/harness/redis.ts";
import { connect } from "../tests/harness/resp-client.ts";
import { runLoad } from "./redis-benchmark.ts";
import { figuresOf } from "./stall-probe.ts";

/** Slots that move are those up to this one; the others are at a server of their own. */
const LAST_MOVING = 511;
const KEYS = 300_000;
const FIRST_ACCESSES = 10_000;
const VALUE = "x".repeat(128);

/** The pace of the dashboard's defaults. */
const DEFAULT_PACE = { goalMs: 2, duty: 0.5, scanCount: 200 };

export async function measureOnDemand(out: (line: string) => void): Promise<void> {
  await using source = await startRedis();
  await using target = await startRedis();
  await using other = await startRedis();
  await using proxy = await startProxy({
    slots: [
      { addr: source.address, from: 0, to: LAST_MOVING },
      { addr: other.address, from: LAST_MOVING + 1, to: 1023 },
    ],
  });
  const keys = await fill(source);
  const say = (what: string, figures: string): void => out(`  ${what.padEnd(50)} ${figures}`);
  out(`a proxy of one worker; p50 / p99 / max in ms`);
  const samples = [0, 1, 2].map((i) => keys.slice(i * FIRST_ACCESSES, (i + 1) * FIRST_ACCESSES));
  say("GET, 1 client, nothing moves", await getAll(proxy, samples[0], 1));
  say("GET, 20 clients, nothing moves", await getAll(proxy, samples[1], 20));
  say("GET in other slots, 20 clients, nothing moves", await loadOf(proxy));
  await begin(proxy, source, target, { from: 0, to: LAST_MOVING });
  say("first GET of each key, 1 client", await getAll(proxy, samples[0], 1));
  say("second GET of each key, 1 client", await getAll(proxy, samples[0], 1));
  say("first GET of each key, 20 clients", await getAll(proxy, samples[1], 20));
  say("GET in other slots, 20 clients, slots move, idle", await loadOf(proxy));
  const storm = getAll(proxy, samples[2], 20);
  say("GET in other slots, 20 clients, beside first GETs", await loadOf(proxy));
  say("those first GETs, 20 clients", await storm);
  const watch = new TestWatch();
  watch.settings = { ...watch.settings, ...DEFAULT_PACE };
  const slots = new Set(Array.from({ length: LAST_MOVING + 1 }, (_, slot) => slot));
  const started = performance.now();
  let isOver = false;
  const moving = moveKeys(passageOf(source, target, { slots }), watch, new RecentlyMoved());
  void moving.then(() => (isOver = true));
  const figures = await loadOf(proxy);
  say("GET in other slots, 20 clients, beside the mover", isOver ? "it ended too early" : figures);
  await moving;
  const rate = Math.round(watch.keys / ((performance.now() - started) / 1000));
  say("the mover, pace of the defaults", `${rate.toLocaleString("en")} keys/s`);
}

/** Their keys, in slots that move. */
async function fill(redis: Redis): Promise<string[]> {
  const keys: string[] = [];
  for (let i = 0; keys.length < KEYS; i++) {
    const key = `key:${i}`;
    if (slotOfKey(key) <= LAST_MOVING) keys.push(key);
  }
  using client = await connect(redis.port);
  for (let from = 0; from < KEYS; from += 1000) {
    await client.call("MSET", ...keys.slice(from, from + 1000).flatMap((key) => [key, VALUE]));
  }
  return keys;
}

/** Each client asks for its share, one after the other. */
async function getAll(proxy: Proxy, keys: readonly string[], clients: number): Promise<string> {
  const tookMs: number[] = [];
  const one = async (share: readonly string[]): Promise<void> => {
    using client = await connect(proxy.port);
    for (const key of share) {
      const started = performance.now();
      const value = await client.call("GET", key);
      tookMs.push(performance.now() - started);
      if (value !== VALUE) throw new Error(`${key} is ${String(value)}`);
    }
  };
  const size = keys.length / clients;
  await Promise.all(
    Array.from({ length: clients }, (_, i) => one(keys.slice(i * size, (i + 1) * size))),
  );
  const { p50Ms, p99Ms, maxMs } = figuresOf(tookMs);
  return [p50Ms, p99Ms, maxMs].map((ms) => ms.toFixed(2)).join(" / ");
}

async function loadOf({ port }: Proxy): Promise<string> {
  const command = ["GET", `{${keyOf(LAST_MOVING + 1)}}:__rand_int__`];
  const load = { port, clients: 20, pipeline: 1, requests: 100_000, keySpace: 1000, command };
  const { p50Ms, p99Ms, requests, seconds } = await runLoad(load);
  const rate = Math.round(requests / seconds).toLocaleString("en");
  return `${p50Ms.toFixed(2)} / ${p99Ms.toFixed(2)}, ${rate} requests/s`;
}
