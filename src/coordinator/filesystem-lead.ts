/**
 * Leading in a directory. The lead is a lock on lead/<path>.lock, held for the life of the process:
 * the kernel gives it to the next one at once when the owner dies. lead/<path>.json has the fence
 * number, which rises with each leader, and the text that the leader wrote at `path`.
 *
 * Every write looks at both under data.lck: another number there, or another text at `path` (an
 * operator or an original program took the node away), and the lead is lost before anything is
 * written.
 */
import { join } from "node:path";
import { messageOf } from "../lib/operator-error.ts";
import { decodeJson, encodeJson, RecordReader } from "../model/json.ts";
import { type LeadOptions, type Leadership, LeadershipLost, type Write } from "./coordinator.ts";
import { readText, replaceDurably } from "./durable-file.ts";
import { type FileLock, tryLock } from "./file-lock.ts";
import type { FilesystemCoordinator } from "./filesystem.ts";
import { awaitOriginalHolder } from "./original-holder.ts";
import { Sequence, sleep, Tenure, throwIfAborted } from "./patience.ts";

const LOCK_MODE = 0o644;
const RETRY_MS = 50;

interface LeadRecord {
  readonly fence: bigint;
  readonly data: string;
}

export async function leadInDirectory(
  store: FilesystemCoordinator,
  path: string,
  data: string,
  options: LeadOptions,
): Promise<Leadership> {
  const { signal, ttlMs } = options;
  let hasTold = false;
  const onWaiting = (holder: string): void => {
    if (!hasTold) options.onWaiting?.(holder);
    hasTold = true;
  };
  const lock = await awaitLock(store, path, signal, onWaiting);
  try {
    const last = readRecord(store.root, path);
    if ((await store.read(path)) !== last.data) {
      const read = (): Promise<string | null> => store.read(path);
      await awaitOriginalHolder({ read, ownData: data, ttlMs, signal, onWaiting });
    }
    throwIfAborted(signal);
    const fence = await takeOver(store, path, data);
    return new DirectoryLead(store, path, { fence, data }, lock, ttlMs);
  } catch (error) {
    lock.close();
    throw error;
  }
}

async function awaitLock(
  store: FilesystemCoordinator,
  path: string,
  signal: AbortSignal | undefined,
  onWaiting: (holder: string) => void,
): Promise<FileLock> {
  for (;;) {
    throwIfAborted(signal);
    const lock = tryLock(`${fileOf(store.root, path)}.lock`, LOCK_MODE);
    if (lock !== null) return lock;
    onWaiting((await store.read(path)) ?? "");
    await sleep(RETRY_MS, signal);
  }
}

/** The number is on the disk before the node is: whoever sees our node, sees our number. */
async function takeOver(store: FilesystemCoordinator, path: string, data: string): Promise<bigint> {
  const fence = readRecord(store.root, path).fence + 1n;
  await replaceDurably(`${fileOf(store.root, path)}.json`, encodeRecord({ fence, data }));
  await store.update(path, data);
  return fence;
}

class DirectoryLead implements Leadership {
  readonly fence: bigint;
  readonly #sequence = new Sequence();
  readonly #tenure = new Tenure();
  readonly #timer: ReturnType<typeof setInterval>;

  constructor(
    private readonly store: FilesystemCoordinator,
    private readonly path: string,
    private readonly record: LeadRecord,
    private readonly lock: FileLock,
    ttlMs: number,
  ) {
    this.fence = record.fence;
    this.#timer = setInterval(() => this.#look(), Math.max(50, ttlMs / 3));
    this.#timer.unref();
  }

  get isHeld(): boolean {
    return !this.#tenure.hasEnded;
  }

  get lost(): Promise<string> {
    return this.#tenure.lost;
  }

  write(writes: readonly Write[]): Promise<void> {
    return this.#sequence.run(() => this.store.change(writes, () => this.#check()));
  }

  confirm(): Promise<void> {
    return this.write([]);
  }

  async release(): Promise<void> {
    await this.#sequence.run(async () => {
      if (this.#tenure.hasEnded) return;
      try {
        await this.store.change([{ kind: "delete", path: this.path }], () => this.#check());
      } finally {
        this.#end("the lead was given up");
      }
    });
  }

  /** Under data.lck: nobody can become leader between this and the write. */
  #check(): void {
    if (this.#tenure.hasEnded) throw new LeadershipLost("this dashboard does not lead any more");
    const reason = this.#trouble();
    if (reason === "") return;
    this.#end(reason);
    throw new LeadershipLost(`nothing was written, because ${reason}`);
  }

  #trouble(): string {
    const { fence } = readRecord(this.store.root, this.path);
    if (fence !== this.fence) return `another one leads ${this.path} under the number ${fence}`;
    if (!this.lock.isInPlace()) return `the lock file of ${this.path} was replaced`;
    const text = readText(join(this.store.root, "data", this.path));
    if (text === this.record.data) return "";
    return `the node ${this.path} was ${text === null ? "removed" : "written by another one"}`;
  }

  #look(): void {
    try {
      const reason = this.#trouble();
      if (reason !== "") this.#end(reason);
    } catch (error) {
      this.#end(`the lock of ${this.path} cannot be read: ${messageOf(error)}`);
    }
  }

  #end(reason: string): void {
    if (this.#tenure.hasEnded) return;
    clearInterval(this.#timer);
    this.lock.close();
    this.#tenure.end(reason);
  }
}

function fileOf(root: string, path: string): string {
  return join(root, "lead", path);
}

function encodeRecord({ fence, data }: LeadRecord): string {
  return encodeJson({ fence: Number(fence), data });
}

function readRecord(root: string, path: string): LeadRecord {
  const text = readText(`${fileOf(root, path)}.json`);
  if (text === null) return { fence: 0n, data: "" };
  const reader = new RecordReader(decodeJson(text), `the lead of ${path}`);
  const fence = BigInt(reader.requiredInteger("fence", 0, Number.MAX_SAFE_INTEGER));
  return { fence, data: reader.text("data") ?? "" };
}
