// `codis admin` in its words for people, against a real dashboard, real proxies and servers.
import { expect } from "bun:test";
import { admin, adminFails, adminOk, typed } from "../harness/admin.ts";
import { type Dashboard, startDashboard } from "../harness/dashboard.ts";
import { keyOf } from "../harness/keys.ts";
import { freePort } from "../harness/ports.ts";
import { startRedis } from "../harness/redis.ts";
import { connect } from "../harness/resp-client.ts";
import { systemTest } from "../harness/system-test.ts";
import { until } from "../harness/until.ts";

const test = systemTest("redis-server", "node", "script");

/** Runs a command on that dashboard; throws with its words when it fails. */
function commander(dashboard: Dashboard): (line: string) => Promise<string> {
  return (line) => adminOk(...line.split(" "), `--dashboard=${dashboard.address}`);
}

test("a product is built from nothing, and its status says what is still wrong", async () => {
  await using dashboard = await startDashboard();
  await using master = await startRedis();
  await using replica = await startRedis();
  const run = commander(dashboard);
  const empty = await run("status");
  expect(empty).toContain("! there is no proxy → codis admin proxies add");
  expect(empty).toContain("! 1,024 slots have no group and no service → codis admin rebalance");

  await run("groups add 1");
  await run(`servers add 1 ${master.address}`);
  await run(`servers add 1 ${replica.address} --datacenter=b`);
  await run("slots assign all 1 --yes");
  await using proxy = await dashboard.startProxy();
  await run(`sync ${replica.address}`);
  await until(async () => (await run("status")).includes("Nothing is wrong."), {
    timeoutMs: 30_000,
  });
  await run(`replicas on ${replica.address}`);
  // The order to replicate stands a moment longer than it takes the link to be up.
  const isSynced = new RegExp(`${replica.address} +replica +ok .* yes`);
  await until(async () => isSynced.test(await run("status")), { timeoutMs: 30_000 });
  const status = await run("status");
  expect(status).toContain("1,024 slots in 1 group of 2 servers");
  expect(status).toMatch(new RegExp(`1 +1024  ${master.address} +master +ok`));
  expect(status).toMatch(new RegExp(`1  online +${proxy.address} +127.0.0.1:${proxy.adminPort}`));

  const summary = JSON.parse(await run("status --json"));
  expect(summary.problems).toEqual([]);
  expect(summary.servers.map((each: { address: string }) => each.address)).toEqual([
    master.address,
    replica.address,
  ]);
  expect(JSON.parse(await run("proxies --json"))[0].admin).toBe(`127.0.0.1:${proxy.adminPort}`);
  expect(await run("slots")).toContain("1   1024   100%  0-1023");
});

test("a group is replaced by another one, by replication", async () => {
  await using dashboard = await startDashboard();
  const quick = { args: ["--repl-diskless-sync-delay", "0"] };
  await using first = await startRedis(quick);
  await using second = await startRedis(quick);
  await dashboard.storeGroups([[first.address], [second.address]]);
  await dashboard.assign(0, 1023, 1);
  await first.call("SET", keyOf(1000), "value");
  const run = commander(dashboard);
  const done = await run("replace 1 2 --slots=100 --yes --watch");
  expect(done).toContain("All have arrived.");
  expect((await dashboard.slots()).map(({ group_id }) => group_id)).toEqual(
    Array.from({ length: 1024 }, (_, id) => (id < 924 ? 1 : 2)),
  );
  expect(await second.call("GET", keyOf(1000))).toBe("value");
  await expect(run("replace 1 2 --yes")).rejects.toThrow("group 2 must be empty");
});

test("what would change the product asks first", async () => {
  await using dashboard = await startDashboard();
  await using redis = await startRedis();
  const at = `--dashboard=${dashboard.address}`;
  const run = commander(dashboard);
  await run("groups add 1");
  await run(`servers add 1 ${redis.address}`);
  const assign = ["slots", "assign", "0-9", "1", at];
  const question = "Assign 10 slots to group 1, leaving behind what keys they have?";
  expect(await adminFails(...assign)).toBe(
    `${question} Nothing was done, because there is no terminal to ask at: add --yes`,
  );
  const no = await typed("n\n", ...assign);
  expect([no.code, no.stdout.includes(`${question} [y/N]`)]).toEqual([1, true]);
  expect(no.stdout).toContain("codis-admin: nothing was done");
  expect((await dashboard.slots())[0].group_id).toBe(0);
  const yes = await typed("y\n", ...assign);
  expect([yes.code, yes.stdout.includes("10 slots assigned to group 1")]).toEqual([0, true]);
  expect((await dashboard.slots())[0].group_id).toBe(1);
});

test("slots move with their keys while the terminal shows how far they are", async () => {
  await using dashboard = await startDashboard();
  await using first = await startRedis();
  await using second = await startRedis();
  await using proxy = await dashboard.startProxy();
  const run = commander(dashboard);
  for (const group of [1, 2]) await run(`groups add ${group}`);
  await run(`servers add 1 ${first.address}`);
  await run(`servers add 2 ${second.address}`);
  await run("slots assign all 1 --yes");
  using client = await connect(proxy.port);
  for (let slot = 0; slot < 40; slot++) await client.call("SET", keyOf(slot), slot);

  const at = `--dashboard=${dashboard.address}`;
  const moved = await typed("", "migrate", "0-9,20", "2", "--yes", "--watch", at);
  expect(moved.code).toBe(0);
  expect(moved.stdout).toContain("ordered: slots 0-9,20 to group 2");
  expect(moved.stdout).toContain("100%, 11 of 11 slots");
  expect(moved.stdout).toContain("All have arrived.");
  expect(moved.stdout).toContain("\x1b[");
  expect(await second.call("DBSIZE")).toBe(11);
  expect(await adminFails("migrate", "0-9", "2", "--yes", at)).toContain(
    "none of these slots can be moved",
  );
  await run("migrate 5 2 --from=1 --yes --watch");
  expect(await second.call("DBSIZE")).toBe(16);

  await run("pause");
  await run("migrate 100-110 2 --yes");
  expect(await run("migrations")).toContain("(paused: codis admin resume)");
  expect(await run("status")).toContain("! the migration is paused → codis admin resume");
  await run("cancel --yes --watch");
  expect(await run("migrations")).toBe("Nothing is being moved.\n");
  await run("resume");
  await run("pace 1000");
  expect((await dashboard.overview()).stats.slot_action.interval).toBe(1000);
  for (let slot = 0; slot < 40; slot++)
    expect(await client.call("GET", keyOf(slot))).toBe(`${slot}`);
});

test("rebalance shows its plan, evens out keys, and drains a group", async () => {
  await using dashboard = await startDashboard();
  await using first = await startRedis();
  await using second = await startRedis();
  await using proxy = await dashboard.startProxy();
  const run = commander(dashboard);
  for (const group of [1, 2]) await run(`groups add ${group}`);
  await run(`servers add 1 ${first.address}`);
  await run(`servers add 2 ${second.address}`);
  await run("slots assign 0-511 1 --yes");
  await run("slots assign 512-1023 2 --yes");
  using client = await connect(proxy.port);
  // All keys in the first hundred slots: by slots everything is even, by keys nothing is.
  for (let slot = 0; slot < 100; slot++) await client.call("SET", keyOf(slot), slot);
  expect(await run("rebalance --dry-run")).toBe("Nothing to move: every group has its share.\n");
  const plan = JSON.parse(await run("rebalance --by=keys --dry-run --json"));
  expect(plan.shares).toEqual({ 1: { before: 100, after: 50 }, 2: { before: 0, after: 50 } });
  expect(plan.moves.length).toBe(50);
  const shown = await run("rebalance --by=keys --yes --watch");
  expect(shown).toMatch(/GROUP +KEYS NOW +THEN\n +1 +100 +100% +50 +50%/);
  expect(shown).toContain("1 → 2  50 slots: ");
  expect([await first.call("DBSIZE"), await second.call("DBSIZE")]).toEqual([50, 50]);

  await run("rebalance --drain-group=2 --yes --watch");
  expect((await dashboard.slots()).every((slot) => slot.group_id === 1)).toBe(true);
  await run(`servers remove ${second.address} --yes`);
  await run("groups remove 2");
  for (let slot = 0; slot < 100; slot++) {
    expect(await client.call("GET", keyOf(slot))).toBe(`${slot}`);
  }
});

test("one proxy is asked and told around the dashboard", async () => {
  await using dashboard = await startDashboard({ config: { product_auth: "secret" } });
  await using proxy = await dashboard.startProxy();
  const address = `127.0.0.1:${proxy.adminPort}`;
  expect(JSON.parse(await adminOk("proxy", "show", address, "model")).admin_addr).toBe(address);
  expect(JSON.parse(await adminOk("proxy", "show", address)).slots.length).toBe(1024);
  expect(await adminFails("proxy", "gc", address)).toBe(
    `the proxy at ${address} refused: invalid xauth, please check product name & auth ` +
      "(the product is another one, or --auth is not its product_auth)",
  );
  await adminOk("proxy", "gc", address, "--auth=secret");
  await adminOk("proxy", "log-level", address, "debug", "--auth=secret");
  await adminOk("proxy", "reset-stats", address, "-a", "secret");
  const run = commander(dashboard);
  expect((await admin("proxies", "refresh", `--dashboard=${dashboard.address}`)).stderr).toBe(
    "1 proxy refreshed\n",
  );
  await run("proxies remove 1 --yes");
  expect(await run("proxies")).toBe("No proxies.\n");
  await until(() => !proxy.isRunning);
});

test("watching prints a line of JSON each time, until Ctrl-C", async () => {
  await using dashboard = await startDashboard();
  const at = `--dashboard=${dashboard.address}`;
  const bin = new URL("../../bin/codis-admin", import.meta.url).pathname;
  const child = Bun.spawn(["node", bin, "slots", "--watch", "--json", at], { stdout: "pipe" });
  const lines: string[] = [];
  const reading = (async () => {
    for await (const piece of child.stdout.pipeThrough(new TextDecoderStream())) {
      lines.push(...piece.split("\n").filter((line) => line.endsWith("]")));
    }
  })();
  await until(() => lines.length >= 2, { timeoutMs: 20_000 });
  expect(JSON.parse(lines[0]).length).toBe(1024);
  child.kill("SIGINT");
  await child.exited;
  await reading;
});

test("every failure is one sentence with the next step", async () => {
  const nobody = `127.0.0.1:${freePort()}`;
  expect(await adminFails("status", `--dashboard=${nobody}`)).toBe(
    `the dashboard at ${nobody} cannot be reached (no connection): is codis-dashboard running ` +
      "there? --dashboard=HOST:PORT says where it is",
  );
  await using redis = await startRedis();
  const wrong = await adminFails("status", `--dashboard=${redis.address}`);
  expect(wrong).toContain(`the dashboard at ${redis.address} cannot be reached`);
  expect(wrong.split("\n").length).toBe(1);
  await using dashboard = await startDashboard();
  await using proxy = await dashboard.startProxy();
  const at = `--dashboard=${dashboard.address}`;
  expect(await adminFails("status", `--dashboard=127.0.0.1:${proxy.adminPort}`)).toContain(
    "does not know this call",
  );
  expect(await adminFails("groups", "remove", "7", at)).toContain("group-[7] doesn't exist");
  expect(await adminFails("groups", "add", "seven", at)).toStartWith("GROUP isn't a valid integer");
  expect(await adminFails("servers", "remove", "10.0.0.1:1", "--yes", at)).toBe(
    "no group has a server 10.0.0.1:1: codis admin groups shows them",
  );
  expect(await adminFails("proxies", "remove", "9", "--yes", at)).toBe(
    `there is no proxy 9; there is 1 (127.0.0.1:${proxy.adminPort})`,
  );
  expect(await adminFails("statsu", at)).toBe(
    "there is no command 'statsu'; did you mean 'status'?\n\ncodis admin help lists the commands.",
  );
  expect(await adminFails("rebalance", "--drain-grup=1", at)).toStartWith(
    "unknown option --drain-grup; did you mean '--drain-group'?",
  );
});

test("help is printed for every command, and colours only for a terminal", async () => {
  expect(await adminOk("help")).toContain("rebalance");
  expect(await adminOk("migrate", "--help")).toContain("codis admin migrate SLOTS GROUP [options]");
  expect(await adminOk("help", "slots", "assign")).toContain("Group 0 takes slots offline.");
  expect(await adminOk("completion", "bash")).toContain("complete -F _codis_admin");
  await using dashboard = await startDashboard();
  const at = `--dashboard=${dashboard.address}`;
  expect(await adminOk("status", at)).not.toContain("\x1b");
  expect((await typed("", "status", at)).stdout).toContain("\x1b[31m!");
});
