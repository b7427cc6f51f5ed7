// What a connection to a server agrees on before its first request: the password, the database and
// the protocol. A server that does not agree is named, with its reason, in the client's error.
import { expect } from "bun:test";
import { ReplyError } from "../../src/resp/value.ts";
import { backends } from "../harness/figures.ts";
import { startFaultyBackend } from "../harness/faulty-backend.ts";
import { ALL_SLOTS, startProxy } from "../harness/proxy.ts";
import { startRedis } from "../harness/redis.ts";
import { connect, encode } from "../harness/resp-client.ts";
import { systemTest } from "../harness/system-test.ts";
import { until } from "../harness/until.ts";

const test = systemTest("redis-server");

const PASSWORD = "s3cret of the product";

function failure(cause: string, address: string): ReplyError {
  return new ReplyError(`ERR handle response, backend conn failure, ${cause} (${address})`);
}

test("product_auth opens servers with a password, in every database and protocol", async () => {
  await using redis = await startRedis({ args: ["--requirepass", PASSWORD] });
  const config = { product_auth: PASSWORD };
  await using proxy = await startProxy({ config, slots: [{ addr: redis.address, ...ALL_SLOTS }] });
  using client = await connect(proxy.port);
  const replies = await client.pipeline([
    ["SET", "key", "in 0"],
    ["SELECT", 15],
    ["SET", "key", "in 15"],
    ["HELLO", 3],
    ["GET", "key"],
    ["SELECT", 0],
    ["GET", "key"],
  ]);
  const values = replies.filter((reply) => !(reply instanceof Map));
  expect(values).toEqual(["OK", "OK", "OK", "in 15", "OK", "in 0"]);
  expect(proxy.log()).not.toContain(PASSWORD);
});

test("a wrong product_auth is refused in the words of the server", async () => {
  await using redis = await startRedis({ args: ["--requirepass", PASSWORD] });
  const config = { product_auth: "a wrong one" };
  await using proxy = await startProxy({ config, slots: [{ addr: redis.address, ...ALL_SLOTS }] });
  using client = await connect(proxy.port);
  expect(await client.call("SET", "key", "value")).toEqual(
    failure("WRONGPASS invalid username-password pair or user is disabled.", redis.address),
  );
  await redis.call("AUTH", PASSWORD);
  expect(await redis.call("DBSIZE")).toBe(0);
});

test("without product_auth a server's demand for a password reaches the client", async () => {
  await using redis = await startRedis({ args: ["--requirepass", PASSWORD] });
  await using proxy = await startProxy({ slots: [{ addr: redis.address, ...ALL_SLOTS }] });
  using client = await connect(proxy.port);
  const demand = new ReplyError("NOAUTH Authentication required.");
  expect(await client.call("GET", "key")).toEqual(demand);
  // The connection is not given up over that.
  expect(await client.call("GET", "key")).toEqual(demand);
});

test("a server without a password refuses product_auth, and says so", async () => {
  await using redis = await startRedis();
  const config = { product_auth: PASSWORD };
  await using proxy = await startProxy({ config, slots: [{ addr: redis.address, ...ALL_SLOTS }] });
  using client = await connect(proxy.port);
  const reply = (await client.call("GET", "key")) as ReplyError;
  expect(reply.message).toStartWith(
    "ERR handle response, backend conn failure, ERR AUTH <password> called without any password",
  );
  expect(reply.message).toEndWith(`(${redis.address})`);
});

test("a database that the server does not have fails, the others are served", async () => {
  await using redis = await startRedis({ args: ["--databases", "4"] });
  await using proxy = await startProxy({ slots: [{ addr: redis.address, ...ALL_SLOTS }] });
  using client = await connect(proxy.port);
  const replies = await client.pipeline([
    ["SELECT", 3],
    ["SET", "key", "in 3"],
    ["SELECT", 4],
    ["SET", "key", "lost"],
    ["SELECT", 3],
    ["GET", "key"],
  ]);
  const refusal = failure("ERR DB index is out of range", redis.address);
  expect(replies).toEqual(["OK", "OK", "OK", refusal, "OK", "in 3"]);
  expect(await redis.call("DBSIZE")).toBe(0);
});

test("a server that does not know HELLO serves RESP2 sessions and refuses RESP3", async () => {
  await using old = startFaultyBackend(([name]) => {
    if (name === "HELLO") return "-ERR unknown command 'HELLO'\r\n";
    return name === "GET" ? "+value\r\n" : undefined;
  });
  await using proxy = await startProxy({ slots: [{ addr: old.address, ...ALL_SLOTS }] });
  using client = await connect(proxy.port);
  expect(await client.call("GET", "key")).toBe("value");
  await client.call("HELLO", 3);
  expect(await client.call("GET", "key")).toEqual(
    failure("ERR unknown command 'HELLO'", old.address),
  );
  await client.call("HELLO", 2);
  expect(await client.call("GET", "key")).toBe("value");
});

test("requests wait until the server has agreed, and then leave in their order", async () => {
  await using server = startFaultyBackend(([name, key]) => {
    if (name === "SELECT") return "";
    return name === "GET" ? `+${key}\r\n` : undefined;
  });
  await using proxy = await startProxy({ slots: [{ addr: server.address, ...ALL_SLOTS }] });
  using client = await connect(proxy.port);
  client.send(encode("SELECT", "2"));
  for (let i = 0; i < 100; i++) client.send(encode("GET", `${i}`));
  await until(() => server.requests.some(([name]) => name === "SELECT"));
  await until(async () => (await backends(proxy)).some((backend) => backend.inflight === 100));
  expect(server.requests.map(([name]) => name)).toEqual(["CLIENT", "SISMEMBER", "SELECT"]);
  server.connections[0].send("+OK\r\n");
  expect(await client.read()).toBe("OK");
  for (let i = 0; i < 100; i++) expect(await client.read()).toBe(`${i}`);
});
