import { describe, expect, test } from "bun:test";
import {
  arityOk,
  COMMAND_COUNT,
  commandNamed,
  COMMANDS,
  Flag,
  Join,
  KeyRule,
  lookup,
  lookupSub,
  PLAIN_KEY,
  Route,
} from "./commands.ts";
import { readTable } from "./command-rows.ts";

function find(name: string): string | null {
  const bytes = Buffer.from(`..${name}..`, "latin1");
  return lookup(bytes, 2, 2 + name.length)?.name ?? null;
}

function named(name: string) {
  const command = commandNamed(name);
  if (command === null) throw new Error(`no command ${name}`);
  return command;
}

describe("lookup", () => {
  test("finds every command in lower, upper and mixed case, and only its own", () => {
    for (const command of COMMANDS.slice(1)) {
      if (command.name.includes("|")) continue;
      const mixed = command.name.replace(/[a-z]/g, (letter, at) =>
        at % 2 === 0 ? letter.toUpperCase() : letter,
      );
      expect(find(command.name)).toBe(command.name);
      expect(find(command.name.toUpperCase())).toBe(command.name);
      expect(find(mixed)).toBe(command.name);
    }
  });

  test("finds nothing else: near misses, subcommands, odd bytes, any length", () => {
    const names = ["", "g", "ge", "gets", "get ", "get\0", "client|id", "config|get", "unknown"];
    for (const name of [...names, "x".repeat(100), "slotsmgrttagone-async-dumpx"]) {
      expect(find(name)).toBeNull();
    }
    // Bytes that folding by a single bit would take for the letters or the dash of a name.
    expect(find("restore\rasking")).toBeNull();
    expect(find("restore-asking")).toBe("restore-asking");
    expect(find("\x07\x05\x14")).toBeNull();
    expect(find("GE\xd4")).toBeNull();
  });

  test("compares every byte of a name", () => {
    // A changed byte anywhere in a name makes it another name or none.
    for (const command of COMMANDS.slice(1)) {
      if (command.name.includes("|")) continue;
      for (let i = 0; i < command.name.length; i++) {
        const changed = `${command.name.slice(0, i)}~${command.name.slice(i + 1)}`;
        expect(find(changed)).toBeNull();
      }
    }
  });
});

describe("lookupSub", () => {
  test("finds every subcommand under its own container only", () => {
    for (const command of COMMANDS) {
      const [container, sub] = command.name.split("|");
      if (sub === undefined) continue;
      const bytes = Buffer.from(sub.toUpperCase());
      expect(lookupSub(named(container), bytes, 0, bytes.length)).toBe(command);
      expect(lookupSub(named("get"), bytes, 0, bytes.length)).toBeNull();
    }
  });

  test("finds nothing for a name that is none", () => {
    for (const name of ["", "g", "gett", "kil", "kill\0"]) {
      const bytes = Buffer.from(name);
      expect(lookupSub(named("client"), bytes, 0, bytes.length)).toBeNull();
    }
  });
});

describe("the table", () => {
  test("numbers its commands without gaps, and 0 stands for unknown ones", () => {
    COMMANDS.forEach((command, index) => expect(command.id).toBe(index));
    expect(COMMAND_COUNT).toBe(COMMANDS.length);
    expect(COMMANDS[0].name).toBe("unknown");
    expect(new Set(COMMANDS.map((command) => command.name)).size).toBe(COMMAND_COUNT);
  });

  test("says why it refuses a command, and only then", () => {
    for (const command of COMMANDS) {
      const isRefused = command.route === Route.REFUSE;
      expect([command.name, command.reason !== ""]).toEqual([command.name, isRefused]);
      expect([command.name, command.refusal.startsWith("ERR ")]).toEqual([command.name, isRefused]);
    }
    expect(named("multi").refusal).toMatch(
      /^ERR command 'multi' is not supported by the proxy yet: \w/,
    );
    expect(named("cluster|info").refusal).toBe("ERR This instance has cluster support disabled");
  });

  test("splits exactly the six commands that can be joined again", () => {
    const split = COMMANDS.filter((command) => command.route === Route.SPLIT);
    expect(Object.fromEntries(split.map((command) => [command.name, command.join]))).toEqual({
      mget: Join.ORDER,
      mset: Join.ALL_OK,
      del: Join.SUM,
      unlink: Join.SUM,
      exists: Join.SUM,
      touch: Join.SUM,
    });
  });

  test("forwards nothing that would change a connection shared with others", () => {
    const never = "auth select subscribe psubscribe ssubscribe multi exec watch monitor reset quit"
      .concat(" hello client|reply client|tracking client|kill sync psync replicaof slaveof debug")
      .concat(" shutdown cluster|reset migrate slotsmgrtone slotsrestore-async-select himport|set")
      .concat(" blpop bzpopmin blmpop wait waitaof config|set script|kill function|kill save");
    for (const name of never.split(" ")) {
      expect([name, named(name).route]).not.toEqual([name, Route.FORWARD]);
    }
  });

  test("lets a replica answer reads only, and no cursors, scripts or counters", () => {
    for (const command of COMMANDS) {
      if ((command.flags & Flag.MASTER_ONLY) !== 0) continue;
      expect([command.name, command.flags & (Flag.READONLY | Flag.WRITE)]).toEqual([
        command.name,
        Flag.READONLY,
      ]);
    }
    for (const name of ["hscan", "sscan", "zscan", "touch", "eval", "evalsha_ro", "object|freq"]) {
      expect([name, named(name).flags & Flag.MASTER_ONLY]).toEqual([name, Flag.MASTER_ONLY]);
    }
  });

  test("gives the only key of a plain command, and 0 for all others", () => {
    for (const command of COMMANDS) {
      const key = PLAIN_KEY[command.id];
      if (key === 0) continue;
      expect(command.keyRule).toBe(KeyRule.RANGE);
      expect(Math.abs(command.arity)).toBeGreaterThan(key);
    }
    expect(PLAIN_KEY[named("get").id]).toBe(1);
    expect(PLAIN_KEY[named("set").id]).toBe(1);
    for (const name of [
      "mget",
      "del",
      "multi",
      "object",
      "xread",
      "sort",
      "eval",
      "ping",
      "rename",
    ]) {
      expect([name, PLAIN_KEY[named(name).id]]).toEqual([name, 0]);
    }
  });
});

describe("arityOk", () => {
  test("takes exact counts and minimums as Redis does", () => {
    expect([1, 2, 3].map((argc) => arityOk(named("get"), argc))).toEqual([false, true, false]);
    expect([2, 3, 9].map((argc) => arityOk(named("set"), argc))).toEqual([false, true, true]);
    expect(arityOk(named("client"), 1)).toBe(false);
    expect(arityOk(named("command"), 1)).toBe(true);
  });

  test("wants a value for every key of MSET and MSETNX", () => {
    for (const name of ["mset", "msetnx"]) {
      expect([2, 3, 4, 5].map((argc) => arityOk(named(name), argc))).toEqual([
        false,
        true,
        false,
        true,
      ]);
    }
  });
});

describe("readTable", () => {
  const read = (text: string) => readTable({ group: "g", acl: "@string", text });

  test("reads a row and the notes on the line below it", () => {
    const [row, next] = read(`
sample  -3  rF  1:-1:2 ROa, WORD@4 OWu  forward  1.2.3  Does it
        [+@dangerous random old:2.0.0:OTHER+THING]
next     2  -   -                       local    1.0.0  Does more
`);
    expect(row).toMatchObject({ name: "sample", arity: -3, flags: ["readonly", "fast"] });
    expect(row.keys).toEqual([
      {
        flags: ["RO", "access"],
        begin: 1,
        keyword: "",
        isCounted: false,
        last: -1,
        step: 2,
        limit: 0,
      },
      {
        flags: ["OW", "update"],
        begin: 4,
        keyword: "WORD",
        isCounted: false,
        last: 0,
        step: 1,
        limit: 0,
      },
    ]);
    expect(row.acl).toEqual(["@string", "@dangerous"]);
    expect(row.tips).toEqual(["nondeterministic_output"]);
    expect([row.deprecatedSince, row.replacedBy]).toEqual(["2.0.0", "OTHER THING"]);
    expect(next.name).toBe("next");
  });

  test("refuses a row that it does not understand", () => {
    for (const line of [
      "sample  -3  rF  1 RO  forward  1.2.3",
      "sample  x   rF  1 RO  forward  1.2.3  Does it",
      "sample  -3  r?  1 RO  forward  1.2.3  Does it",
      "sample  -3  rF  one   forward  1.2.3  Does it",
      "sample  -3  rF  1 RO  forward  1.2    Does it",
      "sample  -3  rF  1 RO  forward  1.2.3  Does it  [nonsense]",
    ]) {
      expect(() => read(line)).toThrow();
    }
  });
});
