// The coordinator in etcd: the contract of all, and what is its own.
import { expect } from "bun:test";
import { openCoordinator } from "../../src/coordinator/open.ts";
import { type Etcd, startEtcd } from "../harness/etcd.ts";
import { freePort } from "../harness/ports.ts";
import { systemTest } from "../harness/system-test.ts";
import { until } from "../harness/until.ts";
import { coordinatorContract, openService, serviceContract } from "./contract.ts";

const test = systemTest("etcd");
const PATH = "/codis3/lab/topom";

coordinatorContract(test, { start: startEtcd });
serviceContract(test, startEtcd);

const base64 = (text: string): string => Buffer.from(text).toString("base64");

/** Users root, and lab, who may use /codis3/ only. */
async function requireAccounts(etcd: Etcd): Promise<void> {
  for (const name of ["root", "lab"]) {
    await etcd.post("/v3/auth/user/add", { name, password: `${name}-secret` });
    await etcd.post("/v3/auth/role/add", { name });
    await etcd.post("/v3/auth/user/grant", { user: name, role: name });
  }
  const perm = { permType: "READWRITE", key: base64("/codis3/"), range_end: base64("/codis30") };
  await etcd.post("/v3/auth/role/grant", { name: "lab", perm });
  await etcd.post("/v3/auth/enable", {});
}

test("an account is used, and a wrong one is one sentence", async () => {
  await using etcd = await startEtcd();
  await requireAccounts(etcd);
  await using owned = openService(etcd, "lab:lab-secret");
  const lead = await owned.coordinator.lead(PATH, "model", { ttlMs: 2_000 });
  await lead.write([{ kind: "put", path: "/codis3/lab/sentinel", data: "x" }]);
  expect(await owned.coordinator.list("/codis3/lab")).toEqual(["sentinel", "topom"]);
  await expect(owned.coordinator.read("/other")).rejects.toThrow("permission denied");
  await using wrong = openService(etcd, "lab:guessed");
  await expect(wrong.coordinator.read(PATH)).rejects.toThrow(/refused: .*invalid user/);
  await using none = openService(etcd);
  await expect(none.coordinator.read(PATH)).rejects.toThrow("refused");
  // A restart makes all logins invalid.
  await etcd.kill();
  await etcd.start();
  expect(await owned.coordinator.read("/codis3/lab/sentinel")).toBe("x");
  await lead.release();
});

test("an account that etcd does not ask for does no harm", async () => {
  await using etcd = await startEtcd();
  await using owned = openService(etcd, "lab:lab-secret");
  await owned.coordinator.update(PATH, "model");
  expect(await owned.coordinator.read(PATH)).toBe("model");
});

test("a leader whose key another one has made anew cannot write", async () => {
  await using etcd = await startEtcd();
  await using first = openService(etcd);
  await using second = openService(etcd);
  const lead = await first.coordinator.lead(PATH, "first", { ttlMs: 60_000 });
  await second.coordinator.remove(PATH);
  const next = await second.coordinator.lead(PATH, "second", { ttlMs: 60_000 });
  expect(lead.isHeld).toBe(true);
  const write = lead.write([{ kind: "put", path: "/codis3/lab/sentinel", data: "first's" }]);
  await expect(write).rejects.toThrow("another one leads");
  expect(lead.isHeld).toBe(false);
  expect(await second.coordinator.read("/codis3/lab/sentinel")).toBeNull();
  await next.write([{ kind: "put", path: "/codis3/lab/sentinel", data: "second's" }]);
  await next.release();
});

test("endpoints are tried in turn, and https and http may be said", async () => {
  await using etcd = await startEtcd();
  const address = `127.0.0.1:${freePort()}, http://${etcd.address}/`;
  const coordinator = openCoordinator({ name: "etcd", address });
  await coordinator.create(PATH, "model");
  expect(await coordinator.read(PATH)).toBe("model");
  await coordinator.close();
});

test("a service that is not there is one sentence after a bounded time", async () => {
  const coordinator = openCoordinator({ name: "etcd", address: `127.0.0.1:${freePort()}` });
  const sentence = /^etcd at 127.0.0.1:\d+ cannot be used: nothing listens there$/;
  await expect(coordinator.read(PATH)).rejects.toThrow(sentence);
  await coordinator.close();
}, 15_000);

test("an announced key survives that its lease is revoked", async () => {
  await using etcd = await startEtcd();
  await using owned = openService(etcd);
  const announcement = await owned.coordinator.announce("/jodis/lab/proxy-1", "x", 2_000);
  const { leases } = (await etcd.post("/v3/lease/leases", {})) as { leases: { ID: string }[] };
  for (const { ID } of leases) await etcd.post("/v3/lease/revoke", { ID });
  expect(await owned.coordinator.read("/jodis/lab/proxy-1")).toBeNull();
  await until(() => owned.coordinator.read("/jodis/lab/proxy-1"));
  await announcement.close();
  expect(await owned.coordinator.read("/jodis/lab/proxy-1")).toBeNull();
});

test("the old tree of an original product can be read, and only read", async () => {
  await using etcd = await startEtcd();
  const put = async (path: string, value: string): Promise<void> => {
    const body = new URLSearchParams({ value });
    await fetch(`http://${etcd.address}/v2/keys${path}`, { method: "PUT", body });
  };
  await put("/codis3/lab/slots/slot-0002", "two");
  await put("/codis3/lab/slots/slot-0001", "one");
  await put("/codis3/lab/topom", "model");
  const old = openCoordinator({ name: "etcd-v2", address: etcd.address });
  expect(await old.list("/codis3/lab")).toEqual(["slots", "topom"]);
  expect([...(await old.readAll("/codis3/lab/slots"))]).toEqual([
    ["slot-0001", "one"],
    ["slot-0002", "two"],
  ]);
  expect([...(await old.readAll("/codis3/lab"))]).toEqual([["topom", "model"]]);
  expect(await old.read("/codis3/lab/topom")).toBe("model");
  expect(await old.read("/codis3/lab/slots")).toBeNull();
  expect(await old.read("/codis3/lab/none")).toBeNull();
  expect(await old.list("/codis4")).toEqual([]);
  await expect(old.update("/codis3/lab/topom", "x")).rejects.toThrow("only read");
  await using owned = openService(etcd);
  expect(await owned.coordinator.list("/codis3")).toEqual([]);
});
