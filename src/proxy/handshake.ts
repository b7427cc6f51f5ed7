/**
 * What a new connection says before the first request: HELLO 3 when the lane is RESP3, AUTH when
 * the product has a password, SELECT when the database is not 0. Requests wait until the server has
 * agreed to all of it, so that none runs in the wrong database. Used by `backend.ts` only.
 */
import { MORE, ReplyCursor } from "../resp/reply.ts";

export class Handshake {
  /** To be written when the connection opens; empty when there is nothing to agree on. */
  readonly bytes: Buffer;
  #expected: number;
  #text = "";
  readonly #cursor = new ReplyCursor();

  constructor(auth: string, database: number, proto: 2 | 3) {
    const lines: string[][] = [];
    if (auth !== "") lines.push(["AUTH", auth]);
    if (proto === 3) lines.push(["HELLO", "3"]);
    if (database !== 0) lines.push(["SELECT", String(database)]);
    this.#expected = lines.length;
    this.bytes = Buffer.concat(lines.map(encode));
  }

  /** Reads reply bytes. "done", "more", or in one clause why the server refused. */
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
      if (reply.startsWith("-")) return reply.slice(1).trim();
      this.#expected--;
      pos = end;
    }
    return this.#expected === 0 ? "done" : "more";
  }
}

function encode(words: readonly string[]): Buffer {
  const parts = words.map((word) => `$${Buffer.byteLength(word)}\r\n${word}\r\n`);
  return Buffer.from(`*${words.length}\r\n${parts.join("")}`);
}
