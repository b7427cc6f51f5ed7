// The same generated commands to one Redis and to the proxy with two servers behind it: every reply
// must be the same, byte for byte. FUZZ_SEED tries other sequences than the usual ones, and
// `npm run fuzz -- differential` tries them without end.
import { BUFFER_SIZES } from "../harness/buffer-sizes.ts";
import { startProduct } from "../harness/proxy.ts";
import { Random } from "../harness/random.ts";
import { startRedis } from "../harness/redis.ts";
import { systemTest } from "../harness/system-test.ts";
import { compareSequence, forgetAll } from "./compare.ts";
import { FAMILIES } from "./families.ts";

const test = systemTest("redis-server");

const SEED = Number(process.env.FUZZ_SEED ?? 1);
const COMMANDS = 1500;

for (const { name, config } of BUFFER_SIZES) {
  for (const family of FAMILIES.keys()) {
    test(`${family} answer as in Redis, in RESP2 and RESP3, with ${name}`, async () => {
      await using redis = await startRedis();
      await using product = await startProduct({ config });
      const { proxy, servers } = product;
      const ports = { redis: redis.port, proxy: proxy.port };
      for (const proto of [2, 3] as const) {
        await forgetAll([redis, ...servers]);
        await compareSequence({ family, proto, commands: COMMANDS, ...ports }, new Random(SEED));
      }
    });
  }
}
