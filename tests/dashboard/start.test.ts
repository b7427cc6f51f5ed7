// How the dashboard starts, stands by, takes over and ends.
import { expect } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { startDashboard } from "../harness/dashboard.ts";
import { startEtcd } from "../harness/etcd.ts";
import { startRedis } from "../harness/redis.ts";
import { ROOT } from "../harness/sources.ts";
import { systemTest } from "../harness/system-test.ts";
import { tempDir } from "../harness/temp-dir.ts";
import { until } from "../harness/until.ts";

const test = systemTest("redis-server");

async function run(...args: string[]): Promise<{ out: string; err: string; status: number }> {
  const child = Bun.spawn(["node", join(ROOT, "bin/codis-dashboard"), ...args], {
    env: { PATH: process.env.PATH },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const [out, err] = await Promise.all([child.stdout.text(), child.stderr.text()]);
  return { out, err, status: await child.exited };
}

test("a dashboard leads its product and ends with status 0", async () => {
  await using dashboard = await startDashboard();
  const { model, stats } = await dashboard.overview();
  expect(model).toMatchObject({ admin_addr: dashboard.address, product_name: "test" });
  expect(stats.slots).toHaveLength(1024);
  expect(stats.leader).toEqual({ is_leader: true, fence: expect.any(String) });
  expect(await dashboard.stop()).toEqual({ code: 0, signal: null });
});

test("the shutdown route ends the program in order", async () => {
  await using dashboard = await startDashboard();
  await dashboard.put("shutdown");
  await until(() => !dashboard.isRunning, { what: "the program has ended" });
  expect(dashboard.log()).toContain("codis-dashboard has ended");
});

test("a port that is taken is named in one sentence, and the status is 1", async () => {
  await using redis = await startRedis();
  using dir = tempDir();
  const file = join(dir.path, "dashboard.toml");
  writeFileSync(file, `admin_addr = "${redis.address}"\ncoordinator_addr = "${dir.path}"\n`);
  const { err, status } = await run("--config", file);
  const sentence = `cannot listen at ${redis.address}: port ${redis.port} is already in use`;
  expect(err).toContain(`codis-dashboard: ${sentence}`);
  expect(status).toBe(1);
});

test("a standby answers what needs no product, and takes over when the leader ends", async () => {
  await using leader = await startDashboard();
  await leader.put("slotActionInterval", { value: 1234 });
  await using standby = await startDashboard({ root: leader.root, leads: false });
  await until(async () => (await fetch(standby.url("/readyz"))).status === 503);
  expect(await (await fetch(standby.url("/readyz"))).text()).toContain(
    `${leader.address} (process ${leader.pid}) leads the product`,
  );
  expect(await standby.call<string>("xping")).toBe("OK");
  expect(await standby.call<object>("model")).toMatchObject({ admin_addr: standby.address });
  for (const path of ["/topom", "/topom/stats", "/api/topom/slots/:xauth"]) {
    const response = await fetch(standby.url(path));
    expect(response.status).toBe(503);
    expect(await response.json()).toEqual({ Cause: "topom is not online", Stack: null });
  }
  const { leader: first } = (await leader.overview()).stats;
  await leader.stop();
  await standby.untilLeading();
  const { stats } = await standby.overview();
  expect(stats.slot_action.interval).toBe(1234);
  expect(BigInt(stats.leader?.fence ?? 0)).toBeGreaterThan(BigInt(first?.fence ?? 0));
});

test("a standby takes over within the lease when the leader is killed with -9", async () => {
  await using leader = await startDashboard({ config: { lease_timeout: "2s" } });
  await using standby = await startDashboard({
    root: leader.root,
    leads: false,
    config: { lease_timeout: "2s" },
  });
  await until(() => standby.log().includes("standing by"));
  await leader.kill();
  await standby.untilLeading(6_000);
  // The old leader comes back, and stands by.
  const root = leader.root;
  await using back = await startDashboard({ root, leads: false, config: { lease_timeout: "2s" } });
  await until(() => back.log().includes("standing by"));
  expect(await back.call("stats").catch(String)).toContain("topom is not online");
});

test("--remove-lock takes the product over from a leader that is alive", async () => {
  await using leader = await startDashboard();
  await using other = await startDashboard({ root: leader.root, args: ["--remove-lock"] });
  expect((await other.overview()).stats.leader?.is_leader).toBe(true);
  const refused = await leader.put("slotActionInterval", { value: 3 }).catch(String);
  expect(refused).toContain("topom is not online");
  expect(leader.log()).toContain("the lead is lost");
});

const withEtcd = systemTest("etcd");

withEtcd("a leader that was paused and replaced writes nothing more", async () => {
  await using etcd = await startEtcd();
  const config = {
    coordinator_name: "etcd",
    coordinator_addr: etcd.address,
    lease_timeout: "1s",
  };
  await using leader = await startDashboard({ config });
  await leader.put("slotActionInterval", { value: 1 });
  await using standby = await startDashboard({ config, leads: false });
  await until(() => standby.log().includes("standing by"));
  leader.signal("SIGSTOP");
  await standby.untilLeading();
  const { slot_action } = (await standby.overview()).stats;
  expect(slot_action.interval).toBe(1);
  await standby.put("slotActionInterval", { value: 2 });
  leader.signal("SIGCONT");
  expect(await leader.put("slotActionInterval", { value: 3 }).catch(String)).toContain("refused");
  await standby.put("reload");
  expect((await standby.overview()).stats.slot_action.interval).toBe(2);
});
