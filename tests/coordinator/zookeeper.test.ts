// The coordinator in ZooKeeper: the contract of all, and what is its own.
import { expect } from "bun:test";
import { openCoordinator } from "../../src/coordinator/open.ts";
import { ZookeeperSession } from "../../src/coordinator/zookeeper-session.ts";
import { operation, WireWriter } from "../../src/coordinator/zookeeper-wire.ts";
import { freePort } from "../harness/ports.ts";
import { systemTest } from "../harness/system-test.ts";
import { until } from "../harness/until.ts";
import { startZookeeper, type Zookeeper, ZOOKEEPER_PROGRAMS } from "../harness/zookeeper.ts";
import { coordinatorContract, openService, serviceContract } from "./contract.ts";

const test = systemTest(...ZOOKEEPER_PROGRAMS);
const PATH = "/codis3/lab/topom";
const GET_ACL = 6;

coordinatorContract(test, { start: startZookeeper });
serviceContract(test, startZookeeper);

function openSession(service: Zookeeper): ZookeeperSession {
  return new ZookeeperSession({ address: service.address, auth: "", timeoutMs: 2_000 });
}

async function aclOf(session: ZookeeperSession, path: string): Promise<string> {
  const body = new WireWriter().text(path).bytes();
  const reader = await session.read({ opcode: GET_ACL, body, path });
  expect(reader.int()).toBe(1);
  return `${reader.int()} ${reader.text()} ${reader.text()}`;
}

test("nodes are open to all without an account", async () => {
  await using zookeeper = await startZookeeper();
  await using owned = openService(zookeeper);
  await owned.coordinator.create(PATH, "model");
  const session = openSession(zookeeper);
  expect(await aclOf(session, "/codis3/lab")).toBe("31 world anyone");
  expect(await aclOf(session, PATH)).toBe("19 world anyone");
  await session.close();
});

test("with an account nodes belong to it, and others are kept out with one sentence", async () => {
  await using zookeeper = await startZookeeper();
  await using owned = openService(zookeeper, "lab:secret");
  const lead = await owned.coordinator.lead(PATH, "model", { ttlMs: 2_000 });
  await lead.write([{ kind: "put", path: "/codis3/lab/sentinel", data: "x" }]);
  const digest = "digest lab:gZVWDUvSbe+OcvvbwNkO+J9GZXk=";
  await using other = openService(zookeeper, "lab:guessed");
  const read = other.coordinator.read("/codis3/lab/sentinel");
  await expect(read).rejects.toThrow(
    "ZooKeeper refused /codis3/lab/sentinel: this account may not do that",
  );
  await expect(other.coordinator.create("/codis3/lab/y", "y")).rejects.toThrow("may not do that");
  await using same = openService(zookeeper, "lab:secret");
  expect(await same.coordinator.read("/codis3/lab/sentinel")).toBe("x");
  const session = new ZookeeperSession({
    address: zookeeper.address,
    auth: "lab:secret",
    timeoutMs: 2_000,
  });
  expect(await aclOf(session, "/codis3/lab")).toBe(`31 ${digest}`);
  expect(await aclOf(session, "/codis3/lab/sentinel")).toBe(`19 ${digest}`);
  await session.close();
  await lead.release();
});

test("a session that its server does not hear goes on with the next server", async () => {
  await using zookeeper = await startZookeeper();
  const address = `127.0.0.1:${freePort()},${zookeeper.address}`;
  const coordinator = openCoordinator({ name: "zookeeper", address });
  await coordinator.create(PATH, "model");
  expect(await coordinator.read(PATH)).toBe("model");
  await coordinator.close();
});

test("a service that is not there is one sentence after a bounded time", async () => {
  const coordinator = openCoordinator({ name: "zk", address: `127.0.0.1:${freePort()}` });
  await expect(coordinator.read(PATH)).rejects.toThrow(/^ZooKeeper at 127.0.0.1:\d+ cannot be use/);
  await coordinator.close();
}, 15_000);

test("a leader whose node an original program took over cannot write", async () => {
  await using zookeeper = await startZookeeper();
  await using owned = openService(zookeeper);
  const lead = await owned.coordinator.lead(PATH, "model", { ttlMs: 30_000 });
  // codis-admin --remove-lock, and an original dashboard that starts at once.
  const session = openSession(zookeeper);
  const open = { perms: 31, scheme: "world", id: "anyone" };
  await session.change(
    operation.multi([operation.delete(PATH), operation.create(PATH, "original", open)]),
  );
  const write = lead.write([{ kind: "put", path: "/codis3/lab/sentinel", data: "x" }]);
  await expect(write).rejects.toThrow("taken by another one");
  expect(await owned.coordinator.read("/codis3/lab/sentinel")).toBeNull();
  expect(await owned.coordinator.read(PATH)).toBe("original");
  await session.close();
});

test("a session that the service forgot is told so, and the lead with it", async () => {
  await using zookeeper = await startZookeeper();
  await using owned = openService(zookeeper);
  const lead = await owned.coordinator.lead(PATH, "model", { ttlMs: 2_000 });
  await owned.coordinator.remove(`${PATH}-election`);
  const write = lead.write([{ kind: "put", path: "/codis3/lab/sentinel", data: "x" }]);
  await expect(write).rejects.toThrow("nothing was written");
  expect(await lead.lost).not.toBe("");
});

test("an announced node is made anew in a new session", async () => {
  await using zookeeper = await startZookeeper();
  await using owned = openService(zookeeper);
  const path = "/jodis/lab/proxy-1";
  const announcement = await owned.coordinator.announce(path, "x", 1_000);
  await owned.coordinator.remove(path);
  await until(() => owned.coordinator.read(path));
  await announcement.close();
  expect(await owned.coordinator.read(path)).toBeNull();
});
