// A large product: 100 proxies and 200 servers, all of them stand-ins in this process, and the real
// dashboard beside it. CODIS_TEST_FIGURES=1 prints what docs/performance.md says of it.
import { expect } from "bun:test";
import { log } from "../../src/lib/log.ts";
import type { ProxyStats } from "../../src/model/proxy-stats.ts";
import { type Dashboard, startDashboard } from "../harness/dashboard.ts";
import { startProxy } from "../harness/proxy.ts";
import { startRedis } from "../harness/redis.ts";
import { StandInProxy, StandInServer } from "../harness/stand-ins.ts";
import { systemTest } from "../harness/system-test.ts";
import { until } from "../harness/until.ts";

const test = systemTest("redis-server");

const PROXIES = 100;
const GROUPS = 100;
const SERVERS_PER_GROUP = 2;
/** Figures want more of them. */
const ROUNDS = process.env.CODIS_TEST_FIGURES === "1" ? 20 : 4;

/** However many proxies come up at once. */
const MAX_CONNECTIONS = 8;

function report(what: string, timesMs: readonly number[]): void {
  if (process.env.CODIS_TEST_FIGURES !== "1") return;
  const sorted = [...timesMs].sort((a, b) => a - b);
  const median = sorted[sorted.length >> 1].toFixed(1);
  const worst = sorted[sorted.length - 1].toFixed(0);
  process.stdout.write(`${what}: median ${median} ms, longest ${worst} ms\n`);
}

async function timed(task: () => Promise<unknown>): Promise<number> {
  const begunMs = performance.now();
  await task();
  return performance.now() - begunMs;
}

/** What real programs answer, so that the stand-ins' answers have their size. */
async function realAnswers(): Promise<{ stats: ProxyStats; info: string }> {
  await using redis = await startRedis();
  await using proxy = await startProxy({ ncpu: 2, online: false });
  const stats = await proxy.get<ProxyStats>(`/api/proxy/stats/${proxy.xauth}`);
  return { stats, info: String(await redis.call("INFO")) };
}

async function getOverview(dashboard: Dashboard, encoding: string): Promise<number> {
  const response = await fetch(dashboard.url("/topom"), {
    headers: { "Accept-Encoding": encoding },
    decompress: false,
  });
  return (await response.arrayBuffer()).byteLength;
}

test("100 proxies and 200 servers: a change reaches all, and no server is overrun", async () => {
  log.setLevel("warn"); // The stand-ins are in this process.
  const { stats, info } = await realAnswers();
  using stack = new DisposableStack();
  const servers: StandInServer[] = [];
  const addServer = (): string => {
    servers.push(stack.use(new StandInServer(info)));
    return servers[servers.length - 1].address;
  };
  const groups = Array.from({ length: GROUPS }, () =>
    Array.from({ length: SERVERS_PER_GROUP }, addServer),
  );
  const proxies: StandInProxy[] = [];
  for (let i = 0; i < PROXIES; i++) proxies.push(stack.use(await StandInProxy.start(i, stats)));
  await using dashboard = await startDashboard();
  await dashboard.storeGroups(groups);
  for (let i = 0; i < GROUPS; i++) {
    await dashboard.assign(i * 10, i === GROUPS - 1 ? 1023 : i * 10 + 9, i + 1);
  }
  await Promise.all(
    proxies.map(({ model }) => dashboard.put("createProxy", { addr: model.admin_addr })),
  );
  await until(
    async () => {
      const { group, proxy } = (await dashboard.overview()).stats;
      const polls = [...Object.values(group.stats), ...Object.values(proxy.stats)];
      const isComplete = polls.length === PROXIES + GROUPS * SERVERS_PER_GROUP;
      return isComplete && polls.every((poll) => poll.stats !== undefined);
    },
    { timeoutMs: 30_000, what: "everybody has been polled" },
  );
  const overviews: Record<string, number[]> = { identity: [], gzip: [] };
  const [plainBytes, zippedBytes] = await Promise.all(
    ["identity", "gzip"].map((encoding) => getOverview(dashboard, encoding)),
  );
  const changes: number[] = [];
  const wide: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    for (const [encoding, times] of Object.entries(overviews)) {
      times.push(await timed(() => getOverview(dashboard, encoding)));
    }
    const group = 1 + (round % GROUPS);
    changes.push(await timed(() => dashboard.assign(7, 7, group)));
    expect(proxies.every(({ slots }) => slots.get(7)?.backend_addr_group_id === group)).toBe(true);
  }
  for (let round = 0; round < 3; round++) {
    wide.push(await timed(() => dashboard.assign(0, 1023, 1 + round)));
  }
  const size = (bytes: number): string => `${(bytes / 1024).toFixed(0)} KB`;
  report(`overview of ${size(plainBytes)}`, overviews.identity);
  report(`overview, compressed to ${size(zippedBytes)}`, overviews.gzip);
  report("one slot to all proxies", changes);
  report("1024 slots to all proxies", wide);
  const peak = Math.max(...servers.map((server) => server.peak));
  expect(peak, "connections to one server").toBeLessThanOrEqual(MAX_CONNECTIONS);
}, 120_000);
