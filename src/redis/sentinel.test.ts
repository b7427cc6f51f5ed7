import { expect, test } from "bun:test";
import { groupOfMaster, majorityOf, masterName, type SentinelMaster } from "./sentinel.ts";
import { mastersByEpoch } from "./sentinel-watch.ts";

function master(groupId: number, address: string, epoch: number): SentinelMaster {
  return { groupId, address, epoch, fields: {} };
}

test("a master's name has the product and the number of its group, and nothing else is one", () => {
  expect(masterName("a-b", 12)).toBe("a-b-12");
  expect(groupOfMaster("a-b", "a-b-12")).toBe(12);
  for (const name of ["a-b-0", "a-b-012", "a-b-10000", "a-12", "b-12", "a-b-x", "a-b-1 "]) {
    expect([name, groupOfMaster("a-b", name)]).toEqual([name, 0]);
  }
});

test("a majority is more than half", () => {
  expect([1, 2, 3, 4, 5].map(majorityOf)).toEqual([1, 2, 2, 3, 3]);
});

test("of what sentinels say of a group the highest epoch counts, whoever answers first", () => {
  const old = [master(1, "a:1", 3), master(2, "b:1", 7)];
  const young = [master(1, "c:1", 4), master(2, "d:1", 6), master(3, "e:1", 0)];
  const wanted = new Map([
    [1, "c:1"],
    [2, "b:1"],
    [3, "e:1"],
  ]);
  expect(mastersByEpoch([old, young])).toEqual(wanted);
  expect(mastersByEpoch([young, old])).toEqual(wanted);
});
