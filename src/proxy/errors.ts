/**
 * Every error line a client can see. What Redis 7 also says is spelled as Redis 7 spells it,
 * because clients match on these texts; what only a proxy can say begins as the original proxy
 * began it ("handle request," before a request left, "handle response," after), so that existing
 * log filters and alerts go on working. Constants are encoded once and end in CRLF; functions build
 * the lines that name something. An error here is a reply and never an exception, and nothing in
 * this file closes a connection.
 */
import type { Args } from "../resp/args.ts";

/**
 * How many bytes of a command's name, and of all its arguments together, Redis repeats in an error.
 */
const QUOTED_BYTES = 128;
/** Where Redis sets no limit, an error line should still not carry megabytes. */
const MAX_QUOTED = 4096;

/** An EXEC that is refused ends its transaction, and Redis says so first. */
const EXEC_ABORT = "EXECABORT Transaction discarded because of:";

/** One complete error line; CR and LF inside become spaces, as in Redis. Latin1, like Args.text. */
export function errorLine(text: string): Buffer {
  const clean = text.replace(/[\r\n]/g, " ");
  return Buffer.from(`-${clean}\r\n`, "latin1");
}

function protocolError(text: string): Buffer {
  return errorLine(`ERR Protocol error: ${text}`);
}

export const E = {
  // Any command.
  syntax: errorLine("ERR syntax error"),
  notInteger: errorLine("ERR value is not an integer or out of range"),
  notInt32: errorLine("ERR value is out of range, value must between -2147483648 and 2147483647"),
  crossSlot: errorLine("CROSSSLOT Keys in request don't hash to the same slot"),

  // COMMAND GETKEYS.
  noKeyArguments: errorLine("ERR The command has no key arguments"),
  invalidCommandArguments: errorLine("ERR Invalid arguments specified for command"),
  invalidCommand: errorLine("ERR Invalid command specified"),

  // Authorisation and the handshake.
  noAuth: errorLine("NOAUTH Authentication required."),
  noAuthExec: errorLine(`${EXEC_ABORT} NOAUTH Authentication required.`),
  noAuthHello: errorLine(
    "NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO AUTH " +
      "<user> <pass> option can be used to authenticate the client and select the RESP protocol " +
      "version at the same time",
  ),
  wrongPass: errorLine("WRONGPASS invalid username-password pair or user is disabled."),
  authWithoutPassword: errorLine(
    "ERR AUTH <password> called without any password configured for the default user. Are you " +
      "sure your configuration is correct?",
  ),
  noProto: errorLine("NOPROTO unsupported protocol version"),
  protoNotInteger: errorLine("ERR Protocol version is not an integer or out of range"),
  dbOutOfRange: errorLine("ERR DB index is out of range"),

  // CLIENT.
  invalidClientName: errorLine(
    "ERR Client names cannot contain spaces, newlines or special characters.",
  ),
  invalidClientId: errorLine("ERR Invalid client ID"),
  clientIdNotPositive: errorLine("ERR client-id should be greater than 0"),
  noSuchClient: errorLine("ERR No such client"),
  unblockReason: errorLine("ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR"),

  parentLost: errorLine("ERR handle request, the proxy's parent process does not answer"),

  // Accepting, and the life of a session.
  maxClients: errorLine("ERR max number of clients reached"),
  notOnline: errorLine("ERR router is not online"),

  // Sent before closing a connection whose bytes are not RESP.
  protoMultibulkLength: protocolError("invalid multibulk length"),
  protoMultibulkTooBig: protocolError("too big mbulk count string"),
  protoMultibulkNoAuth: protocolError("unauthenticated multibulk length"),
  protoBulkLength: protocolError("invalid bulk length"),
  protoBulkTooBig: protocolError("too big bulk count string"),
  protoBulkNoAuth: protocolError("unauthenticated bulk length"),
  protoInlineTooBig: protocolError("too big inline request"),
  protoUnbalancedQuotes: protocolError("unbalanced quotes in request"),

  // Only a proxy can say these.
  slotOffline: errorLine("ERR handle request, slot is not ready, may be offline"),
  backendReset: errorLine("ERR handle request, backend conn reset"),
  fenced: errorLine(
    "ERR the proxy is fenced: its dashboard could not reach it and has shut it out of this server",
  ),
  slotHeldTooLong: errorLine(
    "TRYAGAIN the slot was held for too long; the request was not carried out",
  ),
  slotMovesTooLong: errorLine(
    "TRYAGAIN the key could not be moved in time; the request was not carried out",
  ),
  keysApart: errorLine(
    "TRYAGAIN one of the keys is too large to move with the others yet; nothing was carried out",
  ),
  keysUnclear: errorLine(
    "TRYAGAIN the slot is being moved, and not all keys that the patterns of SORT read are known",
  ),
  slotHoldFull: errorLine("ERR handle request, too many requests are waiting for the slot"),
} as const satisfies Record<string, Buffer>;

/** A request that was sent, or may have been: its effect is unknown to the client. */
export function replyFailed(cause: string): Buffer {
  return errorLine(`ERR handle response, ${cause}`);
}

/** The connection broke under a request; `cause` as the original words it, e.g. "EOF". */
export function backendFailed(address: string, cause: string): Buffer {
  return replyFailed(`backend conn failure, ${cause} (${address})`);
}

/** codis-server's wrapper of a command answered with an error, or with what is no answer of it. */
export function badWrapperReply(cause: string): Buffer {
  return replyFailed(`bad slotsmgrt-exec-wrapper resp: ${cause}`);
}

/** A part of a split request was answered with something its join rule cannot take. */
export function badSplitReply(name: string): Buffer {
  return replyFailed(`bad ${name} resp: unexpected reply type`);
}

/** `name` is the command's lower-case full name, "get" or "config|get". */
export function wrongArity(name: string): Buffer {
  const text = `wrong number of arguments for '${name}' command`;
  return name === "exec" ? errorLine(`${EXEC_ABORT} ${text}`) : errorLine(`ERR ${text}`);
}

/** A command or subcommand of Redis that the proxy does not carry yet. */
export function notYet(name: string, reason: string): Buffer {
  return errorLine(`ERR command '${name}' is not supported by the proxy yet: ${reason}`);
}

/** A request array whose element does not start with '$' but with `byte`; the connection closes. */
export function expectedBulk(byte: number): Buffer {
  return protocolError(`expected '$', got '${String.fromCharCode(byte)}'`);
}

/** Redis repeats the name and the first 128 bytes of the arguments, each cut at a NUL. */
export function unknownCommand(args: Args): Buffer {
  let quoted = "";
  for (let i = 1; i < args.count && quoted.length < QUOTED_BYTES; i++) {
    quoted += `'${quotable(args, i, QUOTED_BYTES - quoted.length)}' `;
  }
  const name = quotable(args, 0, QUOTED_BYTES);
  return errorLine(`ERR unknown command '${name}', with args beginning with: ${quoted}`);
}

/** Argument 0 is a known container command ("CONFIG"), argument 1 none of its subcommands. */
export function unknownSubcommand(args: Args): Buffer {
  const name = quotable(args, 1, QUOTED_BYTES);
  const container = args.text(0).toUpperCase();
  return errorLine(`ERR unknown subcommand '${name}'. Try ${container} HELP.`);
}

/** HELLO with an option that is none, or that lacks its value. */
export function helloOption(args: Args, index: number): Buffer {
  return errorLine(`ERR Syntax error in HELLO option '${quotable(args, index)}'`);
}

/** CLIENT LIST and CLIENT KILL with TYPE. */
export function unknownClientType(args: Args, index: number): Buffer {
  return errorLine(`ERR Unknown client type '${quotable(args, index)}'`);
}

/** CLIENT KILL with USER. */
export function noSuchUser(args: Args, index: number): Buffer {
  return errorLine(`ERR No such user '${quotable(args, index)}'`);
}

/** CLIENT SETINFO with an attribute that is none; Redis 7.2 has the command. */
export function unrecognizedOption(args: Args, index: number): Buffer {
  return errorLine(`ERR Unrecognized option '${quotable(args, index)}'`);
}

/** CLIENT SETINFO with a value that would break the lines of CLIENT LIST. */
export function invalidClientAttribute(args: Args, index: number): Buffer {
  const name = quotable(args, index);
  return errorLine(`ERR ${name} cannot contain spaces, newlines or special characters.`);
}

/** PING, INFO or SLOTSINFO for a server that no slot of this proxy uses. */
export function serverNotFound(address: string): Buffer {
  return errorLine(`ERR backend server '${address}' not found`);
}

/** SLOTSSCAN and SLOTSMAPPING; the cause is "out of range" or "not an integer". */
export function badSlot(args: Args, index: number, cause: string): Buffer {
  return errorLine(`ERR parse slotnum '${quotable(args, index, QUOTED_BYTES)}' failed, ${cause}`);
}

/** Redis prints arguments as C strings, so a NUL ends them. */
function quotable(args: Args, index: number, limit = MAX_QUOTED): string {
  const text = args.text(index);
  const nul = text.indexOf("\0");
  return text.slice(0, nul < 0 ? limit : Math.min(nul, limit));
}
