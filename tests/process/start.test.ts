// How the program starts, or says why it does not: bin/codis-proxy as an operator runs it.
import { expect } from "bun:test";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { VERSION } from "../../src/lib/version.ts";
import { freePort } from "../harness/ports.ts";
import { ALL_SLOTS, assignSlots, startProxy } from "../harness/proxy.ts";
import { startRedis } from "../harness/redis.ts";
import { connect } from "../harness/resp-client.ts";
import { ROOT } from "../harness/sources.ts";
import { systemTest } from "../harness/system-test.ts";
import { tempDir } from "../harness/temp-dir.ts";
import { until } from "../harness/until.ts";

const test = systemTest("redis-server");

/** Runs bin/codis-proxy until it ends by itself. */
async function run(...args: string[]): Promise<{ out: string; err: string; status: number }> {
  const child = Bun.spawn(["node", join(ROOT, "bin/codis-proxy"), ...args], {
    env: { PATH: process.env.PATH },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const [out, err] = await Promise.all([child.stdout.text(), child.stderr.text()]);
  return { out, err, status: await child.exited };
}

/** The lines that are no log entries: what is meant for the person who typed the command. */
function sentences(err: string): string[] {
  return err.split("\n").filter((line) => line !== "" && !/^\d{4}\/\d\d\/\d\d /.test(line));
}

function writeConfig(dir: string, proxyPort: number, adminPort: number): string {
  const file = join(dir, "proxy.toml");
  const lines = [`proxy_addr = "127.0.0.1:${proxyPort}"`, `admin_addr = "127.0.0.1:${adminPort}"`];
  writeFileSync(file, `${lines.join("\n")}\n`);
  return file;
}

test("a port that is taken is named in one sentence, and the status is 1", async () => {
  await using redis = await startRedis();
  using dir = tempDir();
  for (const [proxyPort, adminPort] of [
    [redis.port, freePort()],
    [freePort(), redis.port],
  ]) {
    const config = writeConfig(dir.path, proxyPort, adminPort);
    const { err, status } = await run("--config", config, "--ncpu=2");
    const [sentence, ...rest] = sentences(err);
    expect(rest).toEqual([]);
    expect(sentence).toStartWith(
      `codis-proxy: cannot listen at 127.0.0.1:${redis.port}: port ${redis.port} is already in use`,
    );
    expect(sentence).toContain("redis-server");
    expect(status).toBe(1);
  }
});

test("two proxies cannot share a port unnoticed", async () => {
  await using proxy = await startProxy({ ncpu: 2, online: false });
  using dir = tempDir();
  const { err, status } = await run("--config", writeConfig(dir.path, proxy.port, freePort()));
  expect(err).toContain(`port ${proxy.port} is already in use`);
  expect(status).toBe(1);
});

test("--fillslots loads the slots and goes online without a dashboard", async () => {
  await using redis = await startRedis();
  const slots = [{ id: 579, backend_addr: redis.address, backend_addr_group_id: 1 }];
  await using proxy = await startProxy({ fillslots: slots });
  using client = await connect(proxy.port);
  // "a" is in slot 579, "b" in none that has a server.
  const [set, failed] = await client.pipeline([
    ["SET", "a", 1],
    ["SET", "b", 1],
  ]);
  expect(set).toBe("OK");
  expect(failed).toBeInstanceOf(Error);
  const listed = await proxy.get<{ id: number }[]>("/proxy/slots");
  expect(listed[579]).toEqual(slots[0]);
  expect(listed[580]).toEqual({ id: 580 });
});

test("--fillslots with a file that is no list of slots ends with one sentence", async () => {
  using dir = tempDir();
  const config = writeConfig(dir.path, freePort(), freePort());
  const file = join(dir.path, "slots.json");
  const bodies = ["{", "{}", '[{"id":1024}]', '[{"id":1,"backend_addr":"nowhere"}]'];
  for (const body of bodies) {
    writeFileSync(file, body);
    const { err, status } = await run("--config", config, "--fillslots", file);
    expect(sentences(err)).toHaveLength(1);
    expect(sentences(err)[0]).toStartWith(`codis-proxy: cannot load the slots of ${file}: `);
    expect(status).toBe(1);
  }
  const missing = await run("--config", config, "--fillslots", join(dir.path, "none.json"));
  expect(sentences(missing.err)).toHaveLength(1);
  expect(missing.status).toBe(1);
});

test("--pidfile holds the process id while the proxy runs, and goes with it", async () => {
  using dir = tempDir();
  const file = join(dir.path, "proxy.pid");
  await using proxy = await startProxy({ online: false, args: ["--pidfile", file] });
  expect(readFileSync(file, "utf8")).toBe(`${proxy.pid}\n`);
  await proxy.stop();
  expect(existsSync(file)).toBe(false);
});

test("--version and --default-config print and end with status 0", async () => {
  const version = await run("--version");
  expect(version).toMatchObject({ err: "", status: 0 });
  expect(version.out.split("\n")).toEqual([
    `version: ${VERSION}`,
    expect.stringMatching(/^compile: ./),
    "",
  ]);
  const config = await run("--default-config");
  expect(config).toMatchObject({ err: "", status: 0 });
  expect(config.out).toBe(readFileSync(join(ROOT, "config/proxy.toml"), "utf8"));
});

test("the default configuration is one that the program takes", async () => {
  using dir = tempDir();
  const file = join(dir.path, "default.toml");
  writeFileSync(file, (await run("--default-config")).out);
  const { out, status } = await run("--check-config", "--config", file);
  expect(out).toBe("the settings are right\n");
  expect(status).toBe(0);
});

test("a proxy that nobody has put online refuses clients, and its admin API works", async () => {
  await using redis = await startRedis();
  await using proxy = await startProxy({ ncpu: 2, online: false });
  for (let i = 0; i < 5; i++) {
    using client = await connect(proxy.port);
    client.send("PING\r\n");
    expect(await client.readToEnd()).toBe("-ERR router is not online\r\n");
  }
  expect((await proxy.stats()).online).toBe(false);
  expect(await fetch(proxy.url("/readyz")).then(({ ok }) => ok)).toBe(false);
  await assignSlots(proxy, [{ addr: redis.address, ...ALL_SLOTS }]);
  await proxy.put("start");
  await until(async () => (await fetch(proxy.url("/readyz"))).ok);
  using client = await connect(proxy.port);
  expect(await client.call("SET", "key", "value")).toBe("OK");
  // A second start changes nothing.
  await proxy.put("start");
  expect(await client.call("GET", "key")).toBe("value");
});
