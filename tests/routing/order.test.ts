// A session's requests to one server never overtake each other, however many connections lead
// there. (With several connections the original answered 752 of 2000 pipelined INCRs out of order.)
import { expect } from "bun:test";
import type { Reply } from "../../src/resp/value.ts";
import { backends } from "../harness/figures.ts";
import { startProduct } from "../harness/proxy.ts";
import type { Argument, RespClient } from "../harness/resp-client.ts";
import { connectMany } from "../harness/sessions.ts";
import { systemTest } from "../harness/system-test.ts";

const test = systemTest("redis-server");

const SESSIONS = 16;
const REQUESTS = 4000;

test("pipelined INCRs over four parallel connections are answered in rising order", async () => {
  await using product = await startProduct({ config: { backend_primary_parallel: 4 } });
  using sessions = await connectMany(product.proxy.port, SESSIONS);
  const requests = Array.from({ length: REQUESTS }, () => ["INCR", "counter"]);
  const answers = await Promise.all(sessions.clients.map((client) => client.pipeline(requests)));
  for (const replies of answers) expect(isRising(replies)).toBe(true);
  const all = new Set(answers.flat());
  expect(all.size).toBe(SESSIONS * REQUESTS);
  expect(Math.max(...(all as Set<number>))).toBe(SESSIONS * REQUESTS);
  expect((await backends(product.proxy)).length).toBe(4);
});

test("a session's own counters rise by one each, mixed with commands of every kind", async () => {
  await using product = await startProduct({ ncpu: 2, config: { backend_primary_parallel: 4 } });
  using sessions = await connectMany(product.proxy.port, SESSIONS);
  await Promise.all(sessions.clients.map((client, c) => countMixed(client, `session:${c}`)));
});

/** Pipelines INCRs of two own keys, answers of the proxy itself and split commands. */
async function countMixed(client: RespClient, name: string): Promise<void> {
  const requests: Argument[][] = [];
  const expected: Reply[] = [];
  for (let i = 1; i <= REQUESTS / 8; i++) {
    requests.push(["INCR", `${name}:a`], ["ECHO", `${name}:${i}`], ["INCR", `${name}:b`], ["PING"]);
    expected.push(i, `${name}:${i}`, i, "PONG");
    if (i % 10 !== 0) continue;
    requests.push(["MGET", `${name}:b`, `${name}:none`, `${name}:a`], ["NOSUCH"]);
    expected.push([String(i), null, String(i)]);
  }
  const replies = await client.pipeline(requests);
  expect(replies.filter((reply) => !(reply instanceof Error))).toEqual(expected);
  expect(replies.filter((reply) => reply instanceof Error)).toHaveLength(REQUESTS / 80);
}

function isRising(replies: readonly Reply[]): boolean {
  return replies.every((reply, i) => i === 0 || Number(reply) > Number(replies[i - 1]));
}
