import { afterAll, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { OperatorError } from "../lib/operator-error.ts";
import type { Sources } from "./load.ts";
import { loadSettings } from "./load.ts";
import type { Setting } from "./table.ts";

const ROWS = [
  {
    key: "product_name",
    type: "string",
    default: "demo",
    doc: "",
    isRequired: true,
    complaint: "bad product name",
    rule: { allows: (text) => /^\w+$/.test(text), allowed: "letters" },
    reloadable: false,
  },
  { key: "max_clients", type: "integer", default: 7, doc: "", reloadable: true },
  { key: "recv_timeout", type: "duration", default: "30s", doc: "", reloadable: true },
  { key: "recv_bufsize", type: "bytes", default: "128kb", doc: "", reloadable: false },
  { key: "is_primary_only", type: "boolean", default: false, doc: "", reloadable: false },
  { key: "session_auth", type: "string", default: "", doc: "", isSecret: true, reloadable: true },
  { key: "push_url", type: "string", default: "", doc: "", isUrl: true, reloadable: true },
  { key: "old_size", type: "bytes", default: "1gb", doc: "", retired: "gone", reloadable: false },
] as const satisfies readonly Setting[];

const directory = mkdtempSync(join(tmpdir(), "codis-settings-"));
afterAll(() => rmSync(directory, { recursive: true }));

function fileOf(text: string, name = "proxy.toml"): string {
  const file = join(directory, name);
  writeFileSync(file, text);
  return file;
}

function load(sources: Partial<Omit<Sources, "file">> & { toml?: string } = {}) {
  const file = sources.toml === undefined ? null : fileOf(sources.toml);
  return loadSettings(ROWS, { file, env: sources.env ?? {}, flags: sources.flags ?? {} });
}

/** The sentence with which loading fails, without the directory of this run. */
function complaint(sources: Parameters<typeof load>[0]): string {
  try {
    load(sources);
  } catch (error) {
    if (!(error instanceof OperatorError)) throw error;
    expect(error.message).not.toContain("\n");
    return error.message.replaceAll(`${directory}/`, "");
  }
  throw new Error("loading should have failed");
}

describe("precedence", () => {
  test("defaults fill in what nobody gives", () => {
    expect(load().config).toEqual({
      productName: "demo",
      maxClients: 7,
      recvTimeoutMs: 30_000,
      recvBufsizeBytes: 131_072,
      isPrimaryOnly: false,
      sessionAuth: "",
      pushUrl: "",
      oldSizeBytes: 1024 ** 3,
    });
  });

  test("the file stands above defaults, the environment above the file, flags above all", () => {
    const toml = 'product_name = "file"\nmax_clients = 1\nrecv_timeout = 5\nis_primary_only = true';
    const env = { CODIS_PRODUCT_NAME: "env", CODIS_MAX_CLIENTS: "2", HOME: "/x" };
    const { config } = load({ toml, env, flags: { product_name: "flag" } });
    expect(config.productName).toBe("flag");
    expect(config.maxClients).toBe(2);
    expect(config.recvTimeoutMs).toBe(5000);
    expect(config.isPrimaryOnly).toBe(true);
  });
});

describe("the file", () => {
  test("that is missing is named", () => {
    const sources = { file: "/nowhere/x.toml", env: {}, flags: {} };
    expect(() => loadSettings(ROWS, sources)).toThrow(
      "cannot read the configuration file, /nowhere/x.toml: there is no such file",
    );
  });

  test("with a syntax error is told by line, column and excerpt, in one sentence", () => {
    const text = complaint({ toml: 'max_clients = 1\nproduct_name = "a\n' });
    expect(text).toStartWith("proxy.toml, line 2, column ");
    expect(text).toEndWith('in `product_name = "a`');
  });

  test("never has a secret in the excerpt of an error", () => {
    expect(complaint({ toml: 'session_auth = "hunter2' })).not.toContain("hunter2");
    expect(complaint({ toml: 'session_auth = """\nhunter2\n' })).not.toContain("hunter2");
    expect(complaint({ toml: "session_auth = 4711" })).toBe(
      "invalid session_auth: the value is not a text in quotes (proxy.toml, line 1); " +
        "allowed is any text",
    );
  });

  test("with an unknown key gets a suggestion", () => {
    expect(complaint({ toml: '# x\nrecv_timout = "1s"' })).toBe(
      "unknown setting 'recv_timout' (proxy.toml, line 2); did you mean 'recv_timeout'?",
    );
    expect(complaint({ toml: "[proxy]\nmax_clients = 1" })).toBe(
      "unknown setting 'proxy' (proxy.toml, line 1); docs/config.md lists the known ones",
    );
    expect(complaint({ toml: "constructor = 1" })).toStartWith("unknown setting 'constructor'");
  });

  test("with a wrong value is told what is allowed", () => {
    expect(complaint({ toml: "max_clients = -1" })).toBe(
      "invalid max_clients: -1 is less than nothing (proxy.toml, line 1); " +
        "allowed is a whole number from 0",
    );
    expect(complaint({ toml: 'recv_timeout = "1 day"' })).toBe(
      'invalid recv_timeout: "1 day" is an invalid timesize (proxy.toml, line 1); ' +
        'allowed is a duration from 0, such as "500ms", "30s" or "5m"',
    );
    expect(complaint({ toml: 'recv_bufsize = "1KB"' })).toStartWith(
      'invalid recv_bufsize: "1KB" is an invalid bytesize (proxy.toml, line 1); allowed is a size',
    );
  });

  test("with a bad product name is answered as the original does", () => {
    expect(complaint({ toml: 'product_name = "a/b"' })).toStartWith("bad product name = a/b");
    expect(complaint({ toml: 'product_name = ""' })).toStartWith("invalid product_name");
  });

  test("with retired keys warns once for each", () => {
    const { config, warnings } = load({ toml: 'old_size = "2gb"', env: { CODIS_OLD_SIZE: "3gb" } });
    expect(config.oldSizeBytes).toBe(3 * 1024 ** 3);
    expect(warnings).toEqual([
      "setting old_size (environment variable CODIS_OLD_SIZE) has no effect any more: gone",
    ]);
    expect(load().warnings).toEqual([]);
  });
});

describe("the environment", () => {
  test("with an unknown variable of ours gets a suggestion", () => {
    expect(complaint({ env: { CODIS_MAX_CLIENT: "1" } })).toBe(
      "unknown environment variable 'CODIS_MAX_CLIENT'; did you mean 'CODIS_MAX_CLIENTS'?",
    );
  });

  test("may hold what the demo, the tests and the benchmark read", () => {
    const env = { CODIS_DEMO_X: "1", CODIS_TEST_UPDATE: "1", CODIS_DASHBOARD: "x:1" };
    expect(() => load({ env })).not.toThrow();
  });

  test("may hold what Kubernetes and Docker say of a service called codis-proxy", () => {
    const env = {
      CODIS_PROXY_SERVICE_HOST: "10.0.0.1",
      CODIS_PROXY_SERVICE_PORT: "19000",
      CODIS_PROXY_SERVICE_PORT_REDIS: "19000",
      CODIS_PROXY_PORT: "tcp://10.0.0.1:19000",
      CODIS_PROXY_PORT_19000_TCP: "tcp://10.0.0.1:19000",
      CODIS_PROXY_PORT_19000_TCP_ADDR: "10.0.0.1",
    };
    expect(() => load({ env })).not.toThrow();
    expect(complaint({ env: { CODIS_PROXY_PORT: "19000" } })).toStartWith("unknown environment");
  });

  test("is checked like the file", () => {
    expect(complaint({ env: { CODIS_MAX_CLIENTS: "many" } })).toBe(
      'invalid max_clients: "many" is not a whole number ' +
        "(environment variable CODIS_MAX_CLIENTS); allowed is a whole number from 0",
    );
  });

  test("may name a file that holds a secret", () => {
    const env = { CODIS_SESSION_AUTH_FILE: fileOf("hunter2\n", "secret") };
    expect(load({ env }).config.sessionAuth).toBe("hunter2");
    expect(complaint({ env: { ...env, CODIS_SESSION_AUTH: "x" } })).toBe(
      "CODIS_SESSION_AUTH and CODIS_SESSION_AUTH_FILE are both set; give only one of them",
    );
    expect(complaint({ env: { CODIS_SESSION_AUTH_FILE: "/nowhere" } })).toBe(
      "cannot read the secret named by CODIS_SESSION_AUTH_FILE, /nowhere: there is no such file",
    );
  });

  test("names files for secrets only", () => {
    expect(complaint({ env: { CODIS_MAX_CLIENTS_FILE: "/x" } })).toStartWith("unknown environment");
  });
});

test("the password of a URL stays out of the error about it", () => {
  const text = complaint({ toml: 'push_url = ["http://u:hunter2@h/"]' });
  expect(text).toContain("http://u:***@h/");
});
