import { expect } from "bun:test";
import { slotOfKey } from "../../src/model/slot.ts";
import { connect } from "./resp-client.ts";
import { startScriptedCodisServer } from "./scripted-codis-server.ts";
import { systemTest } from "./system-test.ts";

const test = systemTest("redis-server");

test("the stand-in for codis-server moves keys with their tag, database and expiry", async () => {
  await using source = await startScriptedCodisServer();
  await using target = await startScriptedCodisServer();
  using client = await connect(source.port);
  using other = await connect(target.port);
  await client.pipeline([
    ["SELECT", 3],
    ["SET", "{tag}a", "1", "EX", 100],
    ["SET", "{tag}b", "2"],
    ["SET", "alone", "3"],
  ]);
  const slot = slotOfKey("{tag}a");
  const alone = slotOfKey("alone");
  const info = [
    [slot, 2],
    [alone, 1],
  ].sort(([a], [b]) => a - b);
  expect(await client.call("SLOTSINFO")).toEqual(info);
  expect(await client.call("SLOTSSCAN", slot, 0)).toEqual(["0", ["{tag}a", "{tag}b"]]);
  const to = ["127.0.0.1", target.port, 3000];
  expect(await client.call("SLOTSMGRTTAGONE", ...to, "{tag}a")).toBe(2);
  expect(await client.call("SLOTSMGRTTAGONE", ...to, "{tag}a")).toBe(0);
  await other.call("SELECT", 3);
  expect(await other.call("MGET", "{tag}a", "{tag}b")).toEqual(["1", "2"]);
  expect(await other.call("TTL", "{tag}a")).toBeGreaterThan(90);
  expect(await client.call("DBSIZE")).toBe(1);
  expect(await client.call("SLOTSMGRTTAGSLOT", ...to, alone)).toEqual([1, 0]);
});

test("it wraps commands, and is as old as codis-server", async () => {
  await using codis = await startScriptedCodisServer();
  using client = await connect(codis.port);
  await client.call("SET", "key", "1");
  expect(await client.call("SLOTSMGRT-EXEC-WRAPPER", "key", "INCR", "key")).toEqual([2, 2]);
  codis.migrating.add("key");
  const [code] = (await client.call("SLOTSMGRT-EXEC-WRAPPER", "key", "INCR", "key")) as unknown[];
  expect(code).toBe(1);
  expect(await client.call("SLOTSMGRT-EXEC-WRAPPER", "key", "GET", "key")).toEqual([2, "2"]);
  const [absent] = (await client.call("SLOTSMGRT-EXEC-WRAPPER", "no", "GET", "no")) as unknown[];
  expect(absent).toBe(0);
  expect(String(await client.call("INFO", "server"))).toContain("redis_version:3.2.11\r\n");
  expect(String(await client.call("UNLINK", "key"))).toContain("unknown command");
});
