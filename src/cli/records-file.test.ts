import { describe, expect, test } from "bun:test";
import { SLOT_COUNT } from "../model/slot.ts";
import { idleMapping } from "../model/slot-mapping.ts";
import { convertOldDump, parseDump } from "./records-file.ts";

const server = (address: string): unknown => ({ server: address, datacenter: "", action: {} });

function dumpOf(change: Record<string, unknown> = {}): Record<string, unknown> {
  return {
    slots: Array.from({ length: SLOT_COUNT }, (_, id) => idleMapping(id, id < 512 ? 1 : 0)),
    group: [{ id: 1, servers: [server("10.0.0.1:6379")], promoting: {}, out_of_sync: false }],
    proxy: [],
    ...change,
  };
}

describe("a dump", () => {
  test("may have slots without a group, sentinels and options", () => {
    const sentinel = { servers: ["10.0.0.9:26379"], out_of_sync: true };
    const dump = parseDump(dumpOf({ sentinel, options: { term: 3 } }), "x.json");
    expect(dump.slots?.filter((slot) => slot.group_id === 0).length).toBe(512);
    expect(dump.sentinel).toEqual(sentinel);
    expect(dump.options).toEqual({ term: 3 });
    // None is as good as not there, as in the original.
    expect("proxy" in dump).toBe(false);
  });

  const refused: [what: string, change: Record<string, unknown>, why: string][] = [
    ["a slot twice", { slots: [idleMapping(1, 1), idleMapping(1, 1)] }, "slot-0001 already exists"],
    ["a slot of no group", { slots: [idleMapping(7, 2)] }, "slot-0007 with group-2 doesn't exist"],
    [
      "a slot that moves",
      { slots: [{ id: 7, group_id: 1, action: { index: 1, state: "migrating", target_id: 2 } }] },
      "slot-0007 action is not empty",
    ],
    ["a slot that is none", { slots: [{ id: 1024, group_id: 1 }] }, "from 0 to 1023"],
    ["a proxy twice", { proxy: [{ token: "t" }, { token: "t" }] }, "proxy-t already exists"],
    ["a group that is none", { group: [{ id: 0, servers: [] }], slots: [] }, "from 1 to 9999"],
    [
      "a server twice",
      { group: [{ id: 1, servers: [server("a:1"), server("a:1")] }], slots: [] },
      "server a:1 already exists",
    ],
    [
      "a promotion",
      { group: [{ id: 1, servers: [], promoting: { state: "preparing" } }], slots: [] },
      "group-0001 is promoting",
    ],
    ["something else", { slots: "all" }, 'field "slots" of the dump x.json must be a list'],
  ];
  for (const [what, change, why] of refused) {
    test(`with ${what} is refused`, () => {
      expect(() => parseDump(dumpOf(change), "x.json")).toThrow(why);
    });
  }
});

describe("a dump of codis 1", () => {
  const old = {
    slots: {
      slot_0: { id: 0, group_id: 1, state: { status: "online" } },
      slot_9: { id: 9, group_id: 2, state: { status: "online" } },
      slot_5: { id: 5, group_id: 0, state: { status: "offline" } },
    },
    servers: {
      group_1: {
        "Host:6380": { type: "slave", group_id: 1, addr: "Host:6380" },
        "Host:6379": { type: "master", group_id: 1, addr: "Host:6379" },
      },
      group_2: { "10.0.0.2:6379": { type: "master", group_id: 2, addr: "10.0.0.2:6379" } },
    },
  };

  test("becomes one that can be restored: online slots, masters first", () => {
    const dump = convertOldDump(old, "old.json");
    expect(dump.slots).toEqual([idleMapping(0, 1), idleMapping(9, 2)]);
    expect(dump.group?.map((group) => group.servers.map((each) => each.server))).toEqual([
      ["Host:6379", "Host:6380"],
      ["10.0.0.2:6379"],
    ]);
    expect(parseDump(JSON.parse(JSON.stringify(dump)), "new.json")).toEqual(dump);
  });

  test("with a slot that moves is refused", () => {
    const moving = { slots: { slot_1: { id: 1, group_id: 1, state: { status: "migrate" } } } };
    expect(() => convertOldDump(moving, "old.json")).toThrow("let its migration finish first");
    expect(() => convertOldDump([], "old.json")).toThrow("old.json is no tree of nodes");
  });
});
