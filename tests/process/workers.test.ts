// Worker processes that die. The parent replaces them; who was not connected to the dead one does
// not notice.
import { expect } from "bun:test";
import { ReplyError } from "../../src/resp/value.ts";
import { startFaultyBackend } from "../harness/faulty-backend.ts";
import { workers } from "../harness/figures.ts";
import { startProbe } from "../harness/probe.ts";
import { ALL_SLOTS, assignSlots, startProduct, startProxy, type Proxy } from "../harness/proxy.ts";
import type { RespClient } from "../harness/resp-client.ts";
import { connectMany } from "../harness/sessions.ts";
import { systemTest } from "../harness/system-test.ts";
import { until } from "../harness/until.ts";

const test = systemTest("redis-server");

/** Every process numbers its sessions from a multiple of this (`CLIENT ID`). */
const IDS_PER_PROCESS = 2 ** 32;

interface Sides {
  /** The process id of worker 0, its clients, and those of worker 1. */
  readonly pid: number;
  readonly dying: readonly RespClient[];
  readonly staying: readonly RespClient[];
}

/**
 * Finds out which worker serves whom. Session ids tell the clients of two processes apart, but not
 * which process is which worker; their numbers do, being different because there is an odd number
 * of clients.
 */
async function sidesOf(proxy: Proxy, clients: readonly RespClient[]): Promise<Sides> {
  const groups = new Map<number, RespClient[]>();
  for (const client of clients) {
    const process = Math.floor(Number(await client.call("CLIENT", "ID")) / IDS_PER_PROCESS);
    groups.set(process, [...(groups.get(process) ?? []), client]);
  }
  const [{ pid, sessions_alive }] = await workers(proxy);
  const sides = [...groups.values()].sort((a) => (a.length === sessions_alive ? -1 : 1));
  expect(sides.map((side) => side.length)).toEqual([
    sessions_alive,
    clients.length - sessions_alive,
  ]);
  return { pid, dying: sides[0], staying: sides[1] };
}

/** Resolves when worker `index` serves again, with another process than the one that died. */
async function untilReplaced(proxy: Proxy, index: number, deadPid: number): Promise<void> {
  await until(async () => {
    const { pid, state } = (await workers(proxy))[index];
    return pid !== deadPid && state === "serving";
  });
}

test("a worker killed with -9 is replaced, unnoticed by others", async () => {
  await using product = await startProduct({ ncpu: 2 });
  const { proxy } = product;
  using sessions = await connectMany(proxy.port, 25);
  const { pid, dying, staying } = await sidesOf(proxy, sessions.clients);
  await staying[0].call("SET", "key", "value");
  const probes = staying.map((client) => startProbe(client, "key"));
  process.kill(pid, "SIGKILL");
  await untilReplaced(proxy, 0, pid);
  for (const client of dying) await client.waitForEnd();
  const results = await Promise.all(probes.map((probe) => probe.stop()));
  for (const { answers } of results) expect(answers).toBeGreaterThan(0);
  expect(staying.every((client) => client.isOpen && !client.hasEnded)).toBe(true);
  // The new process takes its share of new sessions.
  await until(async () => {
    using more = await connectMany(proxy.port, 8);
    for (const client of more.clients) expect(await client.call("GET", "key")).toBe("value");
    return (await workers(proxy))[0].ops_total > 0;
  });
});

test("clients in the accept queue of a worker that dies are served by its successor", async () => {
  await using product = await startProduct({ ncpu: 2 });
  const { proxy } = product;
  const { pid } = (await workers(proxy))[0];
  process.kill(pid, "SIGSTOP");
  using sessions = await connectMany(proxy.port, 40);
  for (const client of sessions.clients) client.send("PING\r\n");
  const answered = (): number => sessions.clients.filter((each) => each.unreadBytes > 0).length;
  // Those who came to the other worker are served; the rest is in the queue of the stopped one.
  await until(() => answered() > 5);
  const [working] = await untilQuiet(answered);
  expect(working).toBeLessThan(sessions.clients.length);
  process.kill(pid, "SIGKILL");
  for (const client of sessions.clients) expect(await client.read()).toBe("PONG");
  const pids = (await workers(proxy)).map((worker) => worker.pid);
  expect(pids).not.toContain(pid);
});

/** The value once it has stayed the same over many looks. */
async function untilQuiet(value: () => number): Promise<[number]> {
  let last = value();
  let looks = 0;
  await until(() => {
    looks = value() === last ? looks + 1 : 0;
    last = value();
    return looks > 40;
  });
  return [last];
}

test("a fill during the replacement of a worker is in force there when it answers", async () => {
  await using old = startFaultyBackend(([name]) => (name === "GET" ? "+old\r\n" : undefined));
  await using next = startFaultyBackend(([name]) => (name === "GET" ? "+next\r\n" : undefined));
  await using proxy = await startProxy({ ncpu: 2, slots: [{ addr: old.address, ...ALL_SLOTS }] });
  const { pid } = (await workers(proxy))[0];
  process.kill(pid, "SIGKILL");
  await assignSlots(proxy, [{ addr: next.address, ...ALL_SLOTS }]);
  using sessions = await connectMany(proxy.port, 30);
  for (const client of sessions.clients) expect(await client.call("GET", "key")).toBe("next");
  expect(old.dataRequests).toEqual([]);
});

test("all workers killed at once come back, and counts go on from where they were", async () => {
  await using product = await startProduct({ ncpu: 2 });
  const { proxy } = product;
  {
    using sessions = await connectMany(proxy.port, 10);
    for (const client of sessions.clients) await client.call("SET", "key", "value");
  }
  await until(async () => (await proxy.stats()).ops.total === 10);
  const pids = (await workers(proxy)).map((worker) => worker.pid);
  for (const pid of pids) process.kill(pid, "SIGKILL");
  await Promise.all(pids.map((pid, index) => untilReplaced(proxy, index, pid)));
  using sessions = await connectMany(proxy.port, 10);
  for (const client of sessions.clients) expect(await client.call("GET", "key")).toBe("value");
  expect((await proxy.stats()).ops.total).toBe(20);
  expect((await proxy.stats()).sessions.alive).toBe(10);
});

test("proxy_max_clients forgets the sessions of a worker that died", async () => {
  const config = { proxy_max_clients: 15 };
  await using product = await startProduct({ ncpu: 2, config });
  const { proxy } = product;
  using sessions = await connectMany(proxy.port, 15);
  const { pid, dying } = await sidesOf(proxy, sessions.clients);
  process.kill(pid, "SIGKILL");
  await untilReplaced(proxy, 0, pid);
  using next = await connectMany(proxy.port, dying.length);
  for (const client of next.clients) expect(await client.call("PING")).toBe("PONG");
  using tooMany = await connectMany(proxy.port, 1);
  expect(await tooMany.clients[0].read()).toEqual(
    new ReplyError("ERR max number of clients reached"),
  );
});

test("workers end when their parent is killed with -9, and the port is free again", async () => {
  await using product = await startProduct({ ncpu: 2 });
  const { proxy } = product;
  const pids = await proxy.workerPids();
  expect(pids).toHaveLength(2);
  proxy.signal("SIGKILL");
  await proxy.exited;
  await until(() => pids.every((pid) => !isAlive(pid)));
  const listener = Bun.listen({ hostname: "127.0.0.1", port: proxy.port, socket: { data() {} } });
  listener.stop(true);
});

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
