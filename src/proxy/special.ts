/**
 * Requests that are not a plain forward: unknown or refused commands, wrong arity, clients that
 * have not authenticated, several keys, and what the proxy answers itself. `Session.onRequest`
 * comes here with whatever it cannot send on directly; the checks are made in Redis' order.
 */
import type { LargeRequest } from "../resp/large.ts";
import * as scan from "../resp/args.ts";
import { slotOf } from "../model/slot.ts";
import { findKeys, KEYS_APART, keyIndex, mayBlock } from "./command-keys.ts";
import { arityOk, type Command, Flag, lookup, lookupSub, PLAIN_KEY, Route } from "./commands.ts";
import * as errors from "./errors.ts";
import { E } from "./errors.ts";
import { answer } from "./local.ts";
import { takeRequest } from "./request.ts";
import type { Session } from "./session.ts";
import { splitRequest } from "./split.ts";

/** From here on a request would keep the others of a shared connection waiting for too long. */
const GIANT_BYTES = 1024 * 1024;

/** Handles one request completely. `command` is null when the name is unknown. */
export function onSpecialRequest(session: Session, command: Command | null, args: scan.Args): void {
  if (command === null) {
    session.replyTo(null, errors.unknownCommand(args));
    return;
  }
  let actual = command;
  if (command.subcommands !== null && args.count > 1) {
    const sub = lookupSub(command, args.bytes, args.start(1), args.end(1));
    if (sub === null) {
      session.replyTo(command, errors.unknownSubcommand(args));
      return;
    }
    actual = sub;
  }
  session.last = actual;
  if (!arityOk(actual, args.count)) session.replyTo(actual, errors.wrongArity(actual.name));
  else if (!session.isAuthorized && (actual.flags & Flag.NO_AUTH) === 0) {
    session.replyTo(actual, actual.name === "exec" ? E.noAuthExec : E.noAuth);
  } else route(session, actual, args);
}

function route(session: Session, command: Command, args: scan.Args): void {
  switch (command.route) {
    case Route.LOCAL:
      answerLocally(session, command, args);
      return;
    case Route.REFUSE:
      refuse(session, command);
      return;
  }
  if ((command.flags & Flag.BLOCKING) !== 0 && mayBlock(command, args)) {
    session.replyTo(command, errors.notYet(command.name, "it may wait for data on one server"));
    return;
  }
  const keys = findKeys(command, args);
  if (keys === KEYS_APART) session.replyTo(command, E.crossSlot);
  else if (command.route === Route.SPLIT && keys > 1) splitRequest(session, command, args, keys);
  else forwardKeys(session, command, args, keys);
}

/**
 * The words with which a web page would begin that was made to talk to Redis: no answer, the end.
 */
function refuse(session: Session, command: Command): void {
  if (command.name === "host:" || command.name === "post") session.close();
  else session.replyTo(command, errors.errorLine(command.refusal));
}

function answerLocally(session: Session, command: Command, args: scan.Args): void {
  const { writer, services } = session.context;
  writer.proto = session.proto;
  answer(session, command, args, writer, services);
  if (writer.length > 0) session.replyTo(command, writer.take());
  session.reader.isRestricted = !session.isAuthorized;
}

/**
 * One command, all of whose keys must be in one slot. One without keys goes to slot 0: it needs any
 * server, or it is malformed and that server words the error.
 */
function forwardKeys(session: Session, command: Command, args: scan.Args, keys: number): void {
  const slot = slotOfKeys(args, keys);
  if (slot < 0) {
    session.replyTo(command, E.crossSlot);
    return;
  }
  const request = takeRequest();
  request.slot = slot;
  session.enqueue(request, command);
  session.context.router.dispatch(request, scan.asBuffer(args.bytes), args.from, args.to);
}

/** The slot of the keys that `findKeys` found; -1 when they are in different ones. */
function slotOfKeys(args: scan.Args, keys: number): number {
  let slot = keys === 0 ? 0 : -1;
  for (let i = 0; i < keys; i++) {
    const next = slotOf(args.bytes, args.start(keyIndex[i]), args.end(keyIndex[i]));
    if (slot >= 0 && next !== slot) return -1;
    slot = next;
  }
  return slot;
}

/**
 * A request in pieces: sent on as it is when it has one key, else joined and treated as any other.
 */
export function onSpecialLarge(session: Session, large: LargeRequest): void {
  const name = large.argument(0);
  const command = lookup(name, 0, name.length);
  const key = command === null ? 0 : PLAIN_KEY[command.id];
  if (
    command === null ||
    key === 0 ||
    !session.isAuthorized ||
    !arityOk(command, large.args.count)
  ) {
    large.join();
    onSpecialRequest(session, command, large.args);
    return;
  }
  session.last = command;
  const keyBytes = large.argument(key);
  const request = takeRequest();
  request.slot = slotOf(keyBytes, 0, keyBytes.length);
  session.enqueue(request, command);
  if (large.totalBytes >= GIANT_BYTES) session.sendAlone(request, large.pieces);
  else session.context.router.dispatchPieces(request, large.pieces);
}

/** What Redis says before it closes a connection whose bytes make no sense. */
export function protocolError(code: number, badByte: number): Buffer {
  switch (code) {
    case scan.BAD_COUNT:
      return E.protoMultibulkLength;
    case scan.BAD_BULK_LENGTH:
      return E.protoBulkLength;
    case scan.EXPECTED_DOLLAR:
      return errors.expectedBulk(badByte);
    case scan.COUNT_LINE_TOO_LONG:
      return E.protoMultibulkTooBig;
    case scan.BULK_LINE_TOO_LONG:
      return E.protoBulkTooBig;
    case scan.INLINE_TOO_LONG:
      return E.protoInlineTooBig;
    case scan.COUNT_UNAUTHENTICATED:
      return E.protoMultibulkNoAuth;
    case scan.BULK_UNAUTHENTICATED:
      return E.protoBulkNoAuth;
    default:
      return E.protoUnbalancedQuotes;
  }
}
