import { expect, test } from "bun:test";
import { type Group, newServer } from "../model/group.ts";
import type { RedisStats } from "../model/topom-stats.ts";
import { LagJudge, OffsetHistory } from "./lag-judge.ts";

const MAX_LAG_MS = 10_000;
const MASTER = "10.0.0.1:1";
const REPLICA = "10.0.0.2:1";

function group(isOn = true): Group {
  const replica = { ...newServer(REPLICA, ""), replica_group: isOn };
  return { id: 1, servers: [newServer(MASTER, ""), replica], promoting: {}, out_of_sync: false };
}

const DEAD: RedisStats = { error: { Cause: "gone", Stack: null }, unixtime: 0 };

function master(offset: number, fields: Record<string, string> = {}): RedisStats {
  const stats = {
    role: "master",
    master_repl_offset: String(offset),
    master_replid: "s",
    ...fields,
  };
  return { stats, unixtime: 0 };
}

function replica(offset: number, fields: Record<string, string> = {}): RedisStats {
  const stats = {
    role: "slave",
    master_host: "10.0.0.1",
    master_port: "1",
    master_link_status: "up",
    master_sync_in_progress: "0",
    slave_repl_offset: String(offset),
    master_replid: "s",
    ...fields,
  };
  return { stats, unixtime: 0 };
}

/** A judge, and one look a second at what the two servers say. */
class Looks {
  readonly judge = new LagJudge();
  nowMs = 0;

  look(ofMaster: RedisStats, ofReplica: RedisStats, count = 1): number[] {
    const changed: number[] = [];
    for (let i = 0; i < count; i++) {
      this.nowMs += 1_000;
      const polls = new Map([
        [MASTER, ofMaster],
        [REPLICA, ofReplica],
      ]);
      changed.push(...this.judge.judge([group()], polls, MAX_LAG_MS, this.nowMs));
    }
    return changed;
  }

  get isReadable(): boolean {
    return !this.judge.unreadable.has(REPLICA);
  }
}

test("how far a replica is behind is the age of the first write that it lacks", () => {
  const history = new OffsetHistory();
  for (const [ms, offset] of [
    [0, 100],
    [1_000, 180],
    [2_000, 250],
    [3_000, 330],
  ]) {
    history.note(ms, offset);
  }
  expect(history.lagMs(330, 3_000)).toBe(0);
  expect(history.lagMs(400, 3_000)).toBe(0);
  expect(history.lagMs(250, 3_000)).toBe(1_000);
  expect(history.lagMs(200, 3_000)).toBe(2_000);
  expect(history.lagMs(200, 9_000)).toBe(8_000);
  expect(history.lagMs(10, 3_000)).toBe(3_000);
});

test("a write after a long silence is not as old as the silence", () => {
  const history = new OffsetHistory();
  for (let ms = 0; ms <= 60_000; ms += 1_000) history.note(ms, 100);
  history.note(61_000, 200);
  expect(history.lagMs(100, 61_000)).toBe(1_000);
});

test("a master whose offset falls has begun another stream", () => {
  const history = new OffsetHistory();
  history.note(0, 1_000);
  history.note(1_000, 10);
  expect(history.last).toBe(10);
  expect(history.lagMs(10, 50_000)).toBe(0);
});

test("a replica that stays behind loses its reads, and has them back when it has caught up", () => {
  const looks = new Looks();
  expect(looks.look(master(100), replica(100))).toEqual([]);
  for (let second = 1; second <= 10; second++) looks.look(master(100 + second), replica(100));
  expect(looks.isReadable).toBe(true);
  expect(looks.look(master(120), replica(100), 2)).toEqual([1]);
  expect(looks.isReadable).toBe(false);
  // Below the limit is not enough: half of it is, so that nobody comes and goes.
  looks.look(master(130), replica(104), 5);
  expect(looks.isReadable).toBe(false);
  expect(looks.look(master(130), replica(130), 2)).toEqual([]);
  expect(looks.look(master(130), replica(130))).toEqual([1]);
  expect(looks.isReadable).toBe(true);
});

test("one bad look is nothing, two are", () => {
  const looks = new Looks();
  looks.look(master(1), replica(1));
  looks.look(master(1), replica(1, { master_link_status: "down" }));
  looks.look(master(1), replica(1));
  looks.look(master(1), replica(1, { master_link_status: "down" }));
  expect(looks.isReadable).toBe(true);
  expect(looks.look(master(1), replica(1, { master_link_status: "down" }))).toEqual([1]);
  expect(looks.isReadable).toBe(false);
});

test("a replica of somebody else, in its first sync, dead, or a master gets no reads", () => {
  const bad: RedisStats[] = [
    replica(1, { master_host: "10.0.0.9", master_replid: "other" }),
    replica(1, { master_sync_in_progress: "1" }),
    master(1),
    DEAD,
  ];
  for (const each of bad) {
    const looks = new Looks();
    expect(looks.look(master(1), each)).toEqual([1]);
    expect(looks.isReadable).toBe(false);
  }
});

test("a replica of a replica shares the stream and is read from", () => {
  const looks = new Looks();
  looks.look(master(1), replica(1, { master_host: "10.0.0.3" }), 3);
  expect(looks.isReadable).toBe(true);
});

test("while the master does not answer its replicas keep their reads", () => {
  const looks = new Looks();
  looks.look(master(5), replica(5));
  looks.look(DEAD, replica(5, { master_link_status: "down" }), 20);
  expect(looks.isReadable).toBe(true);
  expect(looks.judge.lastOffset(MASTER)).toBe(5);
});

test("a suspended replica waits until it is found good three times", () => {
  const looks = new Looks();
  looks.look(master(1), replica(1));
  looks.judge.suspend(REPLICA);
  expect(looks.isReadable).toBe(false);
  looks.look(master(1), replica(1), 2);
  expect(looks.isReadable).toBe(false);
  looks.look(master(1), replica(1));
  expect(looks.isReadable).toBe(true);
});

test("who is not to be read from anyway is not judged", () => {
  const judge = new LagJudge();
  const polls = new Map([[MASTER, master(1)]]);
  expect(judge.judge([group(false)], polls, MAX_LAG_MS, 0)).toEqual([]);
  expect(judge.unreadable.size).toBe(0);
});
