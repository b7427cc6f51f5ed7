// Promotion with real servers and real proxies: what is acknowledged stays, whoever is master.
import { expect } from "bun:test";
import {
  type CountingReport,
  printFigures,
  startCounting,
  wrongCounts,
} from "../harness/counting.ts";
import type { Redis } from "../harness/redis.ts";
import { awaitSynced, startReplicatedProduct } from "../harness/replicated-product.ts";
import { infoOf, tell } from "../harness/replication.ts";
import { connect } from "../harness/resp-client.ts";
import { systemTest } from "../harness/system-test.ts";
import { until } from "../harness/until.ts";

const test = systemTest("redis-server");

const TIMEOUT_MS = 120_000;

test(
  "no acknowledged write is lost while masters change to and fro under load",
  async () => {
    await using product = await startReplicatedProduct({ replicas: 2, proxies: 2 });
    const { dashboard } = product;
    const servers = new Map(product.groups[0].map((server) => [server.address, server]));
    const load = await startCounting(product.ports, 8);
    const rounds = 6;
    for (let round = 0; round < rounds; round++) {
      const before = load.acknowledged;
      await until(() => load.acknowledged > before + 200);
      const [master, next] = await product.order(1);
      await until(async () => (await product.group(1)).servers[1].action.state === "synced");
      await dashboard.put("promoteServer", { gid: 1, addr: next });
      const order = await product.order(1);
      expect([order[0], order.at(-1)]).toEqual([next, master]);
      expect((await infoOf(servers.get(next)!)).get("role")).toBe("master");
    }
    const report = await load.stop();
    printFigures(`${rounds} promotions`, report);
    expect(report.wrong).toEqual([]);
    expect([...report.errors]).toEqual([]);
    const master = servers.get((await product.order(1))[0])!;
    await expectLast(report, master);
    expect(await product.group(1)).toMatchObject({ promoting: {}, out_of_sync: false });
    for (const server of (await product.order(1)).slice(1)) {
      await awaitSynced(product, 1, servers.get(server)!, master);
    }
  },
  TIMEOUT_MS,
);

/** Every counter is in the server as it was last acknowledged. */
async function expectLast(report: CountingReport, master: Redis): Promise<void> {
  using client = await connect(master.port);
  expect(await wrongCounts(report, (key) => client.call("GET", key))).toEqual([]);
}

async function dataOf(redis: Redis): Promise<number> {
  return Number(await tell(redis, "DBSIZE"));
}

test("who is no replica of the master, or is not there, is not promoted", async () => {
  await using product = await startReplicatedProduct({ replicas: 2 });
  const { dashboard, groups } = product;
  const [[master, replica, stranger]] = groups;
  const promote = (redis: Redis): Promise<void> =>
    dashboard.put("promoteServer", { gid: 1, addr: redis.address });
  await expect(promote(master)).rejects.toThrow("group-[1] can't promote master");
  await tell(stranger, "REPLICAOF", "NO", "ONE");
  await expect(promote(stranger)).rejects.toThrow(
    `server-[${stranger.address}] is not a replica of server-[${master.address}]`,
  );
  await stranger.kill();
  await expect(promote(stranger)).rejects.toThrow("does not answer");
  await expect(dashboard.put("promoteServer", { gid: 1, addr: "127.0.0.1:1" })).rejects.toThrow(
    "group-[1] doesn't have server-[127.0.0.1:1]",
  );
  await expect(dashboard.put("promoteServer", { gid: 7, addr: master.address })).rejects.toThrow(
    "group-[7] doesn't exist",
  );
  expect(await product.order(1)).toEqual(groups[0].map(({ address }) => address));
  expect(await dataOf(replica)).toBe(await dataOf(master));
});
