import { expect, test } from "bun:test";
import { existsSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { freePort } from "../../tests/harness/ports.ts";
import { tempDir } from "../../tests/harness/temp-dir.ts";
import { until } from "../../tests/harness/until.ts";
import { portOwner } from "../lib/port-owner.ts";
import { openListenSockets } from "./listen-fd.ts";

/** Accepts on descriptor 3 and answers whatever comes with its process id. */
const WORKER = `
  Bun.listen({ hostname: "x", port: 0, fd: 3, allowHalfOpen: true, socket: {
    data: (socket) => { socket.write(process.pid + "\\n") },
    end: (socket) => { socket.end() },
  } });
  process.send("listening");`;

interface TestWorker {
  readonly pid: number;
  stop(): Promise<void>;
  freeze(): Promise<void>;
}

/** A process that inherits `fd` beside an IPC channel, as the workers of the proxy do. */
async function startWorker(fd: number): Promise<TestWorker> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const child = Bun.spawn([process.execPath, "-e", WORKER], {
    stdio: ["ignore", "inherit", "inherit", fd],
    serialization: "json",
    ipc: () => resolve(),
  });
  await promise;
  const stateOf = (): string => readFileSync(`/proc/${child.pid}/stat`, "latin1").split(") ")[1];
  return {
    pid: child.pid,
    stop: async () => {
      child.kill("SIGKILL");
      await child.exited;
    },
    freeze: async () => {
      child.kill("SIGSTOP");
      await until(() => stateOf().startsWith("T"));
    },
  };
}

interface TestClient {
  readonly connected: Promise<void>;
  /** What arrived, or "closed" or "refused". */
  readonly answer: Promise<string>;
}

function startClient(target: { port: number } | { unix: string }): TestClient {
  const connected = Promise.withResolvers<void>();
  const answer = Promise.withResolvers<string>();
  const socket = {
    open(opened: Bun.Socket): void {
      opened.write("hello\n");
      connected.resolve();
    },
    data(opened: Bun.Socket, chunk: Buffer): void {
      answer.resolve(chunk.toString().trim());
      opened.end();
    },
    close: (): void => answer.resolve("closed"),
    connectError(): void {
      connected.resolve();
      answer.resolve("refused");
    },
  };
  const options = "port" in target ? { hostname: "127.0.0.1", ...target } : target;
  Bun.connect({ ...options, socket } as Bun.TCPSocketConnectOptions).catch(() => {});
  return { connected: connected.promise, answer: answer.promise };
}

function portOf(address: string): number {
  return Number(address.split(":").at(-1));
}

test("connections that wait for a killed worker are served by the next one", async () => {
  const sockets = await openListenSockets("tcp4", "127.0.0.1:0", 1);
  const port = portOf(sockets.address);
  const first = await startWorker(sockets.fds[0]);
  sockets.raiseBacklog(0);
  expect(await startClient({ port }).answer).toBe(String(first.pid));
  await first.freeze();
  const clients = Array.from({ length: 1000 }, () => startClient({ port }));
  await Promise.all(clients.map((client) => client.connected));
  await first.stop();
  const second = await startWorker(sockets.fds[0]);
  const answers = await Promise.all(clients.map((client) => client.answer));
  expect(answers.filter((answer) => answer !== String(second.pid))).toEqual([]);
  await second.stop();
  sockets.close();
  expect(await startClient({ port }).answer).toBe("refused");
});

test("all sockets share one port, and the kernel gives connections to each of them", async () => {
  const sockets = await openListenSockets("tcp4", "127.0.0.1:0", 3);
  const port = portOf(sockets.address);
  expect(new Set(sockets.fds).size).toBe(3);
  const workers = await Promise.all(sockets.fds.map((fd) => startWorker(fd)));
  const clients = Array.from({ length: 200 }, () => startClient({ port }));
  const answers = await Promise.all(clients.map((client) => client.answer));
  expect(new Set(answers)).toEqual(new Set(workers.map(({ pid }) => String(pid))));
  await Promise.all(workers.map((worker) => worker.stop()));
  sockets.close();
});

test("a port that is taken is named together with the program that holds it", async () => {
  const sockets = await openListenSockets("tcp4", "127.0.0.1:0", 1);
  const port = portOf(sockets.address);
  const second = openListenSockets("tcp4", `127.0.0.1:${port}`, 1);
  await expect(second).rejects.toThrow(
    new RegExp(
      `cannot listen at .*: port ${port} is already in use by .*\\(process ${process.pid}\\)`,
    ),
  );
  sockets.close();
  expect(portOwner(freePort())).toBe("");
});

// A proxy that was killed and started again at once found the port with its dying workers.
test("a port that is given up a moment later is waited for", async () => {
  const socket = { data(): void {} };
  const holder = Bun.listen({ hostname: "127.0.0.1", port: 0, socket });
  let outcome = "";
  const opening = openListenSockets("tcp4", `127.0.0.1:${holder.port}`, 1);
  void opening.then(
    () => (outcome = "open"),
    (error: unknown) => (outcome = String(error)),
  );
  const begunMs = performance.now();
  await until(() => outcome !== "" || performance.now() - begunMs > 200);
  holder.stop(true);
  (await opening).close();
  expect(outcome).toBe("open");
});

test("a socket can listen on either family or on both", async () => {
  for (const [protoType, address, bound] of [
    ["tcp4", ":0", /^0\.0\.0\.0:\d+$/],
    ["tcp4", "localhost:0", /^127\.0\.0\.1:\d+$/],
    ["tcp", "127.0.0.1:0", /^127\.0\.0\.1:\d+$/],
    ["tcp6", "[::1]:0", /^\[::1\]:\d+$/],
    ["tcp", ":0", /^(\[::\]|0\.0\.0\.0):\d+$/],
  ] as const) {
    const sockets = await openListenSockets(protoType, address, 2);
    expect(sockets.address).toMatch(bound);
    sockets.close();
  }
});

test("an address that this machine does not have is refused with a sentence", async () => {
  const foreign = openListenSockets("tcp4", "192.0.2.1:0", 1);
  await expect(foreign).rejects.toThrow("cannot listen at 192.0.2.1:0: EADDRNOTAVAIL");
  const unknown = openListenSockets("tcp4", "no.such.host.invalid:1", 1);
  await expect(unknown).rejects.toThrow("the host has no tcp4 address");
});

test("a unix socket is shared by all workers and removed at the end", async () => {
  using dir = tempDir();
  const path = join(dir.path, "proxy.sock");
  const sockets = await openListenSockets("unix", path, 2);
  expect(statSync(path).isSocket()).toBe(true);
  const first = await startWorker(sockets.fds[0]);
  expect(await startClient({ unix: path }).answer).toBe(String(first.pid));
  await first.freeze();
  const waiting = startClient({ unix: path });
  await waiting.connected;
  await first.stop();
  const second = await startWorker(sockets.fds[1]);
  expect(await waiting.answer).toBe(String(second.pid));
  await second.stop();
  sockets.close();
  expect(existsSync(path)).toBe(false);
});

test("a dead program's socket file is replaced, anything else in its place is kept", async () => {
  using dir = tempDir();
  const path = join(dir.path, "proxy.sock");
  await startProgramThatLeaves(path).exited;
  expect(existsSync(path)).toBe(true);
  (await openListenSockets("unix", path, 1)).close();

  const server = createServer().listen(path);
  await until(() => existsSync(path));
  await expect(openListenSockets("unix", path, 1)).rejects.toThrow("another program serves");
  server.close();

  const file = join(dir.path, "file");
  writeFileSync(file, "precious");
  await expect(openListenSockets("unix", file, 1)).rejects.toThrow("is not a socket");
  expect(readFileSync(file, "utf8")).toBe("precious");
});

/** Opens a unix socket and dies without removing its file. */
function startProgramThatLeaves(path: string): Bun.Subprocess {
  const code = `Bun.listen({ unix: ${JSON.stringify(path)}, socket: { data() {} } });
    process.kill(process.pid, "SIGKILL");`;
  return Bun.spawn([process.execPath, "-e", code]);
}
