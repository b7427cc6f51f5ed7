// The entry of a proxy for client discovery, in real etcd and ZooKeeper.
import { describe, expect } from "bun:test";
import type { Coordinator } from "../../src/coordinator/coordinator.ts";
import { startEtcd } from "../harness/etcd.ts";
import { startProxy, type Proxy } from "../harness/proxy.ts";
import { systemTest, type SystemTest } from "../harness/system-test.ts";
import { until } from "../harness/until.ts";
import { startZookeeper, ZOOKEEPER_PROGRAMS } from "../harness/zookeeper.ts";
import { type MortalService, openService, type Service } from "./contract.ts";

/** As short as etcd allows. */
const TTL = "2s";

interface Start {
  readonly online?: boolean;
  readonly config?: Record<string, string | boolean>;
}

function startAnnounced(service: Service, { online, config }: Start = {}): Promise<Proxy> {
  return startProxy({
    online,
    config: {
      product_name: "lab",
      jodis_name: service.name,
      jodis_addr: service.address,
      jodis_timeout: TTL,
      ...config,
    },
  });
}

async function entry(coordinator: Coordinator): Promise<Record<string, string> | null> {
  const [text] = [...(await coordinator.readAll("/jodis/lab")).values()];
  return text === undefined ? null : JSON.parse(text);
}

async function lifeOfAnEntry(service: Service): Promise<void> {
  await using owned = openService(service);
  const { coordinator } = owned;
  await using proxy = await startAnnounced(service, { online: false });
  const model = await proxy.get<Record<string, string>>("/api/proxy/model");
  const path = `/jodis/lab/proxy-${model.token}`;
  expect(model.jodis_path).toBe(path);
  expect(await coordinator.read(path)).toBeNull();
  await proxy.put("start");
  const text = await until(() => coordinator.read(path));
  const lines = [
    `    "addr": "${proxy.address}",`,
    `    "admin": "127.0.0.1:${proxy.adminPort}",`,
    `    "start": "${model.start_time}",`,
    '    "state": "online",',
    `    "token": "${model.token}"`,
  ];
  expect(text).toBe(["{", ...lines, "}"].join("\n"));
  expect((await proxy.stop()).code).toBe(0);
  expect(await coordinator.read(path)).toBeNull();
}

async function deathOfAProxy(service: Service): Promise<void> {
  await using owned = openService(service);
  await using proxy = await startAnnounced(service);
  const first = await until(() => entry(owned.coordinator));
  await proxy.stop("SIGKILL");
  // The entry of the dead one is still there; it neither stops the new one nor takes it along.
  await proxy.start();
  const isNew = async (): Promise<boolean> => {
    return (await entry(owned.coordinator))?.start !== first?.start;
  };
  await until(isNew);
  await proxy.stop("SIGKILL");
  await until(async () => (await entry(owned.coordinator)) === null);
}

async function lossOfAnEntry(service: MortalService): Promise<void> {
  await using owned = openService(service);
  await using _proxy = await startAnnounced(service);
  await until(() => entry(owned.coordinator));
  await owned.coordinator.remove("/jodis/lab");
  await until(() => entry(owned.coordinator));
  await service.kill();
  const killedMs = performance.now();
  await until(() => performance.now() - killedMs > 3_000, {
    what: "the time of the entry is over",
  });
  await service.start();
  await until(() => entry(owned.coordinator), { timeoutMs: 15_000 });
}

async function lateService(service: MortalService): Promise<void> {
  await service.kill();
  await using proxy = await startAnnounced(service);
  await until(() => proxy.log().includes("clients cannot find this proxy yet"), {
    timeoutMs: 15_000,
  });
  await service.start();
  await using owned = openService(service);
  await until(() => entry(owned.coordinator), { timeoutMs: 15_000 });
}

async function endWithoutService(service: MortalService): Promise<void> {
  await using owned = openService(service);
  await using proxy = await startAnnounced(service);
  await until(() => entry(owned.coordinator));
  await service.kill();
  expect((await proxy.stop()).code).toBe(0);
}

async function pathOfCodisTwo(service: Service): Promise<void> {
  await using owned = openService(service);
  await using proxy = await startAnnounced(service, { config: { jodis_compatible: true } });
  const { token } = await proxy.get<{ token: string }>("/api/proxy/model");
  const path = `/zk/codis/db_lab/proxy/${token}`;
  expect(await until(() => owned.coordinator.read(path))).toContain('"state": "online"');
}

function jodisTests(test: SystemTest, start: () => Promise<MortalService>): void {
  const inService = (task: (service: MortalService) => Promise<void>) => async () => {
    await using service = await start();
    await task(service);
  };
  test("the entry is there from going online to the orderly end", inService(lifeOfAnEntry));
  test("the entry of a killed proxy goes away by itself", inService(deathOfAProxy));
  test("an entry that was lost is made anew", inService(lossOfAnEntry), 40_000);
  test("a service that comes later gets the entry", inService(lateService), 40_000);
  test("a service that is gone does not keep the proxy from ending", inService(endWithoutService));
  test("jodis_compatible has the path of Codis 2", inService(pathOfCodisTwo));
}

describe("etcd", () => jodisTests(systemTest("etcd"), startEtcd));
describe("ZooKeeper", () => jodisTests(systemTest(...ZOOKEEPER_PROGRAMS), startZookeeper));
