// `npm run bench:migration`: how fast keys move between two servers, and what others see of it. The
// engine runs in this process; probes ask both servers for a key once a millisecond.
import { randomBytes } from "node:crypto";
import { parseArgs } from "node:util";
import { moveBigKey } from "../src/migration/big-key.ts";
import { moveKeys } from "../src/migration/mover.ts";
import { RecentlyMoved } from "../src/migration/recently-moved.ts";
import { purgeTarget } from "../src/migration/purge.ts";
import { RedisClient } from "../src/redis/client.ts";
import { passageOf, startServer, TestWatch } from "../tests/migration/engine-fixture.ts";
import type { Redis } from "../tests/harness/redis.ts";
import { measureOnDemand } from "./on-demand.ts";
import { runLoad, type LoadResult } from "./redis-benchmark.ts";
import { startProbe, type Stalls } from "./stall-probe.ts";

const USAGE = `Usage: npm run bench:migration -- [options]
  --keys=N       how many keys there are (400000)
  --value=BYTES  the size of their values (128)
  --elements=N   of each big key (1000000)
  --only=PART    speed, pace, durable, big or clients (all)
`;

const { values } = parseArgs({
  args: process.argv.slice(2),
  options: {
    keys: { type: "string", default: "400000" },
    value: { type: "string", default: "128" },
    elements: { type: "string", default: "1000000" },
    only: { type: "string", default: "speed,pace,durable,big,clients" },
    help: { type: "boolean", default: false },
  },
});
const [keyCount, valueBytes, elements] = [values.keys, values.value, values.elements].map(Number);
const out = (line: string): void => void process.stdout.write(`${line}\n`);

interface PaceRow {
  readonly goalMs: number;
  readonly duty: number;
  readonly scanCount: number;
}

/** Moves everything, or half of it, and prints one line. */
async function measureMove(row: PaceRow, options: MoveOptions): Promise<void> {
  await using source = await startServer();
  await using target = await startServer();
  await using replica = options.isDurable ? await replicaOf(target) : null;
  await fillWith(source, keyCount);
  const watch = new TestWatch();
  watch.settings = { ...watch.settings, ...row, isDurable: options.isDurable };
  const load = options.hasLoad ? foreground(source.port) : null;
  const probes = await Promise.all([startProbe(source.port), startProbe(target.port)]);
  const slots = new Set(Array.from({ length: options.slots }, (_, slot) => slot));
  const started = performance.now();
  await moveKeys(passageOf(source, target, { slots }), watch, new RecentlyMoved());
  const seconds = (performance.now() - started) / 1000;
  const [atSource, atTarget] = await Promise.all(probes.map((probe) => probe.stop()));
  const gets = load === null ? "" : getsText(await load);
  const name = `${row.goalMs} ms / ${Math.round(row.duty * 100)} % / ${row.scanCount}`;
  const speed = Math.round(watch.keys / seconds).toLocaleString("en");
  out(`  ${name.padEnd(18)} ${speed.padStart(8)} keys/s  ${stallText(atSource, atTarget)}${gets}`);
  void replica;
}

/** Values that no server can compress. */
async function fillWith(redis: Redis, count: number): Promise<void> {
  using client = await RedisClient.connect(redis.address);
  for (let from = 0; from < count; from += 500) {
    const pairs = Array.from({ length: Math.min(500, count - from) }, (_, i) => {
      return [`key:${from + i}`, new Uint8Array(randomBytes(valueBytes))];
    });
    await client.call(["MSET", ...pairs.flat()]);
  }
}

interface MoveOptions {
  readonly slots: number;
  readonly isDurable: boolean;
  readonly hasLoad: boolean;
}

async function replicaOf(master: Redis): Promise<Redis> {
  const replica = await startServer({ args: ["--replicaof", "127.0.0.1", String(master.port)] });
  while (!String(await replica.call("INFO")).includes("master_link_status:up")) {
    await Bun.sleep(50);
  }
  return replica;
}

/** GETs as fast as 20 clients can; it ends before the migration does. */
function foreground(port: number): Promise<LoadResult> {
  const command = ["GET", "absent:__rand_int__"];
  const [clients, requests] = [20, 150_000];
  return runLoad({ port, clients, pipeline: 1, requests, keySpace: 1000, command });
}

function getsText({ p50Ms, p99Ms, requests, seconds }: LoadResult): string {
  const rate = Math.round(requests / seconds).toLocaleString("en");
  return `  GET ${rate}/s p50 ${p50Ms.toFixed(2)} p99 ${p99Ms.toFixed(2)}`;
}

function stallText(source: Stalls, target: Stalls): string {
  const text = ({ p50Ms, p99Ms, maxMs }: Stalls): string => {
    return [p50Ms, p99Ms, maxMs].map((ms) => ms.toFixed(1)).join(" / ");
  };
  return `source ${text(source)}  target ${text(target)}`;
}

/** Bodies that add the elements from ARGV[1] to ARGV[2]. */
const BUILDERS: Readonly<Record<string, string>> = {
  hash: "redis.call('HSET', KEYS[1], 'field:' .. i, 'value:' .. i)",
  zset: "redis.call('ZADD', KEYS[1], i * 1.5, 'member:' .. i)",
  set: "redis.call('SADD', KEYS[1], 'member:' .. i)",
  list: "redis.call('RPUSH', KEYS[1], 'element:' .. i)",
  stream: "redis.call('XADD', KEYS[1], i .. '-0', 'field', 'value:' .. i)",
};
const PIECE = 20_000;

async function measureBigKey(type: string): Promise<void> {
  await using source = await startServer();
  await using target = await startServer();
  if (type.startsWith("string")) {
    const megabytes = Number(type.split(" ")[1]);
    for (let i = 0; i < megabytes; i += 10) {
      await source.call("APPEND", "key", "0123456789".repeat(1024 * 1024));
    }
  } else {
    const body = `for i = tonumber(ARGV[1]), tonumber(ARGV[2]) do ${BUILDERS[type]} end`;
    for (let i = 0; i < elements; i += PIECE) {
      await source.call("EVAL", body, 1, "key", i + 1, i + PIECE);
    }
  }
  const digest = await source.call("DEBUG", "DIGEST-VALUE", "key");
  const probes = await Promise.all([startProbe(source.port), startProbe(target.port)]);
  const watch = new TestWatch();
  const pin = { db: 0, key: Buffer.from("key").toString("base64"), state: "held" } as const;
  const started = performance.now();
  await moveBigKey(passageOf(source, target), pin, watch);
  const tookMs = Math.round(performance.now() - started);
  await Bun.sleep(200); // a deletion in the background is part of what others see
  const [atSource, atTarget] = await Promise.all(probes.map((probe) => probe.stop()));
  const same = String(await target.call("DEBUG", "DIGEST-VALUE", "key")) === String(digest);
  const speed = `${String(tookMs).padStart(6)} ms held`;
  out(`  ${type.padEnd(14)} ${speed}  ${stallText(atSource, atTarget)}${same ? "" : "  DIFFERS"}`);
}

async function measurePurge(): Promise<void> {
  await using source = await startServer();
  await using target = await startServer();
  await fillWith(target, keyCount);
  const watch = new TestWatch();
  const probes = await Promise.all([startProbe(source.port), startProbe(target.port)]);
  const started = performance.now();
  const count = await purgeTarget(passageOf(source, target), watch);
  const seconds = (performance.now() - started) / 1000;
  const [atSource, atTarget] = await Promise.all(probes.map((probe) => probe.stop()));
  const speed = Math.round(count / seconds).toLocaleString("en");
  out(`  purge              ${speed.padStart(8)} keys/s  ${stallText(atSource, atTarget)}`);
}

async function main(): Promise<void> {
  if (values.help) {
    out(USAGE);
    return;
  }
  const parts = values.only.split(",");
  const stalls = "replies to another client, p50 / p99 / max in ms";
  const all = { slots: 1024, isDurable: false, hasLoad: false };
  if (parts.includes("speed")) {
    out(`${keyCount} keys of ${valueBytes} bytes, no pace; ${stalls}`);
    await measureMove({ goalMs: 5, duty: 1, scanCount: 500 }, all);
    await measureMove({ goalMs: 8, duty: 1, scanCount: 500 }, all);
    await measurePurge();
  }
  if (parts.includes("pace")) {
    out(`half of ${keyCount} keys of ${valueBytes} bytes beside GETs of 20 clients; ${stalls}`);
    const half = { ...all, slots: 512, hasLoad: true };
    await measureMove({ goalMs: 5, duty: 0.67, scanCount: 500 }, half);
    await measureMove({ goalMs: 2, duty: 0.5, scanCount: 200 }, half);
    await measureMove({ goalMs: 1, duty: 0.25, scanCount: 100 }, half);
  }
  if (parts.includes("durable")) {
    out(`${keyCount} keys of ${valueBytes} bytes, durable, target with a replica; ${stalls}`);
    await measureMove({ goalMs: 5, duty: 1, scanCount: 500 }, { ...all, isDurable: true });
  }
  if (parts.includes("big")) {
    out(`keys of ${elements} elements, and strings of so many MB; ${stalls}`);
    for (const type of Object.keys(BUILDERS)) await measureBigKey(type);
    await measureBigKey("string 100");
  }
  if (parts.includes("clients")) await measureOnDemand(out);
}

await main();
