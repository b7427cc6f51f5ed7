// The commands of bin/, run as an operator runs them: by Node, from another directory.

import { describe, expect, test } from "bun:test";
import { tmpdir } from "node:os";
import { VERSION } from "./lib/version.ts";

const BIN = new URL("../bin/", import.meta.url).pathname;
const LAUNCHER = new URL("./lib/launcher.ts", import.meta.url).pathname;

async function run(command: string, ...args: string[]) {
  const child = Bun.spawn(["node", BIN + command, ...args], {
    cwd: tmpdir(),
    env: { PATH: process.env.PATH },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const [out, err] = await Promise.all([child.stdout.text(), child.stderr.text()]);
  return { out, err, status: await child.exited };
}

describe("codis", () => {
  test("prints its version and its usage", async () => {
    const version = await run("codis", "--version");
    expect(version).toMatchObject({ err: "", status: 0 });
    expect(version.out).toStartWith(`version: ${VERSION}\ncompile: `);
    const help = await run("codis", "--help");
    expect(help.out).toStartWith("Usage:\n  codis proxy");
    expect(help.status).toBe(0);
  });

  test("answers an unknown program with its usage on stderr and status 1", async () => {
    const { out, err, status } = await run("codis", "proxi");
    expect(out).toBe("");
    expect(err).toStartWith("codis: there is no program 'proxi'; did you mean 'proxy'?\n\nUsage:");
    expect(status).toBe(1);
  });
});

describe("codis-proxy", () => {
  test("is codis proxy", async () => {
    const one = await run("codis", "proxy", "--default-config");
    expect(one.status).toBe(0);
    expect(await run("codis-proxy", "--default-config")).toEqual(one);
  });

  test("answers a wrong option with its usage on stderr and status 1", async () => {
    const { out, err, status } = await run("codis-proxy", "--ncpu=x");
    expect(out).toBe("");
    expect(err).toStartWith("codis-proxy: option --ncpu isn't a valid integer\n\nUsage:");
    expect(status).toBe(1);
  });

  test("answers a wrong configuration with one sentence and no stack", async () => {
    const { err, status } = await run("codis-proxy", "--check-config", "--config=/nowhere.toml");
    expect(err).toBe(
      "codis-proxy: cannot read the configuration file, /nowhere.toml: there is no such file\n",
    );
    expect(status).toBe(1);
  });
});

test("a program whose launcher is killed with -9 ends as by SIGTERM", async () => {
  const program = `
    const { watchLauncher } = await import(${JSON.stringify(LAUNCHER)});
    watchLauncher();
    process.on("SIGTERM", () => { console.log("terminated"); process.exit(0); });
    setInterval(() => {}, 1000);
    console.log("variable", process.env.CODIS_LAUNCHER_PID);`;
  const launcher = `
    const env = { ...process.env, CODIS_LAUNCHER_PID: String(process.pid) };
    Bun.spawn([process.execPath, "-e", ${JSON.stringify(program)}],
      { env, stdio: ["ignore", "inherit", "inherit"] });
    setInterval(() => {}, 1000);`;
  const child = Bun.spawn([process.execPath, "-e", launcher], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  let out = "";
  for await (const chunk of child.stdout) {
    out += Buffer.from(chunk).toString();
    if (out.includes("variable") && !child.killed) child.kill("SIGKILL");
  }
  expect(out).toBe("variable undefined\nterminated\n");
});
