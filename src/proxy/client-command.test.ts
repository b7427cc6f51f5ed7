import { expect, test } from "bun:test";
import { connect } from "../../tests/harness/resp-client.ts";
import { startRedis } from "../../tests/harness/redis.ts";
import { systemTest } from "../../tests/harness/system-test.ts";
import { FakeServices, FakeSession } from "./local-fakes.ts";

const testWithRedis = systemTest("redis-server");

/** Session 1 asks; 2 is of the same worker, 3 of another. */
function threeSessions(): { services: FakeServices; sessions: FakeSession[] } {
  const services = new FakeServices();
  const sessions = [1, 2, 3].map((id) => new FakeSession(id, services));
  services.otherWorker.push(...services.own.splice(2));
  sessions.forEach((session, i) => (session.address = `10.0.0.${i + 1}:5000`));
  return { services, sessions };
}

/** The lines inside a bulk or verbatim string. */
function lines(reply: string | null): string[] {
  const body = (reply ?? "").replace(/^\$\d+\r\n|^=\d+\r\ntxt:/, "").replace(/\r\n$/, "");
  return body.split("\n").slice(0, -1);
}

function idsIn(reply: string | null): number[] {
  return lines(reply).map((line) => Number(/^id=(\d+) /.exec(line)?.[1]));
}

testWithRedis("a line has Redis' fields in Redis' order", async () => {
  await using redis = await startRedis();
  using client = await connect(redis.port);
  const expected = fieldsOf(String(await client.call("CLIENT", "INFO")));
  const session = new FakeSession(1, new FakeServices());
  const actual = fieldsOf(lines(session.ask("CLIENT", "INFO"))[0]);
  expect(actual).toEqual([...expected, "lib-name", "lib-ver"]);
});

function fieldsOf(line: string): string[] {
  return line
    .trim()
    .split(" ")
    .map((field) => field.slice(0, field.indexOf("=")));
}

test("a line shows what is known about the session", () => {
  const session = new FakeSession(42, new FakeServices());
  session.createdMs = performance.now() - 65_500;
  session.lastActiveMs = performance.now() - 3_500;
  session.ask("CLIENT", "SETNAME", "worker-7");
  session.ask("CLIENT", "SETINFO", "LIB-NAME", "ioredis");
  session.ask("CLIENT", "SETINFO", "lib-ver", "6.0.0");
  session.ask("SELECT", "3");
  session.ask("CLIENT", "NO-EVICT", "on");
  session.ask("CLIENT", "NO-TOUCH", "on");
  session.pendingOutputBytes = 100;
  const line = lines(session.ask("CLIENT", "INFO"))[0];
  expect(line).toStartWith("id=42 addr=127.0.0.1:50001 laddr=127.0.0.1:19000 fd=-1 name=worker-7 ");
  expect(line).toContain(" age=65 idle=3 flags=eT db=3 ");
  expect(line).toContain(" omem=100 tot-mem=100 events=r cmd=client|info user=default ");
  expect(line).toEndWith(" resp=2 lib-name=ioredis lib-ver=6.0.0");
});

test("CLIENT SETINFO takes only what fits into a line", () => {
  const session = new FakeSession(1, new FakeServices());
  const set = (name: string, value: string): string | null =>
    session.ask("CLIENT", "SETINFO", name, value);
  expect(set("Lib-Name", "a b")).toBe(
    "-ERR Lib-Name cannot contain spaces, newlines or special characters.\r\n",
  );
  expect(set("FOO", "a")).toBe("-ERR Unrecognized option 'FOO'\r\n");
  expect(set("LIB-NAME", "")).toBe("+OK\r\n");
  expect(session.ask("CLIENT", "SETINFO", "LIB-NAME")).toBe(
    "-ERR wrong number of arguments for 'client|setinfo' command\r\n",
  );
});

test("CLIENT LIST shows the clients of all workers, the oldest first", () => {
  const { sessions } = threeSessions();
  expect(idsIn(sessions[1].ask("CLIENT", "LIST"))).toEqual([1, 2, 3]);
  expect(idsIn(sessions[1].ask("CLIENT", "LIST", "TYPE", "normal"))).toEqual([1, 2, 3]);
  expect(idsIn(sessions[1].ask("CLIENT", "LIST", "TYPE", "pubsub"))).toEqual([]);
});

test("CLIENT LIST ID keeps the order that was asked for", () => {
  const { sessions } = threeSessions();
  expect(idsIn(sessions[0].ask("CLIENT", "LIST", "ID", "3", "9", "1", "3"))).toEqual([3, 1, 3]);
});

test("CLIENT LIST is a verbatim text in RESP3", () => {
  const { sessions } = threeSessions();
  sessions[0].ask("HELLO", "3");
  const reply = sessions[0].ask("CLIENT", "LIST", "ID", "3") ?? "";
  expect(reply).toMatch(/^=\d+\r\ntxt:id=3 addr=/);
  expect(reply).toEndWith("lib-name= lib-ver=\n\r\n");
});

test("CLIENT KILL with an address ends that client, whichever worker has it", () => {
  const { sessions } = threeSessions();
  expect(sessions[0].ask("CLIENT", "KILL", "10.0.0.3:5000")).toBe("+OK\r\n");
  expect(sessions.map((session) => session.events)).toEqual([[], [], ["close"]]);
  expect(sessions[0].ask("CLIENT", "KILL", "10.0.0.9:5000")).toBe("-ERR No such client\r\n");
});

test("CLIENT KILL of oneself by address answers before the connection ends", () => {
  const { sessions } = threeSessions();
  expect(sessions[0].ask("CLIENT", "KILL", "10.0.0.1:5000")).toBe("+OK\r\n");
  expect(sessions[0].events).toEqual(["close after replies"]);
});

test("CLIENT KILL with options spares the caller unless told otherwise", () => {
  const { sessions } = threeSessions();
  expect(sessions[0].ask("CLIENT", "KILL", "USER", "default")).toBe(":2\r\n");
  expect(sessions.map((session) => session.events)).toEqual([[], ["close"], ["close"]]);
  expect(sessions[0].ask("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "no")).toBe(":3\r\n");
  expect(sessions[0].events).toEqual(["close after replies"]);
});

test("CLIENT KILL ends only clients that fulfil every option", () => {
  const { sessions } = threeSessions();
  const kill = (...options: string[]): string | null =>
    sessions[0].ask("CLIENT", "KILL", ...options);
  expect(kill("ID", "2", "ADDR", "10.0.0.3:5000")).toBe(":0\r\n");
  expect(kill("ID", "2", "LADDR", "127.0.0.1:19000", "TYPE", "normal")).toBe(":1\r\n");
  expect(kill("ID", "3", "TYPE", "replica")).toBe(":0\r\n");
  expect(sessions.map((session) => session.events)).toEqual([[], ["close"], []]);
});

test("a parent that cannot answer is an error and not an empty list", () => {
  const { services, sessions } = threeSessions();
  services.answerOf = () => null;
  const lost = "-ERR handle request, the proxy's parent process does not answer\r\n";
  expect(sessions[0].ask("CLIENT", "LIST")).toBe(lost);
  expect(sessions[0].ask("CLIENT", "KILL", "ID", "2")).toBe(lost);
});

test("CLIENT HELP describes what the proxy takes", () => {
  const reply = new FakeSession(1, new FakeServices()).ask("CLIENT", "HELP") ?? "";
  expect(reply).toMatch(/^\*\d+\r\n\+CLIENT <subcommand> /);
  expect(Number(/^\*(\d+)/.exec(reply)?.[1])).toBe(reply.split("\r\n+").length - 1);
});
