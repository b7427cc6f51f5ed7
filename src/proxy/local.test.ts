// The proxy's own answers against a real redis-server's: the same requests on one connection each,
// and every reply the same byte for byte. What is different on purpose is tested in the files
// beside the handlers and in local-own.test.ts.
import { expect } from "bun:test";
import { connect } from "../../tests/harness/resp-client.ts";
import { startRedis } from "../../tests/harness/redis.ts";
import { systemTest } from "../../tests/harness/system-test.ts";
import { FakeServices, FakeSession, requestBytes } from "./local-fakes.ts";

const test = systemTest("redis-server");

type Script = readonly (readonly string[])[];

/** Numbers that cannot be the same are taken out of HELLO; everything else stays. */
function masked(reply: string): string {
  return reply.replace(/(\$2\r\nid\r\n):\d+/, "$1:<id>");
}

/** Runs a script in a new session of the fake and on a new connection to the server. */
async function compare(port: number, services: FakeServices, script: Script): Promise<void> {
  using client = await connect(port);
  const session = new FakeSession(1, services);
  for (const words of script) {
    client.send(requestBytes(words));
    const expected = masked(await client.readRaw());
    const actual = masked(session.ask(...words) ?? "(no answer)");
    expect({ words, reply: actual }).toEqual({ words, reply: expected });
  }
}

async function compareAll(scripts: readonly Script[], password = ""): Promise<void> {
  const args = password === "" ? [] : ["--requirepass", password];
  await using redis = await startRedis({ args });
  const services = new FakeServices({ sessionAuth: password });
  for (const script of scripts) await compare(redis.port, services, script);
}

/** Each request in a session of its own. */
function single(...requests: string[][]): Script[] {
  return requests.map((words) => [words]);
}

/** The same requests in RESP2 and, behind HELLO 3, in RESP3. */
function inBothProtocols(script: Script): Script[] {
  return [script, [["HELLO", "3"], ...script]];
}

test("PING, ECHO and QUIT answer as Redis does", async () => {
  const script = [
    ["PING"],
    ["ping", "text"],
    ["PING", ""],
    ["PING", "12:34"],
    ["PING", "a", "b"],
    ["PING", "a", "b", "c"],
    ["ECHO", "bytes \0\r\n\xff"],
    ["ECHO"],
    ["ECHO", "a", "b"],
  ];
  await compareAll([...inBothProtocols(script), ...single(["QUIT"], ["QUIT", "now"])]);
});

test("SELECT takes and refuses the same numbers in the same words", async () => {
  const indexes = ["0", "15", "16", "-1", "a", "+2", " 2", "2 ", "02", "-0", "", "1e1", "1.0"];
  const large = ["2147483647", "2147483648", "-2147483648", "-2147483649", "9223372036854775807"];
  const huge = ["9223372036854775808", "-9223372036854775809", "9".repeat(30), "9".repeat(300)];
  const script = [...indexes, ...large, ...huge].map((index) => ["SELECT", index]);
  await compareAll([[...script, ["SELECT"], ["SELECT", "1", "2"]]]);
});

test("HELLO answers every combination of options as Redis does", async () => {
  await compareAll([
    [["HELLO"], ["HELLO", "3"], ["HELLO"], ["HELLO", "2"], ["HELLO"]],
    ...single(
      ["HELLO", "1"],
      ["HELLO", "4"],
      ["HELLO", "-3"],
      ["HELLO", "03"],
      ["HELLO", "x"],
      ["HELLO", ""],
      ["HELLO", "9".repeat(19)],
      ["HELLO", "9".repeat(18)],
      ["HELLO", "SETNAME", "x"],
      ["HELLO", "4", "FOO"],
      ["HELLO", "3", "FOO"],
      ["HELLO", "3", "FOO\r\nBAR\0BAZ"],
      ["HELLO", "3", "AUTH"],
      ["HELLO", "3", "auth", "default"],
      ["HELLO", "3", "AUTH", "nobody", "x"],
      ["HELLO", "3", "AUTH", "default", "anything"],
      ["HELLO", "3", "AUTH", "Default", "anything"],
      ["HELLO", "3", "SETNAME"],
      ["HELLO", "3", "SETNAME", "two words"],
      ["HELLO", "3", "SETNAME", "line\n"],
      ["HELLO", "3", "SETNAME", "\x7f"],
      ["HELLO", "2", "SETNAME", ""],
    ),
    [
      ["HELLO", "3", "SetName", "me", "Auth", "default", "x"],
      ["CLIENT", "GETNAME"],
    ],
    [["HELLO", "3", "SETNAME", "a", "FOO"], ["CLIENT", "GETNAME"], ["HELLO"]],
  ]);
});

test("AUTH without a password being set answers as Redis does", async () => {
  await compareAll([
    [["AUTH", "x"], ["PING"]],
    [["AUTH", "default", "x"], ["AUTH", "other", "x"], ["AUTH", "a", "b", "c"], ["AUTH"], ["PING"]],
  ]);
});

test("a server with a password lets in, keeps out and words it as Redis does", async () => {
  await compareAll(
    [
      single(["PING"], ["SELECT", "0"], ["FOO"], ["GET"], ["CLIENT", "FOO"], ["CLIENT"]),
      single(
        ["CLIENT", "SETNAME"],
        ["CLIENT", "ID"],
        ["COMMAND"],
        ["QUIT"],
        ["HELLO"],
        ["HELLO", "3"],
      ),
      single(["HELLO", "9"], ["HELLO", "3", "SETNAME", "x"], ["AUTH", "wrong"], ["AUTH", ""]),
      single(["AUTH", "default", "wrong"], ["AUTH", "other", "s3cret"], ["AUTH", "a", "b", "c"]),
      [[["RESET"], ["PING"]]],
      [[["AUTH", "s3cre"], ["AUTH", "s3crets"], ["AUTH", "S3cret"], ["PING"]]],
      [[["HELLO", "3", "AUTH", "default", "wrong"], ["PING"], ["HELLO", "3"]]],
      [
        [
          ["HELLO", "3", "SETNAME", "n", "AUTH", "default", "wrong"],
          ["CLIENT", "GETNAME"],
        ],
      ],
    ].flat(),
    "s3cret",
  );
});

test("a password beyond ASCII is compared as UTF-8", async () => {
  const sent = Buffer.from("pässwörd").toString("latin1");
  await compareAll([[["AUTH", "p\xe4ssw\xf6rd"], ["PING"], ["AUTH", sent], ["PING"]]], "pässwörd");
});

test("the right password stays right after a wrong one, and RESET takes it back", async () => {
  await compareAll(
    [
      [["AUTH", "pw"], ["PING"], ["AUTH", "wrong"], ["PING"], ["AUTH", "default", "pw"], ["PING"]],
      [["AUTH", "pw"], ["RESET"], ["PING"], ["AUTH", "pw"], ["CLIENT", "GETNAME"]],
      [["HELLO", "3", "AUTH", "default", "pw", "SETNAME", "n"], ["CLIENT", "GETNAME"], ["PING"]],
      [
        ["HELLO", "3", "AUTH", "default", "pw", "FOO"],
        ["CLIENT", "GETNAME"],
      ],
      [["HELLO", "3", "AUTH", "default", "pw"], ["CLIENT", "GETNAME"], ["RESET"], ["PING"]],
    ],
    "pw",
  );
});

test("RESET makes the session new", async () => {
  await compareAll([
    [
      ["HELLO", "3", "SETNAME", "n"],
      ["SELECT", "3"],
      ["CLIENT", "GETNAME"],
      ["RESET"],
      ["CLIENT", "GETNAME"],
      ["HELLO"],
      ["RESET", "x"],
    ],
  ]);
});

test("CLIENT subcommands about the session itself answer as Redis does", async () => {
  const script = [
    ["CLIENT"],
    ["CLIENT", "FOO"],
    ["CLIENT", "foo\r\n", "x"],
    ["CLIENT", "ID", "x"],
    ["CLIENT", "GETNAME"],
    ["CLIENT", "SETNAME", "me"],
    ["CLIENT", "GETNAME"],
    ["CLIENT", "SETNAME", "a b"],
    ["CLIENT", "SETNAME", "a\nb"],
    ["CLIENT", "SETNAME", "a\n"],
    ["CLIENT", "SETNAME", "\x80"],
    ["CLIENT", "GETNAME"],
    ["CLIENT", "SETNAME", "!~"],
    ["CLIENT", "SETNAME", ""],
    ["CLIENT", "GETNAME"],
    ["CLIENT", "SETNAME"],
    ["CLIENT", "GETNAME", "x"],
    ["CLIENT", "NO-EVICT", "on"],
    ["CLIENT", "NO-EVICT", "OFF"],
    ["CLIENT", "NO-EVICT", "maybe"],
    ["CLIENT", "NO-EVICT"],
    ["CLIENT", "INFO", "x"],
    ["CLIENT", "HELP", "x"],
  ];
  await compareAll(inBothProtocols(script));
});

test("CLIENT LIST refuses and filters as Redis does", async () => {
  const script = [
    ["CLIENT", "LIST", "TYPE"],
    ["CLIENT", "LIST", "TYPE", "master"],
    ["CLIENT", "LIST", "TYPE", "SLAVE"],
    ["CLIENT", "LIST", "type", "replica"],
    ["CLIENT", "LIST", "TYPE", "pubsub"],
    ["CLIENT", "LIST", "TYPE", "foo"],
    ["CLIENT", "LIST", "TYPE", "normal", "x"],
    ["CLIENT", "LIST", "ID"],
    ["CLIENT", "LIST", "ID", "a"],
    ["CLIENT", "LIST", "ID", "1000001", "1000002"],
    ["CLIENT", "LIST", "ID", "-1"],
    ["CLIENT", "LIST", "ID", "1000001", "x"],
    ["CLIENT", "LIST", "FOO"],
  ];
  await compareAll(inBothProtocols(script));
});

test("CLIENT KILL refuses and counts as Redis does", async () => {
  const options = [
    ["1.2.3.4:5"],
    ["ID"],
    ["ID", "1000001"],
    ["ID", "0"],
    ["ID", "-5"],
    ["ID", "x"],
    ["ADDR", "x"],
    ["LADDR", "x"],
    ["USER", "nobody"],
    ["USER", "default", "SKIPME", "maybe"],
    ["USER", "default", "SKIPME", "yes"],
    ["TYPE", "foo"],
    ["TYPE", "master"],
    ["ID", "1", "ADDR"],
    ["FOO", "bar"],
    ["ADDR", "x", "ID"],
    ["a", "b", "c"],
    ["skipme", "no", "id", "1000001", "type", "normal"],
  ];
  const script = options.map((words) => ["CLIENT", "KILL", ...words]);
  await compareAll([
    ...inBothProtocols([["CLIENT", "KILL"], ...script]),
    ...single(["CLIENT", "KILL", "USER", "default", "SKIPME", "no"]),
  ]);
});

test("ROLE, TIME and INFO about nothing answer as Redis does", async () => {
  const script = [
    ["ROLE"],
    ["ROLE", "x"],
    ["TIME", "x"],
    ["LOLWUT"],
    ["INFO", "cluster"],
    ["info", "CLUSTER", "nothing"],
    ["INFO", "keyspace", "modules", "cluster"],
    ["INFO", "nothing"],
    ["INFO", ""],
    ["INFO", "nowhere:6379"],
  ];
  await compareAll(inBothProtocols(script));
});

test("CONFIG GET answers what a fresh Redis answers where both know the parameter", async () => {
  const script = [
    ["CONFIG", "GET", "save"],
    ["CONFIG", "GET", "SAVE"],
    ["CONFIG", "GET", "Sav?"],
    ["CONFIG", "GET", "save", "SAVE", "sav*"],
    ["CONFIG", "GET", "appendonly"],
    ["CONFIG", "GET", "databases"],
    ["CONFIG", "GET", "maxmemory"],
    ["CONFIG", "GET", "maxmemory-policy"],
    ["CONFIG", "GET", "[ab]ppendonl[!-z]"],
    ["CONFIG", "GET", "cluster-enabled"],
    ["CONFIG", "GET", "proto-max-bulk-len"],
    ["CONFIG", "GET", "slave-read-only"],
    ["CONFIG", "GET", "nothing"],
    ["CONFIG", "GET", "nothing*"],
    ["CONFIG", "GET"],
    ["CONFIG", "FOO"],
    ["CONFIG"],
  ];
  await compareAll(inBothProtocols(script));
});
