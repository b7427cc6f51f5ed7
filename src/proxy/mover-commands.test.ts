import { expect, test } from "bun:test";
import {
  moveCommand,
  type Outcome,
  outcomeOf,
  tagOutcomeOf,
  transfersIn,
} from "./mover-commands.ts";

const LOGIN = { password: "secret", username: "", token: "t" };
const ERRAND = {
  target: "10.0.0.2:6379",
  database: 3,
  timeoutMs: 500,
  isCopy: false,
  login: LOGIN,
};

test("keys move without REPLACE, with the password or the user of the product", () => {
  const keys = [Buffer.from("a"), Buffer.from("b")];
  const login = { ...LOGIN, password: "" };
  expect(moveCommand({ ...ERRAND, login }, keys, 0)).toEqual([
    ...["MIGRATE", "10.0.0.2", 6379, "", 3, 500, "KEYS", ...keys],
  ]);
  expect(moveCommand(ERRAND, keys, 0).slice(5, 8)).toEqual([500, "AUTH", "secret"]);
  const copy = moveCommand({ ...ERRAND, isCopy: true }, keys, 0);
  expect(copy.slice(4, 8)).toEqual([3, 500, "COPY", "AUTH"]);
  const user = { ...ERRAND, login: { ...LOGIN, username: "codis" } };
  expect(moveCommand(user, keys, 0).slice(6, 9)).toEqual(["AUTH2", "codis", "secret"]);
  const guarded = moveCommand(user, keys, 1000);
  expect(guarded.slice(2)).toEqual([
    ...[2, ...keys, 1000, "10.0.0.2", 6379, 3, 500, "AUTH2", "codis", "secret"],
  ]);
});

test("every reply to MIGRATE has its outcome", () => {
  const replies: [string, Outcome][] = [
    ["+OK", "moved"],
    ["+NOKEY", "moved"],
    ["*1\r\n$1\r\na", "big"],
    ["-ERR Target instance replied with error: BUSYKEY Target key name already exists.", "busy"],
    ["-IOERR error or timeout reading to target instance", "unknown"],
    ["-ERR Target instance replied with error: OOM command not allowed", "refused"],
    ["-ERR Target instance replied with error: NOPERM no permissions", "refused"],
    ["-READONLY You can't write against a read only replica.", "refused"],
    ["-LOADING Redis is loading the dataset in memory", "refused"],
    ["-ERR syntax error", "loginless"],
    ["-ERR unknown command 'EVAL', with args beginning with: ", "unguarded"],
    ["-NOPERM this user has no permissions to run the 'eval' command", "unguarded"],
    ["-ERR Unknown Redis command called from script script: 1f, on @user_script:4.", "unguarded"],
  ];
  for (const [reply, outcome] of replies) {
    expect([reply, outcomeOf(Buffer.from(`${reply}\r\n`), true)]).toEqual([reply, outcome]);
  }
  // The plain command is refused for good; there is nothing simpler to fall back on.
  expect(outcomeOf(Buffer.from("-NOPERM no\r\n"), false)).toBe("refused");
});

test("replies of codis-server have theirs", () => {
  expect(tagOutcomeOf(Buffer.from(":0\r\n"))).toBe("moved");
  expect(tagOutcomeOf(Buffer.from("-IOERR error or timeout writing to target\r\n"))).toBe(
    "unknown",
  );
  expect(tagOutcomeOf(Buffer.from("-ERR error on slotsrestore, migration failed\r\n"))).toBe(
    "unknown",
  );
  expect(tagOutcomeOf(Buffer.from("-ERR the specified DB is being migrated\r\n"))).toBe("refused");
});

test("only nameless connections that carry keys, or are new and from there, are ended", () => {
  const list = [
    "id=1 addr=10.0.0.1:5000 laddr=10.0.0.2:6379 fd=8 name= age=1 cmd=restore user=default",
    "id=2 addr=10.0.0.9:5000 laddr=10.0.0.2:6379 fd=8 name= age=1 cmd=restore-asking user=default",
    "id=3 addr=10.0.0.1:5001 laddr=10.0.0.2:6379 fd=8 name= age=0 cmd=NULL user=default",
    "id=4 addr=10.0.0.9:5001 laddr=10.0.0.2:6379 fd=8 name= age=0 cmd=select user=default",
    "id=5 addr=10.0.0.1:5002 laddr=10.0.0.2:6379 fd=8 name=codis-proxy-t age=0 cmd=select",
    "id=6 addr=10.0.0.1:5003 laddr=10.0.0.2:6379 fd=8 name= age=0 cmd=get user=default",
    "",
  ].join("\n");
  expect(transfersIn(list, "10.0.0.1:6379")).toEqual(["1", "2", "3"]);
  expect(transfersIn(list, "redis-1:6379")).toEqual(["1", "2", "3", "4"]);
});
