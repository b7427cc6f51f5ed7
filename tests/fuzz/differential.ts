// Generated sequences of sound commands, as in tests/differential, with ever new seeds.
import { compareSequence, forgetAll } from "../differential/compare.ts";
import { FAMILIES } from "../differential/families.ts";
import { BUFFER_SIZES } from "../harness/buffer-sizes.ts";
import { owning } from "../harness/owning.ts";
import { startProduct } from "../harness/proxy.ts";
import type { Random } from "../harness/random.ts";
import { startRedis } from "../harness/redis.ts";
import type { Fuzzer, Rounds } from "./fuzzer.ts";

export const DIFFERENTIAL: Fuzzer = {
  name: "differential",
  about: "sequences of commands are answered as by a single Redis",
  start,
};

function start(): Promise<Rounds> {
  return owning(async (stack) => {
    const redis = stack.use(await startRedis());
    const products = await Promise.all(
      BUFFER_SIZES.map(async ({ config }) => stack.use(await startProduct({ config }))),
    );
    return {
      async round(random: Random) {
        const { proxy, servers } = random.pick(products);
        await forgetAll([redis, ...servers]);
        const family = random.pick([...FAMILIES.keys()]);
        const proto = random.pick([2, 3] as const);
        const ports = { redis: redis.port, proxy: proxy.port };
        await compareSequence({ family, proto, commands: 500, ...ports }, random);
      },
    };
  });
}
