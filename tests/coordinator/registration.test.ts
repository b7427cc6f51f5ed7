// A proxy that finds its dashboard through the coordinator: it registers where the leader says.
// The dashboard is a stand-in of two routes; its node is written by a real leader.
import { expect } from "bun:test";
import { join } from "node:path";
import { startEtcd } from "../harness/etcd.ts";
import { startProxy } from "../harness/proxy.ts";
import { systemTest } from "../harness/system-test.ts";
import { tempDir } from "../harness/temp-dir.ts";
import { until } from "../harness/until.ts";
import { startZookeeper, ZOOKEEPER_PROGRAMS } from "../harness/zookeeper.ts";
import { openService, type Service } from "./contract.ts";

interface StandIn extends Disposable {
  readonly model: string;
  /** The admin addresses of proxies that asked to be taken in. */
  readonly registered: string[];
}

function startStandIn(): StandIn {
  const registered: string[] = [];
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    fetch(request): Response {
      const { pathname, host } = new URL(request.url);
      if (pathname === "/api/topom/model") return new Response(modelAt(host));
      registered.push(decodeURIComponent(pathname.split("/").at(-1) ?? ""));
      return new Response('"OK"');
    },
  });
  const model = modelAt(`127.0.0.1:${server.port}`);
  return { model, registered, [Symbol.dispose]: () => void server.stop(true) };
}

function modelAt(address: string): string {
  return JSON.stringify({ token: "t", admin_addr: address, product_name: "lab" });
}

async function registers(service: Service): Promise<void> {
  using dashboard = startStandIn();
  await using owned = openService(service);
  await using proxy = await startProxy({
    online: false,
    config: { product_name: "lab" },
    args: [`--${service.name}=${service.address}`],
  });
  await until(() => proxy.log().includes("no dashboard leads lab"));
  const lead = await owned.coordinator.lead("/codis3/lab/topom", dashboard.model, { ttlMs: 3000 });
  await until(() => dashboard.registered.length > 0);
  expect(dashboard.registered).toEqual([`127.0.0.1:${proxy.adminPort}`]);
  await lead.release();
}

async function startDirectory(): Promise<Service> {
  const dir = tempDir();
  const dispose = async (): Promise<void> => dir[Symbol.dispose]();
  return { name: "filesystem", address: join(dir.path, "c"), [Symbol.asyncDispose]: dispose };
}

const cases = [
  { test: systemTest(), name: "a directory", start: startDirectory },
  { test: systemTest("etcd"), name: "etcd", start: startEtcd },
  { test: systemTest(...ZOOKEEPER_PROGRAMS), name: "ZooKeeper", start: startZookeeper },
];
for (const { test, name, start } of cases) {
  test(`a proxy registers at the dashboard that leads, by ${name}`, async () => {
    await using service: Service = await start();
    await registers(service);
  });
}
