/**
 * The coordinator in a directory of this machine, in the layout of the original:
 *
 *     data/      the tree: data/codis3/lab/slots/slot-0000
 *     temp/      new texts, until they are renamed into the tree
 *     data.lck   locked for the moment of each change, by all programs that use the directory
 *     lead/      ours: who leads (`filesystem-lead.ts`)
 *
 * A text is written to temp/, brought to the disk and renamed: a reader sees the old or the new one
 * and needs no lock, and a crash at any point leaves one of the two. Where the original fails when
 * another program has data.lck at that instant, we wait for it.
 */
import { randomBytes } from "node:crypto";
import {
  ftruncateSync,
  mkdirSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from "node:fs";
import { rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { assert } from "../lib/assert.ts";
import { codeOf, messageOf, OperatorError } from "../lib/operator-error.ts";
import {
  type Announcement,
  type Coordinator,
  type LeadOptions,
  type Leadership,
  NodeExists,
  type Write,
} from "./coordinator.ts";
import {
  DIRECTORY_MODE,
  makeDirectory,
  namesIn,
  readText,
  syncDirectory,
  writeDurably,
} from "./durable-file.ts";
import { type FileLock, tryLock } from "./file-lock.ts";
import { leadInDirectory } from "./filesystem-lead.ts";
import { sleep } from "./patience.ts";
import { checkPath } from "./tree-path.ts";

const LOCK_MODE = 0o644;
const LOCK_RETRY_MS = 2;
const LOCK_TIMEOUT_MS = 10_000;

/** Files written to temp/ side by side, each with its own wait for the disk. */
const WRITERS = 16;

/** What a crash left in temp/ is removed when it is older. */
const TEMP_AGE_MS = 3_600_000;

/** A change whose text, if it has one, is already on the disk. */
type Staged = Write & { readonly file: string };

export class FilesystemCoordinator implements Coordinator {
  readonly kind = "filesystem";
  #hasTidied = false;

  constructor(readonly root: string) {}

  async read(path: string): Promise<string | null> {
    return this.#guard(() => readText(this.#fileOf(path)));
  }

  async list(path: string): Promise<string[]> {
    return this.#guard(() => namesIn(this.#fileOf(path)));
  }

  async readAll(path: string): Promise<Map<string, string>> {
    const folder = this.#fileOf(path);
    return this.#guard(() => {
      const texts = new Map<string, string>();
      for (const name of namesIn(folder)) {
        const text = readText(join(folder, name));
        if (text !== null) texts.set(name, text);
      }
      return texts;
    });
  }

  async create(path: string, data: string): Promise<void> {
    await this.change([{ kind: "put", path, data }], () => {
      const isThere = statSync(this.#fileOf(path), { throwIfNoEntry: false }) !== undefined;
      if (isThere) throw new NodeExists(`${path} exists already in the directory ${this.root}`);
    });
  }

  async update(path: string, data: string): Promise<void> {
    await this.change([{ kind: "put", path, data }]);
  }

  async remove(path: string): Promise<void> {
    await this.change([{ kind: "delete", path }]);
  }

  announce(): Promise<Announcement> {
    const why = "a directory cannot keep a node that goes away with its owner";
    return Promise.reject(new OperatorError(`not supported: ${why}; use etcd or ZooKeeper`));
  }

  lead(path: string, data: string, options: LeadOptions): Promise<Leadership> {
    checkPath(path);
    return this.#guard(() => leadInDirectory(this, path, data, options));
  }

  async close(): Promise<void> {
    // Nothing is open between two calls.
  }

  /**
   * Makes all changes in order and under one lock, after `check`, which may throw. Returns when
   * they are on the disk.
   */
  async change(writes: readonly Write[], check: () => void = () => {}): Promise<void> {
    await this.#guard(async () => {
      const staged = await this.#stage(writes);
      try {
        await this.locked(() => {
          check();
          this.#apply(staged);
        });
      } finally {
        const left = staged.map(({ file }) => rm(file, { force: true }));
        await Promise.all(left);
      }
    });
  }

  /** Runs `task`, which must not wait, while no other program changes the directory. */
  async locked<T>(task: () => T): Promise<T> {
    const lock = await this.#lock();
    try {
      const note = JSON.stringify({ now: new Date().toISOString(), pid: process.pid });
      ftruncateSync(lock.fd, 0);
      writeSync(lock.fd, note);
      const result = task();
      ftruncateSync(lock.fd, 0);
      return result;
    } finally {
      lock.close();
    }
  }

  async #lock(): Promise<FileLock> {
    const file = join(this.root, "data.lck");
    const deadline = performance.now() + LOCK_TIMEOUT_MS;
    for (;;) {
      const lock = tryLock(file, LOCK_MODE);
      if (lock !== null) return lock;
      if (performance.now() > deadline) {
        throw new OperatorError(
          `${file} has been locked for ${LOCK_TIMEOUT_MS / 1000} s by ${readText(file) ?? "?"}; ` +
            "end that program if it hangs",
        );
      }
      await sleep(LOCK_RETRY_MS);
    }
  }

  /** Writes the texts to temp/, in parallel, because each waits for the disk. */
  async #stage(writes: readonly Write[]): Promise<Staged[]> {
    const temp = join(this.root, "temp");
    mkdirSync(temp, { recursive: true, mode: DIRECTORY_MODE });
    this.#tidy(temp);
    const staged = writes.map((write): Staged => {
      checkPath(write.path);
      assert(write.kind === "delete" || write.data !== "", "a node has a text");
      const name = `${Math.floor(Date.now() / 1000)}.${randomBytes(8).toString("hex")}`;
      return { ...write, file: join(temp, name) };
    });
    const rest = staged.values();
    const work = async (): Promise<void> => {
      for (const each of rest) if (each.kind === "put") await writeDurably(each.file, each.data);
    };
    await Promise.all(Array.from({ length: WRITERS }, work));
    return staged;
  }

  /** Neighbours in one directory share one wait for the disk; their order is that of the list. */
  #apply(staged: readonly Staged[]): void {
    let dirty = "";
    for (const { kind, path, file } of staged) {
      const target = this.#fileOf(path);
      const folder = dirname(target);
      if (dirty !== "" && folder !== dirty) syncDirectory(dirty);
      if (kind === "put") {
        makeDirectory(folder);
        renameSync(file, target);
      } else {
        rmSync(target, { recursive: true, force: true });
      }
      dirty = folder;
    }
    if (dirty !== "") syncDirectory(dirty);
  }

  #tidy(temp: string): void {
    if (this.#hasTidied) return;
    this.#hasTidied = true;
    for (const name of readdirSync(temp)) {
      const file = join(temp, name);
      const found = statSync(file, { throwIfNoEntry: false });
      if (found !== undefined && Date.now() - found.mtimeMs > TEMP_AGE_MS) rmSync(file);
    }
  }

  #fileOf(path: string): string {
    checkPath(path);
    return join(this.root, "data", path);
  }

  /** An error of the system becomes a sentence for the operator. */
  async #guard<T>(task: () => T | Promise<T>): Promise<T> {
    try {
      return await task();
    } catch (error) {
      if (codeOf(error) === "") throw error;
      throw new OperatorError(
        `the coordinator's directory ${this.root} cannot be used: ${messageOf(error)}; ` +
          "all programs of a product must run as a user who may read and write it",
      );
    }
  }
}
