// Proxies and the dashboard: taken in, told of changes, back after a restart, shut out when nobody
// can reach them. Real programs, and a client that keeps its connection.
import { expect } from "bun:test";
import type { ProxyModel } from "../../src/model/proxy.ts";
import { slotOfKey } from "../../src/model/slot.ts";
import type { Dashboard } from "../harness/dashboard.ts";
import { connect } from "../harness/resp-client.ts";
import { systemTest } from "../harness/system-test.ts";
import { until } from "../harness/until.ts";
import { startLab } from "./lab.ts";

const test = systemTest("redis-server");

async function models(dashboard: Dashboard): Promise<readonly ProxyModel[]> {
  return (await dashboard.overview()).stats.proxy.models;
}

test("a proxy that is taken in serves, and follows an assignment at once", async () => {
  await using lab = await startLab({ proxies: 2 });
  const [one, two] = lab.proxies;
  using client = await connect(one.port);
  expect(await client.call("SET", "key", "first")).toBe("OK");
  await lab.dashboard.assign(slotOfKey("key"), slotOfKey("key"), 2);
  using other = await connect(two.port);
  expect(await client.call("GET", "key")).toBeNull();
  expect(await other.call("SET", "key", "second")).toBe("OK");
  expect(await lab.second.call("GET", "key")).toBe("second");
  expect(await lab.first.call("GET", "key")).toBe("first");
  expect((await models(lab.dashboard)).map(({ id }) => id)).toEqual([1, 2]);
  const groups = (await lab.dashboard.overview()).stats.group.models;
  expect(groups.map(({ out_of_sync }) => out_of_sync)).toEqual([false, false]);
});

test("a proxy that was restarted gets its slots and is online again by itself", async () => {
  await using lab = await startLab({ proxies: 1 });
  const [proxy] = lab.proxies;
  const [before] = await models(lab.dashboard);
  proxy.signal("SIGKILL");
  await proxy.exited;
  await proxy.start();
  await until(async () => (await proxy.stats()).online, { what: "the proxy is online" });
  using client = await connect(proxy.port);
  expect(await client.call("SET", "key", "value")).toBe("OK");
  await until(async () => (await models(lab.dashboard))[0].pid === proxy.pid);
  const [after] = await models(lab.dashboard);
  expect([after.id, after.token, after.fenced]).toEqual([before.id, before.token, undefined]);
});

test("an assignment goes on without a dead proxy, which is let in when it is back", async () => {
  await using lab = await startLab({ proxies: 2 });
  const [dead, alive] = lab.proxies;
  dead.signal("SIGKILL");
  await dead.exited;
  await lab.dashboard.assign(0, 1023, 2);
  using client = await connect(alive.port);
  expect(await client.call("SET", "key", "value")).toBe("OK");
  expect(await lab.second.call("GET", "key")).toBe("value");
  expect((await models(lab.dashboard)).map(({ fenced }) => fenced)).toEqual([true, undefined]);
  const [{ token }] = await models(lab.dashboard);
  const key = "\0codis:fence";
  for (const server of [lab.first, lab.second]) {
    expect(await server.call("SMEMBERS", key)).toEqual([token]);
  }
  await dead.start();
  await until(async () => (await dead.stats()).online, { what: "it is online" });
  await until(async () => (await models(lab.dashboard))[0].fenced === undefined);
  using back = await connect(dead.port);
  expect(await back.call("GET", "key")).toBe("value");
  // A server that did not answer in time is put right by the next poll.
  for (const server of [lab.first, lab.second]) {
    await until(async () => (await server.call("EXISTS", key)) === 0);
  }
});

test("a proxy that hung cannot write to the old master when it goes on", async () => {
  await using lab = await startLab({ proxies: 2 });
  const [hung, alive] = lab.proxies;
  using client = await connect(hung.port);
  expect(await client.call("SET", "key", "old")).toBe("OK");
  const pids = [hung.pid, ...(await hung.workerPids())];
  for (const pid of pids) process.kill(pid, "SIGSTOP");
  // These bytes wait in the proxy's socket until it goes on.
  client.send("*3\r\n$3\r\nSET\r\n$3\r\nkey\r\n$4\r\nlost\r\n");
  await lab.dashboard.assign(0, 1023, 2);
  using other = await connect(alive.port);
  expect(await other.call("SET", "key", "new")).toBe("OK");
  for (const pid of pids) process.kill(pid, "SIGCONT");
  await until(async () => (await models(lab.dashboard))[0].fenced === undefined, {
    what: "the proxy is let in again",
  });
  expect(await lab.first.call("GET", "key")).toBe("old");
  // What waited was refused, or came late to the new master: the client was told which.
  const told = await client.read();
  const now = await lab.second.call("GET", "key");
  expect(now).toBe(told === "OK" ? "lost" : "new");
  expect(await client.call("SET", "key", "after")).toBe("OK");
  expect(await lab.second.call("GET", "key")).toBe("after");
});
