// Two leaders at one server: what the earlier one sends is carried out before the later one begins,
// or not at all.
import { expect } from "bun:test";
import { Authority } from "../../src/migration/authority.ts";
import { Link } from "../../src/migration/link.ts";
import { purgeTarget } from "../../src/migration/purge.ts";
import { connect } from "../harness/resp-client.ts";
import { systemTest } from "../harness/system-test.ts";
import { until } from "../harness/until.ts";
import { leader, passageOf, startServer, TestWatch } from "./engine-fixture.ts";

const test = systemTest("redis-server");

const LOGIN = { username: "", password: "" };

class Replaced extends Error {}

test("a leader's first connection ends those of all others, and nobody else's", async () => {
  await using server = await startServer();
  const [first, second] = [leader(1), leader(2)];
  using old = await Link.open(server.address, { login: LOGIN, authority: first }, "7-purge");
  using client = await connect(server.port);
  await client.call("CLIENT", "SETNAME", "codis-proxy-0123");
  using own = await Link.open(server.address, { login: LOGIN, authority: second }, "7-purge");
  await old.client.closed;
  expect(await own.call(["DBSIZE"])).toBe(0);
  expect(await client.call("PING")).toBe("PONG");
});

test("a connection is used only when its owner leads after it has its name", async () => {
  await using server = await startServer();
  const asked = Promise.withResolvers<void>();
  const answer = Promise.withResolvers<void>();
  const first = new Authority(1, () => {
    asked.resolve();
    return answer.promise;
  });
  const opening = Link.open(server.address, { login: LOGIN, authority: first }, "7-keys");
  await asked.promise;
  expect(String(await server.call("CLIENT", "LIST"))).toContain(` name=${first.nameOf("7-keys")} `);
  // The answer is that it leads, but by the time it comes another one does, and has been here.
  using next = await Link.open(server.address, { login: LOGIN, authority: leader(2) }, "7-keys");
  answer.resolve();
  await expect(opening).rejects.toThrow("closed");
  expect(next.client.isOpen).toBe(true);
  const third = new Authority(3, () => Promise.reject(new Replaced()));
  const refused = Link.open(server.address, { login: LOGIN, authority: third }, "7-keys");
  await expect(refused).rejects.toBeInstanceOf(Replaced);
  expect(next.client.isOpen).toBe(true);
});

test("what a connection had sent when it was ended is not carried out later", async () => {
  await using server = await startServer();
  using old = await Link.open(server.address, { login: LOGIN, authority: leader(1) }, "7-keys");
  // Half a minute of work, so that it is not done before the next leader comes.
  const slowly = [
    ["INCR", "count"],
    ["DEBUG", "SLEEP", "0.001"],
  ] as const;
  const sent = old.pipeline(Array.from({ length: 30_000 }, () => slowly).flat());
  const ended = sent.catch(() => "ended");
  while (Number(await server.call("GET", "count")) === 0) continue;
  using _next = await Link.open(server.address, { login: LOGIN, authority: leader(2) }, "7-keys");
  const count = Number(await server.call("GET", "count"));
  expect(await ended).toBe("ended");
  expect(Number(await server.call("GET", "count"))).toBe(count);
  expect(count).toBeLessThan(30_000);
});

test("a sweep that loses its connection to a later leader does not go on", async () => {
  await using source = await startServer();
  await using target = await startServer();
  await target.call("DEBUG", "POPULATE", 20_000);
  let leads = true;
  const authority = new Authority(1, () =>
    leads ? Promise.resolve() : Promise.reject(new Replaced()),
  );
  const passage = passageOf(source, target, { authority });
  const watch = new TestWatch();
  watch.settings = { ...watch.settings, intervalUs: 1_000 };
  const purge = purgeTarget(passage, watch).catch((error: unknown) => error);
  await until(() => watch.scanned > 0);
  leads = false;
  using _next = await Link.open(target.address, { login: LOGIN, authority: leader(2) }, "7-purge");
  const left = await target.call("DBSIZE");
  expect(await purge).toBeInstanceOf(Replaced);
  expect(await target.call("DBSIZE")).toBe(left);
  expect(Number(left)).toBeGreaterThan(0);
});

test("a server that knows no CLIENT is used all the same", async () => {
  await using server = await startServer({ args: ["--rename-command", "CLIENT", ""] });
  const access = { login: LOGIN, authority: leader(1) };
  using link = await Link.open(server.address, access, "7-attach");
  expect(link.kind.isMaster).toBe(true);
  expect(access.authority.hasTakenOver(server.address)).toBe(true);
});
