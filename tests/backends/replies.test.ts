// Servers that send what no server should: bytes that are not RESP, replies nobody asked for, half
// a reply. A client may lose its connection over that, but it never sees wrong bytes.
import { expect } from "bun:test";
import { type Reply, ReplyError } from "../../src/resp/value.ts";
import { type FaultyBackend, type Script, startFaultyBackend } from "../harness/faulty-backend.ts";
import { ALL_SLOTS, startProxy, type Proxy } from "../harness/proxy.ts";
import { connect, encode } from "../harness/resp-client.ts";
import { connectMany } from "../harness/sessions.ts";
import { systemTest } from "../harness/system-test.ts";
import { until } from "../harness/until.ts";

const test = systemTest();

function startBefore(server: FaultyBackend, config = {}): Promise<Proxy> {
  return startProxy({ config, slots: [{ addr: server.address, ...ALL_SLOTS }] });
}

/** The error for requests whose connection the proxy gave up, or that the server closed. */
function failure(cause: string, server: FaultyBackend): ReplyError {
  return new ReplyError(`ERR handle response, backend conn failure, ${cause} (${server.address})`);
}

/** Answers GET of the key "bad" with what the test says and any other GET with its key. */
function badOn(bad: string): Script {
  return ([name, key]) => {
    if (name !== "GET") return undefined;
    return key === "bad" ? bad : `$${key.length}\r\n${key}\r\n`;
  };
}

const NOT_RESP = [
  "HTTP/1.1 400 Bad Request\r\n\r\n",
  "$x\r\nabc\r\n",
  "$-2\r\n",
  "*-2\r\n",
  "$5\rabcde\r\n",
  `*${"9".repeat(100)}\r\n`,
  "\r\n",
  "\0\0\0\0\0\0\0\0",
];

for (const bad of NOT_RESP) {
  const name = JSON.stringify(bad.slice(0, 30));
  test(`bytes that are not RESP end the connection and nothing else: ${name}`, async () => {
    await using server = startFaultyBackend(badOn(bad));
    await using proxy = await startBefore(server);
    using client = await connect(proxy.port);
    using other = await connect(proxy.port);
    expect(await client.call("GET", "good")).toBe("good");
    const reply = await client.call("GET", "bad");
    expect(reply).toEqual(failure("it sent bytes that are not RESP", server));
    await until(() => server.connections.length === 2);
    expect(await client.call("GET", "good")).toBe("good");
    expect(await other.call("GET", "other")).toBe("other");
  });
}

test("requests behind a broken reply get an error, never another request's reply", async () => {
  await using server = startFaultyBackend(([name, key], connection) => {
    if (name !== "GET") return undefined;
    if (connection.number > 1) return `$${key.length}\r\n${key}\r\n`;
    return key.endsWith(":7") ? "!broken\r\n" : `$${key.length}\r\n${key}\r\n`;
  });
  await using proxy = await startBefore(server);
  using sessions = await connectMany(proxy.port, 10);
  const answers = await Promise.all(
    sessions.clients.map((client, c) =>
      client.pipeline(Array.from({ length: 20 }, (_, i) => ["GET", `${c}:${i}`])),
    ),
  );
  const broken = failure("it sent bytes that are not RESP", server);
  let failed = 0;
  answers.forEach((replies, c) => {
    replies.forEach((reply, i) => {
      if (reply instanceof ReplyError) failed++;
      expect(reply).toEqual(reply instanceof ReplyError ? broken : `${c}:${i}`);
    });
  });
  expect(failed).toBeGreaterThan(0);
});

test("a reply that nobody asked for ends the connection before it can reach a client", async () => {
  await using server = startFaultyBackend(badOn("+first\r\n+second\r\n"));
  await using proxy = await startBefore(server);
  using client = await connect(proxy.port);
  expect(await client.call("GET", "bad")).toBe("first");
  await until(() => server.openConnections.length === 1 && server.connections.length === 2);
  expect(await client.call("GET", "good")).toBe("good");
  server.connections[1].send(":1\r\n");
  await until(() => server.connections.length === 3);
  expect(await client.call("GET", "good")).toBe("good");
  server.connections[2].send("$100000\r\nhalf");
  await until(() => server.connections.length === 4);
  expect(await client.call("GET", "good")).toBe("good");
});

test("a large reply that breaks off ends the client's connection", async () => {
  const value = "0123456789".repeat(100_000);
  const sent = `$${value.length}\r\n${value.slice(0, 600_000)}`;
  await using server = startFaultyBackend(([, key]) => (key === "large" ? sent : undefined));
  await using proxy = await startBefore(server);
  using client = await connect(proxy.port);
  using behind = await connect(proxy.port);
  client.send(Buffer.concat([encode("PING"), encode("GET", "large"), encode("PING")]));
  expect(await client.read()).toBe("PONG");
  await until(() => client.unreadBytes === sent.length);
  behind.send(encode("GET", "behind"));
  await until(() => server.dataRequests.length === 2);
  server.script = badOn("");
  server.connections[0].close();
  expect(await client.readToEnd()).toBe(sent);
  expect(await behind.read()).toEqual(failure("EOF", server));
  expect(await behind.call("GET", "next")).toBe("next");
});

test("a small reply that breaks off becomes an error", async () => {
  await using server = startFaultyBackend(badOn("$1000\r\nhalf of it"));
  await using proxy = await startBefore(server);
  using client = await connect(proxy.port);
  client.send(encode("GET", "bad"));
  await until(() => server.dataRequests.length === 1);
  server.connections[0].close();
  expect(await client.read()).toEqual(failure("EOF", server));
  expect(await client.call("GET", "good")).toBe("good");
});

test("a large reply that breaks off while another is due first becomes an error", async () => {
  await using slow = startFaultyBackend();
  await using server = startFaultyBackend();
  await using proxy = await startProxy({
    slots: [
      { addr: slow.address, from: 0, to: 511 },
      { addr: server.address, from: 512, to: 1023 },
    ],
  });
  using client = await connect(proxy.port);
  // "foo" is in slot 289, "a" in slot 579.
  client.send(Buffer.concat([encode("GET", "foo"), encode("GET", "a"), encode("PING")]));
  await until(() => server.dataRequests.length === 1 && slow.dataRequests.length === 1);
  const large = `$1000000\r\n${"x".repeat(500_000)}`;
  server.connections[0].send(large);
  server.connections[0].close();
  await until(() => server.connections.length === 2);
  slow.connections[0].send("+slow\r\n");
  const replies: Reply[] = [await client.read(), await client.read(), await client.read()];
  expect(replies).toEqual(["slow", failure("EOF", server), "PONG"]);
});

test("replies are told apart however a server cuts them into packets", async () => {
  const first = "*3\r\n$3\r\nabc\r\n*2\r\n:12\r\n$-1\r\n$0\r\n\r\n";
  const pieces = [first, "+OK\r\n", "-ERR no\r\n", "*0\r\n", "$-1\r\n", "$3\r\n\r\n.\r\n"];
  const replies = [["abc", [12, null], ""], "OK", new ReplyError("ERR no"), [], null, "\r\n."];
  const text = pieces.join("");
  await using server = startFaultyBackend();
  await using proxy = await startBefore(server);
  using client = await connect(proxy.port);
  for (let cut = 1; cut < text.length; cut++) {
    const before = server.dataRequests.length;
    for (let i = 0; i < replies.length; i++) client.send(encode("GET", `${i}`));
    await until(() => server.dataRequests.length === before + replies.length);
    server.connections[0].send(text.slice(0, cut));
    // What is complete in the first packet is with the client before the second one leaves.
    const complete = wholeBytes(pieces, cut);
    await until(() => client.unreadBytes >= complete, { what: `${complete} of ${cut} bytes` });
    server.connections[0].send(text.slice(cut));
    const got: Reply[] = [];
    while (got.length < replies.length) got.push(await client.read());
    expect(got).toEqual(replies);
  }
  expect(server.connections).toHaveLength(1);
});

/** The length of those first pieces that end within `limit` bytes. */
function wholeBytes(pieces: readonly string[], limit: number): number {
  let whole = 0;
  for (const piece of pieces) {
    if (whole + piece.length > limit) break;
    whole += piece.length;
  }
  return whole;
}
