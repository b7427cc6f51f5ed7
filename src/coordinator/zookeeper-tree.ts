// The nodes of ZooKeeper through one session, with the ACLs that the original gives them: what the
// coordinator, its leader and its announcements all do.

import { createHash } from "node:crypto";
import { ancestorsOf } from "./tree-path.ts";
import { ZookeeperRefusal, type ZookeeperSession } from "./zookeeper-session.ts";
import {
  type Acl,
  Code,
  type MultiFailure,
  type Operation,
  operation,
  readMulti,
  type Stat,
} from "./zookeeper-wire.ts";

/** read, write, create, delete, admin. */
const DIRECTORY_PERMS = 1 | 2 | 4 | 8 | 16;
/** read, write, admin: who may create and delete is up to the directory above. */
const DATA_PERMS = 1 | 2 | 16;

export interface Node {
  readonly data: string;
  readonly stat: Stat;
}

export class Tree {
  readonly dataAcl: Acl;
  readonly #directoryAcl: Acl;

  constructor(
    readonly session: ZookeeperSession,
    auth: string,
  ) {
    const owner = auth === "" ? { scheme: "world", id: "anyone" } : digestOf(auth);
    this.dataAcl = { ...owner, perms: DATA_PERMS };
    this.#directoryAcl = { ...owner, perms: DIRECTORY_PERMS };
  }

  async get(path: string): Promise<Node | null> {
    const reader = await unless(Code.noNode, this.session.read(operation.get(path)));
    return reader === null ? null : { data: reader.text(), stat: reader.stat() };
  }

  async stat(path: string, patienceMs?: number): Promise<Stat | null> {
    const asked = this.session.read(operation.exists(path), patienceMs);
    return (await unless(Code.noNode, asked))?.stat() ?? null;
  }

  async children(path: string): Promise<string[]> {
    const reader = await unless(Code.noNode, this.session.read(operation.children(path)));
    return reader === null ? [] : reader.texts().sort();
  }

  /** Waits until the server that we are with knows all that was written before. */
  async sync(path: string): Promise<void> {
    await this.session.read(operation.sync(path));
  }

  /** The path it got, which a sequential node has the number in; null when it is taken. */
  async create(path: string, data: string, flags = 0): Promise<string | null> {
    for (;;) {
      const made = this.session.change(operation.create(path, data, this.dataAcl, flags));
      try {
        return (await made).text();
      } catch (error) {
        const code = error instanceof ZookeeperRefusal ? error.code : Code.ok;
        if (code === Code.nodeExists) return null;
        if (code !== Code.noNode) throw error;
        await this.makeDirectories(path);
      }
    }
  }

  /** False when there is no such node. */
  async set(path: string, data: string): Promise<boolean> {
    const done = this.session.change(operation.set(path, data));
    return (await unless(Code.noNode, done)) !== null;
  }

  /** The directories above the path. */
  async makeDirectories(path: string): Promise<void> {
    for (const each of ancestorsOf(path)) await this.makeDirectory(each);
  }

  async makeDirectory(path: string): Promise<void> {
    if ((await this.stat(path)) !== null) return;
    const made = this.session.change(operation.create(path, "", this.#directoryAcl));
    await unless(Code.nodeExists, made);
  }

  async remove(path: string): Promise<void> {
    for (;;) {
      for (const each of (await this.descendants(path)).reverse()) {
        await unless(Code.noNode, this.session.change(operation.delete(each)));
      }
      const done = unless(Code.noNode, this.session.change(operation.delete(path)));
      // Somebody adds while we remove: again.
      if (
        (await unless(
          Code.notEmpty,
          done.then(() => true),
        )) !== null
      )
        return;
    }
  }

  /** The paths below, each behind the one above it. */
  async descendants(path: string): Promise<string[]> {
    const names = await this.children(path);
    const found = await Promise.all(
      names.map(async (name) => [
        `${path}/${name}`,
        ...(await this.descendants(`${path}/${name}`)),
      ]),
    );
    return found.flat();
  }

  /** All or nothing; null when all was done. */
  async multi(operations: readonly Operation[]): Promise<MultiFailure | null> {
    return readMulti(await this.session.change(operation.multi(operations)));
  }
}

/** Null instead of one error. */
async function unless<T>(code: number, reply: Promise<T>): Promise<T | null> {
  try {
    return await reply;
  } catch (error) {
    if (error instanceof ZookeeperRefusal && error.code === code) return null;
    throw error;
  }
}

/** As ZooKeeper's own digest scheme has it. */
function digestOf(auth: string): { scheme: string; id: string } {
  const user = auth.split(":", 1)[0];
  return { scheme: "digest", id: `${user}:${createHash("sha1").update(auth).digest("base64")}` };
}
