// An ephemeral node that is there as long as this process: made anew in a new session when the old
// one has expired, and in the same one when somebody took the node away.

import { log } from "../lib/log.ts";
import { messageOf } from "../lib/operator-error.ts";
import type { Announcement } from "./coordinator.ts";
import { backOff } from "./patience.ts";
import type { Tree } from "./zookeeper-tree.ts";
import { EPHEMERAL } from "./zookeeper-wire.ts";

export class ZookeeperAnnouncement implements Announcement {
  readonly #abort = new AbortController();
  #tree: Tree | null = null;
  #timer: ReturnType<typeof setTimeout> | null = null;

  constructor(
    private readonly open: () => Tree,
    private readonly path: string,
    private readonly data: string,
  ) {}

  /** Throws when the first attempt fails. */
  async start(): Promise<void> {
    const tree = this.open();
    try {
      await this.#put(tree);
    } catch (error) {
      await tree.session.close();
      throw error;
    }
    if (this.#abort.signal.aborted) return tree.session.close();
    this.#tree = tree;
    void tree.session.ended.then((why) => this.#again(why));
    this.#lookLater(tree);
  }

  async close(): Promise<void> {
    this.#abort.abort();
    if (this.#timer !== null) clearTimeout(this.#timer);
    await this.#tree?.session.close();
  }

  /** A node of another session is what an earlier run of this process left: it would expire. */
  async #put(tree: Tree): Promise<void> {
    for (;;) {
      const stat = await tree.stat(this.path);
      if (stat?.ephemeralOwner === tree.session.id) return;
      if (stat !== null) await tree.remove(this.path);
      if ((await tree.create(this.path, this.data, EPHEMERAL)) !== null) return;
    }
  }

  #lookLater(tree: Tree): void {
    const look = async (): Promise<void> => {
      try {
        await this.#put(tree);
      } catch {
        // The session looks after its connection; its end is told above.
      }
      if (!this.#abort.signal.aborted && !tree.session.hasEnded) this.#lookLater(tree);
    };
    this.#timer = setTimeout(() => void look(), tree.session.timeoutMs / 3);
    this.#timer.unref();
  }

  async #again(why: string): Promise<void> {
    if (this.#abort.signal.aborted) return;
    log.warn(`${this.path} was lost at ZooKeeper and is made anew: ${why}`);
    await backOff(
      () => this.start(),
      this.#abort.signal,
      (error) => {
        log.warn(`${this.path} cannot be made anew: ${messageOf(error)}`);
      },
    );
  }
}
