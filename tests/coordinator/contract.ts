// What every coordinator does. Each of the three calls this with its own service; what differs
// between them is in the tests beside their call.
//
//   coordinatorContract(test, { name: "etcd", start: startEtcd });
import { expect } from "bun:test";
import { type Coordinator, LeadershipLost, NodeExists } from "../../src/coordinator/coordinator.ts";
import { openCoordinator } from "../../src/coordinator/open.ts";
import { OperatorError } from "../../src/lib/operator-error.ts";
import type { SystemTest } from "../harness/system-test.ts";
import { until } from "../harness/until.ts";
import { Leader } from "./leader.ts";

/** A service, or a directory, of one test. */
export interface Service extends AsyncDisposable {
  readonly name: string;
  readonly address: string;
  /** Where there is a process that can die: kill -9, and the same data again. */
  kill?(): Promise<void>;
  start?(): Promise<void>;
}

/** One that is a process of its own. */
export interface MortalService extends Service {
  kill(): Promise<void>;
  start(): Promise<void>;
  pause(): void;
  resume(): void;
}

export interface Contract {
  readonly start: () => Promise<Service>;
}

const TTL_MS = 2_000;

export function coordinatorContract(test: SystemTest, contract: Contract): void {
  storeContract(test, contract);
  manyContract(test, contract);
  leadContract(test, contract);
  lossContract(test, contract);
  originalContract(test, contract);
  deathContract(test, contract);
  chaosContract(test, contract);
}

export function openService(service: Service, auth = ""): Owned {
  const coordinator = openCoordinator({
    name: service.name,
    address: service.address,
    auth,
  });
  return { coordinator, [Symbol.asyncDispose]: () => coordinator.close() };
}

export interface Owned extends AsyncDisposable {
  readonly coordinator: Coordinator;
}

function storeContract(test: SystemTest, { start }: Contract): void {
  test("a node is created once, replaced, read and removed", async () => {
    await using service = await start();
    await using owned = openService(service);
    const { coordinator } = owned;
    const path = "/codis3/lab/slots/slot-0000";
    expect(await coordinator.read(path)).toBeNull();
    await coordinator.create(path, "first");
    expect(await coordinator.read(path)).toBe("first");
    const again = coordinator.create(path, "second");
    await expect(again).rejects.toBeInstanceOf(NodeExists);
    await coordinator.update(path, '{"text":"ü \u0000 <&>"}');
    expect(await coordinator.read(path)).toBe('{"text":"ü \u0000 <&>"}');
    await coordinator.remove(path);
    expect(await coordinator.read(path)).toBeNull();
    await coordinator.remove(path);
    await coordinator.update(path, "third");
    expect(await coordinator.read(path)).toBe("third");
  });

  test("children are listed by name, sorted, without those further down", async () => {
    await using service = await start();
    await using owned = openService(service);
    const { coordinator } = owned;
    expect(await coordinator.list("/codis3")).toEqual([]);
    expect([...(await coordinator.readAll("/codis3"))]).toEqual([]);
    await coordinator.update("/codis3/b/topom", "1");
    await coordinator.update("/codis3/a/group/group-0002", "two");
    await coordinator.update("/codis3/a/group/group-0001", "one");
    await coordinator.update("/codis3/a/grouping", "other");
    expect(await coordinator.list("/codis3")).toEqual(["a", "b"]);
    expect(await coordinator.list("/codis3/a")).toEqual(["group", "grouping"]);
    expect(await coordinator.list("/codis3/a/group")).toEqual(["group-0001", "group-0002"]);
    expect(await coordinator.list("/codis3/a/gro")).toEqual([]);
    expect([...(await coordinator.readAll("/codis3/a/group"))]).toEqual([
      ["group-0001", "one"],
      ["group-0002", "two"],
    ]);
    expect([...(await coordinator.readAll("/codis3/a"))]).toEqual([["grouping", "other"]]);
  });

  test("removing takes what is below along, and nothing beside", async () => {
    await using service = await start();
    await using owned = openService(service);
    const { coordinator } = owned;
    await coordinator.update("/codis3/a/group/group-0001", "one");
    await coordinator.update("/codis3/ab", "beside");
    await coordinator.remove("/codis3/a");
    expect(await coordinator.list("/codis3")).toEqual(["ab"]);
    expect(await coordinator.read("/codis3/a/group/group-0001")).toBeNull();
  });
}

function manyContract(test: SystemTest, { start }: Contract): void {
  test("1024 slots are written by a leader and read in one go", async () => {
    await using service = await start();
    await using owned = openService(service);
    const { coordinator } = owned;
    const lead = await coordinator.lead("/codis3/lab/topom", "model", { ttlMs: TTL_MS });
    const ids = Array.from({ length: 1024 }, (_, id) => String(id).padStart(4, "0"));
    await lead.write(
      ids.map((id) => ({
        kind: "put",
        path: `/codis3/lab/slots/slot-${id}`,
        data: `{\n    "id": ${Number(id)},\n    "group_id": 1,\n    "action": {}\n}`,
      })),
    );
    const slots = await coordinator.readAll("/codis3/lab/slots");
    expect([...slots.keys()]).toEqual(ids.map((id) => `slot-${id}`));
    expect(slots.get("slot-0579")).toContain('"id": 579,');
    await lead.release();
  });

  test("a path that leads elsewhere is refused", async () => {
    await using service = await start();
    await using owned = openService(service);
    for (const path of ["", "/", "codis3", "/codis3/", "/codis3//a", "/codis3/../a", "/a/./b"]) {
      await expect(owned.coordinator.read(path)).rejects.toBeInstanceOf(OperatorError);
      await expect(owned.coordinator.update(path, "x")).rejects.toBeInstanceOf(OperatorError);
    }
  });

  test("several programs write at once and none fails", async () => {
    await using service = await start();
    await using first = openService(service);
    await using second = openService(service);
    const names = Array.from({ length: 40 }, (_, i) => `node-${String(i).padStart(2, "0")}`);
    const writes = names.map((name, i) => {
      const { coordinator } = i % 2 === 0 ? first : second;
      return coordinator.create(`/codis3/lab/${name}`, name);
    });
    await Promise.all(writes);
    expect(await first.coordinator.list("/codis3/lab")).toEqual(names);
  });
}

function leadContract(test: SystemTest, { start }: Contract): void {
  const path = "/codis3/lab/topom";

  test("the leader writes its node, and gives it up with the lead", async () => {
    await using service = await start();
    await using owned = openService(service);
    const { coordinator } = owned;
    const lead = await coordinator.lead(path, "model", { ttlMs: TTL_MS });
    expect(lead.isHeld).toBe(true);
    await lead.confirm();
    expect(await coordinator.read(path)).toBe("model");
    await lead.write([
      { kind: "put", path: "/codis3/lab/sentinel", data: "old" },
      { kind: "put", path: "/codis3/lab/sentinel", data: "new" },
      { kind: "put", path: "/codis3/lab/group/group-0001", data: "group" },
      { kind: "delete", path: "/codis3/lab/sentinel" },
      { kind: "delete", path: "/codis3/lab/missing" },
    ]);
    expect(await coordinator.read("/codis3/lab/sentinel")).toBeNull();
    expect(await coordinator.read("/codis3/lab/group/group-0001")).toBe("group");
    await Promise.all([lead.confirm(), lead.write([]), lead.confirm()]);
    await lead.release();
    expect(lead.isHeld).toBe(false);
    expect(await lead.lost).toContain("given up");
    expect(await coordinator.read(path)).toBeNull();
    const late = lead.write([{ kind: "put", path: "/codis3/lab/sentinel", data: "late" }]);
    await expect(late).rejects.toBeInstanceOf(LeadershipLost);
    await expect(lead.confirm()).rejects.toBeInstanceOf(LeadershipLost);
    expect(await coordinator.read("/codis3/lab/sentinel")).toBeNull();
  });

  test("of two that compete one leads, then the other one with a higher fence", async () => {
    await using service = await start();
    await using first = openService(service);
    await using second = openService(service);
    const lead = await first.coordinator.lead(path, "first", { ttlMs: TTL_MS });
    const told: string[] = [];
    let next = null as Awaited<ReturnType<Coordinator["lead"]>> | null;
    const waiting = second.coordinator
      .lead(path, "second", { ttlMs: TTL_MS, onWaiting: (data) => told.push(data) })
      .then((won) => (next = won));
    await until(() => told.length > 0);
    expect(told).toEqual(["first"]);
    await lead.write([{ kind: "put", path: "/codis3/lab/sentinel", data: "first's" }]);
    expect(next).toBeNull();
    await lead.release();
    const won = await waiting;
    expect(won.fence).toBeGreaterThan(lead.fence);
    expect(await second.coordinator.read(path)).toBe("second");
    expect(told.length).toBe(1);
    await won.release();
  });

  test("waiting for the lead ends when it is aborted, and leaves nothing behind", async () => {
    await using service = await start();
    await using first = openService(service);
    await using second = openService(service);
    await using third = openService(service);
    const lead = await first.coordinator.lead(path, "first", { ttlMs: TTL_MS });
    const abort = new AbortController();
    const onWaiting = (): void => abort.abort();
    const options = { ttlMs: TTL_MS, signal: abort.signal, onWaiting };
    const waiting = second.coordinator.lead(path, "second", options);
    await expect(waiting).rejects.toThrow("given up");
    await lead.release();
    const won = await third.coordinator.lead(path, "third", { ttlMs: TTL_MS });
    await won.release();
  });
}

function lossContract(test: SystemTest, { start }: Contract): void {
  const path = "/codis3/lab/topom";

  test("a leader whose node was taken away does not write any more", async () => {
    await using service = await start();
    await using first = openService(service);
    await using other = openService(service);
    const lead = await first.coordinator.lead(path, "first", { ttlMs: TTL_MS });
    await other.coordinator.remove(path);
    await expect(lead.confirm()).rejects.toBeInstanceOf(LeadershipLost);
    const write = lead.write([{ kind: "put", path: "/codis3/lab/sentinel", data: "x" }]);
    await expect(write).rejects.toBeInstanceOf(LeadershipLost);
    expect(await lead.lost).not.toBe("");
    expect(lead.isHeld).toBe(false);
    expect(await other.coordinator.read("/codis3/lab/sentinel")).toBeNull();
    const next = await other.coordinator.lead(path, "second", { ttlMs: TTL_MS });
    expect(next.fence).toBeGreaterThan(lead.fence);
    await next.release();
  });

  test("the loss is noticed without a write", async () => {
    await using service = await start();
    await using first = openService(service);
    const lead = await first.coordinator.lead(path, "first", { ttlMs: TTL_MS });
    await first.coordinator.remove(path);
    expect(await lead.lost).not.toBe("");
    expect(lead.isHeld).toBe(false);
  });
}

function originalContract(test: SystemTest, { start }: Contract): void {
  const path = "/codis3/lab/topom";

  test("a node that a dead original dashboard left does not block", async () => {
    await using service = await start();
    await using owned = openService(service);
    const stale = JSON.stringify({ token: "t", admin_addr: "127.0.0.1:1", product_name: "lab" });
    await owned.coordinator.create(path, stale);
    const told: string[] = [];
    const lead = await owned.coordinator.lead(path, "model", {
      ttlMs: 300,
      onWaiting: (data) => told.push(data),
    });
    expect(told).toEqual([stale]);
    expect(await owned.coordinator.read(path)).toBe("model");
    await lead.write([{ kind: "put", path: "/codis3/lab/sentinel", data: "x" }]);
    await lead.release();
  });

  test("a node of an original dashboard that answers blocks until it is gone", async () => {
    await using service = await start();
    await using owned = openService(service);
    const listener = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } });
    const node = JSON.stringify({ admin_addr: `127.0.0.1:${listener.port}` });
    await owned.coordinator.create(path, node);
    const abort = new AbortController();
    const startedMs = performance.now();
    const options = { ttlMs: 300, signal: abort.signal };
    let hasLead = false;
    const waiting = owned.coordinator.lead(path, "model", options).then((lead) => {
      hasLead = true;
      return lead;
    });
    await until(() => performance.now() - startedMs > 1500);
    expect(hasLead).toBe(false);
    listener.stop(true);
    await (await waiting).release();
  });
}

function deathContract(test: SystemTest, { start }: Contract): void {
  const path = "/codis3/lab/topom";

  test("a leader that is killed is followed by the one that waits, within the ttl", async () => {
    await using service = await start();
    await using owned = openService(service);
    await using leader = new Leader(service, TTL_MS);
    await until(() => leader.isLeading);
    let isWaiting = false;
    const waiting = owned.coordinator.lead(path, "second", {
      ttlMs: TTL_MS,
      onWaiting: () => (isWaiting = true),
    });
    await until(() => isWaiting);
    await until(async () => (await owned.coordinator.read("/codis3/lab/count")) !== null);
    const killedMs = performance.now();
    await leader.kill();
    const lead = await waiting;
    // A service looks for dead owners in rounds of its own; one more round is the allowance.
    expect(performance.now() - killedMs).toBeLessThan(2 * TTL_MS + 500);
    expect(lead.fence).toBeGreaterThan(leader.fence);
    expect(await owned.coordinator.read(path)).toBe("second");
    await lead.release();
  });

  test("a leader that slept through its time cannot write when it wakes up", async () => {
    await using service = await start();
    await using owned = openService(service);
    await using leader = new Leader(service, TTL_MS);
    await until(() => leader.writes > 2);
    leader.pause();
    const options = { ttlMs: TTL_MS, signal: AbortSignal.timeout(3 * TTL_MS) };
    const next = await owned.coordinator.lead(path, "second", options).catch(() => null);
    if (next === null) {
      // A directory's lock stays with a process that stands still: it leads on when it wakes up.
      expect(service.name).toBe("filesystem");
      const before = leader.writes;
      leader.resume();
      await until(() => leader.writes > before);
      return;
    }
    await next.write([{ kind: "put", path: "/codis3/lab/count", data: "1000000" }]);
    leader.resume();
    await until(() => leader.hasLost);
    expect(await owned.coordinator.read("/codis3/lab/count")).toBe("1000000");
    expect(await owned.coordinator.read(path)).toBe("second");
    await next.release();
  });
}

/** For coordinators that are a process of their own. */
export function serviceContract(test: SystemTest, start: () => Promise<MortalService>): void {
  const path = "/codis3/lab/topom";

  test("a short restart is survived: reads wait, the lead is kept", async () => {
    await using service = await start();
    await using owned = openService(service);
    const { coordinator } = owned;
    const lead = await coordinator.lead(path, "model", { ttlMs: 15_000 });
    await lead.write([{ kind: "put", path: "/codis3/lab/sentinel", data: "before" }]);
    await service.kill();
    const reading = coordinator.read("/codis3/lab/sentinel");
    const writing = lead.write([{ kind: "put", path: "/codis3/lab/sentinel", data: "after" }]);
    const first = Promise.allSettled([reading, writing]);
    await service.start();
    await first;
    expect(lead.isHeld).toBe(true);
    // A write that was not possible in time says so; the next one goes through.
    await until(async () => {
      await lead.write([{ kind: "put", path: "/codis3/lab/sentinel", data: "after" }]);
      return true;
    });
    expect(await coordinator.read("/codis3/lab/sentinel")).toBe("after");
    await lead.release();
  });

  test("a lead that cannot be renewed in time is lost and says so", async () => {
    await using service = await start();
    await using owned = openService(service);
    const lead = await owned.coordinator.lead(path, "model", { ttlMs: TTL_MS });
    service.pause();
    expect(await lead.lost).not.toBe("");
    expect(lead.isHeld).toBe(false);
    service.resume();
    const write = lead.write([{ kind: "put", path: "/codis3/lab/sentinel", data: "late" }]);
    await expect(write).rejects.toBeInstanceOf(LeadershipLost);
    expect(await owned.coordinator.read("/codis3/lab/sentinel")).toBeNull();
    const next = await owned.coordinator.lead(path, "again", { ttlMs: TTL_MS });
    expect(next.fence).toBeGreaterThan(lead.fence);
    await next.release();
  }, 20_000);

  test("a write that hangs ends when the service goes on, and is made once", async () => {
    await using service = await start();
    await using owned = openService(service);
    const lead = await owned.coordinator.lead(path, "model", { ttlMs: 20_000 });
    service.pause();
    const pausedMs = performance.now();
    const numbers = ["1", "2", "3"];
    const writes = numbers.map((data) =>
      lead.write([{ kind: "put", path: "/codis3/lab/sentinel", data }]),
    );
    // Longer than one attempt of a call takes.
    await until(() => performance.now() - pausedMs > 3_000);
    service.resume();
    await Promise.all(writes);
    expect(await owned.coordinator.read("/codis3/lab/sentinel")).toBe("3");
    await lead.release();
  }, 20_000);
}

function chaosContract(test: SystemTest, { start }: Contract): void {
  const numbers = 400;
  const inOneRound = 60;

  test("whoever dies or sleeps, no number is written twice and none gets lost", async () => {
    await using service = await start();
    await using owned = openService(service);
    await using troop = new Troop(service);
    for (let round = 0; troop.written.length < numbers; round++) {
      const goal = Math.min(numbers, troop.written.length + inOneRound);
      await until(() => troop.written.length >= goal, { timeoutMs: 30_000 });
      await BLOWS[round % BLOWS.length](troop, service);
    }
    const { written } = troop;
    expect(new Set(written).size).toBe(written.length);
    const last = Number(await owned.coordinator.read("/codis3/lab/count"));
    expect(last).toBeGreaterThanOrEqual(Math.max(...written));
  }, 150_000);
}

/** Programs that compete for the lead, one of them in the lead. */
class Troop implements AsyncDisposable {
  readonly #leaders: Leader[] = [];

  constructor(private readonly service: Service) {
    this.add();
    this.add();
  }

  add(): void {
    this.#leaders.push(new Leader(this.service, TTL_MS));
  }

  get written(): number[] {
    return this.#leaders.flatMap((leader) => leader.written);
  }

  /** The one that wrote last: the one worth hitting. */
  get leading(): Leader {
    const alive = this.#leaders.filter((leader) => leader.isRunning);
    const lastOf = (leader: Leader): number => leader.written.at(-1) ?? 0;
    return alive.reduce((a, b) => (lastOf(b) > lastOf(a) ? b : a));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#leaders.map((leader) => leader[Symbol.asyncDispose]()));
  }
}

const BLOWS: readonly ((troop: Troop, service: Service) => Promise<void>)[] = [
  async (troop) => {
    troop.add();
    await troop.leading.kill();
  },
  async (troop, service) => {
    // There the lead stays with a process that stands still.
    if (service.name === "filesystem") return;
    const { leading } = troop;
    leading.pause();
    const before = troop.written.length;
    await until(() => troop.written.length > before, { timeoutMs: 30_000 });
    leading.resume();
  },
  async (_, service) => {
    await service.kill?.();
    await service.start?.();
  },
];
