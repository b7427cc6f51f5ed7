// The end of a proxy: what was begun is finished, and the program says that all went well.
import { expect } from "bun:test";
import { startFaultyBackend } from "../harness/faulty-backend.ts";
import { ALL_SLOTS, startProduct, startProxy } from "../harness/proxy.ts";
import { connect, encode, isRefused } from "../harness/resp-client.ts";
import { connectMany } from "../harness/sessions.ts";
import { systemTest } from "../harness/system-test.ts";
import { until } from "../harness/until.ts";

const test = systemTest("redis-server");

for (const signal of ["SIGTERM", "SIGINT"] as const) {
  test(`${signal} lets requests in flight finish, closes idle sessions, exits with 0`, async () => {
    await using slow = startFaultyBackend();
    await using proxy = await startProxy({
      ncpu: 2,
      slots: [{ addr: slow.address, ...ALL_SLOTS }],
    });
    using busy = await connectMany(proxy.port, 6);
    using idle = await connectMany(proxy.port, 6);
    for (const client of idle.clients) await client.call("PING");
    busy.clients.forEach((client, c) => client.send(encode("GET", `${c}`)));
    await until(() => slow.dataRequests.length === busy.clients.length);
    proxy.signal(signal);
    for (const client of idle.clients) await client.waitForEnd();
    await until(() => isRefused(proxy.port));
    expect(proxy.isRunning).toBe(true);
    expect(busy.clients.some((client) => client.hasEnded)).toBe(false);
    for (const connection of slow.connections) {
      const requests = connection.requests.filter(([name]) => name === "GET");
      connection.send(requests.map(([, key]) => `+${key}\r\n`).join(""));
    }
    for (const [c, client] of busy.clients.entries())
      expect(await client.readToEnd()).toBe(`+${c}\r\n`);
    expect(await proxy.exited).toEqual({ code: 0, signal: null });
  });
}

test("a proxy under load ends, and every reply it has begun is complete", async () => {
  await using product = await startProduct({ ncpu: 2, config: { shutdown_timeout: "1h" } });
  const { proxy } = product;
  using sessions = await connectMany(proxy.port, 10);
  let answers = 0;
  const ends = sessions.clients.map(async (client, c) => {
    const keys = Array.from({ length: 500 }, (_, i) => `${c}:${i}`);
    const bytes = Buffer.concat(keys.map((key) => encode("SET", key, key, "GET")));
    // Several batches ahead, so that there is hardly a moment without a request.
    for (let i = 0; i < 5; i++) client.send(bytes);
    for (let round = 0; ; round++) {
      client.send(bytes);
      for (const key of keys) {
        const reply = await client.read().catch((error: Error) => error);
        if (reply instanceof Error) return reply.message;
        expect(reply).toBe(round === 0 ? null : key);
        answers++;
      }
    }
  });
  await until(() => answers > 2_000);
  proxy.signal("SIGTERM");
  expect(await proxy.exited).toEqual({ code: 0, signal: null });
  for (const end of await Promise.all(ends)) {
    // Nothing of a reply that was cut in two is left over.
    expect(end).toEndWith('unread bytes: ""');
  }
});

test("a client that always waits for a reply does not keep the proxy alive", async () => {
  // Each reply comes when the next request is there, or much later than that would be.
  let replyToLast = (): void => {};
  await using server = startFaultyBackend(([name, key], connection) => {
    if (name !== "GET") return;
    replyToLast();
    replyToLast = () => connection.send(`+${key}\r\n`);
    setTimeout((reply) => reply === replyToLast && reply(), 500, replyToLast);
  });
  await using proxy = await startProxy({
    config: { shutdown_timeout: "1h" },
    slots: [{ addr: server.address, ...ALL_SLOTS }],
  });
  using client = await connect(proxy.port);
  client.send(encode("GET", "0"));
  let count = 0;
  const ended = (async () => {
    for (;;) {
      client.send(encode("GET", `${count + 1}`));
      const reply = await client.read().catch(String);
      if (reply !== `${count}`) return reply;
      count++;
    }
  })();
  await until(() => count > 10);
  proxy.signal("SIGTERM");
  expect(await proxy.exited).toEqual({ code: 0, signal: null });
  expect(await ended).toContain('unread bytes: ""');
});

test("requests that outlast shutdown_timeout are given up, with status 0", async () => {
  await using hung = startFaultyBackend();
  await using proxy = await startProxy({
    config: { shutdown_timeout: "1s" },
    slots: [{ addr: hung.address, ...ALL_SLOTS }],
  });
  using client = await connect(proxy.port);
  client.send(encode("GET", "key"));
  await until(() => hung.dataRequests.length === 1);
  const begun = performance.now();
  proxy.signal("SIGTERM");
  expect(await proxy.exited).toEqual({ code: 0, signal: null });
  const elapsedMs = performance.now() - begun;
  expect(elapsedMs).toBeGreaterThan(900);
  expect(client.unreadBytes).toBe(0);
});

test("a second signal ends a proxy that still waits, at once", async () => {
  await using hung = startFaultyBackend();
  await using proxy = await startProxy({
    config: { shutdown_timeout: "60s" },
    slots: [{ addr: hung.address, ...ALL_SLOTS }],
  });
  using client = await connect(proxy.port);
  using idle = await connect(proxy.port);
  client.send(encode("GET", "key"));
  await until(() => hung.dataRequests.length === 1);
  proxy.signal("SIGTERM");
  await idle.waitForEnd();
  proxy.signal("SIGTERM");
  await proxy.exited;
});

test("the shutdown call of the admin API ends the proxy like a signal", async () => {
  await using product = await startProduct();
  const { proxy } = product;
  using client = await connect(proxy.port);
  await client.call("SET", "key", "value");
  await proxy.put("shutdown");
  expect(await proxy.exited).toEqual({ code: 0, signal: null });
  await client.waitForEnd();
});
