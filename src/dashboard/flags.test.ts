import { expect, test } from "bun:test";
import { UsageError } from "../lib/operator-error.ts";
import { type DashboardFlags, parseDashboardFlags } from "./flags.ts";

function run(...argv: string[]): DashboardFlags {
  const task = parseDashboardFlags(argv, {});
  if (task.kind !== "run") throw new Error("a run was expected");
  return task.flags;
}

function printed(...argv: string[]): string {
  const task = parseDashboardFlags(argv, {});
  if (task.kind !== "print") throw new Error("a text was expected");
  return task.text;
}

test("every option of the original is understood", () => {
  const flags = run(
    ...["-c", "d.toml", "-l", "d.log", "--log-level=WARNING", "--ncpu=3", "--host-admin=a:1"],
    ...["--pidfile=d.pid", "--etcd=e:2379,f:2379", "--product_name=n", "--product_auth=a"],
    "--remove-lock",
  );
  expect(flags).toMatchObject({
    configFile: "d.toml",
    logFile: "d.log",
    logLevel: "warn",
    hostAdmin: "a:1",
    pidFile: "d.pid",
    removeLock: true,
    settings: {
      coordinator_name: "etcd",
      coordinator_addr: "e:2379,f:2379",
      product_name: "n",
      product_auth: "a",
    },
  });
  expect(flags.warnings).toHaveLength(1);
});

test("two coordinators exclude one another", () => {
  expect(() => run("--etcd=e:1", "--filesystem=/x")).toThrow(UsageError);
});

test("what only prints is answered without starting anything", () => {
  expect(printed("--version")).toStartWith("version: ");
  expect(printed("--help")).toContain("--remove-lock");
  expect(printed("--default-config")).toContain('admin_addr = "127.0.0.1:18080"');
  expect(printed("--check-config", "--product_name=lab")).toBe("the settings are right\n");
  expect(() => printed("--check-config", "--product_name=/")).toThrow("bad product name");
});
