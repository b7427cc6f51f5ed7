import { describe, expect, test } from "bun:test";
import type { Setting } from "./table.ts";
import { allowedText, fieldOf, readText, readValue, UNLIMITED, writtenValue } from "./table.ts";

function row(changes: Partial<Setting> & Pick<Setting, "type">): Setting {
  return { key: "some_key", default: "", doc: "", reloadable: false, ...changes };
}

const value = (setting: Setting, given: unknown) => {
  const reading = readValue(setting, given);
  return "value" in reading ? reading.value : `problem: ${reading.problem}`;
};

describe("field names", () => {
  test("are camel case with the unit at the end", () => {
    expect(fieldOf(row({ type: "string", key: "a" }))).toBe("a");
    expect(fieldOf(row({ type: "integer", key: "proxy_max_clients" }))).toBe("proxyMaxClients");
    expect(fieldOf(row({ type: "bytes", key: "a_size" }))).toBe("aSizeBytes");
    expect(fieldOf(row({ type: "duration", key: "a_timeout" }))).toBe("aTimeoutMs");
  });
});

describe("values of the TOML file", () => {
  test("have the type of the row", () => {
    expect(value(row({ type: "string" }), 5)).toBe("problem: not a text in quotes");
    expect(value(row({ type: "boolean" }), "true")).toBe("problem: neither true nor false");
    expect(value(row({ type: "integer" }), "5")).toBe("problem: not a whole number");
    expect(value(row({ type: "integer" }), 1.5)).toBe("problem: not a whole number");
    expect(value(row({ type: "bytes" }), true)).toBe("problem: an invalid bytesize");
    expect(value(row({ type: "duration" }), [])).toBe("problem: an invalid timesize");
  });

  test("may be bare numbers for sizes (bytes) and durations (seconds)", () => {
    expect(value(row({ type: "bytes" }), 4096)).toBe(4096);
    expect(value(row({ type: "duration" }), 30)).toBe(30_000);
    expect(value(row({ type: "duration" }), 0.5)).toBe(500);
  });

  test("keep their bounds", () => {
    const bounded = row({ type: "integer", min: 1, max: 9 });
    expect(value(bounded, 1)).toBe(1);
    expect(value(bounded, 9)).toBe(9);
    expect(value(bounded, 0)).toBe("problem: too small");
    expect(value(bounded, -1)).toBe("problem: less than nothing");
    expect(value(bounded, 10)).toBe("problem: too large");
    expect(value(row({ type: "integer" }), 2 ** 31)).toBe("problem: too large");
    expect(value(row({ type: "duration" }), "-1s")).toBe("problem: less than nothing");
  });

  test("may be restricted to choices or by a rule", () => {
    const choice = row({ type: "string", choices: ["tcp", "unix"] });
    expect(value(choice, "tcp")).toBe("tcp");
    expect(value(choice, "")).toBe("");
    expect(value(choice, "udp")).toBe("problem: not one of these");
    const rule = { allows: (text: string) => text === "x", allowed: "an x" };
    expect(value(row({ type: "string", rule }), "y")).toBe("problem: of another form");
    expect(value(row({ type: "string", isRequired: true }), "")).toBe("problem: empty");
  });
});

describe("texts of the environment and of flags", () => {
  test("are read by the type of the row", () => {
    expect(readText(row({ type: "boolean" }), "true")).toEqual({ value: true });
    expect(readText(row({ type: "boolean" }), "false")).toEqual({ value: false });
    expect(readText(row({ type: "integer" }), "-0012")).toHaveProperty("problem");
    expect(readText(row({ type: "integer" }), "12")).toEqual({ value: 12 });
    expect(readText(row({ type: "string" }), "12")).toEqual({ value: "12" });
    expect(readText(row({ type: "bytes" }), "1kb")).toEqual({ value: 1024 });
  });

  test("that do not fit are problems", () => {
    for (const text of ["", "1", "yes", "TRUE"]) {
      expect(readText(row({ type: "boolean" }), text)).toHaveProperty("problem");
    }
    for (const text of ["", " 1", "1.0", "0x1", "1e3"]) {
      expect(readText(row({ type: "integer" }), text)).toHaveProperty("problem");
    }
  });
});

describe("zero", () => {
  test("may stand for another number, and for no limit at all", () => {
    expect(value(row({ type: "bytes", zeroMeans: 1024 }), "0")).toBe(1024);
    expect(value(row({ type: "integer", zeroMeans: UNLIMITED }), 0)).toBe(UNLIMITED);
  });

  test("is shown again where there is no limit", () => {
    expect(writtenValue(row({ type: "integer", zeroMeans: UNLIMITED }), UNLIMITED)).toBe(0);
    expect(writtenValue(row({ type: "bytes", zeroMeans: UNLIMITED }), UNLIMITED)).toBe("0");
  });
});

describe("written values", () => {
  test("have their units", () => {
    expect(writtenValue(row({ type: "bytes" }), 131072)).toBe("128kb");
    expect(writtenValue(row({ type: "duration" }), 30_000)).toBe("30s");
    expect(writtenValue(row({ type: "boolean" }), false)).toBe(false);
  });

  test("lose the password of a URL", () => {
    const url = row({ type: "string", isUrl: true });
    expect(writtenValue(url, "http://u:secret@h:1/x")).toBe("http://u:***@h:1/x");
    expect(writtenValue(url, "http://u:s@cr@t@h/x")).toBe("http://u:***@h/x");
    expect(writtenValue(url, "http://h:1/x@y")).toBe("http://h:1/x@y");
  });
});

test("what is allowed is said with the bounds", () => {
  expect(allowedText(row({ type: "integer", min: 1 }))).toBe("a whole number from 1");
  expect(allowedText(row({ type: "integer", min: 1, max: 9 }))).toBe("a whole number from 1 to 9");
  expect(allowedText(row({ type: "bytes", max: 1024 }))).toStartWith("a size from 0 to 1kb, such");
  expect(allowedText(row({ type: "string", choices: ["a", "b"] }))).toBe("one of a, b, or empty");
});
