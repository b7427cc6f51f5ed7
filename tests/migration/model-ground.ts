// The ground of the small world of `model.ts`: two servers, what is on its way to them, and the
// parts of the engine as migration-design.md states them.

import type { Outcome, Part } from "../../src/dashboard/next-step.ts";
import { unreachable } from "../../src/lib/assert.ts";
import type { MigrationJob, PinnedKey } from "../../src/model/migration-job.ts";
import { slotOfKey } from "../../src/model/slot.ts";
import { keyOf } from "../harness/keys.ts";

/** A violation of an invariant. */
export class Broken extends Error {}

/** Rules that can be left out. */
export const RULES = [
  "hold", // slots are held by all before any switches
  "quiet", // a proxy acknowledges when its requests under the old view have ended
  "confirm", // the target is what it was when it was purged
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
/** Slot → its keys; the last of each is large. */
export const KEYS: readonly (readonly string[])[] = [
  [keyOf(0, 0), keyOf(0, 1), keyOf(0, 2)],
  [keyOf(1, 0), keyOf(1, 1)],
];
const isBig = (key: string): boolean => KEYS.some((keys) => keys.at(-1) === key);

const NOTHING: ReadonlyMap<string, number[]> = new Map();
const DONE: Outcome = { kind: "done" };
const FAILED: Outcome = { kind: "failed", reason: "no answer" };

/** Something that a process sent before it died and that a server may still do. */
interface Stray {
  readonly owner: string;
  readonly act: () => void;
}

export class Ground {
  /** Slot → the group that owns it while no job moves it. */
  readonly home: number[] = [1, 1];
  /** No more mishaps. */
  isCalm = false;
  /** Method replica: who replicates whom. */
  replica: { readonly source: number; readonly target: number } | null = null;
  strays: Stray[] = [];
  /** By group: how often its server has begun anew. */
  readonly lives = [0, 0, 0];
  /** By group: what the last purge has deleted, which an older copy of the server still has. */
  readonly #purged = [NOTHING, NOTHING, NOTHING];
  /** Epochs of holds in which the target was found to be right. */
  readonly confirmed = new Set<number>();
  /** Groups whose server does not answer; it keeps what it has. */
  readonly down = new Set<number>();
  /** "group slot": keys may be left there, as the server did not answer or has begun anew since. */
  readonly unaudited = new Set<string>();
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
    /** What happened, for whoever has to understand a violation; null: nobody has. */
    private readonly story: string[] | null,
  ) {}

  note(textOf: () => string): void {
    this.story?.push(textOf());
  }

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
    if (stray === undefined || this.down.size > 0) return;
    this.strays = this.strays.filter((each) => each !== stray);
    this.note(() => `a command that ${stray.owner} has left behind arrives`);
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

  /** The source fails over to a replica that has missed the end of a migration of these slots. */
  relapse(job: MigrationJob, slots: readonly number[]): void {
    const [source, target] = [this.server(job.source_id), this.server(job.target_id)];
    for (const key of slots.flatMap((slot) => KEYS[slot])) {
      const value = target.get(key);
      if (value === undefined || source.has(key)) continue;
      const older = value.slice(0, this.choose(value.length + 1));
      this.note(() => `${key} comes back at ${job.source_id}`);
      this.ghosts.add(older);
      source.set(key, older);
    }
  }

  /** The target begins anew with an older copy of what it had, and as a master. */
  restart(job: MigrationJob): void {
    this.note(() => `the server of group ${job.target_id} begins anew`);
    this.lives[job.target_id]++;
    const target = this.server(job.target_id);
    if (job.method === "replica") {
      this.replica = null;
      target.clear();
    }
    // Nobody sees what comes back before the next purge, and a job that is cancelled needs none.
    for (const slot of job.slots) this.unaudited.add(`${job.target_id} ${slot}`);
    for (const [key, value] of this.#purged[job.target_id]) {
      if (job.slots.includes(slotOfKey(key)) && !target.has(key)) target.set(key, value);
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
      if (this.down.size > 0) return;
      const source = this.server(way.view.from);
      const target = this.server(way.view.backend);
      const value = source.get(key);
      this.note(
        () => `MIGRATE ${key} from ${way.view.from}: ${value === undefined ? "-" : "it is there"}`,
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
    // What an audit has not seen stays, so it needs a reason to fail; the others are repeated.
    if (!this.isCalm && part.name !== "audit" && this.choose(10) === 0) return FAILED;
    const working = this.parts(job, part, owner);
    for (;;) {
      if (this.down.size > 0) return FAILED;
      const { done, value } = working.next();
      if (done) return value;
      yield;
    }
  }

  private *parts(job: MigrationJob, part: Part, owner: string): Generator<void, Outcome, void> {
    const [source, target] = [this.server(job.source_id), this.server(job.target_id)];
    const keys = job.slots.flatMap((slot) => KEYS[slot]);
    switch (part.name) {
      case "prepare": {
        const targetLife = String(this.lives[job.target_id]);
        yield;
        this.#purged[job.target_id] = new Map(target);
        for (const key of keys) if (this.obeys("purge")) target.delete(key);
        this.isSwept(job.target_id, job.slots);
        yield;
        return {
          kind: "done",
          targetLife,
          bigKeys: keys.filter((key) => isBig(key) && source.has(key)).map(pin),
        };
      }
      case "confirm":
        if (job.target_life !== String(this.lives[job.target_id]) && this.obeys("confirm")) {
          return FAILED;
        }
        this.confirmed.add(job.epoch);
        return DONE;
      case "move":
        return yield* this.pass(job, owner);
      case "reconcile":
        for (const key of keys) {
          if (target.has(key) && this.obeys("reconcile")) source.delete(key);
          yield;
        }
        return DONE;
      case "moveKey": {
        const key = keyOfPin(part.pin);
        const value = source.get(key);
        yield;
        if (target.has(key)) source.delete(key);
        if (!source.has(key) || value === undefined) return DONE;
        target.set(key, value);
        yield;
        source.delete(key);
        return DONE;
      }
      case "audit":
        for (const key of keys) source.delete(key);
        this.isSwept(job.source_id, job.slots);
        return DONE;
      case "attach":
        this.replica = { source: job.source_id, target: job.target_id };
        yield;
        return DONE;
      case "detach":
        this.replica = null;
        target.clear();
        return DONE;
      case "promote":
        return this.promote(job);
      case "trim":
        for (const key of KEYS.flat()) {
          const home = this.home[slotOfKey(key)];
          if (home !== job.source_id) source.delete(key);
          if (home !== job.target_id) target.delete(key);
          yield;
        }
        return DONE;
      default:
        return unreachable(part);
    }
  }

  private isSwept(group: number, slots: readonly number[]): void {
    for (const slot of slots) this.unaudited.delete(`${group} ${slot}`);
  }

  /** What the target lacks comes while all hold; whether it went well may remain unknown. */
  private promote(job: MigrationJob): Outcome {
    // It is a master already, by this or by another reason.
    if (this.replica === null) return FAILED;
    const luck = this.isCalm ? 9 : this.choose(6);
    if (luck === 0) return { kind: "unchanged", reason: "too slow" };
    if (luck > 1) {
      const source = this.server(job.source_id);
      this.server(job.target_id).clear();
      for (const [key, value] of source) this.server(job.target_id).set(key, value);
      this.replica = null;
    }
    if (luck <= 2) return FAILED;
    this.confirmed.add(job.epoch);
    return DONE;
  }

  private *pass(job: MigrationJob, owner: string): Generator<void, Outcome, void> {
    const way = { view: { from: job.source_id, backend: job.target_id } };
    const bigKeys: PinnedKey[] = [];
    const left = new Set<number>();
    for (const slot of job.slots) {
      for (const key of KEYS[slot].filter((each) => this.server(job.source_id).has(each))) {
        const isPinned = job.pins.some((each) => keyOfPin(each) === key);
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
  return { db: 0, key: Buffer.from(key).toString("base64"), state: "pinned" };
}

export function keyOfPin(pin: PinnedKey): string {
  return Buffer.from(pin.key, "base64").toString();
}
