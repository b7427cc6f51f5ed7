import { afterAll, beforeAll, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { freePort } from "../../tests/harness/ports.ts";
import { until } from "../../tests/harness/until.ts";
import { log } from "../lib/log.ts";
import { ownCommand } from "../lib/own-command.ts";
import { type ParentQuestion, WORKER_ARGUMENT } from "./ipc.ts";
import { type ListenSockets, openListenSockets } from "./listen-fd.ts";
import { SessionBoard } from "./session-board.ts";
import { defaultProxyConfig } from "./settings.ts";
import { restartDelayMs, Workers } from "./workers.ts";

const NO_FILTER = {
  ids: null,
  address: null,
  localAddress: null,
  user: null,
  type: null,
  exceptId: null,
} as const;

beforeAll(() => log.setLevel("none"));
afterAll(() => log.setLevel("info"));

interface Fixture extends AsyncDisposable {
  readonly workers: Workers;
  readonly sockets: ListenSockets;
  readonly port: number;
  readonly questions: ParentQuestion[];
}

/** Real workers, with this process as their parent. */
async function openWorkers(count: number, command?: string[]): Promise<Fixture> {
  const port = freePort();
  const sockets = await openListenSockets("tcp4", `127.0.0.1:${port}`, count);
  const board = SessionBoard.create(count);
  const questions: ParentQuestion[] = [];
  const workers = new Workers({
    count,
    command: command ?? [...ownCommand(), WORKER_ARGUMENT, String(process.pid)],
    fdsOf: (index) => [sockets.fds[index], board.fd],
    setup: {
      config: defaultProxyConfig(),
      token: "",
      startedMs: Date.now(),
      secrets: [],
      logFile: "",
    },
    logLevel: "none",
    answer: (question) => {
      questions.push(question);
      return Promise.resolve(question.kind === "kill" ? 7 : []);
    },
    onAccepting: (index) => sockets.raiseBacklog(index),
    onDead: (index) => board.set(index, 0),
  });
  const end = async (): Promise<void> => {
    workers.killAll();
    await workers.shutdown(0);
    sockets.close();
    board.close();
  };
  return { workers, sockets, port, questions, [Symbol.asyncDispose]: end };
}

async function request(port: number, text: string): Promise<string> {
  const { promise, resolve } = Promise.withResolvers<string>();
  await Bun.connect({
    hostname: "127.0.0.1",
    port,
    socket: {
      open: (socket) => void socket.write(text),
      data(socket, chunk) {
        resolve(chunk.toString());
        socket.end();
      },
      close: () => resolve("closed"),
    },
  });
  return promise;
}

function stop(pid: number): Promise<boolean> {
  process.kill(pid, "SIGSTOP");
  const isStopped = (): boolean => {
    return readFileSync(`/proc/${pid}/stat`, "latin1").split(") ")[1].startsWith("T");
  };
  return until(isStopped);
}

test("a fill is done when every worker has it, and not before", async () => {
  await using fixture = await openWorkers(2);
  const { workers } = fixture;
  await workers.start();
  await workers.fill([{ id: 1, backend_addr: "127.0.0.1:1" }]);
  expect(workers.seats.map((seat) => seat.appliedRevision)).toEqual([1, 1]);

  await stop(workers.seats[1].pid);
  const late = await workers.fill([{ id: 2 }], 1_000).catch(String);
  expect(late).toBe("FillTooLate: after 1000 ms these workers have not applied the slots yet: 1");
  expect(workers.seats.map((seat) => seat.appliedRevision)).toEqual([2, 1]);
  expect(workers.areAllServing).toBe(false);

  const next = workers.fill([{ id: 3 }]);
  process.kill(workers.seats[1].pid, "SIGCONT");
  await next;
  expect(workers.seats.map((seat) => seat.appliedRevision)).toEqual([3, 3]);
  expect(workers.areAllServing).toBe(true);
});

test("a fill that a dying worker did not confirm is done when its successor has it", async () => {
  await using fixture = await openWorkers(2);
  const { workers } = fixture;
  await workers.start();
  await workers.goOnline();
  await workers.fill([{ id: 0, backend_addr: "127.0.0.1:1" }]);
  const { pid } = workers.seats[0];
  await stop(pid);
  const filled = workers.fill([{ id: 5, locked: true }]);
  process.kill(pid, "SIGKILL");
  await filled;
  await until(() => workers.areAllServing);
  expect(workers.seats[0].pid).not.toBe(pid);
  expect(workers.seats.map((seat) => seat.incarnations)).toEqual([2, 1]);
  expect(workers.seats.map((seat) => seat.appliedRevision)).toEqual([2, 2]);
  expect(workers.isOnline).toBe(true);
});

test("a worker that was replaced is online and knows the whole table", async () => {
  await using fixture = await openWorkers(1);
  const { workers, port } = fixture;
  await workers.start();
  expect(await request(port, "PING\r\n")).toBe("-ERR router is not online\r\n");
  await workers.goOnline();
  await workers.fill([{ id: 9, backend_addr: "10.0.0.1:6379" }]);
  const startedMs = performance.now();
  process.kill(workers.seats[0].pid, "SIGKILL");
  await until(() => workers.seats[0].incarnations === 2 && workers.areAllServing);
  expect(performance.now() - startedMs).toBeLessThan(1_000);
  expect(await request(port, "SLOTSMAPPING 9\r\n")).toContain("10.0.0.1:6379");
});

test("totals never go backwards when a worker dies, until they are reset", async () => {
  await using fixture = await openWorkers(1);
  const { workers, port } = fixture;
  await workers.start();
  await workers.goOnline();
  for (let i = 0; i < 5; i++) expect(await request(port, "PING\r\n")).toBe("+PONG\r\n");
  await workers.refresh();
  expect(workers.totals()).toMatchObject({ opsTotal: 5, sessionsTotal: 5 });
  process.kill(workers.seats[0].pid, "SIGKILL");
  await until(() => workers.seats[0].incarnations === 2 && workers.areAllServing);
  expect(workers.totals()).toMatchObject({ opsTotal: 5, sessionsTotal: 5 });
  expect(await request(port, "PING\r\n")).toBe("+PONG\r\n");
  await workers.refresh();
  expect(workers.totals().commands.get("ping")?.calls).toBe(6);
  await until(() => workers.totals().sessionsAlive === 0 || workers.refresh().then(() => false));
  await workers.resetStats();
  expect(workers.totals()).toMatchObject({ opsTotal: 0, sessionsTotal: 0, redisErrors: 0 });
  expect(workers.totals().commands.size).toBe(0);
});

test("clients are listed and killed over all workers, and ids of sessions differ", async () => {
  await using fixture = await openWorkers(2);
  const { workers, port, questions } = fixture;
  await workers.start();
  await workers.goOnline();
  const sockets = await Promise.all(
    Array.from({ length: 20 }, () => {
      return Bun.connect({ hostname: "127.0.0.1", port, socket: { data() {} } });
    }),
  );
  const rows = await until(async () => {
    const found = await workers.clients(NO_FILTER);
    return found.length === 20 ? found : null;
  });
  expect(new Set(rows?.map((row) => row.id)).size).toBe(20);
  expect(await workers.kill({ ...NO_FILTER, ids: [rows?.[3].id ?? 0] })).toBe(1);
  expect(await workers.kill(NO_FILTER)).toBe(19);
  expect(await request(port, "CLIENT LIST\r\n")).toBe("$0\r\n\r\n");
  expect(questions.map((question) => question.kind)).toEqual(["clients"]);
  for (const socket of sockets) socket.terminate();
});

test("workers that cannot start are given up with the reason", async () => {
  await using fixture = await openWorkers(2, ["false"]);
  await expect(fixture.workers.start()).rejects.toThrow(
    /worker \d died \(status 1\) 3 times before it could serve/,
  );
});

test("an orderly end waits for the workers and starts no new ones", async () => {
  await using fixture = await openWorkers(2);
  const { workers, port, sockets } = fixture;
  await workers.start();
  await workers.goOnline();
  expect(await request(port, "PING\r\n")).toBe("+PONG\r\n");
  sockets.close();
  await workers.shutdown(5_000);
  expect(workers.pids).toEqual([]);
  expect(workers.seats.map((seat) => [seat.state, seat.incarnations])).toEqual([
    ["dead", 1],
    ["dead", 1],
  ]);
  await expect(request(port, "PING\r\n")).rejects.toThrow("Failed to connect");
});

test("a worker that hangs while the proxy ends is killed", async () => {
  await using fixture = await openWorkers(1);
  const { workers } = fixture;
  await workers.start();
  await stop(workers.seats[0].pid);
  await workers.shutdown(0);
  expect(workers.pids).toEqual([]);
});

test("restarts are immediate at first and slow down in a crash loop", () => {
  const delays = [0, 1, 2, 3, 4, 5, 10, 100].map((deaths) => restartDelayMs(deaths));
  expect(delays).toEqual([0, 0, 50, 100, 200, 400, 5_000, 5_000]);
});
