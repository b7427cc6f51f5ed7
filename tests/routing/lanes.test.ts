// Databases and protocols: each has connections of its own to a server, and a session that changes
// from one to another sees its requests carried out in the order it sent them.
import { expect } from "bun:test";
import { type Reply, ReplyError } from "../../src/resp/value.ts";
import { startFaultyBackend } from "../harness/faulty-backend.ts";
import { backends } from "../harness/figures.ts";
import { keyOf } from "../harness/keys.ts";
import { ALL_SLOTS, startProduct, startProxy } from "../harness/proxy.ts";
import { connect, encode, type Argument } from "../harness/resp-client.ts";
import { connectMany } from "../harness/sessions.ts";
import { systemTest } from "../harness/system-test.ts";
import { until } from "../harness/until.ts";

const test = systemTest("redis-server");

test("SELECT in a pipeline moves what follows to the other database, in order", async () => {
  await using product = await startProduct();
  using client = await connect(product.proxy.port);
  const requests: Argument[][] = [];
  const expected: Reply[] = [];
  for (let round = 0; round < 50; round++) {
    const key = `key:${round}`;
    const to = 1 + (round % 15);
    requests.push(
      ["SET", key, round],
      ["MOVE", key, to],
      ["GET", key],
      ["SELECT", to],
      ["GET", key],
      ["DEL", key],
      ["SELECT", 0],
    );
    expected.push("OK", 1, null, "OK", String(round), 1, "OK");
  }
  expect(await client.pipeline(requests)).toEqual(expected);
});

test("a write in one database is done before a read that follows in another is sent", async () => {
  await using server = startFaultyBackend();
  await using proxy = await startProxy({ slots: [{ addr: server.address, ...ALL_SLOTS }] });
  using client = await connect(proxy.port);
  client.send(
    Buffer.concat([
      encode("SET", "key", "1"),
      encode("SELECT", "3"),
      encode("GET", "key"),
      encode("PING"),
    ]),
  );
  await until(() => server.dataRequests.length === 1);
  // Another session's request in database 3 passes the one that waits for the SET.
  using other = await connect(proxy.port);
  other.send(Buffer.concat([encode("SELECT", "3"), encode("GET", "other")]));
  await until(() => server.dataRequests.length === 2);
  expect(server.dataRequests).toEqual([
    ["SET", "key", "1"],
    ["GET", "other"],
  ]);
  server.connections[0].send("+OK\r\n");
  await until(() => server.dataRequests.length === 3);
  server.connections[1].send("+theirs\r\n+ours\r\n");
  expect([await other.read(), await other.read()]).toEqual(["OK", "theirs"]);
  const replies = [await client.read(), await client.read(), await client.read()];
  expect(replies).toEqual(["OK", "OK", "ours"]);
  expect(await client.read()).toBe("PONG");
});

test("HELLO in a pipeline changes the protocol of what follows and of nothing before", async () => {
  await using product = await startProduct();
  using client = await connect(product.proxy.port);
  await client.pipeline([
    ["HSET", "hash", "field", "value"],
    ["ZADD", "zset", "1.5", "member"],
  ]);
  client.send(
    Buffer.concat([
      encode("HGETALL", "hash"),
      encode("GET", "none"),
      encode("HELLO", "3"),
      encode("HGETALL", "hash"),
      encode("GET", "none"),
      encode("ZSCORE", "zset", "member"),
      encode("MGET", "none", "none2"),
      encode("HELLO", "2"),
      encode("HGETALL", "hash"),
      encode("ZSCORE", "zset", "member"),
    ]),
  );
  expect(await client.readRaw()).toBe("*2\r\n$5\r\nfield\r\n$5\r\nvalue\r\n");
  expect(await client.readRaw()).toBe("$-1\r\n");
  expect(await client.readRaw()).toStartWith("%7\r\n$6\r\nserver\r\n");
  expect(await client.readRaw()).toBe("%1\r\n$5\r\nfield\r\n$5\r\nvalue\r\n");
  expect(await client.readRaw()).toBe("_\r\n");
  expect(await client.readRaw()).toBe(",1.5\r\n");
  expect(await client.readRaw()).toBe("*2\r\n_\r\n_\r\n");
  expect(await client.readRaw()).toStartWith("*14\r\n$6\r\nserver\r\n");
  expect(await client.readRaw()).toBe("*2\r\n$5\r\nfield\r\n$5\r\nvalue\r\n");
  expect(await client.readRaw()).toBe("$3\r\n1.5\r\n");
});

test("connections to a server are opened for the lanes in use and no others", async () => {
  await using product = await startProduct({ groups: 1 });
  const { proxy } = product;
  using sessions = await connectMany(proxy.port, 4);
  const [first, second, third, idle] = sessions.clients;
  await first.call("GET", "key");
  await second.pipeline([
    ["SELECT", "7"],
    ["GET", "key"],
  ]);
  await third.pipeline([
    ["HELLO", "3"],
    ["SELECT", "7"],
    ["GET", "key"],
  ]);
  await idle.pipeline([["SELECT", "9"], ["PING"]]);
  const lanes = (await backends(proxy)).map(({ database, proto }) => [database, proto]);
  expect(lanes.sort()).toEqual([
    [0, 2],
    [7, 2],
    [7, 3],
  ]);
});

test("SELECT outside backend_number_databases is refused and changes nothing", async () => {
  await using product = await startProduct({ config: { backend_number_databases: 4 } });
  using client = await connect(product.proxy.port);
  const refusal = new ReplyError("ERR DB index is out of range");
  const replies = await client.pipeline([
    ["SELECT", 3],
    ["SET", "key", "in 3"],
    ["SELECT", 4],
    ["SELECT", -1],
    ["GET", "key"],
  ]);
  expect(replies).toEqual(["OK", "OK", refusal, refusal, "in 3"]);
});

test("sessions in different databases and protocols do not see each other's replies", async () => {
  await using product = await startProduct({ config: { backend_primary_parallel: 2 } });
  using sessions = await connectMany(product.proxy.port, 32);
  const rounds = 60;
  await Promise.all(
    sessions.clients.map(async (client, c) => {
      if (c % 2 === 1) await client.call("HELLO", 3);
      await client.call("SELECT", c % 16);
      const batch: Argument[][] = [];
      for (let i = 0; i < 20; i++) {
        const key = keyOf((c * 53 + i * 97) % 1024, c);
        batch.push(["SET", key, `${c}:${i}`], ["GET", key], ["ECHO", `${c}:${i}`], ["DEL", key]);
      }
      const expected = batch.map(([name, , value], i) => {
        if (name === "SET") return "OK";
        if (name === "DEL") return 1;
        return name === "GET" ? batch[i - 1][2] : (value ?? batch[i][1]);
      });
      for (let round = 0; round < rounds; round++) {
        expect(await client.pipeline(batch)).toEqual(expected as string[]);
      }
    }),
  );
});
