/**
 * The coordinator in ZooKeeper, in the original's layout: a path is a node, directories are empty
 * persistent nodes, with an account all nodes belong to it. An empty node counts as a directory.
 *
 * Who leads has a session of its own (`zookeeper-lead.ts`). While it leads, its reads go through
 * that session as well, because two sessions may be with two servers, one of which is behind.
 */
import { assert } from "../lib/assert.ts";
import {
  type Announcement,
  type Coordinator,
  type LeadOptions,
  type Leadership,
  NodeExists,
} from "./coordinator.ts";
import { checkPath } from "./tree-path.ts";
import { ZookeeperAnnouncement } from "./zookeeper-announce.ts";
import { leadInZookeeper } from "./zookeeper-lead.ts";
import { SessionEnded, ZookeeperSession } from "./zookeeper-session.ts";
import { Tree } from "./zookeeper-tree.ts";

/** Of sessions that only read and write; as the original has it. */
const SESSION_MS = 60_000;

export class ZookeeperCoordinator implements Coordinator {
  readonly kind = "zookeeper";
  #general: Tree | null = null;
  #leading: Tree | null = null;
  #isClosed = false;

  /** `auth` is "user:password" or "". */
  constructor(
    private readonly address: string,
    private readonly auth: string,
  ) {}

  read(path: string): Promise<string | null> {
    return this.#reading(path, async (tree) => (await tree.get(path))?.data || null);
  }

  list(path: string): Promise<string[]> {
    return this.#reading(path, (tree) => tree.children(path));
  }

  readAll(path: string): Promise<Map<string, string>> {
    return this.#reading(path, async (tree) => {
      const names = await tree.children(path);
      const nodes = await Promise.all(names.map((name) => tree.get(`${path}/${name}`)));
      const texts = names.map((name, i): [string, string] => [name, nodes[i]?.data ?? ""]);
      return new Map(texts.filter(([, text]) => text !== ""));
    });
  }

  async create(path: string, data: string): Promise<void> {
    assert(data !== "", "a node has a text");
    await this.#reading(path, async (tree) => {
      if (!(await tree.create(path, data))) {
        throw new NodeExists(`${path} exists already in ZooKeeper`);
      }
    });
  }

  async update(path: string, data: string): Promise<void> {
    assert(data !== "", "a node has a text");
    await this.#reading(path, async (tree) => {
      for (;;) {
        if (await tree.set(path, data)) return;
        if (await tree.create(path, data)) return;
      }
    });
  }

  remove(path: string): Promise<void> {
    return this.#reading(path, (tree) => tree.remove(path));
  }

  async announce(path: string, data: string, ttlMs: number): Promise<Announcement> {
    checkPath(path);
    const announcement = new ZookeeperAnnouncement(() => this.#open(ttlMs), path, data);
    await announcement.start();
    return announcement;
  }

  async lead(path: string, data: string, options: LeadOptions): Promise<Leadership> {
    checkPath(path);
    const { leadership, tree } = await leadInZookeeper(
      () => this.#open(options.ttlMs),
      path,
      data,
      options,
    );
    this.#leading = tree;
    return leadership;
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#general?.session.close();
    await this.#leading?.session.close();
  }

  /** A session that ends meanwhile did nothing: the task is repeated with the next one. */
  async #reading<T>(path: string, task: (tree: Tree) => Promise<T>): Promise<T> {
    checkPath(path);
    try {
      return await task(this.#tree());
    } catch (error) {
      if (!(error instanceof SessionEnded) || this.#isClosed) throw error;
      return task(this.#tree());
    }
  }

  #tree(): Tree {
    if (this.#leading !== null && this.#leading.session.isGood) return this.#leading;
    if (this.#general === null || this.#general.session.hasEnded) {
      this.#general = this.#open(SESSION_MS);
    }
    return this.#general;
  }

  #open(timeoutMs: number): Tree {
    const { address, auth } = this;
    return new Tree(new ZookeeperSession({ address, auth, timeoutMs }), auth);
  }
}
