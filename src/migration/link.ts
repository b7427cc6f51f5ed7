/**
 * A connection of the engine to one of its two servers: named for its leader, job and part, and
 * used only while that leader leads (`authority.ts`). Values are bytes.
 *
 * A command that was sent when a connection broke may still run at the server. `openAlone` ends
 * such an heir-loom first: once it has resolved, no older connection of that part says anything.
 */
import { ConnectionError, RedisClient, type Argument } from "../redis/client.ts";
import { keysByDatabase, parseInfo, type Info } from "../redis/info.ts";
import { type Reply, ReplyError } from "../resp/value.ts";
import { messageOf } from "../lib/operator-error.ts";
import { endConnections } from "./connections.ts";
import { askServer, textOf, type ServerKind } from "./server-kind.ts";
import { type Access, MigrationStopped, type Login } from "./types.ts";

/** A part of a job, in the names of its connections. */
export function partOf(jobId: number, part: string): string {
  return `${jobId}-${part}`;
}

const OPENING = "opening";

export class Link implements Disposable {
  #database = 0;

  private constructor(
    readonly client: RedisClient,
    readonly kind: ServerKind,
  ) {}

  /** Throws `ConnectionError`, or `MigrationStopped` when the login is refused. */
  static async open(address: string, access: Access, part: string): Promise<Link> {
    const { login, authority } = access;
    const client = await connect(address, login);
    try {
      await authority.admit(client, part);
      const { kind } = await askServer(client);
      return new Link(client, kind);
    } catch (error) {
      client.close();
      throw error instanceof ReplyError ? refusal(address, login, error) : error;
    }
  }

  /** The same, after every other connection for that part has ended. */
  static async openAlone(address: string, access: Access, part: string): Promise<Link> {
    const { login, authority } = access;
    const client = await connect(address, login);
    try {
      // The name says whose it is at all times; which part, when it is the only one.
      await authority.admit(client, OPENING);
      const name = authority.nameOf(part);
      await endConnections(client, (each) => each.name === name);
      await client.pipeline([["CLIENT", "SETNAME", name]]);
      const { kind } = await askServer(client);
      return new Link(client, kind);
    } catch (error) {
      client.close();
      throw error instanceof ReplyError ? refusal(address, login, error) : error;
    }
  }

  get address(): string {
    return this.client.address;
  }

  /** Throws `MigrationStopped` for a replica: keys belong to the master of a group. */
  mustBeMaster(): void {
    if (this.kind.isMaster) return;
    throw new MigrationStopped(
      `${this.address} is a replica: make it the master of its group, or name the one that is`,
    );
  }

  async call(command: readonly Argument[], timeoutMs?: number): Promise<Reply> {
    return await this.client.call(command, timeoutMs);
  }

  async pipeline(commands: readonly (readonly Argument[])[], timeoutMs?: number): Promise<Reply[]> {
    return await this.client.pipeline(commands, timeoutMs);
  }

  async select(database: number): Promise<void> {
    if (database === this.#database) return;
    await this.client.call(["SELECT", database]);
    this.#database = database;
  }

  async info(section?: string): Promise<Info> {
    const command = section === undefined ? ["INFO"] : ["INFO", section];
    return parseInfo(textOf(await this.client.call(command)));
  }

  /** The databases that have keys, ascending. */
  async databases(): Promise<number[]> {
    return [...keysByDatabase(await this.info("keyspace")).keys()].sort((a, b) => a - b);
  }

  [Symbol.dispose](): void {
    this.client.close();
  }
}

async function connect(address: string, login: Login): Promise<RedisClient> {
  try {
    return await RedisClient.connect(address, { ...login, bytes: true });
  } catch (error) {
    throw error instanceof ReplyError ? refusal(address, login, error) : error;
  }
}

function refusal(address: string, login: Login, error: ReplyError): Error {
  const isPassing = ["LOADING", "BUSY", "MASTERDOWN"].includes(error.code);
  if (isPassing) return new ConnectionError(`${address} answers: ${messageOf(error)}`);
  const who = login.username === "" ? "the default user" : `user ${login.username}`;
  return new MigrationStopped(
    `${address} refuses ${who} (${error.message}): ` +
      `set the login of the product to one that it accepts`,
  );
}
