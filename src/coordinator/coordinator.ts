/**
 * Where the truth of a product is kept: a tree of small texts behind one of three services.
 *
 * Paths begin with a slash and use the layout of the original (contract 5.2). Every service passes
 * the suite of `tests/coordinator/contract.ts`. Errors are `OperatorError`s with one sentence, or
 * the two classes below. Nothing here retries for ever: a caller that wants patience brings it.
 */
import { OperatorError } from "../lib/operator-error.ts";

/** `create` found the path taken. */
export class NodeExists extends OperatorError {}

/** The writer is not the leader any more; nothing was written. */
export class LeadershipLost extends OperatorError {}

export type Write =
  | { readonly kind: "put"; readonly path: string; readonly data: string }
  | { readonly kind: "delete"; readonly path: string };

export interface Coordinator {
  /** "filesystem", "etcd" or "zookeeper"; "etcd-v2" can only be read. */
  readonly kind: string;
  /** Null when there is no such node. */
  read(path: string): Promise<string | null>;
  /** Names (not paths) of the children, sorted; empty when there is no such node. */
  list(path: string): Promise<string[]>;
  /** All children with their texts, by name; much faster than reading one by one. */
  readAll(path: string): Promise<Map<string, string>>;
  /** Throws `NodeExists`. */
  create(path: string, data: string): Promise<void>;
  /** Creates or replaces. */
  update(path: string, data: string): Promise<void>;
  /** Removes the node and what is below it; a missing one is fine. */
  remove(path: string): Promise<void>;
  /**
   * Keeps a node there for as long as this process lives and `close` is not called, and makes it
   * anew when the service lost it. Not with the filesystem: throws `OperatorError`.
   */
  announce(path: string, data: string, ttlMs: number): Promise<Announcement>;
  /**
   * Waits until nobody else leads at `path`, writes `data` there and leads. The lead ends by itself
   * within `ttlMs` of the death of this process. Rejects when `signal` is aborted, or on an error.
   * `onWaiting` is told once whom it waits for (the text at `path`).
   */
  lead(path: string, data: string, options: LeadOptions): Promise<Leadership>;
  close(): Promise<void>;
}

export interface LeadOptions {
  readonly ttlMs: number;
  readonly signal?: AbortSignal;
  readonly onWaiting?: (data: string) => void;
}

export interface Announcement {
  close(): Promise<void>;
}

/** The right to write, as long as it lasts. */
export interface Leadership {
  /** Rises with every leader of this path; part of whatever must not be undone by an older one. */
  readonly fence: bigint;
  readonly isHeld: boolean;
  /** Resolves when the lead is lost or released, with the reason. */
  readonly lost: Promise<string>;
  /**
   * Writes all in the given order, each whole or not at all; throws `LeadershipLost` and writes
   * nothing more as soon as somebody else leads. The service checks that, not our clock.
   */
  write(writes: readonly Write[]): Promise<void>;
  /**
   * Resolves when the service itself has said, after this was called, that nobody else leads;
   * throws `LeadershipLost` otherwise. `isHeld` knows only what was so a while ago.
   */
  confirm(): Promise<void>;
  /** Gives the lead up and removes the node. */
  release(): Promise<void>;
}
