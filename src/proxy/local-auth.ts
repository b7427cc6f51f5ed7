/**
 * Who a session is: AUTH, HELLO, RESET and the rules for the names that a client gives itself.
 * There is one user, "default", and its password is `session_auth`; an empty one lets everybody in.
 * Order and texts are those of Redis 7.0, including that HELLO applies its options one by one, so
 * that an error in a later option leaves the earlier ones in force.
 */
import { createHash, timingSafeEqual } from "node:crypto";
import type { ReplyWriter } from "../resp/write.ts";
import type { Args } from "../resp/args.ts";
import { E, helloOption } from "./errors.ts";
import { integerArgument } from "./local-numbers.ts";
import type { LocalSession, WorkerServices } from "./local-types.ts";

const DEFAULT_USER = "default";

/** AUTH password, AUTH user password. */
export function answerAuth(
  session: LocalSession,
  args: Args,
  out: ReplyWriter,
  services: WorkerServices,
): void {
  if (args.count > 3) {
    out.raw(E.syntax);
    return;
  }
  if (args.count === 2 && services.config.sessionAuth === "") {
    out.raw(E.authWithoutPassword);
    return;
  }
  const user = args.count === 3 ? args.text(1) : DEFAULT_USER;
  if (isRightPassword(user, args, args.count - 1, services)) {
    session.isAuthorized = true;
    session.user = user;
    out.simple("OK");
  } else {
    out.raw(E.wrongPass);
  }
}

/** HELLO [2|3 [AUTH user password] [SETNAME name]]. */
export function answerHello(
  session: LocalSession,
  args: Args,
  out: ReplyWriter,
  services: WorkerServices,
): void {
  let proto: 2 | 3 = session.proto;
  if (args.count >= 2) {
    const asked = integerArgument(args, 1);
    if (asked !== 2 && asked !== 3) {
      out.raw(asked === null ? E.protoNotInteger : E.noProto);
      return;
    }
    proto = asked;
  }
  const refusal = applyHelloOptions(session, args, services);
  if (refusal !== null) {
    out.raw(refusal);
    return;
  }
  if (proto !== session.proto) session.setProtocol(proto);
  out.proto = proto;
  out.map(7);
  out.bulk("server");
  out.bulk("redis");
  out.bulk("version");
  out.bulk(services.config.proxyRedisVersion);
  out.bulk("proto");
  out.integer(proto);
  out.bulk("id");
  out.integer(session.id);
  out.bulk("mode");
  out.bulk("standalone");
  out.bulk("role");
  out.bulk("master");
  out.bulk("modules");
  out.array(0);
}

/** The error that ends the command, or null. */
function applyHelloOptions(
  session: LocalSession,
  args: Args,
  services: WorkerServices,
): Uint8Array | null {
  let i = 2;
  while (i < args.count) {
    const left = args.count - 1 - i;
    if (left >= 2 && args.equals(i, "auth")) {
      const user = args.text(i + 1);
      if (!isRightPassword(user, args, i + 2, services)) return E.wrongPass;
      session.isAuthorized = true;
      session.user = user;
      i += 3;
    } else if (left >= 1 && args.equals(i, "setname")) {
      const name = args.text(i + 1);
      if (!isPlainText(name)) return E.invalidClientName;
      session.name = name;
      i += 2;
    } else {
      return helloOption(args, i);
    }
  }
  return session.isAuthorized ? null : E.noAuthHello;
}

/** RESET: the session is as it was when the client connected, but for its library's name. */
export function answerReset(
  session: LocalSession,
  _args: Args,
  out: ReplyWriter,
  services: WorkerServices,
): void {
  if (session.database !== 0) session.setDatabase(0);
  if (session.proto !== 2) session.setProtocol(2);
  out.proto = 2;
  session.isAuthorized = services.config.sessionAuth === "";
  session.user = DEFAULT_USER;
  session.name = "";
  session.noTouch = false;
  out.simple("RESET");
}

/** Printable ASCII without spaces: what may stand in a line of CLIENT LIST. "" passes. */
export function isPlainText(text: string): boolean {
  return /^[!-~]*$/.test(text);
}

/** Compares digests, so that neither content nor length of the password shows in the time taken. */
function isRightPassword(
  user: string,
  args: Args,
  index: number,
  services: WorkerServices,
): boolean {
  if (user !== DEFAULT_USER) return false;
  const expected = services.config.sessionAuth;
  if (expected === "") return true;
  const given = args.bytes.subarray(args.start(index), args.end(index));
  return timingSafeEqual(digest(given), digest(expected));
}

function digest(secret: Uint8Array | string): Buffer {
  return createHash("sha256").update(secret).digest();
}
