// The real programs around a coordinator: two dashboards, one of which is killed, and a proxy that
// finds whoever leads and that clients find.
import { expect } from "bun:test";
import { startDashboard } from "../harness/dashboard.ts";
import { startEtcd } from "../harness/etcd.ts";
import { startProxy } from "../harness/proxy.ts";
import { systemTest, type SystemTest } from "../harness/system-test.ts";
import { until } from "../harness/until.ts";
import { startZookeeper, ZOOKEEPER_PROGRAMS } from "../harness/zookeeper.ts";
import { openService, type Service } from "./contract.ts";

function takeover(test: SystemTest, name: string, start: () => Promise<Service>): void {
  test(`a standby takes over and proxies find it, with ${name}`, async () => {
    await using service = await start();
    await using owned = openService(service);
    const config = {
      coordinator_name: service.name,
      coordinator_addr: service.address,
      lease_timeout: "2s",
    };
    await using first = await startDashboard({ config });
    await using second = await startDashboard({ config, leads: false });
    await until(() => second.log().includes("standing by"));
    await first.put("createGroup", { gid: 1 });
    await first.kill();
    await until(() => second.log().includes("leading product"), { timeoutMs: 15_000 });
    const { stats } = await second.overview();
    expect(stats?.group.models.map(({ id }) => id)).toEqual([1]);
    await using proxy = await startProxy({
      online: false,
      config: {
        product_name: second.product,
        jodis_name: service.name,
        jodis_addr: service.address,
      },
      args: [`--${service.name}=${service.address}`],
    });
    await until(async () => (await proxy.stats()).online);
    await until(
      async () => (await owned.coordinator.list(`/jodis/${second.product}`)).length === 1,
    );
    const [stored] = (await owned.coordinator.readAll(`/codis3/${second.product}/proxy`)).values();
    expect(stored).toContain(`"jodis_path": "/jodis/${second.product}/proxy-`);
  }, 60_000);
}

takeover(systemTest("etcd"), "etcd", startEtcd);
takeover(systemTest(...ZOOKEEPER_PROGRAMS), "ZooKeeper", startZookeeper);
