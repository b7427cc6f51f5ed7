import { describe, expect, test } from "bun:test";
import type { Program } from "./args.ts";
import { parseArguments, usageText } from "./args.ts";
import { UsageError } from "./operator-error.ts";

const PROGRAM: Program = {
  name: "codis-thing",
  synopsis: ["[options]", "--version"],
  options: [
    { name: "config", short: "c", argument: "FILE", doc: "Read it." },
    { name: "ncpu", argument: "N", integerFrom: 1, doc: "So many." },
    { name: "version", doc: "Say it." },
  ],
};

function complaint(...argv: string[]): string {
  try {
    parseArguments(PROGRAM, argv);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    expect(error.usage).toBe(usageText(PROGRAM));
    return error.message;
  }
  throw new Error("parsing should have failed");
}

describe("options", () => {
  test("take their argument in every usual form", () => {
    for (const argv of [["--config=x"], ["--config", "x"], ["-c", "x"], ["-cx"]]) {
      expect(parseArguments(PROGRAM, argv).text("config")).toBe("x");
    }
  });

  test("that were not given are null or false", () => {
    const given = parseArguments(PROGRAM, []);
    expect(given.text("config")).toBeNull();
    expect(given.integer("ncpu")).toBeNull();
    expect(given.has("version")).toBe(false);
  });

  test("keep an equals sign inside of their argument", () => {
    expect(parseArguments(PROGRAM, ["--config=a=b"]).text("config")).toBe("a=b");
  });

  test("that come twice count the last time", () => {
    expect(parseArguments(PROGRAM, ["--ncpu=1", "--ncpu=2"]).integer("ncpu")).toBe(2);
  });

  test("always include help", () => {
    expect(parseArguments(PROGRAM, ["-h"]).has("help")).toBe(true);
    expect(parseArguments(PROGRAM, ["--help"]).has("help")).toBe(true);
  });
});

describe("usage errors", () => {
  test("name the option without its argument", () => {
    expect(complaint("--config")).toBe("option --config requires an argument");
    expect(complaint("--config=")).toBe("option --config requires an argument");
    expect(complaint("-c", "")).toBe("option --config requires an argument");
    expect(complaint("--config", "--version")).toBe("option --config requires an argument");
  });

  test("name the option whose number is none", () => {
    expect(complaint("--ncpu=two")).toBe("option --ncpu isn't a valid integer");
    expect(complaint("--ncpu=1.5")).toBe("option --ncpu isn't a valid integer");
    expect(complaint("--ncpu=0")).toBe("option --ncpu must be at least 1 and not 0");
    expect(complaint("--ncpu=-3")).toBe("option --ncpu must be at least 1 and not -3");
  });

  test("name what is unknown, with a suggestion", () => {
    expect(complaint("--ncpus=1")).toBe("unknown option --ncpus; did you mean '--ncpu'?");
    expect(complaint("-x")).toStartWith("unknown option -x");
    expect(complaint("--__proto__=1")).toStartWith("unknown option --__proto__");
    expect(complaint("stray")).toBe("'stray' is not expected here");
    expect(complaint("--", "--ncpu")).toBe("'--ncpu' is not expected here");
    expect(complaint("--version=1")).toBe("option --version takes no argument");
  });
});

describe("positionals", () => {
  const program: Program = {
    ...PROGRAM,
    positionals: [
      { name: "GROUP", integerFrom: 1, doc: "Which." },
      { name: "WAY", choices: ["up", "down"], isOptional: true, doc: "Where to." },
    ],
  };

  test("are found by their place, between options", () => {
    const given = parseArguments(program, ["7", "--ncpu", "2", "up"]);
    expect(given.integer("GROUP")).toBe(7);
    expect(given.text("WAY")).toBe("up");
    expect(parseArguments(program, ["7"]).text("WAY")).toBeNull();
  });

  test("are checked like options", () => {
    expect(() => parseArguments(program, [])).toThrow("GROUP is missing");
    expect(() => parseArguments(program, ["x"])).toThrow("GROUP isn't a valid integer");
    expect(() => parseArguments(program, ["1", "left"])).toThrow(
      "WAY must be one of up, down and not 'left'",
    );
    expect(() => parseArguments(program, ["1", "up", "x"])).toThrow("'x' is not expected here");
    expect(parseArguments(program, ["--help"]).has("help")).toBe(true);
  });

  test("have a chapter of the usage text", () => {
    expect(usageText(program)).toContain("Arguments:\n  GROUP              Which.\n");
  });
});

test("the usage text is printed from the rows", () => {
  expect(usageText(PROGRAM)).toBe(
    [
      "Usage:",
      "  codis-thing [options]",
      "  codis-thing --version",
      "",
      "Options:",
      "  -c, --config=FILE  Read it.",
      "  --ncpu=N           So many.",
      "  --version          Say it.",
      "  -h, --help         Print this text and exit.",
      "",
    ].join("\n"),
  );
});
