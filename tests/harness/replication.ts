// Masters, replicas and the sentinels over them, as tests of failover need them.
import type { Reply } from "../../src/resp/value.ts";
import type { Redis } from "./redis.ts";
import { connect } from "./resp-client.ts";
import type { Sentinel } from "./sentinel.ts";
import { until } from "./until.ts";

/** Over a connection of its own: a change of master ends those that are open. */
export async function tell(redis: Redis, ...command: (string | number)[]): Promise<Reply> {
  using client = await connect(redis.port);
  return await client.call(...command);
}

/** INFO as a map. */
export async function infoOf(redis: Redis): Promise<Map<string, string>> {
  const text = String(await tell(redis, "INFO"));
  return new Map(
    text
      .split("\r\n")
      .filter((line) => line.includes(":"))
      .map((line) => [line.slice(0, line.indexOf(":")), line.slice(line.indexOf(":") + 1)]),
  );
}

/** Resolves when the replica has done its first synchronization. */
export async function replicate(replica: Redis, master: Redis): Promise<void> {
  await tell(replica, "REPLICAOF", "127.0.0.1", master.port);
  await awaitReplication(replica, master);
}

export async function awaitReplication(replica: Redis, master: Redis): Promise<void> {
  await until(
    async () => {
      const info = await infoOf(replica);
      return (
        info.get("master_link_status") === "up" && info.get("master_port") === String(master.port)
      );
    },
    { what: `${replica.address} replicates ${master.address}`, timeoutMs: 20_000 },
  );
}

/** What a sentinel is told about a master; the defaults are those of a test. */
export interface MonitorSettings {
  readonly name: string;
  readonly quorum: number;
  readonly downAfterMs: number;
}

/** Resolves when every sentinel knows the others and the replicas, and so can fail over. */
export async function monitor(
  sentinels: readonly Sentinel[],
  master: Redis,
  settings: MonitorSettings,
): Promise<void> {
  const { name, quorum, downAfterMs } = settings;
  for (const sentinel of sentinels) {
    await sentinel.call("SENTINEL", "monitor", name, "127.0.0.1", master.port, quorum);
    const options = ["down-after-milliseconds", downAfterMs, "failover-timeout", 10_000];
    await sentinel.call("SENTINEL", "set", name, ...options);
  }
  await awaitSentinels(sentinels, name);
}

export async function awaitSentinels(
  sentinels: readonly Sentinel[],
  name: string,
  replicas = 1,
): Promise<void> {
  await until(
    async () => {
      for (const sentinel of sentinels) {
        const row = (await sentinel.call("SENTINEL", "master", name)) as string[];
        const field = (key: string): number => Number(row[row.indexOf(key) + 1]);
        if (field("num-other-sentinels") !== sentinels.length - 1) return false;
        if (field("num-slaves") !== replicas) return false;
        const found = (await sentinel.call("SENTINEL", "slaves", name)) as string[][];
        const isReady = (each: string[]): boolean =>
          each[each.indexOf("master-link-status") + 1] === "ok";
        if (!found.every(isReady)) return false;
      }
      return true;
    },
    { what: `the sentinels of ${name} know each other`, timeoutMs: 30_000 },
  );
}
