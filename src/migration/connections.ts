// The connections that a server has, by CLIENT LIST, and how to end some of them.

import type { RedisClient } from "../redis/client.ts";
import { ReplyError } from "../resp/value.ts";
import { textOf } from "./server-kind.ts";

export interface ServerConnection {
  readonly id: string;
  readonly name: string;
  /** The last command in lower case, "null" before the first. */
  readonly command: string;
  readonly user: string;
}

export function parseConnections(text: string): ServerConnection[] {
  return text.split("\n").flatMap((line) => {
    const fields = new Map<string, string>();
    for (const word of line.split(" ")) {
      const equals = word.indexOf("=");
      if (equals > 0) fields.set(word.slice(0, equals), word.slice(equals + 1));
    }
    const field = (name: string): string => fields.get(name) ?? "";
    if (field("id") === "") return [];
    const command = field("cmd").toLowerCase();
    return [{ id: field("id"), name: field("name"), command, user: field("user") }];
  });
}

/** Ends those that `isMeant` picks, at the server of `client`. How many there were. */
export async function endConnections(
  client: RedisClient,
  isMeant: (connection: ServerConnection) => boolean,
): Promise<number> {
  const list = textOf(await client.call(["CLIENT", "LIST"]));
  const meant = parseConnections(list).filter(isMeant);
  const replies = await client.pipeline(meant.map(({ id }) => ["CLIENT", "KILL", "ID", id]));
  const refused = replies.find((reply) => reply instanceof ReplyError);
  if (refused !== undefined) throw refused;
  return meant.length;
}
