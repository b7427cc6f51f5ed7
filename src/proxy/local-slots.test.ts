import { expect, test } from "bun:test";
import { FakeServices, FakeSession, requestBytes } from "./local-fakes.ts";

const ADDRESS = "127.0.0.1:6379";

function sessionWith(...servers: (string | number)[]): {
  services: FakeServices;
  session: FakeSession;
} {
  const services = new FakeServices();
  for (const server of servers) services.servers.add(server);
  return { services, session: new FakeSession(1, services) };
}

function bytesOf(...words: string[]): string {
  return requestBytes(words).toString("latin1");
}

test("PING and INFO with a server's address go there without it", () => {
  const { services, session } = sessionWith(ADDRESS);
  session.ask("SELECT", "2");
  session.ask("HELLO", "3");
  expect(session.ask("PING", ADDRESS)).toBeNull();
  expect(session.ask("ping", ADDRESS, "a b")).toBeNull();
  expect(session.ask("INFO", ADDRESS)).toBeNull();
  expect(session.ask("INFO", ADDRESS, "server", "cpu")).toBeNull();
  expect(services.sent.map((sent) => sent.request)).toEqual([
    bytesOf("PING"),
    bytesOf("PING", "a b"),
    bytesOf("INFO"),
    bytesOf("INFO", "server", "cpu"),
  ]);
  expect(services.sent[0]).toMatchObject({ target: ADDRESS, database: 2, proto: 3 });
  services.sent[3].deferred.finish(Buffer.from("$1\r\nx\r\n"));
  expect(session.reply).toBe("$1\r\nx\r\n");
});

test("an address that is no server of the proxy is a text like any other", () => {
  const { services, session } = sessionWith(ADDRESS);
  expect(session.ask("PING", "127.0.0.1:6380")).toBe("$14\r\n127.0.0.1:6380\r\n");
  expect(session.ask("PING", "127.0.0.1:6380", "x")).toBe(
    "-ERR wrong number of arguments for 'ping' command\r\n",
  );
  expect(session.ask("INFO", "127.0.0.1:6380")).toBe("$0\r\n\r\n");
  expect(services.sent).toEqual([]);
});

test("a server that answers at once is heard", () => {
  const { services, session } = sessionWith();
  services.backendCommand = (_target, _request, _database, _proto, deferred) => {
    deferred.finish(Buffer.from("+PONG\r\n"));
    return true;
  };
  expect(session.ask("PING", ADDRESS)).toBe("+PONG\r\n");
});

test("SLOTSINFO asks the server it names", () => {
  const { services, session } = sessionWith(ADDRESS);
  expect(session.ask("SLOTSINFO", ADDRESS)).toBeNull();
  expect(services.sent[0].request).toBe(bytesOf("SLOTSINFO"));
  expect(session.ask("SLOTSINFO", "hello")).toBe("-ERR backend server 'hello' not found\r\n");
  expect(session.ask("SLOTSINFO", "a:1")).toBe("-ERR backend server 'a:1' not found\r\n");
  for (const words of [["SLOTSINFO"], ["SLOTSINFO", ADDRESS, "x"]]) {
    expect(session.ask(...words)).toBe(
      "-ERR wrong number of arguments for 'slotsinfo' command\r\n",
    );
  }
});

test("SLOTSSCAN goes unchanged to the master of the slot", () => {
  const { services, session } = sessionWith(7);
  expect(session.ask("slotsscan", "7", "0", "COUNT", "5")).toBeNull();
  expect(services.sent[0]).toMatchObject({
    target: 7,
    request: bytesOf("SLOTSSCAN", "7", "0", "COUNT", "5"),
  });
  const offline = "-ERR handle request, slot is not ready, may be offline\r\n";
  expect(session.ask("SLOTSSCAN", "8", "0")).toBe(offline);
  expect(session.ask("SLOTSSCAN", "1024", "0")).toBe(
    "-ERR parse slotnum '1024' failed, out of range\r\n",
  );
  expect(session.ask("SLOTSSCAN", "x", "0")).toBe(
    "-ERR parse slotnum 'x' failed, not an integer\r\n",
  );
  expect(session.ask("SLOTSSCAN", "7")).toStartWith(
    "-ERR wrong number of arguments for 'slotsscan'",
  );
});

test("SLOTSMAPPING shows one slot or all", () => {
  const { session } = sessionWith(0);
  expect(session.ask("SLOTSMAPPING", "0")).toBe("*4\r\n+0\r\n+127.0.0.1:6379\r\n+\r\n*-1\r\n");
  const seven =
    "*4\r\n+7\r\n+\r\n+127.0.0.1:6380\r\n" +
    "*2\r\n*2\r\n+127.0.0.1:6381\r\n+127.0.0.1:6382\r\n*1\r\n+127.0.0.1:6383\r\n";
  expect(session.ask("SLOTSMAPPING", "7")).toBe(seven);
  const all = session.ask("SLOTSMAPPING") ?? "";
  expect(all).toStartWith("*1024\r\n*4\r\n+0\r\n+127.0.0.1:6379\r\n+\r\n*-1\r\n*4\r\n+1\r\n");
  expect(all).toContain(seven);
  expect(session.ask("SLOTSMAPPING", "-1")).toBe(
    "-ERR parse slotnum '-1' failed, out of range\r\n",
  );
  expect(session.ask("SLOTSMAPPING", "1", "2")).toStartWith("-ERR wrong number of arguments for");
});
