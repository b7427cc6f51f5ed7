import { expect, test } from "bun:test";
import { readFileSync, writeFileSync } from "node:fs";
import { parse } from "smol-toml";
import {
  dashboardConfigJson,
  dashboardDefaultFile,
  defaultDashboardConfig,
  loadDashboardConfig,
} from "./settings.ts";
import { DASHBOARD_SETTINGS } from "./settings-table.ts";

const FILE = new URL("../../config/dashboard.toml", import.meta.url);

test("config/dashboard.toml is what the table says (CODIS_TEST_UPDATE=1 writes it anew)", () => {
  if (process.env.CODIS_TEST_UPDATE === "1") writeFileSync(FILE, dashboardDefaultFile());
  expect(readFileSync(FILE, "utf8")).toBe(dashboardDefaultFile());
});

test("the default file loads to the defaults, without a warning", () => {
  const { config, warnings } = loadDashboardConfig({ env: {}, configFile: FILE.pathname });
  expect(config).toEqual(defaultDashboardConfig());
  expect(warnings).toEqual([]);
  const keys = Object.keys(parse(dashboardDefaultFile()));
  expect(keys).toEqual(DASHBOARD_SETTINGS.map((row) => row.key));
});

test("the configuration shows the keys of the original in its order, and no secret", () => {
  const env = { CODIS_COORDINATOR_AUTH: "user:secret", CODIS_PRODUCT_AUTH: "secret" };
  const json = dashboardConfigJson(loadDashboardConfig({ env }).config);
  expect(Object.keys(json).slice(0, 17)).toEqual([
    ...["coordinator_name", "coordinator_addr", "admin_addr", "product_name", "migration_method"],
    ...["migration_parallel_slots", "migration_async_maxbulks", "migration_async_maxbytes"],
    ...["migration_async_numkeys", "migration_timeout", "sentinel_client_timeout"],
    ...["sentinel_quorum", "sentinel_parallel_syncs", "sentinel_down_after"],
    ...["sentinel_failover_timeout", "sentinel_notification_script"],
    "sentinel_client_reconfig_script",
  ]);
  expect(JSON.stringify(json)).not.toContain("secret");
});

test("what the original does not allow is refused in its words", () => {
  const load = (env: Record<string, string>) => () => loadDashboardConfig({ env });
  expect(load({ CODIS_COORDINATOR_NAME: "consul" })).toThrow("invalid coordinator name = consul");
  expect(load({ CODIS_MIGRATION_METHOD: "fast" })).toThrow("invalid migration_method");
  expect(load({ CODIS_ADMIN_ADDR: "nowhere" })).toThrow("invalid admin_addr");
  expect(load({ CODIS_PRODUCT_NAME: "-x" })).toThrow("bad product name = -x");
  const { config } = loadDashboardConfig({ env: { CODIS_MIGRATION_METHOD: "SYNC" } });
  expect(config.migrationMethod).toBe("sync");
});
