// One MIGRATE: the command for a server, and what its reply means. Always without REPLACE: a key
// that is at the target wins, since it is at least as new as the one at the source; with REPLACE a
// late packet or a source that lost its tail would undo what clients wrote at the target.

import { parseAddress } from "../lib/address.ts";
import { assert } from "../lib/assert.ts";
import type { Argument } from "../redis/client.ts";
import { type Reply, ReplyError } from "../resp/value.ts";
import { isAtLeast, kindText, type ServerKind } from "./server-kind.ts";
import type { Login } from "./types.ts";

/**
 * How long the source waits for the target each time it reads or writes. A target that hangs stops
 * the source for twice as long.
 */
export const MIGRATE_TIMEOUT_MS = 300;

/** How long we wait for the reply: the timeout above holds for every single key. */
export const MIGRATE_CALL_TIMEOUT_MS = 15_000;

export interface MigrateCommand {
  readonly source: ServerKind;
  readonly target: string;
  readonly login: Login;
  readonly database: number;
  readonly keys: readonly Uint8Array[];
  readonly isCopy?: boolean;
  readonly timeoutMs?: number;
}

export function migrateCommand(command: MigrateCommand): Argument[] {
  const { database, keys, login } = command;
  const place = parseAddress(command.target);
  assert(place !== null, "a target is host:port");
  const timeoutMs = command.timeoutMs ?? MIGRATE_TIMEOUT_MS;
  return [
    ...["MIGRATE", place.host || "127.0.0.1", place.port, "", database, timeoutMs],
    ...(command.isCopy === true ? ["COPY"] : []),
    ...credentials(command.source, login),
    "KEYS",
    ...keys,
  ];
}

/** Servers before 4.0.7, codis-server among them, can log in nowhere. */
function credentials(source: ServerKind, login: Login): string[] {
  if (source.isCodis || !isAtLeast(source, 4, 0) || login.password === "") return [];
  if (login.username !== "") return ["AUTH2", login.username, login.password];
  return ["AUTH", login.password];
}

/**
 * done: none of the keys is at the source any more. busy: all are gone except those that the target
 * has too. late: nobody knows what became of each key, and packets may still be under way. passing:
 * nothing happened, it may work later. key: one of the keys cannot go over. stop: somebody has to
 * do something first.
 */
export type MigrateOutcome =
  | { readonly kind: "done" | "busy" }
  | { readonly kind: "late" | "passing" | "key" | "stop"; readonly reason: string };

/** Codes that say "not now"; from the source itself or passed on from the target. */
const PASSING = ["NOREPLICAS", "MISCONF", "LOADING", "MASTERDOWN", "TRYAGAIN", "BUSY"];

/** What a server says to a value that a newer one has written. */
export const WRONG_DUMP = "DUMP payload version or checksum are wrong";

export function unreadable(source: ServerKind, target: string): string {
  return `${target} cannot read what ${kindText(source)} writes: move to a server as new as that`;
}

export function outcomeOf(reply: Reply, command: MigrateCommand, source: string): MigrateOutcome {
  if (!(reply instanceof ReplyError)) return { kind: "done" };
  const { target } = command;
  const text = reply.message;
  if (reply.code === "IOERR" || text.includes("Can't connect to target")) {
    return { kind: "late", reason: `${source} cannot reach ${target}: ${text}` };
  }
  const passedOn = /Target instance replied with error: (.*)$/s.exec(text)?.[1];
  if (passedOn === undefined) return ownError(text, reply.code, source);
  const code = passedOn.split(" ", 1)[0];
  if (code === "BUSYKEY") return { kind: "busy" };
  const said = `${target} answers ${source}: ${passedOn}`;
  if (PASSING.includes(code)) return { kind: "passing", reason: said };
  if (code === "OOM") {
    return {
      kind: "stop",
      reason: `${target} is out of memory: raise its maxmemory (${passedOn})`,
    };
  }
  if (code === "READONLY") {
    return { kind: "stop", reason: `${target} is a replica: name the master of its group` };
  }
  if (["NOAUTH", "WRONGPASS", "NOPERM"].includes(code)) {
    return { kind: "stop", reason: `${said}; ${loginAdvice(command)}` };
  }
  if (passedOn.includes(WRONG_DUMP)) {
    return { kind: "stop", reason: unreadable(command.source, target) };
  }
  if (passedOn.includes("DB index is out of range")) {
    const reason = `${target} has no database ${command.database}: raise databases there`;
    return { kind: "stop", reason };
  }
  if (passedOn.startsWith("ERR unknown command")) {
    return { kind: "stop", reason: `${said}; RESTORE must not be renamed there` };
  }
  return { kind: "key", reason: said };
}

function ownError(text: string, code: string, source: string): MigrateOutcome {
  const reason = `${source} answers: ${text}`;
  if (PASSING.includes(code)) return { kind: "passing", reason };
  if (code === "READONLY") {
    return { kind: "stop", reason: `${source} is a replica: name the master of its group` };
  }
  return { kind: "stop", reason };
}

function loginAdvice({ source, login }: MigrateCommand): string {
  if (credentials(source, login).length > 0 || login.password === "") {
    const who = login.username === "" ? "the default user" : `user ${login.username}`;
    return `allow RESTORE and SELECT to ${who} there`;
  }
  return (
    `${kindText(source)} cannot log in when it sends keys: let the default user there RESTORE ` +
    `and SELECT without a password, or use the method replica`
  );
}
