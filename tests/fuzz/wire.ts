// A real Redis and the proxy get the same bytes, sound or broken, in the same random pieces, and
// must answer the same up to the close.
import { owning } from "../harness/owning.ts";
import { play } from "../harness/play.ts";
import { startProduct } from "../harness/proxy.ts";
import type { Random } from "../harness/random.ts";
import { startRedis } from "../harness/redis.ts";
import { type Fuzzer, mustEqual, type Rounds } from "./fuzzer.ts";
import { brokenStream, value } from "./wire-input.ts";

export const WIRE: Fuzzer = {
  name: "wire",
  about: "broken requests in random pieces are answered as by a real Redis",
  start,
};

function start(): Promise<Rounds> {
  return owning(async (stack) => {
    const redis = stack.use(await startRedis());
    const { proxy, servers } = stack.use(await startProduct());
    return {
      async round(random: Random) {
        await Promise.all([redis, ...servers].map((server) => server.call("FLUSHALL")));
        // One client after the other, because a mutated key may be anybody's.
        for (let client = 0; client < 5; client++) await playOne(random, redis.port, proxy.port);
      },
    };
  });
}

async function playOne(random: Random, redis: number, proxy: number): Promise<void> {
  const bytes = brokenStream(random, () => command(random));
  const pieces = random.cut(bytes).slice(0, 60);
  const [expected] = await play(redis, [pieces]);
  const [actual] = await play(proxy, [pieces]);
  const sent = JSON.stringify(pieces.map((each) => each.latin1Slice())).slice(0, 5000);
  mustEqual(`replies to ${sent}`, actual, expected);
}

/** Commands whose replies say what they did, and cannot turn into stranger ones by a few bytes. */
function command(random: Random): (string | Buffer)[] {
  const key = (): string => `key:${random.below(6)}`;
  switch (random.below(10)) {
    case 0:
      return ["PING"];
    case 1:
      return ["ECHO", value(random)];
    case 2:
      return ["SET", key(), value(random)];
    case 3:
      return ["GET", key()];
    case 4:
      return ["MGET", key(), key(), key()];
    case 5:
      return ["MSET", key(), value(random), key(), value(random)];
    case 6:
      return [random.pick(["DEL", "EXISTS", "UNLINK", "TOUCH"]), key(), key()];
    case 7:
      return ["APPEND", key(), value(random)];
    case 8:
      return [random.pick(["INCR", "STRLEN", "TYPE"]), key()];
    default:
      return [random.pick(["nosuch", "GET", "SET", "PERSIST"]), ...words(random)];
  }
}

function words(random: Random): Buffer[] {
  return Array.from({ length: random.below(4) }, () => value(random));
}
