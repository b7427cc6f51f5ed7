// What comes too late must not be acknowledged: proxies that were given up, or orders of a
// dashboard that knows less than the one before it.
import { expect } from "bun:test";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { optionsPath } from "../../src/model/store-layout.ts";
import type { Reply } from "../../src/resp/value.ts";
import { keyOf } from "../harness/keys.ts";
import type { Proxy } from "../harness/proxy.ts";
import { connect, encode, type RespClient } from "../harness/resp-client.ts";
import { systemTest } from "../harness/system-test.ts";
import { until } from "../harness/until.ts";
import { type MovingProduct, startMovingProduct } from "../migration/moving-product.ts";

const test = systemTest("redis-server");

const SLOT = 7;
const KEY = keyOf(SLOT);
/** A slot of a server that hangs keeps the session's replies, and so the session, waiting. */
const HUNG_SLOT = 1000;

async function startLab(): Promise<MovingProduct> {
  const product = await startMovingProduct({ groups: 3, proxies: 2 });
  await product.dashboard.assign(HUNG_SLOT, HUNG_SLOT, 3);
  return product;
}

/** A client with a request at a server that hangs, and with whatever it sends from now on. */
async function busyClient(proxy: Proxy, product: MovingProduct): Promise<RespClient> {
  const client = await connect(proxy.port, { readTimeoutMs: 30_000 });
  await client.call("SET", KEY, "before");
  product.servers[2].pause();
  client.send(encode("GET", keyOf(HUNG_SLOT)));
  return client;
}

/** Writes when the slot has moved, by way of a proxy that should know nothing of it. */
async function writeLate(client: RespClient, product: MovingProduct): Promise<void> {
  await product.move(SLOT, SLOT, 2);
  await product.untilAtRest();
  if (client.isOpen) client.send(encode("SET", KEY, "late"));
  const hasActed = async (): Promise<boolean> => {
    return !client.isOpen || (await product.servers[0].call("GET", KEY)) === "late";
  };
  // As a rule neither happens, because the write stands behind a request that hangs.
  await until(hasActed, { timeoutMs: 3_000 }).catch(() => {});
}

/** The reply to a write behind that request, or null when the connection is closed. */
async function outcomeOf(client: RespClient, product: MovingProduct): Promise<Reply> {
  product.servers[2].resume();
  try {
    await client.read();
    return await client.read();
  } catch {
    return null;
  }
}

/** Whoever was told OK finds what it wrote. */
async function expectKept(proxy: Proxy, outcome: Reply): Promise<void> {
  using reader = await connect(proxy.port);
  const value = await reader.call("GET", KEY);
  expect([outcome, value]).toEqual([outcome, outcome === "OK" ? "late" : "before"]);
}

test("a worker that has lost its parent acknowledges nothing by the old table", async () => {
  await using product = await startLab();
  const [lost, other] = product.proxies;
  using client = await busyClient(lost, product);
  lost.signal("SIGKILL");
  await lost.exited;
  await lost.start();
  await until(async () => (await lost.stats()).online, { what: "the proxy is back" });
  await writeLate(client, product);
  await expectKept(other, await outcomeOf(client, product));
});

test("a proxy that was removed and still ends acknowledges nothing by the old table", async () => {
  await using product = await startLab();
  const [leaving, other] = product.proxies;
  using client = await busyClient(leaving, product);
  const { token } = await leaving.get<{ token: string }>("/proxy/model");
  // It cannot be shut out of the server that hangs, so it stays known; of the others it is.
  await product.dashboard.put("removeProxy", { token, force: 0 }).catch(() => {});
  await writeLate(client, product);
  await expectKept(other, await outcomeOf(client, product));
});

test("a dashboard whose options are lost is followed all the same", async () => {
  await using product = await startMovingProduct();
  const { dashboard, servers, proxies } = product;
  await dashboard.restart();
  await dashboard.restart();
  await dashboard.kill();
  rmSync(join(dashboard.root, "data", optionsPath(dashboard.product)));
  await dashboard.start();
  await until(async () => {
    await dashboard.assign(SLOT, SLOT, 2);
    return true;
  });
  using client = await connect(proxies[0].port);
  expect(await client.call("SET", KEY, "value")).toBe("OK");
  expect(await servers[1].call("GET", KEY)).toBe("value");
});
