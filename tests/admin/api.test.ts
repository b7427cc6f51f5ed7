// The admin API of the real program, called as a dashboard or a curious person would.
import { expect, test } from "bun:test";
import { PROXY_ROUTES } from "../../src/api/routes.ts";
import { METRICS } from "../../src/metrics/registry.ts";
import type { ProxyStats } from "../../src/model/proxy-stats.ts";
import type { SlotFill } from "../../src/model/slot.ts";
import { type Proxy, startProxy } from "../harness/proxy.ts";
import { startFaultyBackend } from "../harness/faulty-backend.ts";
import { connect } from "../harness/resp-client.ts";
import { until } from "../harness/until.ts";

interface Refusal {
  readonly status: number;
  readonly reason: string;
  readonly cause: string;
}

async function send(proxy: Proxy, method: string, path: string, body?: string): Promise<Response> {
  return fetch(proxy.url(path.replace(":xauth", proxy.xauth)), { method, body });
}

async function refusalOf(response: Response): Promise<Refusal> {
  const { Cause, Stack } = (await response.json()) as { Cause: string; Stack: unknown };
  expect(Stack).toBeNull();
  return { status: response.status, reason: response.statusText, cause: Cause };
}

test("stats have the fields of the original, in its order, and ours behind them", async () => {
  await using proxy = await startProxy({ ncpu: 2, online: false });
  const plain = await (await send(proxy, "GET", "/api/proxy/stats/:xauth")).json();
  const original = ["online", "closed", "sentinels", "ops", "sessions", "rusage", "backend"];
  const ours = ["fenced", "slot_revision", "pins_revision", "migration", "counters", "workers"];
  expect(Object.keys(plain as object)).toEqual([...original, ...ours]);
  expect(plain).toMatchObject({
    online: false,
    closed: false,
    sentinels: {},
    ops: { total: 0, fails: 0, redis: { errors: 0 }, qps: 0 },
    sessions: { total: 0, alive: 0 },
    backend: { primary_only: false },
  });
  const all = await proxy.get<ProxyStats>("/proxy/stats");
  expect(Object.keys(all.rusage)).toEqual(["now", "cpu", "mem", "raw"]);
  expect(all.rusage.mem).toBeGreaterThan(10_000_000);
  expect(Object.keys(all.runtime ?? {})).toEqual([
    ...["general", "heap", "gc", "num_procs", "num_goroutines", "num_cgo_call", "mem_offheap"],
  ]);
  expect(all.workers.map((worker) => worker.state)).toEqual(["serving", "serving"]);
});

test("flags choose the parts of the statistics", async () => {
  await using proxy = await startProxy();
  using client = await connect(proxy.port);
  await client.call("PING");
  await client.call("PING");
  await client.call("CLIENT", "ID");
  const partsOf = async (flags: string): Promise<string[]> => {
    const response = await send(proxy, "GET", `/api/proxy/stats/:xauth/${flags}`);
    const stats = (await response.json()) as ProxyStats;
    return [...(stats.ops.cmd === undefined ? [] : ["cmd"]), ...Object.keys(stats)];
  };
  expect(await partsOf("0")).not.toContain("runtime");
  expect(await partsOf("0")).not.toContain("cmd");
  expect(await partsOf("1")).toContain("cmd");
  expect(await partsOf("4")).toContain("runtime");
  expect(await partsOf("-1")).toContain("runtime");
  const { ops } = await proxy.get<ProxyStats>("/proxy/stats");
  expect(ops.total).toBe(3);
  expect(ops.cmd?.map(({ opstr, calls }) => [opstr, calls])).toEqual([
    ["CLIENT|ID", 1],
    ["PING", 2],
  ]);
  expect(Object.keys(ops.cmd?.[0] ?? {}).slice(0, 6)).toEqual([
    ...["opstr", "calls", "usecs", "usecs_percall", "fails", "redis_errtype"],
  ]);
  const wrong = await refusalOf(await send(proxy, "GET", "/api/proxy/stats/:xauth/abc"));
  expect(wrong.status).toBe(400);
  expect(wrong.cause).toBe('strconv.Atoi: parsing "abc": invalid syntax');
});

test("requests of the last second are counted, and a reset begins anew", async () => {
  await using proxy = await startProxy();
  using client = await connect(proxy.port);
  await client.pipeline(Array.from({ length: 50 }, () => ["PING"]));
  await until(async () => (await proxy.stats()).ops.qps > 0);
  expect((await proxy.stats()).ops.total).toBe(50);
  expect(await (await send(proxy, "PUT", "/api/proxy/stats/reset/:xauth")).json()).toBe("OK");
  const { ops, sessions } = await proxy.stats();
  expect(ops).toMatchObject({ total: 0, fails: 0, qps: 0 });
  expect(ops.cmd).toBeUndefined();
  expect(sessions).toEqual({ total: 1, alive: 1 });
});

test("every route with an xauth refuses a wrong one, and names the cause twice", async () => {
  await using proxy = await startProxy({ online: false });
  for (const { method, path } of Object.values(PROXY_ROUTES)) {
    if (!path.includes(":xauth")) continue;
    const wrong = path.replace(":xauth", "0".repeat(32)).replace(/:\w+/, "1");
    const refusal = await refusalOf(await fetch(proxy.url(wrong), { method }));
    const cause = "invalid xauth, please check product name & auth";
    expect([path, refusal]).toEqual([path, { status: 403, reason: cause, cause }]);
  }
});

test("a malformed fill is refused as a whole and changes nothing", async () => {
  await using backend = startFaultyBackend();
  await using proxy = await startProxy({ slots: [{ addr: backend.address, from: 0, to: 2 }] });
  const before = await proxy.get<SlotFill[]>("/proxy/slots");
  expect(before[0]).toEqual({ id: 0, backend_addr: backend.address, backend_addr_group_id: 1 });
  const good = { id: 1 };
  const bodies: unknown[] = [
    { id: 0 },
    [good, null],
    [good, { id: "0" }],
    [good, {}],
    [good, { id: 1024 }],
    [good, { id: 0, backend_addr: 1 }],
    [good, { id: 0, forward_method: 7 }],
    [good, { id: 0, replica_groups: ["a:1"] }],
  ];
  for (const body of [...bodies.map((value) => JSON.stringify(value)), "", "[{", "nonsense"]) {
    const response = await send(proxy, "PUT", "/api/proxy/fillslots/:xauth", body);
    const refusal = await refusalOf(response);
    expect([body, refusal.status]).toEqual([body, 400]);
    expect(refusal.reason).toBe(refusal.cause);
  }
  expect(await proxy.get<SlotFill[]>("/proxy/slots")).toEqual(before);
  using client = await connect(proxy.port);
  expect(await client.call("SLOTSMAPPING", "0")).toEqual(["0", backend.address, "", null]);
});

test("the slots are listed as they were filled", async () => {
  await using proxy = await startProxy({ online: false });
  const slot: SlotFill = {
    id: 19,
    backend_addr: "127.0.0.1:30301",
    backend_addr_group_id: 1,
    forward_method: 1,
    replica_groups: [["127.0.0.1:30301"], ["127.0.0.1:30302"]],
  };
  await proxy.put("fillslots", [slot]);
  const slots = await (await send(proxy, "GET", "/api/proxy/slots/:xauth")).text();
  const list = JSON.parse(slots) as SlotFill[];
  expect(list.length).toBe(1024);
  expect(list[18]).toEqual({ id: 18 });
  expect(list[19]).toEqual(slot);
  expect(slots).toContain(
    '\n    {\n        "id": 19,\n        "backend_addr": "127.0.0.1:30301",\n',
  );
  await proxy.put("fillslots", [{ id: 19 }]);
  expect((await proxy.get<SlotFill[]>("/proxy/slots"))[19]).toEqual({ id: 19 });
});

test("after a fill every new connection sees the new slots, whatever worker takes it", async () => {
  await using proxy = await startProxy({ ncpu: 3, slots: [] });
  for (let round = 1; round <= 5; round++) {
    const address = `127.0.0.1:${20_000 + round}`;
    await proxy.put("fillslots", [{ id: 7, backend_addr: address }]);
    const clients = await Promise.all(Array.from({ length: 12 }, () => connect(proxy.port)));
    const views = await Promise.all(clients.map((client) => client.call("SLOTSMAPPING", "7")));
    for (const view of views) expect(view).toEqual(["7", address, "", null]);
    for (const client of clients) client.close();
  }
});

test("the proxy is ready once it is online, and the overview tells all about it", async () => {
  await using proxy = await startProxy({ online: false, ncpu: 2 });
  const waiting = await fetch(proxy.url("/readyz"));
  expect([waiting.status, await waiting.text()]).toEqual([
    503,
    "the proxy waits to be put online\n",
  ]);
  expect((await fetch(proxy.url("/livez"))).status).toBe(200);
  await proxy.put("start");
  await proxy.put("start");
  expect((await fetch(proxy.url("/readyz"))).status).toBe(200);
  const overview = await proxy.get<Record<string, unknown>>("/proxy");
  expect(Object.keys(overview)).toEqual([
    ...["version", "compile", "config", "model", "stats", "slots"],
  ]);
  expect(overview.config).toMatchObject({ proxy_addr: proxy.address, product_name: "test" });
  expect(overview.model).toMatchObject({ proxy_addr: proxy.address, pid: proxy.pid });
  expect(overview.model).toEqual(await proxy.get("/api/proxy/model"));
  expect(overview.stats).toMatchObject({ online: true });
});

test("sentinels are shown with whether a majority of them is watched", async () => {
  await using proxy = await startProxy();
  await proxy.put("sentinels", { servers: ["127.0.0.1:1", "127.0.0.1:2"], out_of_sync: true });
  await proxy.put("sentinels", undefined, "/rewatch");
  const servers = ["127.0.0.1:1", "127.0.0.1:2"];
  expect((await proxy.stats()).sentinels).toEqual({ servers, watching: false });
  const wrong = await send(proxy, "PUT", "/api/proxy/sentinels/:xauth", '{"servers": [7]}');
  expect((await refusalOf(wrong)).status).toBe(400);
  await proxy.put("sentinels", {});
  expect((await proxy.stats()).sentinels).toEqual({});
});

test("the log level changes in parent and workers, and garbage can be collected", async () => {
  await using proxy = await startProxy({ ncpu: 2 });
  await proxy.put("loglevel", undefined, "/ERROR");
  const before = proxy.log();
  await proxy.put("forcegc");
  expect(proxy.log()).toBe(before);
  await proxy.put("loglevel", undefined, "/Info");
  await proxy.put("forcegc");
  expect(proxy.log()).toContain("PUT /api/proxy/forcegc");
  const wrong = await send(proxy, "PUT", "/api/proxy/loglevel/:xauth/loud");
  expect(await refusalOf(wrong)).toMatchObject({ status: 400, cause: "invalid loglevel" });
});

test("secrets are nowhere to be seen: not in JSON, not in metrics, not in the log", async () => {
  await using backend = startFaultyBackend(([name]) => (name === "GET" ? "$-1\r\n" : undefined));
  await using proxy = await startProxy({
    slots: [{ addr: backend.address, from: 0, to: 1023 }],
    config: { product_auth: "very-secret-1", session_auth: "very-secret-2" },
    args: ["--log-level", "debug"],
  });
  using client = await connect(proxy.port);
  await client.call("AUTH", "very-secret-2");
  await client.call("GET", "a");
  let seen = proxy.log();
  for (const { method, path } of Object.values(PROXY_ROUTES)) {
    if (method !== "GET") continue;
    seen += await (await send(proxy, "GET", path.replace(":flags", "-1"))).text();
  }
  expect(seen.length).toBeGreaterThan(100_000);
  expect(seen).not.toContain("very-secret");
  expect(seen).not.toContain(proxy.xauth);
});

test("metrics are well formed and of the table, and count what happened", async () => {
  await using backend = startFaultyBackend(([name]) =>
    name === "GET" ? "$1\r\nv\r\n" : undefined,
  );
  await using proxy = await startProxy({
    ncpu: 2,
    slots: [{ addr: backend.address, from: 0, to: 1023 }],
  });
  using client = await connect(proxy.port);
  expect(await client.call("GET", "a")).toBe("v");
  await client.call("GET");
  const response = await fetch(proxy.url("/metrics"));
  expect(response.headers.get("content-type")).toContain("version=0.0.4");
  const lines = (await response.text()).trimEnd().split("\n");
  const names = new Set(Object.values(METRICS).map((metric) => metric.name as string));
  const sample = /^([a-z_]+?)(?:_bucket|_sum|_count)?(\{(\w+="[^"\n]*",?)*\})? ([-+\d.e]+|\+Inf)$/;
  for (const line of lines.filter((text) => !text.startsWith("#"))) {
    const match = sample.exec(line);
    expect([line, names.has(match?.[1] ?? "")]).toEqual([line, true]);
  }
  expect(lines).toContain("codis_proxy_up 1");
  expect(lines).toContain('codis_proxy_workers{state="serving"} 2');
  expect(lines).toContain('codis_proxy_commands_total{cmd="get",result="ok"} 1');
  expect(lines).toContain('codis_proxy_commands_total{cmd="get",result="error"} 1');
  expect(lines).toContain('codis_proxy_command_duration_seconds_count{cmd="get"} 2');
  const labels = `group="1",addr="${backend.address}",role="master"`;
  expect(lines).toContain(`codis_proxy_backend_up{${labels}} 1`);
  expect(lines).toContain('codis_proxy_slots{state="online"} 1024');
});

test("INFO, CLIENT LIST and CLIENT KILL speak for all workers", async () => {
  await using proxy = await startProxy({ ncpu: 3 });
  const clients = await Promise.all(Array.from({ length: 12 }, () => connect(proxy.port)));
  const info = String(await clients[0].call("INFO"));
  expect(info).toContain("connected_clients:12\r\n");
  expect(info).toContain("total_connections_received:12\r\n");
  const list = String(await clients[0].call("CLIENT", "LIST"));
  expect(list.trim().split("\n").length).toBe(12);
  expect(new Set(list.match(/^id=\d+/gm)).size).toBe(12);
  expect(await clients[0].call("CLIENT", "KILL", "TYPE", "normal")).toBe(11);
  await Promise.all(clients.slice(1).map((client) => client.waitForEnd()));
  expect(await clients[0].call("PING")).toBe("PONG");
  clients[0].close();
});
