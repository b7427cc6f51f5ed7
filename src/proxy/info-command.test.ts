import { expect, test } from "bun:test";
import { connect } from "../../tests/harness/resp-client.ts";
import { startRedis } from "../../tests/harness/redis.ts";
import { systemTest } from "../../tests/harness/system-test.ts";
import { humanBytes } from "./info-command.ts";
import { EMPTY_FIGURES, FakeServices, FakeSession } from "./local-fakes.ts";

const testWithRedis = systemTest("redis-server");

/** Section titles and the names of the fields in each. */
function shapeOf(text: string): Map<string, string[]> {
  const shape = new Map<string, string[]>();
  for (const part of text.split("\r\n\r\n")) {
    const [title, ...lines] = part.split("\r\n").filter((line) => line !== "");
    shape.set(
      title,
      lines.map((line) => line.slice(0, line.indexOf(":"))),
    );
  }
  return shape;
}

function bodyOf(reply: string | null): string {
  return (reply ?? "").replace(/^\$\d+\r\n/, "").replace(/\r\n$/, "");
}

function infoOf(...sections: string[]): string {
  return bodyOf(new FakeSession(1, new FakeServices()).ask("INFO", ...sections));
}

testWithRedis("sections are Redis' own, in its order, and so are the names of fields", async () => {
  await using redis = await startRedis();
  using client = await connect(redis.port);
  for (const sections of [
    [],
    ["all"],
    ["everything"],
    ["default"],
    ["ALL", "server"],
    ["cpu", "clients"],
  ]) {
    const expected = shapeOf(String(await client.call("INFO", ...sections)));
    const actual = shapeOf(infoOf(...sections));
    expect([...actual.keys()]).toEqual([...expected.keys()]);
    for (const [title, names] of actual) {
      if (title === "# Commandstats" || title === "# Latencystats" || title === "# Errorstats")
        continue;
      const unknown = names.filter((name) => !name.startsWith("codis_"));
      expect(expected.get(title)).toEqual(expect.arrayContaining(unknown));
    }
  }
});

test("clients find what they look for when they connect", () => {
  const text = infoOf();
  const expected = ["redis_version:7.0.15", "redis_mode:standalone", "loading:0", "role:master"];
  for (const line of [...expected, "cluster_enabled:0"]) expect(text).toContain(`${line}\r\n`);
});

test("figures of commands have Redis' shape", () => {
  const services = new FakeServices();
  const get = {
    name: "get",
    calls: 3,
    usec: 10.4,
    rejected: 1,
    failed: 2,
    p50: 2,
    p99: 4,
    p999: 8,
  };
  services.figures = {
    ...EMPTY_FIGURES,
    commands: [get, { ...get, name: "client|list", calls: 0 }],
    errors: [{ prefix: "WRONGTYPE", count: 2 }],
  };
  const session = new FakeSession(1, services);
  expect(bodyOf(session.ask("INFO", "latencystats", "errorstats", "commandstats"))).toBe(
    "# Commandstats\r\n" +
      "cmdstat_get:calls=3,usec=10,usec_per_call=3.47,rejected_calls=1,failed_calls=2\r\n" +
      "cmdstat_client|list:calls=0,usec=10,usec_per_call=0.00,rejected_calls=1,failed_calls=2\r\n" +
      "\r\n# Errorstats\r\nerrorstat_WRONGTYPE:count=2\r\n" +
      "\r\n# Latencystats\r\nlatency_percentiles_usec_get:p50=2.000,p99=4.000,p99.9=8.000\r\n",
  );
});

test("however many ask at once, the parent has one question at a time", () => {
  const services = new FakeServices();
  services.answersAtOnce = false;
  const sessions = [1, 2, 3].map((id) => new FakeSession(id, services));
  for (const session of sessions) expect(session.ask("INFO", "server")).toBeNull();
  expect(services.questions.length).toBe(1);

  services.questions[0].done({ ...EMPTY_FIGURES, parentPid: 1 });
  expect(sessions[0].reply).toContain("process_id:1\r\n");
  // The others came after the question was asked: they get figures that are newer than they are.
  expect(sessions[1].reply).toBeNull();
  expect(services.questions.length).toBe(2);

  services.questions[1].done({ ...EMPTY_FIGURES, parentPid: 2 });
  for (const session of sessions.slice(1)) expect(session.reply).toContain("process_id:2\r\n");
  expect(services.questions.length).toBe(2);

  expect(sessions[0].ask("INFO", "server")).toBeNull();
  expect(services.questions.length).toBe(3);
});

test("each of several who wait gets the protocol and the sections it asked for", () => {
  const services = new FakeServices();
  services.answersAtOnce = false;
  const [first, second] = [new FakeSession(1, services), new FakeSession(2, services)];
  second.ask("HELLO", "3");
  first.ask("INFO", "cluster");
  second.ask("INFO", "keyspace");
  services.questions[0].done(EMPTY_FIGURES);
  services.questions[1].done(EMPTY_FIGURES);
  expect(first.reply).toBe("$30\r\n# Cluster\r\ncluster_enabled:0\r\n\r\n");
  expect(second.reply).toBe("=16\r\ntxt:# Keyspace\r\n\r\n");
});

test("a parent that cannot answer is an error", () => {
  const services = new FakeServices();
  services.answerOf = () => null;
  expect(new FakeSession(1, services).ask("INFO")).toStartWith("-ERR handle request, ");
});

test("sizes are printed for people as Redis prints them", () => {
  const cases = [
    [0, "0B"],
    [1023, "1023B"],
    [1024, "1.00K"],
    [1389208, "1.32M"],
    [25276502016, "23.54G"],
  ] as const;
  for (const [bytes, text] of cases) expect(humanBytes(bytes)).toBe(text);
});
