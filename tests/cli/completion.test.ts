// The completion script in bash itself. zsh runs the same script; fish has one of its own.
import { expect } from "bun:test";
import { completionScript } from "../../src/cli/completion.ts";
import { systemTest } from "../harness/system-test.ts";

/** What bash offers when the last of these words is being typed. */
function offered(...words: string[]): string[] {
  const typed = words.map((word) => `'${word}'`).join(" ");
  const script = `${completionScript("bash")}
COMP_WORDS=(${typed}); COMP_CWORD=${words.length - 1}
_codis_admin
printf '%s\\n' "\${COMPREPLY[@]}"`;
  const { stdout, stderr } = Bun.spawnSync(["bash", "-c", script]);
  expect(stderr.toString()).toBe("");
  return stdout.toString().split("\n").filter(Boolean);
}

const inBash = systemTest("bash");

inBash("bash completes commands, under both names", () => {
  expect(offered("codis-admin", "reb")).toEqual(["rebalance"]);
  expect(offered("codis", "admin", "reb")).toEqual(["rebalance"]);
  expect(offered("/opt/bin/codis", "ad")).toEqual(["admin"]);
  expect(offered("codis", "proxy", "")).toEqual([]);
});

inBash("bash completes second words, options and their values", () => {
  expect(offered("codis-admin", "servers", "")).toEqual(["add", "remove"]);
  expect(offered("codis-admin", "rebalance", "--dr")).toEqual(["--drain-group", "--dry-run"]);
  expect(offered("codis-admin", "rebalance", "--by", "=", "m")).toEqual(["memory"]);
  expect(offered("codis-admin", "proxies", "remove", "--f")).toEqual(["--force"]);
  expect(offered("codis-admin", "replicas", "o")).toEqual(["on", "off"]);
  expect(offered("codis-admin", "status", "--json", "--w")).toEqual(["--watch"]);
});
