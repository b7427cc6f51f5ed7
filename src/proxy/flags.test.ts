import { describe, expect, test } from "bun:test";
import { availableParallelism } from "node:os";
import { UsageError } from "../lib/operator-error.ts";
import type { ProxyFlags } from "./flags.ts";
import { parseProxyFlags } from "./flags.ts";

function run(...argv: string[]): ProxyFlags {
  const task = parseProxyFlags(argv, {});
  if (task.kind !== "run") throw new Error("a run was expected");
  return task.flags;
}

function printed(...argv: string[]): string {
  const task = parseProxyFlags(argv, {});
  if (task.kind !== "print") throw new Error("a text was expected");
  return task.text;
}

test("without options the proxy runs one worker per CPU and logs to stderr", () => {
  expect(run()).toEqual({
    configFile: null,
    logFile: null,
    logLevel: "info",
    workers: availableParallelism(),
    ulimit: null,
    hostAdmin: null,
    hostProxy: null,
    dashboard: null,
    coordinator: null,
    fillSlots: null,
    pidFile: null,
    settings: {},
    warnings: [],
  });
});

test("every option of the original is understood", () => {
  const flags = run(
    ...["-c", "p.toml", "-l", "p.log", "--log-level=WARNING", "--ncpu=3", "--ulimit=1024"],
    ...["--host-admin=a:1", "--host-proxy=p:2", "--dashboard=d:3", "--pidfile=p.pid"],
    ...["--product_name=n", "--product_auth=a", "--session_auth=s"],
  );
  expect(flags).toEqual({
    configFile: "p.toml",
    logFile: "p.log",
    logLevel: "warn",
    workers: 3,
    ulimit: 1024,
    hostAdmin: "a:1",
    hostProxy: "p:2",
    dashboard: "d:3",
    coordinator: null,
    fillSlots: null,
    pidFile: "p.pid",
    settings: { product_name: "n", product_auth: "a", session_auth: "s" },
    warnings: [],
  });
  expect(run("--fillslots=s.json").fillSlots).toBe("s.json");
});

test("--max-ncpu is accepted with a warning", () => {
  const flags = run("--ncpu=2", "--max-ncpu=8");
  expect(flags.workers).toBe(2);
  expect(flags.warnings.length).toBe(1);
});

test("--help, --version and --default-config print and do not run", () => {
  expect(printed("--help")).toStartWith("Usage:\n  codis-proxy ");
  expect(printed("--version")).toMatch(/^version: \S+\ncompile: .+\n$/);
  expect(printed("--default-config")).toContain('\nproxy_addr = "127.0.0.1:19000"\n');
});

test("--check-config says whether the settings are right", () => {
  expect(printed("--check-config")).toBe("the settings are right\n");
  expect(() => parseProxyFlags(["--check-config"], { CODIS_PROTO_TYPE: "x" })).toThrow(
    "invalid proto_type",
  );
});

test("a coordinator is named with its address and its account", () => {
  const tls = ["--etcd-ca=ca.pem", "--etcd-cert=own.pem", "--etcd-key=own.key"];
  expect(run("--etcd=a:1,b:2", "--etcd-auth=u:p", ...tls).coordinator).toEqual({
    name: "etcd",
    address: "a:1,b:2",
    auth: "u:p",
    tls: { ca: "ca.pem", cert: "own.pem", key: "own.key" },
  });
  expect(run("--filesystem=/x").coordinator?.auth).toBe("");
  expect(run("--dashboard=a").coordinator).toBeNull();
});

describe("refused", () => {
  test("is more than one way to be registered", () => {
    expect(() => run("--dashboard=a", "--fillslots=b")).toThrow(UsageError);
    expect(() => run("--dashboard=a", "--zookeeper=b")).toThrow(
      "options --dashboard and --zookeeper exclude one another",
    );
  });

  test("is an option that needs another one", () => {
    expect(() => run("--max-ncpu=2")).toThrow("only together with --ncpu");
    expect(() => run("--etcd-auth=u:p", "--zookeeper=b")).toThrow("only together with --etcd");
  });

  test("is a level that does not exist", () => {
    expect(() => run("--log-level=loud")).toThrow("option --log-level = loud is no level");
  });

  test("are empty arguments and words without a dash", () => {
    expect(() => run("--pidfile=")).toThrow("option --pidfile requires an argument");
    expect(() => run("proxy.toml")).toThrow("'proxy.toml' is not expected here");
  });
});
