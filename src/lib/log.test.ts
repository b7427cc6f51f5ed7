import { afterAll, describe, expect, test } from "bun:test";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { assert } from "./assert.ts";
import { Log, parseLogLevel } from "./log.ts";
import { OperatorError } from "./operator-error.ts";

const root = mkdtempSync(join(tmpdir(), "codis-log-"));
afterAll(() => rmSync(root, { recursive: true }));

let directories = 0;

function openLog(clock = { now: new Date(2026, 10, 22, 20, 31, 5) }) {
  const file = join(root, String(directories++), "deep", "proxy.log");
  const log = new Log(() => clock.now);
  log.open(file);
  const read = (day = "2026-11-22") => readFileSync(`${file}.${day}`, "utf8");
  return { log, file, read };
}

test("a line has time, level and text", () => {
  const { log, read } = openLog();
  log.info("slot-0042: held");
  expect(read()).toBe("2026/11/22 20:31:05 [INFO] slot-0042: held\n");
});

test("each level includes those before it, and can change at any time", () => {
  const { log, read } = openLog();
  const all = () => {
    log.error("e");
    log.warn("w");
    log.info("i");
    log.debug("d");
  };
  const written = (level: "none" | "error" | "warn" | "info" | "debug") => {
    const before = existsSync(`${log.file}.2026-11-22`) ? read().length : 0;
    log.setLevel(level);
    all();
    return read()
      .slice(before)
      .replace(/^.*\] /gm, "")
      .replaceAll("\n", "");
  };
  expect(written("none")).toBe("");
  expect(written("error")).toBe("e");
  expect(written("warn")).toBe("ew");
  expect(written("info")).toBe("ewi");
  expect(written("debug")).toBe("ewid");
});

test("a fatal line passes every level", () => {
  const { log, read } = openLog();
  log.setLevel("none");
  log.fatal("the end", new OperatorError("no room"));
  expect(read()).toBe("2026/11/22 20:31:05 [PANIC] the end: no room\n");
});

test("level names are read in any case, and WARNING is WARN", () => {
  expect(parseLogLevel("DEBUG")).toBe("debug");
  expect(parseLogLevel("Warning")).toBe("warn");
  expect(parseLogLevel("warn")).toBe("warn");
  expect(parseLogLevel("NONE")).toBe("none");
  expect(parseLogLevel("trace")).toBeNull();
  expect(parseLogLevel("")).toBeNull();
});

test("a new file begins at midnight", () => {
  const clock = { now: new Date(2026, 11, 31, 23, 59, 59) };
  const { log, read } = openLog(clock);
  log.info("old year");
  clock.now = new Date(2027, 0, 1, 0, 0, 0);
  log.info("new year");
  expect(read("2026-12-31")).toBe("2026/12/31 23:59:59 [INFO] old year\n");
  expect(read("2027-01-01")).toBe("2027/01/01 00:00:00 [INFO] new year\n");
});

test("a file that exists is continued", () => {
  const { log, file, read } = openLog();
  log.info("one");
  log.close();
  log.open(file);
  log.info("two");
  expect(read().split("\n").length).toBe(3);
});

describe("what comes from outside", () => {
  test("cannot begin a line of its own or colour a terminal", () => {
    const { log, read } = openLog();
    log.info("client: a\r\n2026/11/22 20:31:05 [INFO] forged \u001b[31m");
    expect(read()).toBe(
      "2026/11/22 20:31:05 [INFO] client: " +
        "a\\u000d\\u000a2026/11/22 20:31:05 [INFO] forged \\u001b[31m\n",
    );
  });

  test("loses its secrets", () => {
    const { log, read } = openLog();
    log.hideSecrets(["hunter2", "abc", ""]);
    log.info("auth: hunter2 of abc, hunter2");
    expect(read()).toEndWith("auth: *** of abc, ***\n");
  });
});

describe("an error", () => {
  test("that an operator or the system caused is one line", () => {
    const { log, read } = openLog();
    log.error("listen", new OperatorError("port 1 is taken"));
    log.error("open", Object.assign(new Error("ENOENT: no file"), { code: "ENOENT" }));
    log.warn("odd", "a text");
    expect(read().trimEnd().split("\n").length).toBe(3);
    expect(read()).toContain("[ERROR] listen: port 1 is taken\n");
    expect(read()).toEndWith("[WARN] odd: a text\n");
  });

  test("of our own brings its stack", () => {
    const { log, read } = openLog();
    try {
      assert(1 > 2, "one is more than two");
    } catch (error) {
      log.error("session", error);
    }
    expect(read()).toContain("session: this must hold: one is more than two\n    at ");
  });
});

test("a log file that cannot be opened is said in a sentence, and stderr stays in use", () => {
  const { file } = openLog();
  const other = new Log();
  expect(() => other.open(`${file}.2026-11-22/x`)).toThrow(
    /^cannot open the log file .*give --log/,
  );
  expect(other.file).toBe("");
});
