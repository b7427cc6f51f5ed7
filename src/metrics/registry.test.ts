import { expect, test } from "bun:test";
import { readFileSync, writeFileSync } from "node:fs";
import { DASHBOARD_METRICS } from "./dashboard-registry.ts";
import { PrometheusText } from "./prometheus.ts";
import { COUNTERS, METRICS, metricsPage } from "./registry.ts";

test("docs/metrics.md is what the tables say (CODIS_TEST_UPDATE=1 writes it anew)", () => {
  const file = new URL("../../docs/metrics.md", import.meta.url);
  const page = metricsPage(DASHBOARD_METRICS);
  if (process.env.CODIS_TEST_UPDATE === "1") writeFileSync(file, page);
  expect(readFileSync(file, "utf8")).toBe(page);
});

test("names follow the customs of Prometheus", () => {
  const both = [...Object.values(METRICS), ...Object.values(DASHBOARD_METRICS)];
  for (const { name, kind, help, labels } of both) {
    expect(name).toMatch(/^(codis_proxy|codis_dashboard|process)(_[a-z]+)+$/);
    expect([name, kind === "counter"]).toEqual([name, name.endsWith("_total")]);
    expect(help).toMatch(/\.$/);
    for (const label of labels) expect(label).toMatch(/^[a-z]+$/);
  }
  const names = Object.values(METRICS).map((metric) => metric.name);
  expect(new Set(names).size).toBe(names.length);
});

test("two counters of the workers never share a sample", () => {
  const samples = Object.values(COUNTERS).map(({ metric, labels }) => {
    expect(Object.keys(labels)).toEqual([...metric.labels]);
    return metric.name + JSON.stringify(labels);
  });
  expect(new Set(samples).size).toBe(samples.length);
});

test("help and type stand once above all samples of a metric", () => {
  const text = new PrometheusText();
  text.add(METRICS.closed, { reason: "idle" }, 3);
  text.add(METRICS.retried, {}, 0.5);
  text.add(METRICS.closed, { reason: 'a"b\\c\n' }, 4);
  expect(text.toString()).toBe(
    "# HELP codis_proxy_client_closes_total Sessions that the proxy ended, by reason.\n" +
      "# TYPE codis_proxy_client_closes_total counter\n" +
      'codis_proxy_client_closes_total{reason="idle"} 3\n' +
      'codis_proxy_client_closes_total{reason="a\\"b\\\\c\\n"} 4\n' +
      `# HELP codis_proxy_requests_retried_total ${METRICS.retried.help}\n` +
      "# TYPE codis_proxy_requests_retried_total counter\n" +
      "codis_proxy_requests_retried_total 0.5\n",
  );
});

test("the buckets of a histogram are cumulative and end at infinity", () => {
  const text = new PrometheusText();
  const histogram = { bounds: [0.1, 1], counts: [2, 3, 4], sum: 12.5 };
  text.histogram(METRICS.commandDuration, { cmd: "get" }, histogram);
  expect(text.toString().split("\n").slice(2)).toEqual([
    'codis_proxy_command_duration_seconds_bucket{cmd="get",le="0.1"} 2',
    'codis_proxy_command_duration_seconds_bucket{cmd="get",le="1"} 5',
    'codis_proxy_command_duration_seconds_bucket{cmd="get",le="+Inf"} 9',
    'codis_proxy_command_duration_seconds_sum{cmd="get"} 12.5',
    'codis_proxy_command_duration_seconds_count{cmd="get"} 9',
    "",
  ]);
});
