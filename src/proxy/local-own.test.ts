// What the proxy answers in its own way; what must be the same as in Redis is in local.test.ts.
import { expect, test } from "bun:test";
import { COMMANDS, Route } from "./commands.ts";
import { hasAnswer } from "./local.ts";
import { FakeServices, FakeSession } from "./local-fakes.ts";

test("every command that the table leaves to the proxy has an answer", () => {
  const silent = COMMANDS.filter((command) => command.route === Route.LOCAL && !hasAnswer(command));
  expect(silent.map((command) => command.name)).toEqual([]);
});

test("SELECT knows as many databases as the configuration says", () => {
  const session = new FakeSession(1, new FakeServices({ backendNumberDatabases: 3 }));
  expect(session.ask("SELECT", "2")).toBe("+OK\r\n");
  expect(session.ask("SELECT", "3")).toBe("-ERR DB index is out of range\r\n");
  expect(session.events).toEqual(["database 2"]);
});

test("SELECT of the current database changes nothing", () => {
  const session = new FakeSession(1, new FakeServices());
  expect(session.ask("SELECT", "0")).toBe("+OK\r\n");
  expect(session.events).toEqual([]);
});

test("QUIT ends the connection after its reply", () => {
  const session = new FakeSession(1, new FakeServices());
  expect(session.ask("QUIT")).toBe("+OK\r\n");
  expect(session.events).toEqual(["close after replies"]);
});

test("HELLO reports the configured version and changes the protocol once", () => {
  const session = new FakeSession(9, new FakeServices({ proxyRedisVersion: "7.4.1" }));
  const reply = session.ask("HELLO", "3", "SETNAME", "me") ?? "";
  expect(reply).toStartWith(
    "%7\r\n$6\r\nserver\r\n$5\r\nredis\r\n$7\r\nversion\r\n$5\r\n7.4.1\r\n",
  );
  expect(reply).toContain("$5\r\nproto\r\n:3\r\n$2\r\nid\r\n:9\r\n");
  session.ask("HELLO", "3");
  expect(session.events).toEqual(["proto 3"]);
  expect(session.name).toBe("me");
});

test("RESET forgets everything but the client's library", () => {
  const services = new FakeServices({ sessionAuth: "pw" });
  const session = new FakeSession(1, services);
  session.ask("HELLO", "3", "AUTH", "default", "pw", "SETNAME", "me");
  session.ask("SELECT", "5");
  session.ask("CLIENT", "SETINFO", "LIB-NAME", "lib");
  session.ask("CLIENT", "NO-TOUCH", "on");
  expect(session.ask("RESET")).toBe("+RESET\r\n");
  expect(session).toMatchObject({
    proto: 2,
    database: 0,
    name: "",
    libName: "lib",
    noTouch: false,
  });
  expect(session.isAuthorized).toBe(false);
});

test("READONLY and READWRITE are accepted, because clients send them to proxies", () => {
  const session = new FakeSession(1, new FakeServices());
  expect(session.ask("READONLY")).toBe("+OK\r\n");
  expect(session.ask("READWRITE")).toBe("+OK\r\n");
});

test("TIME is now, in seconds and microseconds", () => {
  const session = new FakeSession(1, new FakeServices());
  for (let i = 0; i < 100; i++) {
    const before = Date.now();
    const [, seconds, micros] = /^\*2\r\n\$\d+\r\n(\d+)\r\n\$\d+\r\n(\d+)\r\n$/.exec(
      session.ask("TIME") ?? "",
    ) ?? ["", "", ""];
    const ms = Number(seconds) * 1000 + Number(micros) / 1000;
    expect(Number(micros)).toBeLessThan(1_000_000);
    expect(ms).toBeGreaterThanOrEqual(before);
    expect(ms).toBeLessThan(Date.now() + 1);
  }
});

test("CONFIG GET shows the proxy's own settings under Redis' names", () => {
  const services = new FakeServices({
    proxyAddr: "10.1.2.3:19007",
    backendNumberDatabases: 4,
    sessionRecvTimeoutMs: 90_500,
    proxyMaxClients: 77,
    sessionAuth: "",
    productAuth: "secret",
  });
  const session = new FakeSession(1, services);
  const get = (...names: string[]): string | null => session.ask("CONFIG", "GET", ...names);
  expect(get("timeout")).toBe("*2\r\n$7\r\ntimeout\r\n$2\r\n90\r\n");
  expect(get("databases")).toBe("*2\r\n$9\r\ndatabases\r\n$1\r\n4\r\n");
  expect(get("port", "bind")).toBe(
    "*4\r\n$4\r\nport\r\n$5\r\n19007\r\n$4\r\nbind\r\n$8\r\n10.1.2.3\r\n",
  );
  expect(get("maxclients")).toContain("77");
  expect(get("*")).not.toContain("secret");
});

test("HELP of a container lists the subcommands that the proxy takes, with what they do", () => {
  const reply = new FakeSession(1, new FakeServices()).ask("MEMORY", "HELP") ?? "";
  expect(reply).toMatch(/^\*5\r\n\+MEMORY <subcommand> /);
  expect(reply).toContain("\r\n+HELP\r\n+    ");
  expect(reply).toContain("\r\n+USAGE\r\n+    ");
  expect(reply).not.toContain("DOCTOR");
});
