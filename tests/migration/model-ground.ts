// The ground of the small world of `model.ts`: two servers, what is on its way to them, and the
// parts of the engine as migration-design.md states them.

import type { Outcome, Part } from "../../src/dashboard/next-step.ts";
import { unreachable } from "../../src/lib/assert.ts";
import type { MigrationJob, PinnedKey } from "../../src/model/migration-job.ts";

/** A violation of an invariant. */
export class Broken extends Error {}

/** Rules that can be left out. */
export const RULES = [
  "hold", // slots are held by all before any switches
  "quiet", // a proxy acknowledges when its requests under the old view have ended
  "purge", // the target has no keys of the slots when they begin to move
  "reconcile", // no key is on both ends when the direction changes
  "pins", // a large key is copied while nobody writes it
  "fence", // what a dead proxy or mover sent does not arrive later
  "revision", // an older record does not replace a newer one
  "move first", // a command goes to the target after the answer to MIGRATE
  "target wins", // MIGRATE without REPLACE
] as const;
export type Rule = (typeof RULES)[number];

export const SLOTS = [0, 1];
/** Slot → its keys; capitals are large. */
export const KEYS: readonly (readonly string[])[] = [
  ["a", "b", "C"],
  ["d", "E"],
];
export const slotOfKey = (key: string): number => (KEYS[0].includes(key) ? 0 : 1);
const isBig = (key: string): boolean => key === key.toUpperCase();

/** Something that a process sent before it died and that a server may still do. */
interface Stray {
  readonly owner: string;
  readonly act: () => void;
}

export class Ground {
  /** Slot → the group that owns it while no job moves it. */
  readonly home: number[] = [1, 1];
  /** What happened, for whoever has to understand a violation. */
  readonly trace: string[] = [];
  /** No more mishaps. */
  isCalm = false;
  /** Method replica: who replicates whom. */
  replica: { readonly source: number; readonly target: number } | null = null;
  strays: Stray[] = [];
  /** Values that came back when a source lost its last deletions. */
  readonly ghosts = new WeakSet<number[]>();
  readonly #servers: readonly [Map<string, number[]>, Map<string, number[]>] = [
    new Map(),
    new Map(),
  ];

  constructor(
    /** In [0, limit). */
    readonly choose: (limit: number) => number,
    private readonly broken: ReadonlySet<Rule>,
  ) {}

  obeys(rule: Rule): boolean {
    return !this.broken.has(rule);
  }

  /** Key → the writes in its value. */
  server(group: number): Map<string, number[]> {
    return this.#servers[group === 1 ? 0 : 1];
  }

  pick<T>(items: readonly T[]): T {
    return items[this.choose(Math.max(1, items.length))];
  }

  strayArrives(): void {
    const stray = this.pick(this.strays);
    if (stray === undefined) return;
    this.strays = this.strays.filter((each) => each !== stray);
    this.trace.push(`a command that ${stray.owner} has left behind arrives`);
    stray.act();
  }

  /** The servers close what these have left behind: each command was executed or is gone. */
  fence(isOwner: (owner: string) => boolean): void {
    if (!this.obeys("fence")) return;
    for (const stray of this.strays.filter((each) => isOwner(each.owner))) {
      if (this.choose(2) === 0) stray.act();
    }
    this.strays = this.strays.filter((each) => !isOwner(each.owner));
  }

  /** The source fails over to a replica that has missed the end of a migration. */
  relapse(job: MigrationJob): void {
    const [source, target] = [this.server(job.source_id), this.server(job.target_id)];
    for (const key of job.slots.flatMap((slot) => KEYS[slot])) {
      const value = target.get(key);
      if (value === undefined || source.has(key)) continue;
      const older = value.slice(0, this.choose(value.length + 1));
      this.trace.push(`${key} comes back at ${job.source_id}`);
      this.ghosts.add(older);
      source.set(key, older);
    }
  }

  /** Waits for the answers to what this one has sent. */
  complete(owner: string): void {
    for (const stray of this.strays.filter((each) => each.owner === owner)) stray.act();
    this.strays = this.strays.filter((each) => each.owner !== owner);
  }

  /** MIGRATE without REPLACE and what follows BUSYKEY; it may leave the key on both ends. */
  migration(key: string, way: { view: { from: number; backend: number } }): () => void {
    return () => {
      const source = this.server(way.view.from);
      const target = this.server(way.view.backend);
      const value = source.get(key);
      this.trace.push(
        `MIGRATE ${key} from ${way.view.from}: ${value === undefined ? "-" : "it is there"}`,
      );
      if (value === undefined) return;
      if (target.has(key) && this.obeys("target wins")) {
        source.delete(key);
        return;
      }
      const accident = this.isCalm ? 9 : this.choose(6);
      if (accident === 0) return; // timed out before anything happened
      if (accident === 2) {
        // Timed out; the packet is on its way to the target and may arrive at any time.
        const restore = (): void => {
          if (!target.has(key) || !this.obeys("target wins")) target.set(key, value);
        };
        this.strays.push({ owner: "wire", act: restore });
        return;
      }
      target.set(key, value);
      if (accident !== 1) source.delete(key); // or timed out when the target had it
    };
  }

  *work(job: MigrationJob, part: Part, owner: string): Generator<void, Outcome, void> {
    if (!this.isCalm && this.choose(10) === 0) return { kind: "failed", reason: "it failed" };
    const [source, target] = [this.server(job.source_id), this.server(job.target_id)];
    const keys = job.slots.flatMap((slot) => KEYS[slot]);
    switch (part.name) {
      case "prepare":
        for (const key of keys) if (this.obeys("purge")) target.delete(key);
        yield;
        return {
          kind: "done",
          bigKeys: keys.filter((key) => isBig(key) && source.has(key)).map(pin),
        };
      case "move":
        return yield* this.pass(job, owner);
      case "reconcile":
        for (const key of keys) {
          if (target.has(key) && this.obeys("reconcile")) source.delete(key);
          yield;
        }
        return { kind: "done" };
      case "moveKey": {
        const value = source.get(part.pin.key);
        yield;
        if (target.has(part.pin.key)) source.delete(part.pin.key);
        if (!source.has(part.pin.key) || value === undefined) return { kind: "done" };
        target.set(part.pin.key, value);
        yield;
        source.delete(part.pin.key);
        return { kind: "done" };
      }
      case "audit":
        for (const key of keys) source.delete(key);
        return { kind: "done" };
      case "attach":
        this.replica = { source: job.source_id, target: job.target_id };
        yield;
        return { kind: "done" };
      case "detach":
        this.replica = null;
        target.clear();
        return { kind: "done" };
      case "promote":
        return this.promote(job);
      case "trim":
        for (const key of KEYS.flat()) {
          const owner = this.home[slotOfKey(key)];
          if (owner !== job.source_id) source.delete(key);
          if (owner !== job.target_id) target.delete(key);
          yield;
        }
        return { kind: "done" };
      default:
        return unreachable(part);
    }
  }

  /** What the target lacks comes while all hold; whether it went well may remain unknown. */
  private promote(job: MigrationJob): Outcome {
    const luck = this.isCalm ? 9 : this.choose(6);
    if (this.replica !== null && luck === 0) return { kind: "unchanged", reason: "too slow" };
    if (this.replica !== null && luck !== 1) {
      const source = this.server(job.source_id);
      this.server(job.target_id).clear();
      for (const [key, value] of source) this.server(job.target_id).set(key, value);
      this.replica = null;
    }
    if (luck <= 2) return { kind: "failed", reason: "no answer" };
    return { kind: "done" };
  }

  private *pass(job: MigrationJob, owner: string): Generator<void, Outcome, void> {
    const way = { view: { from: job.source_id, backend: job.target_id } };
    const bigKeys: PinnedKey[] = [];
    const left = new Set<number>();
    for (const slot of job.slots) {
      for (const key of KEYS[slot].filter((each) => this.server(job.source_id).has(each))) {
        const isPinned = job.pins.some((each) => each.key === key);
        if (isPinned) left.add(slot);
        else if (isBig(key)) {
          bigKeys.push(pin(key));
          left.add(slot);
        } else {
          const stray = { owner, act: this.migration(key, way) };
          this.strays.push(stray);
          yield;
          if (!this.strays.includes(stray)) continue; // it has happened by itself
          this.strays = this.strays.filter((each) => each !== stray);
          stray.act();
        }
        if (this.server(job.source_id).has(key)) left.add(slot);
      }
    }
    const clean = new Set(job.slots.filter((slot) => !left.has(slot)));
    for (const key of [...clean].flatMap((slot) => KEYS[slot])) {
      if (this.server(job.source_id).has(key)) clean.delete(slotOfKey(key));
    }
    return { kind: "done", clean, bigKeys };
  }
}

function pin(key: string): PinnedKey {
  return { db: 0, key, state: "pinned" };
}
