import { describe, expect, test } from "bun:test";
import { parseArguments } from "../lib/args.ts";
import { optionsOf, programOf } from "./command.ts";
import { COMMANDS, commandList, findCommand } from "./commands.ts";
import { originalUsage } from "./original.ts";
import { parseSlots } from "./slot-sets.ts";

describe("the table of commands", () => {
  test("has each name once, and each option of a command once", () => {
    const names = COMMANDS.map((command) => command.name);
    expect(new Set(names).size).toBe(names.length);
    for (const command of COMMANDS) {
      const options = optionsOf(command);
      const letters = options.flatMap((option) => option.short ?? []);
      expect(new Set(options.map((option) => option.name)).size).toBe(options.length);
      expect(new Set(letters).size).toBe(letters.length);
      expect(parseArguments(programOf(command), ["--help"]).has("help")).toBe(true);
    }
  });

  test("explains everything in sentences", () => {
    for (const { doc, details = "X.", options = [], positionals = [] } of COMMANDS) {
      expect(doc).toMatch(/^[A-Z].*\.$/);
      expect(details).toMatch(/^[A-Z].*\.$/);
      for (const row of options) expect(row.doc).toMatch(/^[A-Z].*\.$/);
      for (const row of positionals) expect(row.doc.length).toBeGreaterThan(3);
    }
  });

  test("is printed whole by help", () => {
    const text = commandList();
    for (const { name } of COMMANDS) expect(text).toContain(`  ${name}`);
  });
});

describe("a command is found", () => {
  const found = (line: string): string => {
    const [command, rest] = findCommand(line.split(" "));
    return `${command.name} | ${rest.join(" ")}`;
  };

  test("by its one or two words", () => {
    expect(found("proxies")).toBe("proxies | ");
    expect(found("proxies --watch")).toBe("proxies | --watch");
    expect(found("proxies add 1:2 --yes")).toBe("proxies add | 1:2 --yes");
    expect(found("migrate 0-9 2")).toBe("migrate | 0-9 2");
    expect(found("slots assign 0-9 2")).toBe("slots assign | 0-9 2");
  });

  test("or what was meant is suggested", () => {
    expect(() => found("statu")).toThrow("there is no command 'statu'; did you mean 'status'?");
    expect(() => found("proxies remov 1")).toThrow("did you mean 'remove'?");
    expect(() => found("servers")).toThrow("say what to do: servers with one of add, remove");
    expect(() => found("__proto__")).toThrow("there is no command '__proto__'");
  });
});

describe("sets of slots", () => {
  test("are numbers, ranges, both, or all", () => {
    expect(parseSlots("17")).toEqual([17]);
    expect(parseSlots("3-5,1,4")).toEqual([1, 3, 4, 5]);
    expect(parseSlots("all").length).toBe(1024);
  });

  test("are refused with what is wrong", () => {
    for (const text of ["", "x", "5-3", "1024", "0-1024", "1,,2", "-1"]) {
      expect(() => parseSlots(text)).toThrow("is no slot and no range of slots");
    }
  });
});

test("the help of the original's flags has every form of codis-admin 3.2", () => {
  const text = originalUsage().replace(/\s+/g, " "); // Long forms are broken.
  for (const form of [
    "--proxy=ADDR [config|model|stats|slots]",
    "--proxy=ADDR --fillslots=FILE [--locked]",
    "--dashboard=ADDR --slots-assign --beg=ID --end=ID (--gid=ID|--offline) [--confirm]",
    "--dashboard=ADDR --remove-proxy (--addr=ADDR|--token=TOKEN|--pid=ID) [--force]",
    "--dashboard=ADDR --reinit-proxy (--addr=ADDR|--token=TOKEN|--pid=ID|--all) [--force]",
    "--dashboard=ADDR --resync-group (--gid=ID|--all)",
    "--dashboard=ADDR --replica-groups --gid=ID --addr=ADDR (--enable|--disable)",
    "--dashboard=ADDR --slot-action --create-some --gid-from=ID --gid-to=ID --num-slots=N",
    "--dashboard=ADDR --slot-action --create-range --beg=ID --end=ID --gid=ID",
    "--config-restore=FILE --product=NAME (--zookeeper=ADDR|--etcd=ADDR|--filesystem=ROOT)",
  ]) {
    expect(text).toContain(form);
  }
});
