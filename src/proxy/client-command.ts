/**
 * CLIENT and its subcommands, as far as a proxy can answer them. What concerns the asking session
 * is answered at once; LIST and KILL reach the sessions of all workers through the parent.
 */
import type { Args } from "../resp/args.ts";
import { ReplyWriter } from "../resp/write.ts";
import {
  E,
  invalidClientAttribute,
  noSuchUser,
  unknownClientType,
  unrecognizedOption,
} from "./errors.ts";
import { isPlainText } from "./local-auth.ts";
import { EVERY_CLIENT, clientLine, clientMatches } from "./local-clients.ts";
import { integerArgument } from "./local-numbers.ts";
import type {
  ClientFilter,
  ClientRow,
  LocalHandler,
  LocalSession,
  WorkerServices,
} from "./local-types.ts";

/** Writes the answers that arrive after their command; each is taken out before the next begins. */
const late = new ReplyWriter(2);

const CLIENT_TYPES: ReadonlyMap<string, string> = new Map([
  ["normal", "normal"],
  ["master", "master"],
  ["replica", "replica"],
  ["slave", "replica"],
  ["pubsub", "pubsub"],
]);

const HELP = [
  "CLIENT <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
  "GETNAME",
  "    The name this connection was given.",
  "GETREDIR",
  "    Where tracking messages are redirected to: -1, there is no tracking.",
  "ID",
  "    The number of this connection, unique over the whole proxy.",
  "INFO",
  "    The line of this connection in CLIENT LIST.",
  "KILL <ip:port>",
  "    Close the connection from this address.",
  "KILL <option> <value> [<option> <value> [...]]",
  "    Close the connections that fulfil every option:",
  "    * ADDR <ip:port>, LADDR <ip:port>, ID <client-id>, USER <username>",
  "    * TYPE (NORMAL|MASTER|REPLICA|PUBSUB)",
  "    * SKIPME (YES|NO), whether this connection is spared; it is by default.",
  "LIST [TYPE (NORMAL|MASTER|REPLICA|PUBSUB)] [ID <client-id> [...]]",
  "    One line for each connection to the proxy.",
  "NO-EVICT (ON|OFF)",
  "    Accepted and shown in CLIENT LIST; the proxy evicts no clients.",
  "NO-TOUCH (ON|OFF)",
  "    Accepted and shown in CLIENT LIST.",
  "SETINFO (LIB-NAME|LIB-VER) <value>",
  "    Say which client library this is.",
  "SETNAME <name>",
  "    Give this connection a name.",
  "TRACKINGINFO",
  "    The state of tracking for this connection: off.",
  "HELP",
  "    This text.",
];

export const CLIENT_HANDLERS: ReadonlyMap<string, LocalHandler> = new Map<string, LocalHandler>([
  ["client|id", (session, _args, out) => out.integer(session.id)],
  ["client|getname", answerGetName],
  ["client|setname", answerSetName],
  ["client|setinfo", answerSetInfo],
  [
    "client|info",
    (session, _args, out) => out.verbatim(`${clientLine(session, performance.now())}\n`),
  ],
  ["client|list", answerList],
  ["client|kill", answerKill],
  ["client|no-evict", answerNoEvict],
  ["client|no-touch", answerNoTouch],
  ["client|getredir", (_session, _args, out) => out.integer(-1)],
  ["client|trackinginfo", answerTrackingInfo],
  ["client|unblock", answerUnblock],
  ["client|help", (_session, _args, out) => writeHelp(HELP, out)],
]);

/** Help texts are arrays of simple strings. */
export function writeHelp(lines: readonly string[], out: ReplyWriter): void {
  out.array(lines.length);
  for (const line of lines) out.simple(line);
}

function answerGetName(session: LocalSession, _args: Args, out: ReplyWriter): void {
  if (session.name === "") out.null();
  else out.bulk(session.name);
}

function answerSetName(session: LocalSession, args: Args, out: ReplyWriter): void {
  const name = args.text(2);
  if (!isPlainText(name)) {
    out.raw(E.invalidClientName);
    return;
  }
  session.name = name;
  out.simple("OK");
}

function answerSetInfo(session: LocalSession, args: Args, out: ReplyWriter): void {
  const isName = args.equals(2, "lib-name");
  if (!isName && !args.equals(2, "lib-ver")) {
    out.raw(unrecognizedOption(args, 2));
    return;
  }
  const value = args.text(3);
  if (!isPlainText(value)) {
    out.raw(invalidClientAttribute(args, 2));
    return;
  }
  if (isName) session.libName = value;
  else session.libVersion = value;
  out.simple("OK");
}

function answerNoEvict(session: LocalSession, args: Args, out: ReplyWriter): void {
  const isOn = onOff(args, out);
  if (isOn !== null) session.noEvict = isOn;
}

function answerNoTouch(session: LocalSession, args: Args, out: ReplyWriter): void {
  const isOn = onOff(args, out);
  if (isOn !== null) session.noTouch = isOn;
}

/** Answers as well: OK, or the error together with null. */
function onOff(args: Args, out: ReplyWriter): boolean | null {
  const isOn = args.equals(2, "on");
  if (!isOn && !args.equals(2, "off")) {
    out.raw(E.syntax);
    return null;
  }
  out.simple("OK");
  return isOn;
}

function answerTrackingInfo(_session: LocalSession, _args: Args, out: ReplyWriter): void {
  out.map(3);
  out.bulk("flags");
  out.set(1);
  out.bulk("off");
  out.bulk("redirect");
  out.integer(-1);
  out.bulk("prefixes");
  out.array(0);
}

/** No client of the proxy blocks inside Redis, so there is never one to wake. */
function answerUnblock(_session: LocalSession, args: Args, out: ReplyWriter): void {
  if (args.count > 3 && !args.equals(3, "timeout") && !args.equals(3, "error")) {
    out.raw(E.unblockReason);
    return;
  }
  if (integerArgument(args, 2) === null) out.raw(E.notInteger);
  else out.integer(0);
}

function answerList(
  session: LocalSession,
  args: Args,
  out: ReplyWriter,
  services: WorkerServices,
): void {
  const filter = listFilter(args, out);
  if (filter === null) return;
  const deferred = session.defer();
  const proto = session.proto;
  services.askParent({ kind: "clients", filter }, (answer) => {
    late.proto = proto;
    if (!isClientRows(answer)) late.raw(E.parentLost);
    else late.verbatim(inListOrder(answer, filter.ids).join(""));
    deferred.finish(late.take());
  });
}

/** Null after it answered with an error itself. */
function listFilter(args: Args, out: ReplyWriter): ClientFilter | null {
  if (args.count === 2) return EVERY_CLIENT;
  if (args.count === 4 && args.equals(2, "type")) {
    const type = CLIENT_TYPES.get(args.text(3).toLowerCase());
    if (type !== undefined) return { ...EVERY_CLIENT, type };
    out.raw(unknownClientType(args, 3));
    return null;
  }
  if (args.count < 4 || !args.equals(2, "id")) {
    out.raw(E.syntax);
    return null;
  }
  const ids: number[] = [];
  for (let i = 3; i < args.count; i++) {
    const id = integerArgument(args, i);
    if (id === null) {
      out.raw(E.invalidClientId);
      return null;
    }
    ids.push(id);
  }
  return { ...EVERY_CLIENT, ids };
}

/**
 * Lines oldest client first or, when ids were named, in the order of the ids, repeated like them.
 */
function inListOrder(rows: readonly ClientRow[], ids: readonly number[] | null): string[] {
  if (ids === null) {
    return [...rows].sort((a, b) => a.id - b.id).map((row) => `${row.line}\n`);
  }
  const byId = new Map(rows.map((row) => [row.id, `${row.line}\n`]));
  return ids.map((id) => byId.get(id) ?? "");
}

function answerKill(
  session: LocalSession,
  args: Args,
  out: ReplyWriter,
  services: WorkerServices,
): void {
  const isOldForm = args.count === 3;
  let filter: ClientFilter;
  let spareSelf = false;
  if (isOldForm) {
    filter = { ...EVERY_CLIENT, address: args.text(2) };
  } else {
    const options = killOptions(args, out);
    if (options === null) return;
    filter = options.filter;
    spareSelf = options.spareSelf;
  }
  // This session ends only after its reply, so it is left out of what the workers are asked to end.
  const isSelfHit = !spareSelf && clientMatches(session, filter);
  const deferred = session.defer();
  services.askParent({ kind: "kill", filter: { ...filter, exceptId: session.id } }, (answer) => {
    const killed = (typeof answer === "number" ? answer : 0) + (isSelfHit ? 1 : 0);
    if (typeof answer !== "number") late.raw(E.parentLost);
    else if (!isOldForm) late.integer(killed);
    else if (killed > 0) late.simple("OK");
    else late.raw(E.noSuchClient);
    deferred.finish(late.take());
  });
  if (isSelfHit) session.closeAfterReplies();
}

/** The filters of the new form; null after it answered with an error itself. */
function killOptions(
  args: Args,
  out: ReplyWriter,
): { filter: ClientFilter; spareSelf: boolean } | null {
  const filter: { -readonly [Field in keyof ClientFilter]: ClientFilter[Field] } = {
    ...EVERY_CLIENT,
  };
  let spareSelf = true;
  for (let i = 2; i < args.count; i += 2) {
    const value = i + 1;
    if (value === args.count) return refuse(out, E.syntax);
    if (args.equals(i, "id")) {
      const id = integerArgument(args, value);
      if (id === null || id < 1) return refuse(out, E.clientIdNotPositive);
      filter.ids = [id];
    } else if (args.equals(i, "type")) {
      const type = CLIENT_TYPES.get(args.text(value).toLowerCase());
      if (type === undefined) return refuse(out, unknownClientType(args, value));
      filter.type = type;
    } else if (args.equals(i, "addr")) {
      filter.address = args.text(value);
    } else if (args.equals(i, "laddr")) {
      filter.localAddress = args.text(value);
    } else if (args.equals(i, "user")) {
      if (args.text(value) !== "default") return refuse(out, noSuchUser(args, value));
      filter.user = "default";
    } else if (args.equals(i, "skipme")) {
      spareSelf = args.equals(value, "yes");
      if (!spareSelf && !args.equals(value, "no")) return refuse(out, E.syntax);
    } else {
      return refuse(out, E.syntax);
    }
  }
  return { filter, spareSelf };
}

function refuse(out: ReplyWriter, error: Uint8Array): null {
  out.raw(error);
  return null;
}

/** Answers of other processes are looked at before they are believed. */
function isClientRows(answer: unknown): answer is ClientRow[] {
  return (
    Array.isArray(answer) &&
    answer.every(
      (row: unknown) =>
        typeof row === "object" &&
        row !== null &&
        "id" in row &&
        typeof row.id === "number" &&
        "line" in row &&
        typeof row.line === "string",
    )
  );
}
