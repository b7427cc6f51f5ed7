// Slow, hung and dead programs around the dashboard: what they delay, and what they must not. And
// a dashboard that is killed in the middle of a change.
import { expect } from "bun:test";
import { slotOfKey } from "../../src/model/slot.ts";
import type { Dashboard } from "../harness/dashboard.ts";
import type { Proxy } from "../harness/proxy.ts";
import { connect } from "../harness/resp-client.ts";
import { systemTest } from "../harness/system-test.ts";
import { until } from "../harness/until.ts";
import { startLab } from "./lab.ts";

const test = systemTest("redis-server");

/** If each of so many answers waited for one late poll, the test would be given up. */
const MANY = 100;

/** Parent and workers stand still; returns what lets them go on. */
async function freeze(proxy: Proxy): Promise<() => void> {
  const pids = [proxy.pid, ...(await proxy.workerPids())];
  for (const pid of pids) process.kill(pid, "SIGSTOP");
  return () => {
    for (const pid of pids) process.kill(pid, "SIGCONT");
  };
}

async function lookOften(dashboard: Dashboard): Promise<void> {
  for (let i = 0; i < MANY; i++) await dashboard.overview();
}

test("neither a hung proxy nor a hung server makes anybody wait for the overview", async () => {
  await using lab = await startLab({ proxies: 1 });
  const { dashboard, first, proxies } = lab;
  const thaw = await freeze(proxies[0]);
  first.pause();
  const late = async (): Promise<boolean> => {
    const { group, proxy } = (await dashboard.overview()).stats;
    const polls = [group.stats[first.address], ...Object.values(proxy.stats)];
    return polls.every((poll) => poll?.timeout === true && poll.error !== undefined);
  };
  await until(late, { what: "both polls are late" });
  await lookOften(dashboard);
  // Nor for a change of something else.
  for (let i = 0; i < MANY; i++) await dashboard.put("slotActionInterval", { value: i });
  first.resume();
  thaw();
});

test("a proxy that waits for a slow command delays a change, and is not shut out", async () => {
  await using lab = await startLab({ proxies: 1 });
  const { dashboard, first, second, proxies } = lab;
  using client = await connect(proxies[0].port);
  await client.call("SET", "key", "value");
  first.pause();
  client.send("*2\r\n$3\r\nGET\r\n$3\r\nkey\r\n");
  const slot = slotOfKey("key");
  const assigned = dashboard.assign(slot, slot, 2);
  await lookOften(dashboard);
  await until(async () => (await dashboard.slots())[slot].group_id === 2);
  first.resume();
  await assigned;
  expect(await client.read()).toBe("value");
  expect(await client.call("SET", "key", "there")).toBe("OK");
  expect(await second.call("GET", "key")).toBe("there");
  const [model] = (await dashboard.overview()).stats.proxy.models;
  expect(model.fenced).toBeUndefined();
});

test("what was stored before a kill -9 is told to all proxies by the next leader", async () => {
  await using lab = await startLab({ proxies: 2 });
  const { dashboard, second, proxies } = lab;
  const thaw = await freeze(proxies[1]);
  const assigned = dashboard.assign(0, 1023, 2).then(
    () => "told",
    () => "interrupted",
  );
  await until(async () => (await dashboard.slots())[0].group_id === 2, { what: "it is stored" });
  await dashboard.kill();
  expect(await assigned).toBe("interrupted");
  thaw();
  await dashboard.start();
  expect((await dashboard.slots()).every(({ group_id }) => group_id === 2)).toBe(true);
  for (const proxy of proxies) {
    using client = await connect(proxy.port);
    await until(async () => {
      await client.call("SET", "key", proxy.address);
      return (await second.call("GET", "key")) === proxy.address;
    });
  }
});

test("a proxy that was shut out before a kill -9 is let in by the next leader", async () => {
  await using lab = await startLab({ proxies: 2 });
  const { dashboard, first, second, proxies } = lab;
  const thaw = await freeze(proxies[0]);
  await dashboard.assign(0, 1023, 2);
  await dashboard.kill();
  // A server that lost its memory learns again whom it must refuse.
  await first.call("FLUSHALL");
  await dashboard.start();
  const fenced = async (): Promise<boolean[]> => {
    const { models } = (await dashboard.overview()).stats.proxy;
    return models.map((model) => model.fenced ?? false);
  };
  expect(await fenced()).toEqual([true, false]);
  await until(async () => (await first.call("SCARD", "\0codis:fence")) === 1);
  thaw();
  await until(async () => !(await fenced())[0], { what: "the proxy is let in" });
  using client = await connect(proxies[0].port);
  expect(await client.call("SET", "key", "value")).toBe("OK");
  expect(await second.call("GET", "key")).toBe("value");
});

test("a dead proxy and a dead server stop changes of that server's slots only", async () => {
  await using lab = await startLab({ proxies: 2 });
  const { dashboard, second, proxies } = lab;
  await dashboard.assign(512, 1023, 2);
  const thaw = await freeze(proxies[0]);
  await second.kill();
  // The proxy may still write to the dead server as soon as it is back: it cannot be ruled out.
  const refused = await dashboard.assign(1000, 1000, 1).catch(String);
  expect(refused).toContain(`${second.address} cannot be reached`);
  await dashboard.assign(0, 0, 0);
  await second.start();
  await until(async () => (await dashboard.assign(1001, 1001, 1).catch(String)) === undefined);
  thaw();
});

test("a removed proxy is told to end, and one that cannot be told only with force", async () => {
  await using lab = await startLab({ proxies: 2 });
  const { dashboard, first, proxies } = lab;
  const [one, two] = (await dashboard.overview()).stats.proxy.models;
  await dashboard.put("removeProxy", { token: one.token, force: 0 });
  expect(await proxies[0].exited).toEqual({ code: 0, signal: null });
  const thaw = await freeze(proxies[1]);
  const removed = dashboard.put("removeProxy", { token: two.token, force: 0 });
  expect(await removed.catch(String)).toContain(`proxy-[${two.token}] shutdown failed`);
  await dashboard.put("removeProxy", { token: two.token, force: 1 });
  expect((await dashboard.overview()).stats.proxy.models).toEqual([]);
  expect(await first.call("SMEMBERS", "\0codis:fence")).toEqual([two.token]);
  thaw();
});
