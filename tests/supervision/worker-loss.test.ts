// Workers that die: what clients of the others, and those who come meanwhile, notice of it.
import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { ownCommand } from "../../src/lib/own-command.ts";
import { WORKER_ARGUMENT } from "../../src/proxy/ipc.ts";
import { startProxy } from "../harness/proxy.ts";
import { connect, type RespClient } from "../harness/resp-client.ts";
import { until } from "../harness/until.ts";

/** Pings over and over until told to stop; what went wrong, or "" when nothing did. */
async function pingUntil(client: RespClient, isOver: () => boolean): Promise<string> {
  try {
    while (!isOver()) {
      const reply = await client.call("PING");
      if (reply !== "PONG") return String(reply);
    }
    return "";
  } catch (error) {
    return String(error);
  }
}

test("a worker killed with -9 is replaced, unnoticed by other sessions", async () => {
  await using proxy = await startProxy({ ncpu: 3, slots: [] });
  const clients = await Promise.all(Array.from({ length: 30 }, () => connect(proxy.port)));
  const [victim, ...others] = await proxy.workerPids();
  const info = await Promise.all(clients.map((client) => client.call("CLIENT", "ID")));
  // Ids of one process lie within 2^32 of each other, and workers start in the order of their pids.
  const processOf = (id: unknown): number => Math.floor(Number(id) / 2 ** 32);
  let isOver = false;
  const pinging = clients.map((client) => pingUntil(client, () => isOver));
  process.kill(victim, "SIGKILL");
  await until(async () => {
    const pids = await proxy.workerPids();
    return pids.length === 3 && !pids.includes(victim) && (await proxy.stats()).sessions.alive > 0;
  });
  await until(async () => (await fetch(proxy.url("/readyz"))).ok);
  isOver = true;
  const troubles = await Promise.all(pinging);
  const hit = new Set(info.filter((_, i) => troubles[i] !== "").map(processOf));
  expect(hit.size).toBeLessThanOrEqual(1);
  const unhurt = info.filter((_, i) => troubles[i] === "").map(processOf);
  expect(unhurt.some((process) => hit.has(process))).toBe(false);
  expect((await proxy.workerPids()).filter((pid) => others.includes(pid)).length).toBe(2);
  for (const client of clients) client.close();
});

test("clients that connect while the only worker is dead are served by the next one", async () => {
  await using proxy = await startProxy({ slots: [{ addr: "127.0.0.1:1", from: 3, to: 3 }] });
  for (let round = 0; round < 3; round++) {
    const [pid] = await proxy.workerPids();
    process.kill(pid, "SIGKILL");
    const clients = await Promise.all(Array.from({ length: 50 }, () => connect(proxy.port)));
    // Some are accepted by the kernel for the dead worker before it lets go of its socket.
    const replies = await Promise.all(
      clients.map((client) => client.call("SLOTSMAPPING", "3").catch(() => "lost")),
    );
    const served = replies.filter((reply) => reply !== "lost");
    expect(served.length).toBeGreaterThan(0);
    for (const reply of served) expect(reply).toEqual(["3", "127.0.0.1:1", "", null]);
    for (const client of clients) client.close();
    await until(async () => !(await proxy.workerPids()).includes(pid));
  }
});

test("sessions in all keep to proxy_max_clients, whichever worker they reach", async () => {
  await using proxy = await startProxy({ ncpu: 3, config: { proxy_max_clients: 20 } });
  const clients: RespClient[] = [];
  const replies: unknown[] = [];
  for (let i = 0; i < 30; i++) {
    const client = await connect(proxy.port);
    clients.push(client);
    replies.push(await client.call("PING").catch(() => "closed"));
  }
  expect(replies.filter((reply) => reply === "PONG").length).toBe(20);
  // A worker that dies takes its sessions off the count.
  const [pid] = await proxy.workerPids();
  process.kill(pid, "SIGKILL");
  await until(async () => {
    using client = await connect(proxy.port);
    return (await client.call("PING")) === "PONG";
  });
  for (const client of clients) client.close();
});

test("workers end by themselves when the parent is killed with -9", async () => {
  await using proxy = await startProxy({ ncpu: 2 });
  const pids = await proxy.workerPids();
  expect(pids.length).toBe(2);
  using client = await connect(proxy.port);
  await client.call("PING");
  process.kill(proxy.pid, "SIGKILL");
  await until(() => !pids.some(isRunning));
  await client.waitForEnd();
});

/** Not gone, and not only waiting for somebody to ask how it ended. */
function isRunning(pid: number): boolean {
  try {
    return !readFileSync(`/proc/${pid}/stat`, "latin1").split(") ")[1].startsWith("Z");
  } catch {
    return false;
  }
}

test("a worker whose parent was gone before it could ask for its end ends by itself", async () => {
  // To it we are not the process that has started it, but the one that has inherited it.
  const worker = Bun.spawn([...ownCommand(), WORKER_ARGUMENT, "1"], {
    stdio: ["ignore", "ignore", "ignore"],
    ipc: () => {},
  });
  try {
    expect(await worker.exited).toBe(1);
  } finally {
    worker.kill("SIGKILL");
  }
});
