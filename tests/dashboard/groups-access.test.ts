// Servers that do not let everybody do everything: a password, an ACL user with few rights, CONFIG
// under another name. Replication is set up and masters are changed all the same.
import { expect } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { startDashboard, type Dashboard } from "../harness/dashboard.ts";
import { type Redis, startRedis } from "../harness/redis.ts";
import { connect } from "../harness/resp-client.ts";
import { startScriptedCodisServer } from "../harness/scripted-codis-server.ts";
import { systemTest } from "../harness/system-test.ts";
import { tempDir } from "../harness/temp-dir.ts";
import { until } from "../harness/until.ts";

const test = systemTest("redis-server");

const PASSWORD = "secret-of-the-product";
const TIMEOUT_MS = 60_000;

async function ask(redis: Redis, ...command: string[]): Promise<string> {
  using client = await connect(redis.port);
  await client.call("AUTH", PASSWORD);
  return String(await client.call(...command));
}

/** A group of both, the second synced with the first, promoted, and synced again. */
async function changeMasters(dashboard: Dashboard, servers: readonly Redis[]): Promise<void> {
  await dashboard.put("createGroup", { gid: 1 });
  for (const { address } of servers) await dashboard.put("addServer", { gid: 1, addr: address });
  await dashboard.assign(0, 1023, 1);
  const synced = async (addr: string): Promise<boolean> => {
    const { stats } = await dashboard.overview();
    const server = stats.group.models[0].servers.find((each) => each.server === addr);
    return server?.action.state === "synced" && stats.group.stats[addr].error === undefined;
  };
  const [first, second] = servers.map(({ address }) => address);
  await dashboard.put("createSyncAction", { addr: second });
  await until(() => synced(second), { timeoutMs: 20_000 });
  await dashboard.put("promoteServer", { gid: 1, addr: second });
  await until(() => synced(first), { timeoutMs: 20_000 });
  const { stats } = await dashboard.overview();
  expect(stats.group.models[0].servers.map(({ server }) => server)).toEqual([second, first]);
  expect(stats.group.stats[first].stats).toMatchObject({ maxmemory: "0" });
}

test(
  "servers with CONFIG under another name, and without a file to write to",
  async () => {
    const args = ["--rename-command", "CONFIG", "SECRETCONFIG", "--repl-diskless-sync-delay", "0"];
    await using one = await startRedis({ args });
    await using two = await startRedis({ args });
    await using dashboard = await startDashboard();
    await changeMasters(dashboard, [one, two]);
  },
  TIMEOUT_MS,
);

test(
  "servers with a password learn it as replicas, and keep what they were told in their files",
  async () => {
    using dir = tempDir();
    const file = (name: string): string => {
      const path = join(dir.path, name);
      writeFileSync(path, `requirepass ${PASSWORD}\nrepl-diskless-sync-delay 0\n`);
      return path;
    };
    await using one = await startRedis({ configFile: file("one.conf") });
    await using two = await startRedis({ configFile: file("two.conf") });
    await using dashboard = await startDashboard({ config: { product_auth: PASSWORD } });
    await changeMasters(dashboard, [one, two]);
    expect(await Bun.file(join(dir.path, "one.conf")).text()).toContain(
      `replicaof 127.0.0.1 ${two.port}`,
    );
    expect(await Bun.file(join(dir.path, "two.conf")).text()).not.toContain("replicaof");
    expect(dashboard.log()).not.toContain(PASSWORD);
  },
  TIMEOUT_MS,
);

test(
  "servers with an ACL user who may neither use CONFIG nor transactions",
  async () => {
    using dir = tempDir();
    const file = (name: string): string => {
      const path = join(dir.path, name);
      const lines = [
        "user default off",
        `user codis on >${PASSWORD} ~* &* +@all -config -multi -exec`,
        `masteruser codis\nmasterauth ${PASSWORD}`,
        "repl-diskless-sync-delay 0\n",
      ];
      writeFileSync(path, lines.join("\n"));
      return path;
    };
    await using one = await startRedis({ configFile: file("one.conf") });
    await using two = await startRedis({ configFile: file("two.conf") });
    await using dashboard = await startDashboard({
      config: { product_auth: PASSWORD, product_username: "codis" },
    });
    await changeMasters(dashboard, [one, two]);
  },
  TIMEOUT_MS,
);

test("a replica of a codis-server names no user to it, which it would refuse", async () => {
  await using master = await startScriptedCodisServer({ args: ["--requirepass", PASSWORD] });
  await using replica = await startRedis();
  await replica.call("ACL", "SETUSER", "codis", "on", `>${PASSWORD}`, "~*", "&*", "+@all");
  const config = { product_username: "codis", product_auth: PASSWORD };
  await using dashboard = await startDashboard({ config });
  await dashboard.put("createGroup", { gid: 1 });
  for (const { address } of [master, replica]) {
    await dashboard.put("addServer", { gid: 1, addr: address });
  }
  await dashboard.put("createSyncAction", { addr: replica.address });
  const setting = async (name: string): Promise<string> => {
    using client = await connect(replica.port);
    return String(await client.call("CONFIG", "GET", name));
  };
  await until(async () => (await setting("masterauth")) === `masterauth,${PASSWORD}`);
  expect(await setting("masteruser")).toBe("masteruser,");
}, 30_000);

test("a wrong password is said when a server is added", async () => {
  await using redis = await startRedis({ args: ["--requirepass", PASSWORD] });
  await using dashboard = await startDashboard();
  await dashboard.put("createGroup", { gid: 1 });
  await expect(dashboard.put("addServer", { gid: 1, addr: redis.address })).rejects.toThrow(
    /cannot be added: NOAUTH/,
  );
  expect(await ask(redis, "PING")).toBe("PONG");
});
