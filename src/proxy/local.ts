/**
 * What the proxy answers itself. `session.ts` calls `answer` for commands of route LOCAL, after the
 * arity was checked and the session found authorised; no bytes go to a server from here but for the
 * commands of local-slots.ts. The families have files of their own: local-auth.ts,
 * client-command.ts, config-command.ts, info-command.ts, command-info.ts.
 */
import type { Args } from "../resp/args.ts";
import type { ReplyWriter } from "../resp/write.ts";
import { CLIENT_HANDLERS, writeHelp } from "./client-command.ts";
import { COMMAND_HANDLERS } from "./command-info.ts";
import { COMMANDS, type Command, Route } from "./commands.ts";
import { CONFIG_HANDLERS } from "./config-command.ts";
import { E, notYet } from "./errors.ts";
import { answerAuth, answerHello, answerReset } from "./local-auth.ts";
import { integerArgument } from "./local-numbers.ts";
import { SLOT_HANDLERS } from "./local-slots.ts";
import type { LocalHandler, LocalSession, WorkerServices } from "./local-types.ts";

const INT32_MAX = 2 ** 31 - 1;
const INT32_MIN = -(2 ** 31);

const CONNECTION_HANDLERS: ReadonlyMap<string, LocalHandler> = new Map<string, LocalHandler>([
  ["auth", answerAuth],
  ["echo", (_session, args, out) => out.bulkRange(args.bytes, args.start(1), args.end(1))],
  ["hello", answerHello],
  ["lolwut", answerLolwut],
  ["quit", answerQuit],
  // Whether replicas are read is the proxy's setting, so both are accepted and change nothing.
  ["readonly", (_session, _args, out) => out.simple("OK")],
  ["readwrite", (_session, _args, out) => out.simple("OK")],
  ["reset", answerReset],
  ["role", answerRole],
  ["select", answerSelect],
  ["time", answerTime],
]);

/** By command id; null for commands that are not answered here. */
const HANDLERS: readonly (LocalHandler | null)[] = COMMANDS.map(handlerOf);

/**
 * Writes the reply into `out`, or reserves its place with `session.defer()` and writes nothing.
 * `args` is not kept.
 */
export function answer(
  session: LocalSession,
  command: Command,
  args: Args,
  out: ReplyWriter,
  services: WorkerServices,
): void {
  const handler = HANDLERS[command.id];
  if (handler === null) out.raw(notYet(command.name, "the proxy has no answer of its own"));
  else handler(session, args, out, services);
}

/** For the test that every command of route LOCAL is answered. */
export function hasAnswer(command: Command): boolean {
  return HANDLERS[command.id] !== null;
}

function handlerOf(command: Command): LocalHandler | null {
  const { name } = command;
  const own =
    CONNECTION_HANDLERS.get(name) ??
    SLOT_HANDLERS.get(name) ??
    CLIENT_HANDLERS.get(name) ??
    CONFIG_HANDLERS.get(name) ??
    COMMAND_HANDLERS.get(name);
  if (own !== undefined) return own;
  if (command.route === Route.LOCAL && name.endsWith("|help")) return helpOf(name);
  return null;
}

/** Lists the subcommands that the proxy takes, from the command table. */
function helpOf(name: string): LocalHandler {
  const container = name.slice(0, name.indexOf("|"));
  return (_session, _args, out) => {
    const lines = [
      `${container.toUpperCase()} <subcommand> [<arg> [value] [opt] ...]. Subcommands are:`,
    ];
    for (const command of COMMANDS) {
      if (!command.name.startsWith(`${container}|`) || command.route === Route.REFUSE) continue;
      lines.push(command.name.slice(container.length + 1).toUpperCase());
      lines.push(`    ${command.summary}.`);
    }
    writeHelp(lines, out);
  };
}

function answerQuit(session: LocalSession, _args: Args, out: ReplyWriter): void {
  out.simple("OK");
  session.closeAfterReplies();
}

function answerSelect(
  session: LocalSession,
  args: Args,
  out: ReplyWriter,
  services: WorkerServices,
): void {
  const index = integerArgument(args, 1);
  if (index === null) {
    out.raw(E.notInteger);
  } else if (index > INT32_MAX || index < INT32_MIN) {
    out.raw(E.notInt32);
  } else if (index < 0 || index >= services.config.backendNumberDatabases) {
    out.raw(E.dbOutOfRange);
  } else {
    if (index !== session.database) session.setDatabase(index);
    out.simple("OK");
  }
}

function answerTime(_session: LocalSession, _args: Args, out: ReplyWriter): void {
  const micros = microsNow();
  const seconds = Math.floor(micros / 1e6);
  out.array(2);
  out.bulk(String(seconds));
  out.bulk(String(micros - seconds * 1e6));
}

/** Wall-clock time of the process's fine clock, when that was last set right; milliseconds. */
let fineClockOrigin = Date.now() - performance.now();

/** Date.now with microseconds: the fine clock supplies them and is set right when the two part. */
function microsNow(): number {
  const coarse = Date.now();
  const fine = performance.now();
  if (fineClockOrigin + fine < coarse) fineClockOrigin = coarse - fine;
  else if (fineClockOrigin + fine >= coarse + 1) fineClockOrigin = coarse + 0.999 - fine;
  return Math.floor((fineClockOrigin + fine) * 1000);
}

/** A master without replicas, as far as a client may know. */
function answerRole(_session: LocalSession, _args: Args, out: ReplyWriter): void {
  out.array(3);
  out.bulk("master");
  out.integer(0);
  out.array(0);
}

function answerLolwut(
  _session: LocalSession,
  _args: Args,
  out: ReplyWriter,
  services: WorkerServices,
): void {
  out.verbatim(`Redis ver. ${services.config.proxyRedisVersion}\n`);
}
