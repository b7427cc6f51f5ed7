import { describe, expect, test } from "bun:test";
import { readFileSync, writeFileSync } from "node:fs";
import { parse } from "smol-toml";
import { secretsOf } from "../settings/print.ts";
import { UNLIMITED } from "../settings/table.ts";
import { PROXY_SETTINGS } from "./settings-table.ts";
import {
  defaultProxyConfig,
  describeProxyConfig,
  loadProxyConfig,
  proxyConfigJson,
  proxyDefaultFile,
} from "./settings.ts";

const load = (env: Record<string, string>) => loadProxyConfig({ env }).config;

/** The keys of the original's configuration object, in its order, less the secret jodis_auth. */
const ORIGINAL_JSON_KEYS = `
  proto_type proxy_addr admin_addr jodis_name jodis_addr jodis_timeout jodis_compatible
  product_name proxy_datacenter proxy_max_clients proxy_max_offheap_size proxy_heap_placeholder
  backend_ping_period backend_recv_bufsize backend_recv_timeout backend_send_bufsize
  backend_send_timeout backend_max_pipeline backend_primary_only backend_primary_parallel
  backend_replica_parallel backend_keepalive_period backend_number_databases
  session_recv_bufsize session_recv_timeout session_send_bufsize session_send_timeout
  session_max_pipeline session_keepalive_period session_break_on_failure
  metrics_report_server metrics_report_period metrics_report_influxdb_server
  metrics_report_influxdb_period metrics_report_influxdb_username
  metrics_report_influxdb_database metrics_report_statsd_server metrics_report_statsd_period
  metrics_report_statsd_prefix`
  .trim()
  .split(/\s+/);

describe("the JSON of the admin API", () => {
  test("has the original's keys in its order, then ours", () => {
    const keys = Object.keys(proxyConfigJson(defaultProxyConfig()));
    expect(keys.slice(0, ORIGINAL_JSON_KEYS.length)).toEqual(ORIGINAL_JSON_KEYS);
    expect(keys.length).toBeGreaterThan(ORIGINAL_JSON_KEYS.length);
  });

  test("has sizes and durations as texts", () => {
    expect(proxyConfigJson(defaultProxyConfig())).toMatchObject({
      proto_type: "tcp4",
      jodis_timeout: "20s",
      proxy_max_clients: 0,
      proxy_max_offheap_size: "1gb",
      proxy_heap_placeholder: "256mb",
      backend_recv_bufsize: "128kb",
      session_recv_timeout: "30m",
      session_keepalive_period: "75s",
      backend_primary_only: false,
      session_max_output_buffer: "256mb",
    });
  });

  test("never has a secret", () => {
    const config = load({
      CODIS_PRODUCT_AUTH: "hunter2-a",
      CODIS_SESSION_AUTH: "hunter2-b",
      CODIS_JODIS_AUTH: "hunter2-c",
      CODIS_METRICS_REPORT_INFLUXDB_PASSWORD: "hunter2-d",
      CODIS_METRICS_REPORT_SERVER: "http://u:hunter2-e@h/",
      CODIS_METRICS_REPORT_INFLUXDB_SERVER: "http://u:hunter2-f@h/",
    });
    expect(JSON.stringify(proxyConfigJson(config))).not.toContain("hunter2");
    const description = describeProxyConfig(config);
    expect(description).not.toContain("hunter2");
    expect(description).toContain("session_auth is set");
    expect(secretsOf(PROXY_SETTINGS, { ...config }).length).toBe(4);
  });
});

describe("limits", () => {
  test("of 0 are no limits, and are shown as 0", () => {
    const config = load({ CODIS_SESSION_MAX_PIPELINE: "0", CODIS_SESSION_MAX_INPUT_BUFFER: "0" });
    expect(config.sessionMaxPipeline).toBe(UNLIMITED);
    expect(config.sessionMaxInputBufferBytes).toBe(UNLIMITED);
    const json = proxyConfigJson(config);
    expect(json.session_max_pipeline).toBe(0);
    expect(json.session_max_input_buffer).toBe("0");
  });

  test("of clients leave 0 to the descriptor limit", () => {
    expect(defaultProxyConfig().proxyMaxClients).toBe(0);
  });

  test("that act as another number arrive as that number", () => {
    const config = load({ CODIS_BACKEND_PRIMARY_PARALLEL: "0", CODIS_SESSION_RECV_BUFSIZE: "0" });
    expect(config.backendPrimaryParallel).toBe(1);
    expect(config.sessionRecvBufsizeBytes).toBe(1024);
  });
});

describe("rules", () => {
  const refused: ReadonlyArray<readonly [Record<string, string>, string]> = [
    [{ CODIS_PRODUCT_NAME: "a b" }, "bad product name = a b"],
    [{ CODIS_PRODUCT_NAME: "-a" }, "bad product name = -a"],
    [{ CODIS_PROTO_TYPE: "unixpacket" }, "invalid proto_type"],
    [{ CODIS_PROXY_ADDR: "" }, "invalid proxy_addr"],
    [{ CODIS_PROXY_ADDR: "19000" }, "invalid proxy_addr"],
    [{ CODIS_ADMIN_ADDR: "localhost" }, "invalid admin_addr"],
    [{ CODIS_JODIS_NAME: "etcd" }, "invalid jodis_addr"],
    [{ CODIS_JODIS_ADDR: "127.0.0.1:2379" }, "invalid jodis_name"],
    [{ CODIS_JODIS_NAME: "fs" }, "invalid jodis_name"],
    [{ CODIS_BACKEND_NUMBER_DATABASES: "0" }, "invalid backend_number_databases"],
    [{ CODIS_BACKEND_PING_PERIOD: "-1s" }, "invalid backend_ping_period"],
    [{ CODIS_PROXY_REDIS_VERSION: "seven" }, "invalid proxy_redis_version"],
  ];
  for (const [env, begin] of refused) {
    test(`refuse ${JSON.stringify(env)}`, () => expect(() => load(env)).toThrow(begin));
  }

  test("allow a path where clients connect by a socket file", () => {
    const config = load({ CODIS_PROTO_TYPE: "unix", CODIS_PROXY_ADDR: "/tmp/codis.sock" });
    expect(config.proxyAddr).toBe("/tmp/codis.sock");
  });
});

test("retired settings are accepted with a warning and still shown", () => {
  const { config, warnings } = loadProxyConfig({ env: { CODIS_PROXY_HEAP_PLACEHOLDER: "1kb" } });
  expect(warnings.length).toBe(1);
  expect(proxyConfigJson(config).proxy_heap_placeholder).toBe("1kb");
});

test("options of the command line stand above everything", () => {
  const env = { CODIS_PRODUCT_NAME: "env" };
  const { config } = loadProxyConfig({ env, settings: { product_name: "flag" } });
  expect(config.productName).toBe("flag");
});

test("nothing is described when all is at its default", () => {
  expect(describeProxyConfig(defaultProxyConfig())).toBe("");
});

describe("printed files", () => {
  const root = new URL("../../", import.meta.url);
  test("config/proxy.toml is what the table says (CODIS_TEST_UPDATE=1 writes it anew)", () => {
    const file = new URL("config/proxy.toml", root);
    if (process.env.CODIS_TEST_UPDATE === "1") writeFileSync(file, proxyDefaultFile());
    expect(readFileSync(file, "utf8")).toBe(proxyDefaultFile());
  });

  test("the default file loads to the defaults, without a warning", () => {
    const { config, warnings } = loadProxyConfig({
      env: {},
      configFile: new URL("config/proxy.toml", root).pathname,
    });
    expect(config).toEqual(defaultProxyConfig());
    expect(warnings).toEqual([]);
    const keys = Object.keys(parse(proxyDefaultFile()));
    const current = PROXY_SETTINGS.filter((row) => !("retired" in row));
    expect(keys).toEqual(current.map((row) => row.key));
  });
});
