import { expect, test } from "bun:test";
import { type Group, newServer, PROMOTING_STATES } from "../model/group.ts";
import { begun, ended, givenUp, held, promotionStep, swapped, switched } from "./promotion.ts";

const idle: Group = {
  id: 1,
  servers: ["a:1", "b:1", "c:1"].map((server) => newServer(server, "dc")),
  promoting: {},
  out_of_sync: false,
};

const order = (group: Group): string[] => group.servers.map(({ server }) => server);

function at(state: (typeof PROMOTING_STATES)[number], index?: number): Group {
  return { ...idle, promoting: { ...(index === undefined ? {} : { index }), state } };
}

test("each state has its step, and a group that is idle has none", () => {
  expect(promotionStep(idle)).toBeNull();
  expect(PROMOTING_STATES.map((state) => promotionStep(at(state, 1)))).toEqual([
    "settle",
    "switch",
    "release",
  ]);
});

test("a promotion goes from preparing over prepared to finished, and then is gone", () => {
  const first = begun(idle, 1);
  expect(first.promoting).toEqual({ index: 1, state: "preparing" });
  const second = held(first);
  expect(second.promoting).toEqual({ index: 1, state: "prepared" });
  expect(order(second)).toEqual(order(idle));
  const third = switched(second, 7);
  expect(third.promoting).toEqual({ state: "finished" });
  expect(ended(third).promoting).toEqual({});
});

test("the promoted server comes first, the old master last, and all are to follow it", () => {
  const group = { ...at("prepared", 2), servers: idle.servers };
  const after = switched(group, 7);
  expect(order(after)).toEqual(["c:1", "b:1", "a:1"]);
  expect(after.servers.map(({ action }) => action)).toEqual([
    {},
    { index: 7, state: "pending" },
    { index: 8, state: "pending" },
  ]);
  expect(after.out_of_sync).toBe(true);
});

test("replica reads and data centers stay with their servers", () => {
  const servers = idle.servers.map((each, index) => ({
    ...each,
    datacenter: `dc${index}`,
    replica_group: index === 1,
  }));
  const after = switched({ ...at("prepared", 1), servers }, 1);
  const facts = after.servers.map(({ server, datacenter, replica_group }) => {
    return [server, datacenter, replica_group];
  });
  expect(facts).toEqual([
    ["b:1", "dc1", true],
    ["c:1", "dc2", false],
    ["a:1", "dc0", false],
  ]);
});

test("what is given up leaves the order, and a candidate that was told is to follow again", () => {
  for (const state of ["preparing", "prepared"] as const) {
    expect(givenUp(at(state, 1), 4, false)).toEqual(idle);
    const after = givenUp(at(state, 1), 4, true);
    expect(order(after)).toEqual(order(idle));
    expect(after.servers[1].action).toEqual({ index: 4, state: "pending" });
  }
});

test("every step but its own is refused in each state", () => {
  const steps = {
    begun: (group: Group) => begun(group, 1),
    held,
    switched: (group: Group) => switched(group, 1),
    ended,
    givenUp: (group: Group) => givenUp(group, 1, false),
  };
  const allowed: Record<string, readonly string[]> = {
    idle: ["begun"],
    preparing: ["held", "givenUp"],
    prepared: ["switched", "givenUp"],
    finished: ["ended"],
  };
  const groups = { idle, ...Object.fromEntries(PROMOTING_STATES.map((s) => [s, at(s, 1)])) };
  for (const [state, group] of Object.entries(groups)) {
    for (const [name, step] of Object.entries(steps)) {
      const isAllowed = allowed[state].includes(name);
      const attempt = expect(() => step(group));
      if (isAllowed) attempt.not.toThrow();
      else attempt.toThrow();
    }
  }
  expect(() => begun(idle, 0)).toThrow();
  expect(() => begun(idle, 3)).toThrow();
});

test("a switch of the sentinels changes the places of two servers only", () => {
  const after = swapped(idle, 2);
  expect(order(after)).toEqual(["c:1", "b:1", "a:1"]);
  expect(after.promoting).toEqual({});
});
