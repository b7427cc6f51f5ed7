// Slots that go to and fro under load, through two workers: no request is lost, doubled or
// overtaken by another one of its session.
import { expect } from "bun:test";
import { BUFFER_SIZES } from "../harness/buffer-sizes.ts";
import { begin, finish, moveRest, movingKey, type Pair, startPair } from "../harness/moving.ts";
import type { Redis } from "../harness/redis.ts";
import { type RespClient } from "../harness/resp-client.ts";
import { connectMany } from "../harness/sessions.ts";
import { systemTest } from "../harness/system-test.ts";
import { until } from "../harness/until.ts";

const test = systemTest("redis-server");

const CLIENTS = 8;
const ROUNDS = 20;

interface Load {
  /** How often each counter was raised, by key. */
  readonly counts: Map<string, number>;
  answers: number;
  stop(): Promise<void>;
}

/** Pipelines of INCRs of own and shared keys; own ones must rise by one each. */
function startLoad(clients: readonly RespClient[]): Load {
  let isOver = false;
  const counts = new Map<string, number>();
  const load = { counts, answers: 0, stop };
  const running = clients.map(async (client, c) => {
    for (let round = 0; !isOver; round++) {
      const own = movingKey(`own:${c}:${round % 5}`);
      const shared = movingKey(`shared:${round % 3}`);
      const list = movingKey(`list:${c}`);
      const before = counts.get(own) ?? 0;
      const requests = [own, own, shared, own].map((key) => ["INCR", key]);
      const replies = await client.pipeline([...requests, ["RPUSH", list, String(round)]]);
      expect([replies[0], replies[1], replies[3]]).toEqual([before + 1, before + 2, before + 3]);
      expect(replies[4]).toBe(round + 1);
      counts.set(own, before + 3);
      counts.set(shared, (counts.get(shared) ?? 0) + 1);
      load.answers += replies.length;
    }
  });
  async function stop(): Promise<void> {
    isOver = true;
    await Promise.all(running);
  }
  return load;
}

/** With some requests in every state. */
async function moveOnce(pair: Pair, load: Load, from: Redis, to: Redis): Promise<void> {
  const { proxy } = pair;
  const { answers } = load;
  await begin(proxy, from, to);
  await until(() => load.answers > answers + 100);
  await moveRest(from, to);
  await finish(proxy, to);
}

for (const size of BUFFER_SIZES) {
  test(`counters are exact while their slot goes to and fro, with ${size.name}`, async () => {
    await using pair = await startPair({ ncpu: 2, config: size.config });
    const { source, target } = pair;
    using sessions = await connectMany(pair.proxy.port, CLIENTS);
    const load = startLoad(sessions.clients);
    for (let round = 0; round < ROUNDS; round++) {
      const [from, to] = round % 2 === 0 ? [source, target] : [target, source];
      await moveOnce(pair, load, from, to);
      expect(await from.call("DBSIZE")).toBe(0);
    }
    await load.stop();
    expect(load.answers).toBeGreaterThan(1000);
    for (const [key, count] of load.counts) {
      expect([key, await source.call("GET", key)]).toEqual([key, String(count)]);
    }
    for (let c = 0; c < CLIENTS; c++) {
      const list = (await source.call("LRANGE", movingKey(`list:${c}`), 0, -1)) as string[];
      expect(list).toEqual(list.map((_, i) => String(i)));
    }
  });
}

test("a whole server's slots go to and fro in one step each", async () => {
  await using pair = await startPair({ ncpu: 2 });
  const { source, target, proxy } = pair;
  const all = { from: 0, to: 1023 };
  using sessions = await connectMany(proxy.port, CLIENTS);
  let isOver = false;
  const counts = sessions.clients.map(() => new Array<number>(50).fill(0));
  const running = sessions.clients.map(async (client, c) => {
    while (!isOver) {
      const replies = await client.pipeline(counts[c].map((_, i) => ["INCR", `${c}:${i}`]));
      counts[c].forEach((count, i) => (counts[c][i] = count + 1));
      expect(replies).toEqual(counts[c]);
    }
  });
  for (let round = 0; round < 4; round++) {
    const [from, to] = round % 2 === 0 ? [source, target] : [target, source];
    await begin(proxy, from, to, all);
    await moveRest(from, to, all);
    await finish(proxy, to, all);
  }
  isOver = true;
  await Promise.all(running);
  for (const [c, row] of counts.entries()) {
    const values = await source.call("MGET", ...row.map((_, i) => `${c}:${i}`));
    expect(values).toEqual(row.map(String));
  }
});
