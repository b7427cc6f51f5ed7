import { describe, expect, test } from "bun:test";
import { Rest } from "./rest.ts";

/** A tick in which so many clients were counted and turns had so many events in all. */
function pass(rest: Rest, clients: number, events: number): void {
  for (let i = 0; i < clients; i++) rest.count({ countedIn: -1 });
  rest.after(events);
  rest.onTick();
}

function restAfter(clients: number, events: number): Rest {
  const rest = new Rest();
  pass(rest, clients, events);
  return rest;
}

describe("a worker rests", () => {
  test("after a turn that carried few of many clients, while it is busy", () => {
    const rest = restAfter(50, 20_000);
    expect([1, 11, 12, 50].map((events) => rest.after(events))).toEqual([24, 24, 0, 0]);
  });

  test("not before the first tick has shown what the load is", () => {
    expect(new Rest().after(1)).toBe(0);
  });

  test("not when there is little to do, however many clients", () => {
    expect(restAfter(500, 7_999).after(1)).toBe(0);
  });

  test("not for a few clients, however busy they keep it", () => {
    expect(restAfter(15, 50_000).after(1)).toBe(0);
  });

  test("no longer than for the most that it waits for", () => {
    const rest = restAfter(10_000, 50_000);
    expect([95, 96].map((events) => rest.after(events))).toEqual([192, 0]);
  });

  test("no more when a tick was quiet, and again when the next was not", () => {
    const rest = restAfter(100, 20_000);
    pass(rest, 100, 10);
    expect(rest.after(1)).toBe(0);
    pass(rest, 100, 20_000);
    expect(rest.after(1)).toBe(50);
  });

  test("a client is counted once a tick", () => {
    const rest = new Rest();
    const client = { countedIn: -1 };
    const first = rest.tick;
    rest.count(client);
    expect(client.countedIn).toBe(first);
    rest.onTick();
    expect(rest.tick).not.toBe(first);
  });
});
