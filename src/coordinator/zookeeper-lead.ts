/**
 * Leading in ZooKeeper. Those who want to lead have an ephemeral node with a rising number each:
 *
 *     <path>                              what the leader wrote: original programs look here
 *     <path>-election                     the text of the last leader of ours
 *     <path>-election/leader-0000000007   the lowest number leads
 *
 * The node at the path is persistent, as in the original, whose programs read it and whose
 * dashboard cannot start while it is there. It says nothing about who is alive; the election does.
 *
 * Every write is a transaction that checks that our election node is there (ZooKeeper removes it
 * with our session) and that the node at the path has the version that our last write gave it, and
 * writes that node again. So a leader whose session expired cannot write, however late it wakes up,
 * and a write whose answer got lost cannot come a second time after a newer one.
 */
import { messageOf } from "../lib/operator-error.ts";
import { type LeadOptions, type Leadership, LeadershipLost, type Write } from "./coordinator.ts";
import { awaitOriginalHolder } from "./original-holder.ts";
import { OutcomeUnknown, Sequence, sleep, Tenure, throwIfAborted } from "./patience.ts";
import { checkPath } from "./tree-path.ts";
import { SessionEnded } from "./zookeeper-session.ts";
import type { Tree } from "./zookeeper-tree.ts";
import { ANY, EPHEMERAL, type Operation, operation, SEQUENTIAL } from "./zookeeper-wire.ts";

const LOOK_MS = 200;
const MAX_WRITES = 200;
/** Below ZooKeeper's limit of 1 MB a request. */
const MAX_BYTES = 400_000;

/** Others may change nodes between our look and our transaction; so often in a row, they do not. */
const MAX_SURPRISES = 5;

export interface Led {
  readonly leadership: Leadership;
  readonly tree: Tree;
}

export async function leadInZookeeper(
  open: () => Tree,
  path: string,
  data: string,
  options: LeadOptions,
): Promise<Led> {
  let hasTold = false;
  const onWaiting = (holder: string): void => {
    if (!hasTold) options.onWaiting?.(holder);
    hasTold = true;
  };
  for (;;) {
    throwIfAborted(options.signal);
    const tree = open();
    try {
      const leadership = await campaign(tree, path, data, { ...options, onWaiting });
      return { leadership, tree };
    } catch (error) {
      await tree.session.close();
      // While we stood in the queue our session expired, or an answer was lost: from the start.
      const isTransient = error instanceof SessionEnded || error instanceof OutcomeUnknown;
      if (!isTransient) throw error;
      await sleep(LOOK_MS, options.signal);
    }
  }
}

interface Campaign extends LeadOptions {
  readonly onWaiting: (data: string) => void;
}

async function campaign(
  tree: Tree,
  path: string,
  data: string,
  options: Campaign,
): Promise<Leadership> {
  const { signal, ttlMs, onWaiting } = options;
  const election = `${path}-election`;
  await tree.makeDirectories(election);
  await tree.makeDirectory(election);
  const flags = EPHEMERAL | SEQUENTIAL;
  const node = (await tree.create(`${election}/leader-`, data, flags)) ?? "";
  for (;;) {
    throwIfAborted(signal);
    const [lowest] = (await tree.children(election)).filter((name) => name.startsWith("leader-"));
    if (lowest === undefined) throw new SessionEnded("our node in the election is gone");
    if (`${election}/${lowest}` === node) break;
    const holder = await tree.get(path);
    onWaiting(holder?.data ?? "");
    await sleep(LOOK_MS, signal);
  }
  await tree.sync(path);
  const own = await tree.get(election);
  const holder = await tree.get(path);
  if (holder !== null && holder.data !== own?.data) {
    const read = async (): Promise<string | null> => (await tree.get(path))?.data ?? null;
    await awaitOriginalHolder({ read, ownData: data, ttlMs, signal, onWaiting });
  }
  throwIfAborted(signal);
  return takeOver(tree, path, node, data);
}

/** The version is at least 1 then: a node that somebody else creates later has another one. */
async function takeOver(tree: Tree, path: string, node: string, data: string): Promise<Leadership> {
  const stat = await tree.stat(path);
  const write =
    stat === null
      ? [operation.create(path, data, tree.dataAcl), operation.set(path, data, 0)]
      : [operation.set(path, data, stat.version)];
  const failure = await tree.multi([
    operation.check(node),
    ...write,
    operation.set(`${path}-election`, data),
  ]);
  const own = await tree.stat(node);
  if (failure !== null || own === null) throw new SessionEnded("the election changed under us");
  return new ZookeeperLead(tree, path, node, data, own.czxid, (stat?.version ?? 0) + 1);
}

class ZookeeperLead implements Leadership {
  readonly #sequence = new Sequence();
  readonly #tenure = new Tenure();
  readonly #timer: ReturnType<typeof setInterval>;
  #isLooking = false;
  #isInDoubt = false; // a write has no answer yet, and may have changed the version

  constructor(
    private readonly tree: Tree,
    private readonly path: string,
    private readonly node: string,
    private readonly data: string,
    readonly fence: bigint,
    private version: number, // of the node at the path, after our last write
  ) {
    void tree.session.ended.then((why) => this.#end(`its session with ZooKeeper ended: ${why}`));
    this.#timer = setInterval(() => void this.#look(), Math.max(50, tree.session.timeoutMs / 6));
    this.#timer.unref();
  }

  get isHeld(): boolean {
    return !this.#tenure.hasEnded && this.tree.session.isGood;
  }

  get lost(): Promise<string> {
    return this.#tenure.lost;
  }

  write(writes: readonly Write[]): Promise<void> {
    for (const { path } of writes) checkPath(path);
    return this.#sequence.run(async () => {
      for (const batch of batchesOf(writes)) await this.#commit(batch);
    });
  }

  /** A write of nothing: it checks, and changes, what every write does. */
  confirm(): Promise<void> {
    return this.#sequence.run(() => this.#commit([]));
  }

  release(): Promise<void> {
    return this.#sequence.run(async () => {
      if (this.#tenure.hasEnded) return;
      try {
        const gone = operation.delete(this.path, this.version);
        await this.tree.multi([operation.check(this.node), gone]);
      } finally {
        this.#end("the lead was given up");
        await this.tree.session.close();
      }
    });
  }

  async #commit(batch: readonly Write[]): Promise<void> {
    if (this.#isInDoubt) await this.#hasLanded();
    let isRepeated = false;
    for (let surprises = 0; ;) {
      if (!this.isHeld) throw this.#lostError("its session with ZooKeeper ended");
      try {
        const guard = [
          operation.check(this.node),
          operation.set(this.path, this.data, this.version),
        ];
        const failure = await this.tree.multi([...guard, ...(await this.#operationsOf(batch))]);
        if (failure === null) {
          this.version++;
          return;
        }
        // A first attempt came late, but before this one.
        if (isRepeated && failure.index === 1 && (await this.#hasLanded())) return;
        if (failure.index < guard.length) {
          throw this.#lostError(`the node ${this.path} was taken by another one`);
        }
        if (++surprises > MAX_SURPRISES) {
          throw new Error(`nodes below ${this.path} are changed by others all the time`);
        }
      } catch (error) {
        if (error instanceof SessionEnded) throw this.#lostError(messageOf(error));
        if (!(error instanceof OutcomeUnknown)) throw error;
        this.#isInDoubt = true;
        isRepeated = true;
        if (await this.#hasLanded()) return;
      }
    }
  }

  /** After an answer that did not come: only our own writes change the version. */
  async #hasLanded(): Promise<boolean> {
    try {
      await this.tree.sync(this.path);
      const stat = await this.tree.stat(this.path);
      const isLanded = stat !== null && stat.version === this.version + 1;
      if (!isLanded && stat?.version !== this.version) {
        throw this.#lostError(`the node ${this.path} was taken by another one`);
      }
      this.#isInDoubt = false;
      if (isLanded) this.version++;
      return isLanded;
    } catch (error) {
      if (error instanceof SessionEnded) throw this.#lostError(messageOf(error));
      throw error;
    }
  }

  /** Creating and replacing are two operations here: looks which of them each write needs. */
  async #operationsOf(batch: readonly Write[]): Promise<Operation[]> {
    const stats = await Promise.all(batch.map(({ path }) => this.tree.stat(path)));
    const operations: Operation[] = [];
    const made = new Set<string>();
    for (const [i, write] of batch.entries()) {
      const { path } = write;
      if (write.kind === "put") {
        const folder = path.slice(0, path.lastIndexOf("/"));
        if (stats[i] === null && !made.has(folder)) await this.tree.makeDirectories(path);
        made.add(folder);
        operations.push(
          stats[i] === null
            ? operation.create(path, write.data, this.tree.dataAcl)
            : operation.set(path, write.data, ANY),
        );
      } else if (stats[i] !== null) {
        const below = await this.tree.descendants(path);
        operations.push(...[path, ...below].reverse().map((each) => operation.delete(each)));
      }
    }
    return operations;
  }

  async #look(): Promise<void> {
    if (!this.tree.session.isGood) return this.#end("its session with ZooKeeper was not renewed");
    if (this.#isLooking) return;
    this.#isLooking = true;
    try {
      await this.#sequence.run(async () => {
        const stat = await this.tree.stat(this.path, this.tree.session.timeoutMs);
        if (this.#isInDoubt || this.#tenure.hasEnded) return;
        if (stat?.version === this.version) return;
        this.#end(`the node ${this.path} was ${stat === null ? "removed" : "taken by another"}`);
      });
    } catch {
      // The next look will tell whether the session lives.
    } finally {
      this.#isLooking = false;
    }
  }

  #lostError(reason: string): LeadershipLost {
    this.#end(reason);
    return new LeadershipLost(`nothing was written, because ${reason}`);
  }

  #end(reason: string): void {
    if (this.#tenure.hasEnded) return;
    clearInterval(this.#timer);
    this.#tenure.end(reason);
    // Whoever waits need not wait for the session to expire.
    if (!reason.includes("given up")) void this.tree.session.close();
  }
}

/** Transactions of bounded size, each path in it once. */
function* batchesOf(writes: readonly Write[]): Generator<Write[]> {
  let batch: Write[] = [];
  let paths = new Set<string>();
  let bytes = 0;
  for (const write of writes) {
    const isFull = batch.length >= MAX_WRITES || bytes >= MAX_BYTES;
    if (batch.length > 0 && (isFull || paths.has(write.path) || write.kind === "delete")) {
      yield batch;
      [batch, paths, bytes] = [[], new Set(), 0];
    }
    batch.push(write);
    paths.add(write.path);
    bytes += write.kind === "put" ? write.data.length * 3 : 0;
    if (write.kind !== "delete") continue;
    yield batch;
    [batch, paths, bytes] = [[], new Set(), 0];
  }
  if (batch.length > 0) yield batch;
}
