import { expect, test } from "bun:test";
import type { ProxyPoll } from "../model/topom-stats.ts";
import type { ServerSight } from "../model/proxy-stats.ts";
import { dashboardSight, DownWatch, heirOf, isQuorum, proxySight } from "./watcher.ts";

const SERVER = "a:1";

function poll(sight?: ServerSight): ProxyPoll {
  const servers = sight === undefined ? {} : { [SERVER]: sight };
  return { stats: { backend: { servers } }, unixtime: 0 } as unknown as ProxyPoll;
}

test("a proxy sees a server down when it has no connection, or none that answers", () => {
  const sightOf = (connected: number, down: number, silent_ms: number): string =>
    proxySight(poll({ connected, down, silent_ms }), SERVER, 500);
  expect(sightOf(2, 0, 0)).toBe("up");
  expect(sightOf(1, 1, 0)).toBe("up");
  expect(sightOf(0, 2, 0)).toBe("down");
  expect(sightOf(2, 0, 499)).toBe("up");
  expect(sightOf(2, 0, 500)).toBe("down");
});

test("a proxy that cannot be reached votes against, one without a connection does not vote", () => {
  const failed: ProxyPoll = { error: { Cause: "gone", Stack: null }, unixtime: 0 };
  expect(proxySight(failed, SERVER, 500)).toBe("up");
  expect(proxySight(undefined, SERVER, 500)).toBe("up");
  expect(proxySight(poll(), SERVER, 500)).toBe("unknown");
  const original = { stats: { backend: { primary_only: false } }, unixtime: 0 };
  expect(proxySight(original as unknown as ProxyPoll, SERVER, 500)).toBe("unknown");
});

test("the dashboard sees what its poll says", () => {
  expect(dashboardSight(undefined)).toBe("unknown");
  expect(dashboardSight({ unixtime: 0, stats: {} })).toBe("up");
  expect(dashboardSight({ unixtime: 0, error: { Cause: "gone", Stack: null } })).toBe("down");
});

test("a quorum is more than half of the voters, and never the dashboard alone", () => {
  const quorums = [
    [1, 1],
    [1, 2],
    [2, 2],
    [2, 3],
    [2, 4],
    [3, 4],
    [3, 6],
    [4, 6],
  ].map(([votes, voters]) => isQuorum(votes, voters));
  expect(quorums).toEqual([false, false, true, true, false, true, false, true]);
});

test("a voter has to see a server down for the whole time since it saw it up", () => {
  const watch = new DownWatch();
  watch.note(SERVER, "one", "down", 0);
  watch.note(SERVER, "two", "up", 0);
  watch.note(SERVER, "two", "down", 400);
  expect(watch.votes(SERVER, 1_000, 999)).toBe(0);
  expect(watch.votes(SERVER, 1_000, 1_000)).toBe(2);
  watch.note(SERVER, "one", "up", 1_100);
  watch.note(SERVER, "one", "down", 1_200);
  expect(watch.votes(SERVER, 1_000, 2_099)).toBe(1);
  expect(watch.votes(SERVER, 1_000, 2_100)).toBe(2);
  watch.note(SERVER, "two", "unknown", 2_200);
  expect(watch.votes(SERVER, 1_000, 2_200)).toBe(1);
  // Whoever has not looked for long does not know since when.
  watch.note(SERVER, "one", "up", 3_000);
  watch.note(SERVER, "one", "down", 9_000);
  expect(watch.votes(SERVER, 2_000, 9_400)).toBe(0);
  expect(watch.votes(SERVER, 2_000, 9_500)).toBe(1);
  watch.keepOnly(new Set());
  expect(watch.votes(SERVER, 0, 9_999)).toBe(0);
});

test("the replica that has most inherits, unless one still hears its master", () => {
  const claim = (address: string, offset: number, changes = {}) => ({
    address,
    standing: { isLinkUp: false, isSyncing: false, silentSeconds: 9, offset, ...changes },
  });
  const claims = [claim("a:1", 5), claim("b:1", 9), claim("c:1", 7)];
  expect(heirOf(claims, 3_000)).toEqual({ address: "b:1", isVeto: false });
  expect(heirOf([claim("a:1", 5), claim("b:1", 9, { isSyncing: true })], 3_000)).toEqual({
    address: "a:1",
    isVeto: false,
  });
  const hears = claim("d:1", 1, { isLinkUp: true, silentSeconds: 1 });
  expect(heirOf([...claims, hears], 3_000)).toEqual({ address: "d:1", isVeto: true });
  const hung = claim("d:1", 10, { isLinkUp: true, silentSeconds: 2 });
  expect(heirOf([...claims, hung], 3_000)).toEqual({ address: "d:1", isVeto: false });
  expect(heirOf([], 3_000)).toBeNull();
});
