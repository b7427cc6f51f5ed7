// How the dashboard starts, stands by, takes over and ends.
import { expect } from "bun:test";
import { systemTest } from "../harness/system-test.ts";
import { startDashboard } from "../harness/dashboard.ts";

const test = systemTest("redis-server");

test("a dashboard leads its product and ends with status 0", async () => {
  await using dashboard = await startDashboard();
  const { model, stats } = await dashboard.overview();
  expect(model).toMatchObject({ admin_addr: dashboard.address, product_name: "test" });
  expect(stats.slots).toHaveLength(1024);
  expect(stats.leader).toEqual({ is_leader: true, fence: expect.any(String) });
  expect(await dashboard.stop()).toEqual({ code: 0, signal: null });
});
