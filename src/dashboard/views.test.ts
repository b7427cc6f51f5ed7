// The table of contract 6.3, row by row, and what our jobs add to it.
import { describe, expect, test } from "bun:test";
import type { Group, PromotingState } from "../model/group.ts";
import type { JobMethod, MigrationJob } from "../model/migration-job.ts";
import type { MergedFill } from "../model/merged-fill.ts";
import { ACTION_STATES, type ActionState, idleMapping } from "../model/slot-mapping.ts";
import { NOBODY, placesOf, slotsOfGroup, type ViewSource, viewsOf } from "./views.ts";

const ONE = "10.0.0.1:1";
const ONE_REPLICA = "10.0.0.2:1";
const TWO = "10.0.0.3:1";
const TWO_REPLICA = "10.0.0.4:1";

function group(id: number, servers: readonly string[], state?: PromotingState): Group {
  return {
    id,
    servers: servers.map((server) => ({
      server,
      datacenter: "",
      action: {},
      replica_group: true,
    })),
    promoting: state === undefined ? {} : { index: 1, state },
    out_of_sync: false,
  };
}

interface World {
  readonly state?: ActionState;
  readonly job?: Partial<MigrationJob>;
  readonly one?: PromotingState;
  readonly two?: PromotingState;
  readonly isDurable?: boolean;
  readonly unreadable?: readonly string[];
}

/** Slot 7 is in group 1 and moves to group 2. */
function world(given: World): ViewSource {
  const slots = Array.from({ length: 1024 }, (_, id) => idleMapping(id, id === 7 ? 1 : 0));
  const { state, job } = given;
  if (state !== undefined) slots[7] = { ...slots[7], action: { index: 1, state, target_id: 2 } };
  const jobs = new Map<number, MigrationJob>();
  if (job !== undefined) jobs.set(1, { ...JOB, ...job });
  return {
    slots,
    groups: new Map([
      [1, group(1, [ONE, ONE_REPLICA], given.one)],
      [2, group(2, [TWO, TWO_REPLICA], given.two)],
    ]),
    jobs,
    migrationMethod: "semi-async",
    migrationDurable: given.isDurable ?? false,
    unreadable: new Set(given.unreadable),
    ipOf: (address) => address.split(":")[0],
  };
}

const JOB: MigrationJob = {
  id: 1,
  method: "keys",
  source_id: 1,
  target_id: 2,
  epoch: 9,
  state: "preparing",
  slots: [7],
  pins: [],
  started: 0,
};

function view(given: World): MergedFill {
  return viewsOf([7], world(given), NOBODY)[0];
}

const atOne = { ids: [7], backend_addr: ONE, backend_addr_group_id: 1 };
const atTwo = { ids: [7], backend_addr: TWO, backend_addr_group_id: 2 };
const fromOne = { migrate_from: ONE, migrate_from_group_id: 1 };
const readOne = { replica_groups: [[ONE, ONE_REPLICA]] };
const readTwo = { replica_groups: [[TWO, TWO_REPLICA]] };
const semi = { forward_method: 1 };

describe("each state of an action", () => {
  test("none, pending and preparing stay with their group and its replicas", () => {
    for (const state of [undefined, "pending", "preparing"] as const) {
      expect(view({ state })).toEqual({ ...atOne, ...semi, ...readOne });
      expect(view({ state, one: "preparing" })).toEqual({ ...atOne, ...semi, ...readOne });
      expect(view({ state, one: "prepared" })).toEqual({ ...atOne, locked: true, ...semi });
      expect(view({ state, two: "prepared" })).toEqual({ ...atOne, ...semi, ...readOne });
    }
  });

  test("prepared is held, whatever the groups do", () => {
    const held = { ...atTwo, locked: true, ...fromOne, ...semi };
    expect(view({ state: "prepared" })).toEqual(held);
    expect(view({ state: "prepared", one: "prepared", two: "prepared" })).toEqual(held);
  });

  test("migrating is held while either group must not be written to", () => {
    const open = { ...atTwo, ...fromOne, ...semi };
    expect(view({ state: "migrating" })).toEqual(open);
    expect(view({ state: "migrating", one: "prepared" })).toEqual({ ...open, locked: true });
    expect(view({ state: "migrating", two: "prepared" })).toEqual({ ...open, locked: true });
  });

  test("finished is at the target, with its replicas", () => {
    expect(view({ state: "finished" })).toEqual({ ...atTwo, ...semi, ...readTwo });
    expect(view({ state: "finished", two: "prepared" })).toEqual({
      ...atTwo,
      locked: true,
      ...semi,
    });
  });

  test("no state shows a slot at two masters without holding it or telling where keys are", () => {
    for (const state of ACTION_STATES) {
      const fill = view({ state });
      if (fill.backend_addr !== TWO) continue;
      const isSafe = fill.locked || fill.migrate_from === ONE || state === "finished";
      expect([state, isSafe]).toEqual([state, true]);
    }
  });
});

describe("a job", () => {
  test("counts more than the mapping, which may be a step behind", () => {
    const { forward_method: _, ...rest } = view({
      state: "preparing",
      job: { state: "migrating" },
    });
    expect(rest).toEqual({ ...atTwo, ...fromOne, migrate_epoch: 9 });
  });

  test("that moves keys uses MIGRATE, and one between codis-servers their commands", () => {
    const methodOf = (method: JobMethod): number | undefined => {
      return view({ job: { method, state: "migrating" } }).forward_method;
    };
    expect(methodOf("keys")).toBe(2);
    expect(methodOf("codis")).toBe(1);
  });

  test("that is durable says so where MIGRATE moves its keys", () => {
    const durableOf = (method: JobMethod): boolean | undefined => {
      return view({ job: { method, state: "migrating" }, isDurable: true }).migrate_durable;
    };
    expect([durableOf("keys"), durableOf("codis")]).toEqual([true, undefined]);
    expect(view({ job: { state: "finishing" }, isDurable: true }).migrate_durable).toBeUndefined();
  });

  test("by replication has one place at any time", () => {
    for (const state of ["preparing", "holding", "switching", "promoted"] as const) {
      const fill = view({ job: { method: "replica", state } });
      expect([state, fill.migrate_from]).toEqual([state, undefined]);
    }
    const held = view({ job: { method: "replica", state: "switching" } });
    expect(held).toMatchObject({ backend_addr: ONE, locked: true });
  });
});

describe("replicas", () => {
  const viewer = { datacenter: "a", ip: "10.0.0.2" };

  test("come in the order same machine, same data center, elsewhere", () => {
    const source = world({});
    const servers = [
      { server: ONE, datacenter: "a", action: {}, replica_group: true },
      { server: "10.0.0.9:1", datacenter: "b", action: {}, replica_group: true },
      { server: ONE_REPLICA, datacenter: "a", action: {}, replica_group: true },
      { server: "10.0.0.8:1", datacenter: "a", action: {}, replica_group: false },
    ];
    const groups = new Map([[1, { ...group(1, []), servers }]]);
    const [fill] = viewsOf([7], { ...source, groups }, viewer);
    expect(fill.replica_groups).toEqual([[ONE_REPLICA], [ONE], ["10.0.0.9:1"]]);
  });

  test("that are too far behind get no reads", () => {
    expect(view({ unreadable: [ONE_REPLICA] }).replica_groups).toEqual([[ONE]]);
    expect(view({ unreadable: [ONE, ONE_REPLICA] }).replica_groups).toBeUndefined();
  });
});

test("an offline slot and one of an empty group have no backend", () => {
  const source = { ...world({}), groups: new Map([[1, group(1, [])]]) };
  expect(viewsOf([0, 7], source, NOBODY)).toEqual([
    { ids: [0], forward_method: 1 },
    { ids: [7], forward_method: 1 },
  ]);
});

test("the places of a view are all servers that it may send requests to", () => {
  expect(placesOf(view({ state: "migrating" }))).toEqual([TWO, ONE]);
  expect(placesOf(view({}))).toEqual([ONE, ONE, ONE_REPLICA]);
});

test("slots of a group are those it has, gets, or is losing", () => {
  expect(slotsOfGroup(1, world({}))).toEqual([7]);
  expect(slotsOfGroup(2, world({}))).toEqual([]);
  expect(slotsOfGroup(2, world({ state: "pending" }))).toEqual([7]);
  expect(slotsOfGroup(2, world({ job: {} }))).toEqual([7]);
});
