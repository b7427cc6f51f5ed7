// The sentinels' commands and the watch over them, with real sentinels and a real failover.
import { expect } from "bun:test";
import { RedisClient } from "../../src/redis/client.ts";
import {
  flushConfig,
  listMasters,
  masterAddress,
  monitorMaster,
  type MonitorOrder,
  productMasters,
  removeMaster,
} from "../../src/redis/sentinel.ts";
import { SentinelWatch, type SentinelVerdict } from "../../src/redis/sentinel-watch.ts";
import { startRedis } from "../harness/redis.ts";
import { awaitSentinels, replicate } from "../harness/replication.ts";
import { startSentinels, type Sentinel } from "../harness/sentinel.ts";
import { systemTest } from "../harness/system-test.ts";
import { until } from "../harness/until.ts";

const NO_LOGIN = { username: "", password: "" };
const test = systemTest("redis-server");

const FAILOVER_TIMEOUT_MS = 60_000;

function order(address: string, changes: Partial<MonitorOrder> = {}): MonitorOrder {
  return {
    name: "test-1",
    address,
    quorum: 2,
    parallelSyncs: 1,
    downAfterMs: 500,
    failoverTimeoutMs: 5_000, // after a split vote they wait for twice this
    username: "",
    password: "",
    notificationScript: "",
    clientReconfigScript: "",
    ...changes,
  };
}

async function tell<T>(sentinel: Sentinel, task: (client: RedisClient) => Promise<T>): Promise<T> {
  using client = await RedisClient.connect(sentinel.address);
  return await task(client);
}

test("a sentinel is told what to monitor; telling again changes only what differs", async () => {
  await using sentinels = await startSentinels(1);
  await using master = await startRedis();
  await using other = await startRedis();
  const [sentinel] = sentinels.all;
  await tell(sentinel, async (client) => {
    await flushConfig(client);
    await monitorMaster(client, order(master.address));
    await monitorMaster(client, order(other.address, { name: "elsewhere-1" }));
    const [before] = await productMasters(client, "test");
    expect(before).toMatchObject({ groupId: 1, address: master.address, epoch: 0 });
    expect(before.fields).toMatchObject({ quorum: "2", "down-after-milliseconds": "500" });
    await monitorMaster(client, order(master.address, { quorum: 1, downAfterMs: 700 }));
    const [after] = await productMasters(client, "test");
    expect(after.fields).toMatchObject({ quorum: "1", "down-after-milliseconds": "700" });
    await monitorMaster(client, order(`localhost:${other.port}`));
    expect(await masterAddress(client, "test-1")).toBe(other.address);
    expect((await listMasters(client)).map(({ name }) => name).sort()).toEqual([
      "elsewhere-1",
      "test-1",
    ]);
    await removeMaster(client, "test-1");
    await removeMaster(client, "test-1");
    expect(await productMasters(client, "test")).toEqual([]);
  });
});

test(
  "a watch tells of the masters when it begins, and of a switch when a majority knows",
  async () => {
    await using sentinels = await startSentinels(3);
    await using master = await startRedis();
    await using replica = await startRedis();
    await replicate(replica, master);
    for (const sentinel of sentinels.all) {
      await tell(sentinel, (client) => monitorMaster(client, order(master.address)));
    }
    const verdicts: SentinelVerdict[] = [];
    const watch = new SentinelWatch({
      product: "test",
      sentinels: sentinels.addresses,
      login: NO_LOGIN,
      onMasters: (masters) => void verdicts.push(masters),
      log: () => {},
    });
    try {
      await until(() => watch.isWatching && verdicts.length > 0);
      expect(verdicts[0].get(1)).toBe(master.address);
      await awaitSentinels(sentinels.all, "test-1");
      await sentinels.all[2].kill();
      expect(await until(() => watch.isWatching)).toBe(true);
      await master.kill();
      await until(() => verdicts.at(-1)?.get(1) === replica.address, { timeoutMs: 30_000 });
    } finally {
      watch.close();
    }
  },
  FAILOVER_TIMEOUT_MS,
);

test("without a majority there is no verdict", async () => {
  await using sentinels = await startSentinels(1);
  await using master = await startRedis();
  await tell(sentinels.all[0], (client) => monitorMaster(client, order(master.address)));
  const verdicts: SentinelVerdict[] = [];
  const lines: string[] = [];
  const watch = new SentinelWatch({
    product: "test",
    sentinels: [sentinels.all[0].address, "127.0.0.1:1", "127.0.0.1:2"],
    login: NO_LOGIN,
    onMasters: (masters) => void verdicts.push(masters),
    log: (text) => void lines.push(text),
  });
  try {
    await until(() => lines.length > 0);
    watch.ask();
    await until(async () =>
      String(await sentinels.all[0].call("INFO")).includes("sentinel_masters:1"),
    );
    expect(watch.isWatching).toBe(false);
    expect(verdicts).toEqual([]);
  } finally {
    watch.close();
  }
});
