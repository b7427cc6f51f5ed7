import { expect, test } from "bun:test";
import { createSocket } from "node:dgram";
import { until } from "../../tests/harness/until.ts";
import {
  influxLine,
  type PushFields,
  type PushSettings,
  startReporters,
  statsdPackets,
  statsdPrefix,
} from "./push.ts";

const FIELDS: PushFields = {
  ops_total: 10,
  ops_fails: 1,
  ops_redis_errors: 2,
  ops_qps: 3,
  sessions_total: 4,
  sessions_alive: 5,
  rusage_mem: 12374016,
  rusage_cpu: 0.25,
  runtime_gc_num: 0,
  runtime_gc_total_pausems: 0,
  runtime_num_procs: 2,
  runtime_num_goroutines: 0,
  runtime_num_cgo_call: 0,
  runtime_num_mem_offheap: 0,
};

const TAGS = {
  token: "36b9",
  admin_addr: "127.0.0.1:30156",
  hostname: "host 1",
  product_name: "lab",
  proxy_addr: "127.0.0.1:30159",
};

const SOURCE = {
  overviewJson: () => Promise.resolve('{"a": 1}'),
  fields: () => Promise.resolve(FIELDS),
  tags: TAGS,
};

const OFF: PushSettings = {
  metricsReportServer: "",
  metricsReportPeriodMs: 0,
  metricsReportInfluxdbServer: "",
  metricsReportInfluxdbPeriodMs: 0,
  metricsReportInfluxdbUsername: "",
  metricsReportInfluxdbPassword: "",
  metricsReportInfluxdbDatabase: "",
  metricsReportStatsdServer: "",
  metricsReportStatsdPeriodMs: 0,
  metricsReportStatsdPrefix: "",
};

test("a line for InfluxDB is what the original writes", () => {
  expect(influxLine(TAGS, FIELDS, 1795369331686)).toBe(
    "codis_usage,admin_addr=127.0.0.1:30156,hostname=host\\ 1,product_name=lab," +
      "proxy_addr=127.0.0.1:30159,token=36b9 " +
      "ops_fails=1i,ops_qps=3i,ops_redis_errors=2i,ops_total=10i,runtime_gc_num=0i," +
      'runtime_gc_total_pausems="0",runtime_num_cgo_call=0i,runtime_num_goroutines=0i,' +
      "runtime_num_mem_offheap=0i,runtime_num_procs=2i,rusage_cpu=0.25,rusage_mem=12374016i," +
      "sessions_alive=5i,sessions_total=4i 1795369331686000000\n",
  );
});

test("statsd gauges are named like those of the original and fit into packets", () => {
  const prefix = statsdPrefix("pre", TAGS);
  expect(prefix).toBe("pre.lab.127_0_0_1_30156.127_0_0_1_30159");
  expect(statsdPrefix("", TAGS)).toBe(".lab.127_0_0_1_30156.127_0_0_1_30159");
  const packets = statsdPackets(prefix, FIELDS);
  expect(packets[0]).toStartWith(`${prefix}.ops_total:10|g\n${prefix}.ops_fails:1|g\n`);
  expect(packets.join("\n").split("\n").length).toBe(14);
  const long = statsdPackets("x".repeat(400), FIELDS);
  expect(long.length).toBeGreaterThan(3);
  expect(Math.max(...long.map((packet) => packet.length))).toBeLessThanOrEqual(1440);
});

test("the overview and the line are posted, with the login that was set", async () => {
  const seen: { url: string; body: string; login: string | null }[] = [];
  using server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    async fetch(request) {
      const { pathname, search } = new URL(request.url);
      const login = request.headers.get("authorization");
      seen.push({ url: pathname + search, body: await request.text(), login });
      return new Response(null, { status: pathname === "/write" ? 204 : 200 });
    },
  });
  const stop = startReporters(
    {
      ...OFF,
      metricsReportServer: `http://127.0.0.1:${server.port}/report`,
      metricsReportInfluxdbServer: `http://127.0.0.1:${server.port}/`,
      metricsReportInfluxdbUsername: "me",
      metricsReportInfluxdbPassword: "pw",
      metricsReportInfluxdbDatabase: "d b",
    },
    SOURCE,
  );
  try {
    await until(() => seen.length >= 2);
  } finally {
    stop();
  }
  seen.sort((a, b) => (a.url < b.url ? -1 : 1));
  expect(seen[0]).toEqual({ url: "/report", body: '{"a": 1}', login: null });
  expect(seen[1].url).toBe("/write?consistency=&db=d%20b&precision=ns&rp=");
  expect(seen[1].login).toBe(`Basic ${btoa("me:pw")}`);
  expect(seen[1].body).toStartWith("codis_usage,");
});

test("gauges reach a statsd", async () => {
  const packets: string[] = [];
  const socket = createSocket("udp4", (packet) => packets.push(packet.toString()));
  await new Promise<void>((resolve) => socket.bind(0, "127.0.0.1", resolve));
  const address = `127.0.0.1:${socket.address().port}`;
  const stop = startReporters({ ...OFF, metricsReportStatsdServer: address }, SOURCE);
  try {
    await until(() => packets.length > 0);
  } finally {
    stop();
    socket.close();
  }
  expect(packets[0]).toContain(".ops_total:10|g\n");
});
