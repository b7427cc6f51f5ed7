import { expect, test } from "bun:test";
import { type Group, newServer, type SyncState } from "../model/group.ts";
import { dueOrders } from "./sync-actions.ts";

/** Servers "<group>-<place>"; an action is its number and its state. */
function group(id: number, ...actions: ([number, SyncState] | null)[]): Group {
  const servers = actions.map((action, place) => ({
    ...newServer(`${id}-${place}`, ""),
    action: action === null ? {} : { index: action[0], state: action[1] },
  }));
  return { id, servers, promoting: {}, out_of_sync: false };
}

const anybody = (): boolean => true;
const names = (groups: Group[], isReachable: (address: string) => boolean = anybody): string[] =>
  dueOrders(groups, isReachable).map(({ address }) => address);

test("the order with the lowest number comes first, one in each group", () => {
  const groups = [
    group(1, null, [5, "pending"], [2, "pending"]),
    group(2, null, [1, "pending"]),
    group(3, null, [9, "synced"], [3, "synced_failed"]),
  ];
  expect(names(groups)).toEqual(["2-1", "1-2"]);
  expect(dueOrders(groups, anybody)[1]).toEqual({
    groupId: 1,
    address: "1-2",
    master: "1-0",
    index: 2,
    state: "pending",
  });
});

test("an order that is under way keeps its group from the next one", () => {
  expect(names([group(1, null, [5, "syncing"], [2, "pending"])])).toEqual(["1-1"]);
});

test("a server that cannot be reached does not keep the others waiting", () => {
  const groups = [group(1, null, [1, "pending"], [2, "pending"])];
  expect(names(groups, (address) => address !== "1-1")).toEqual(["1-2"]);
});

test("a group that is promoting is left alone", () => {
  const busy = { ...group(1, null, [1, "pending"]), promoting: { index: 1, state: "prepared" } };
  expect(names([busy as Group])).toEqual([]);
});
