// The coordinator in a directory: the contract of all, and what is its own.
import { expect, test as bunTest } from "bun:test";
import { existsSync, mkdirSync, readdirSync, rmSync, statSync, utimesSync } from "node:fs";
import { join } from "node:path";
import { tryLock } from "../../src/coordinator/file-lock.ts";
import { systemTest } from "../harness/system-test.ts";
import { tempDir } from "../harness/temp-dir.ts";
import { coordinatorContract, openService, type Service } from "./contract.ts";

const test = systemTest();

async function start(): Promise<Service> {
  const dir = tempDir();
  return {
    name: "filesystem",
    address: join(dir.path, "root"),
    [Symbol.asyncDispose]: async () => dir[Symbol.dispose](),
  };
}

coordinatorContract(test, { start });

bunTest("files and modes are those of the original, and temp/ is left empty", async () => {
  await using service = await start();
  await using owned = openService(service);
  await owned.coordinator.create("/codis3/lab/topom", "model");
  const inRoot = (...names: string[]): string => join(service.address, ...names);
  expect(await Bun.file(inRoot("data/codis3/lab/topom")).text()).toBe("model");
  expect(statSync(inRoot("data/codis3/lab/topom")).mode & 0o777).toBe(0o600);
  expect(statSync(inRoot("data/codis3")).mode & 0o777).toBe(0o755);
  expect(statSync(inRoot("data.lck")).mode & 0o777).toBe(0o644);
  expect(statSync(inRoot("data.lck")).size).toBe(0);
  expect(readdirSync(inRoot("temp"))).toEqual([]);
});

bunTest("a change waits while another program has the directory", async () => {
  await using service = await start();
  await using owned = openService(service);
  await owned.coordinator.update("/codis3/lab/topom", "old");
  const lock = tryLock(join(service.address, "data.lck"), 0o644);
  let isDone = false;
  const change = owned.coordinator.update("/codis3/lab/topom", "new").then(() => (isDone = true));
  expect(await owned.coordinator.read("/codis3/lab/topom")).toBe("old");
  expect(isDone).toBe(false);
  lock?.close();
  await change;
  expect(await owned.coordinator.read("/codis3/lab/topom")).toBe("new");
});

bunTest("what a crash left in temp/ goes after a while", async () => {
  await using service = await start();
  await using owned = openService(service);
  const temp = join(service.address, "temp");
  mkdirSync(temp, { recursive: true });
  await Bun.write(join(temp, "1.old"), "half");
  utimesSync(join(temp, "1.old"), 1, 1);
  await Bun.write(join(temp, "2.new"), "half");
  await owned.coordinator.update("/codis3/lab/topom", "x");
  expect(readdirSync(temp)).toEqual(["2.new"]);
});

bunTest("a leader whose lock files were removed does not write any more", async () => {
  await using service = await start();
  await using owned = openService(service);
  const lead = await owned.coordinator.lead("/codis3/lab/topom", "model", { ttlMs: 1000 });
  rmSync(join(service.address, "lead"), { recursive: true });
  await expect(lead.write([{ kind: "put", path: "/codis3/x", data: "x" }])).rejects.toThrow();
  expect(existsSync(join(service.address, "data/codis3/x"))).toBe(false);
  expect(lead.isHeld).toBe(false);
});

bunTest("a directory that cannot be written is one sentence", async () => {
  await using service = await start();
  await Bun.write(service.address, "a file");
  await using owned = openService(service);
  const write = owned.coordinator.update("/codis3/lab/topom", "x");
  await expect(write).rejects.toThrow(`directory ${service.address} cannot be used`);
});

bunTest("nodes that go away with their owner are not supported", async () => {
  await using service = await start();
  await using owned = openService(service);
  const announcing = owned.coordinator.announce("/jodis/lab/proxy-1", "x", 1000);
  await expect(announcing).rejects.toThrow("not supported");
});
