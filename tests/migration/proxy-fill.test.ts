// What a dashboard pushes to a proxy while slots move: newer records take the place of older
// ones, whether they arrive late or wait for requests in flight; pinned keys are a table apart.
import { expect } from "bun:test";
import type { SlotFill } from "../../src/model/slot.ts";
import { startFaultyBackend } from "../harness/faulty-backend.ts";
import { counters } from "../harness/figures.ts";
import { keyOf } from "../harness/keys.ts";
import { ALL_SLOTS, assignSlots, type Proxy, startProxy } from "../harness/proxy.ts";
import { startRedis } from "../harness/redis.ts";
import { connect, encode } from "../harness/resp-client.ts";
import { systemTest } from "../harness/system-test.ts";
import { until } from "../harness/until.ts";

const test = systemTest("redis-server");

const MOVED = 300;
const OTHER = 301;
const key = keyOf(MOVED);

function fill(proxy: Proxy, addr: string, rest: Partial<SlotFill>): Promise<void> {
  return assignSlots(proxy, [{ addr, from: MOVED, to: MOVED, ...rest }]);
}

test("a record that comes after a newer one of its slot changes nothing", async () => {
  await using a = await startRedis();
  await using b = await startRedis();
  await using proxy = await startProxy({
    ncpu: 2,
    slots: [{ addr: a.address, ...ALL_SLOTS, revision: 1 }],
  });
  const newest = 2 ** 32 + 8;
  await fill(proxy, b.address, { revision: newest });
  await fill(proxy, a.address, { revision: newest - 1 });
  // A leader of an earlier term must not believe that it is followed.
  await expect(fill(proxy, a.address, { revision: 7 })).rejects.toThrow("answered 400");
  using client = await connect(proxy.port);
  expect(await client.call("SET", key, "value")).toBe("OK");
  expect(await b.call("GET", key)).toBe("value");
  expect((await proxy.stats()).slot_revision).toBe(newest);
  // A dashboard of the original knows no revisions; what it says counts.
  await fill(proxy, a.address, {});
  expect(await client.call("EXISTS", key)).toBe(0);
  expect((await proxy.stats()).slot_revision).toBe(1);
});

test("a hold that waits for a hung server ends with the record that takes it back", async () => {
  await using hung = startFaultyBackend();
  await using proxy = await startProxy({ slots: [{ addr: hung.address, ...ALL_SLOTS }] });
  using client = await connect(proxy.port);
  client.send(encode("GET", key));
  await until(() => hung.dataRequests.length === 1);
  const holding = fill(proxy, hung.address, { locked: true, revision: 2 });
  await until(async () => (await proxy.get<SlotFill[]>("/proxy/slots"))[MOVED].locked === true);
  // The worker hears of it a moment later than the table of its parent.
  let sent = 1;
  await until(async () => {
    client.send(encode("GET", key));
    sent += 1;
    return (await counters(proxy)).heldRequests > 0;
  });
  await fill(proxy, hung.address, { revision: 3 });
  // Nothing was answered yet; the requests that waited are on their way all the same.
  await until(() => hung.dataRequests.length === sent);
  await holding;
});

test("a change of one slot is answered while another one waits for a hung server", async () => {
  await using hung = startFaultyBackend();
  await using next = startFaultyBackend(() => "+next\r\n");
  await using proxy = await startProxy({ slots: [{ addr: hung.address, ...ALL_SLOTS }] });
  using client = await connect(proxy.port);
  client.send(encode("GET", key));
  await until(() => hung.dataRequests.length === 1);
  let isMoved = false;
  const moving = fill(proxy, next.address, {}).then(() => (isMoved = true));
  await until(async () => {
    return (await proxy.get<SlotFill[]>("/proxy/slots"))[MOVED].backend_addr === next.address;
  });
  await assignSlots(proxy, [{ addr: next.address, from: OTHER, to: OTHER }]);
  expect(isMoved).toBe(false);
  using other = await connect(proxy.port);
  expect(await other.call("GET", keyOf(OTHER))).toBe("next");
  hung.connections[0].send("+late\r\n");
  await moving;
});

test("pins are taken by revision, and the whole list or nothing of it", async () => {
  await using redis = await startRedis();
  await using proxy = await startProxy({
    ncpu: 2,
    slots: [{ addr: redis.address, ...ALL_SLOTS }],
  });
  const pin = { slot: MOVED, db: 0, key: Buffer.from(key).toString("base64"), state: "pinned" };
  await proxy.put("pins", { revision: 5, pins: [pin] });
  expect((await proxy.stats()).pins_revision).toBe(5);
  await proxy.put("pins", { revision: 4, pins: [] });
  expect((await proxy.stats()).pins_revision).toBe(5);
  await expect(proxy.put("pins", { revision: 6, pins: [{ ...pin, slot: 1024 }] })).rejects.toThrow(
    "answered 400",
  );
  using client = await connect(proxy.port);
  expect(await client.call("SET", key, "value")).toBe("OK");
});
