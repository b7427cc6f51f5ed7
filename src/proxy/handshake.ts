/**
 * What a new connection says before the first request: AUTH when the product has a password, HELLO
 * 3 when the lane is RESP3, its name, whether this proxy is fenced (`model/fence.ts`), and SELECT
 * when the database is not 0. Requests wait until the server has agreed to all of it, so that none
 * runs in the wrong database. Used by `backend.ts` only.
 */
import { FENCE_KEY, proxyConnectionName } from "../model/fence.ts";
import { KNOWS_NO_USERS } from "../redis/login.ts";
import { MORE, ReplyCursor } from "../resp/reply.ts";

/** Who we are to a server. */
export interface Login {
  /** Empty: none is given. */
  readonly password: string;
  /** Empty: the default user. */
  readonly username: string;
  /** The proxy's token; empty: it has none and cannot be fenced. */
  readonly token: string;
}

/** The verdict on a proxy that a dashboard has shut out. */
export const FENCED = "the dashboard has fenced this proxy";

/** A server that refuses these is served without a fence, as the original serves all. */
type Kind = "user" | "needed" | "name" | "fence";

/** Errors that pass, or that every request will get as well. */
const EXPECTED = /^(LOADING|MASTERDOWN|NOAUTH)/;

export class Handshake {
  /** To be written when the connection opens, and when `read` says "again". */
  bytes = Buffer.alloc(0);
  /** What the server said against being fenced; "" when nothing. */
  complaint = "";
  readonly #kinds: Kind[] = [];
  #text = "";
  readonly #cursor = new ReplyCursor();
  #knowsNoUsers = false;

  constructor(
    readonly login: Login,
    readonly database: number,
    readonly proto: 2 | 3,
  ) {
    this.#begin(login);
  }

  #begin(login: Login): void {
    const { database, proto } = this;
    const lines: string[][] = [];
    const say = (kind: Kind, ...words: string[]): void => {
      lines.push(words);
      this.#kinds.push(kind);
    };
    if (login.username !== "") say("user", "AUTH", login.username, login.password);
    else if (login.password !== "") say("needed", "AUTH", login.password);
    if (proto === 3) say("needed", "HELLO", "3");
    if (login.token !== "") {
      say("name", "CLIENT", "SETNAME", proxyConnectionName(login.token));
      say("fence", "SISMEMBER", FENCE_KEY, login.token);
    }
    if (database !== 0) say("needed", "SELECT", String(database));
    this.bytes = Buffer.concat(lines.map(encode));
  }

  /**
   * Reads reply bytes. "done", "more", "again" for other bytes that are to be written first, or in
   * one clause why the server refused.
   */
  read(chunk: Buffer): string {
    let pos = 0;
    while (pos < chunk.length) {
      const end = this.#cursor.advance(chunk, pos, chunk.length);
      if (end === MORE) {
        this.#text += chunk.latin1Slice(pos);
        return "more";
      }
      if (end < 0) return "it does not speak RESP";
      const reply = this.#text + chunk.latin1Slice(pos, end);
      this.#text = "";
      const refusal = this.#judge(reply, this.#kinds.shift() ?? "needed");
      if (refusal !== "") return refusal;
      pos = end;
    }
    if (this.#kinds.length > 0) return "more";
    if (!this.#knowsNoUsers) return "done";
    this.#knowsNoUsers = false;
    this.#begin({ ...this.login, username: "" });
    return "again";
  }

  #judge(reply: string, kind: Kind): string {
    if (kind === "user" && KNOWS_NO_USERS.test(reply)) this.#knowsNoUsers = true;
    // It wants the password alone; its other answers follow from that.
    if (this.#knowsNoUsers) return "";
    if (!reply.startsWith("-")) return kind === "fence" && reply.startsWith(":1") ? FENCED : "";
    const error = reply.slice(1).trim();
    if (kind === "needed" || kind === "user") return error;
    if (!EXPECTED.test(error)) this.complaint ||= error;
    return "";
  }
}

function encode(words: readonly string[]): Buffer {
  const parts = words.map((word) => `$${Buffer.byteLength(word)}\r\n${word}\r\n`);
  return Buffer.from(`*${words.length}\r\n${parts.join("")}`);
}
