/**
 * Decides what happens next to a migration job: a pure function of the stored job and of what the
 * runner has learned since it was stored. `job-run.ts` performs the step and asks again; the proofs
 * are in next-step.test.ts (every state with every outcome) and in tests/migration/model.ts.
 *
 * A step is one effect, and the store always comes before the proxies, so the record says how far
 * the proxies may have got. A crash forgets the knowledge and nothing else: whoever leads next
 * starts from the record with FRESH and tells the proxies again.
 *
 *                         late, failed: epoch+1
 *                        ┌───────────────────┐
 *                        ▼                   │
 *   keys, codis      preparing ──────▶ holding(e) ──────▶ migrating ──────▶ finishing ──▶ done
 *                     │  postponed,                       │  ▲  │ ▲
 *                     ▼  cancelled              cancelled │  │  │ │ late, failed: epoch+1
 *                    gone                        epoch+1  ▼  │  ▼ │
 *                                                   reversing ┘ swap source and target, epoch+1
 *
 *   replica          preparing ──▶ holding ──▶ switching ──▶ promoted ──▶ trimming ──▶ done
 *                        ▲            │             │
 *                        └────────────┴─────────────┘ late, failed: epoch+1
 */
import { assert, unreachable } from "../lib/assert.ts";
import type { MigrationJob, PinnedKey } from "../model/migration-job.ts";

/** A piece of work of the engine. Each may be repeated, whatever came of it before. */
export type Part =
  | { readonly name: "prepare" } // check both ends, purge the target, look for big keys
  | { readonly name: "confirm" } // while all hold: the target is what it was when it was purged
  | { readonly name: "attach" } // the target replicates the source and has nearly caught up
  | { readonly name: "detach" } // the target stops doing so, and loses what it has copied
  | { readonly name: "move" } // one pass over the source
  | { readonly name: "moveKey"; readonly pin: PinnedKey } // a large key that all hold
  | { readonly name: "reconcile" } // while all hold: no key stays on both ends
  | { readonly name: "promote" } // while all hold: the target has everything and is a master
  | { readonly name: "audit" } // removes what a late write left on the source
  | { readonly name: "trim" }; // both ends lose the keys of slots that are not theirs

export type Outcome =
  | {
      readonly kind: "done";
      /** prepare: keys to pin before the hold. move: large keys that it left alone. */
      readonly bigKeys?: readonly PinnedKey[];
      /** prepare: what the target was when it was purged. */
      readonly targetLife?: string;
      /** move: slots that have no key on the source any more. */
      readonly clean?: ReadonlySet<number>;
    }
  | { readonly kind: "failed"; readonly reason: string }
  /** promote: surely nothing has changed. */
  | { readonly kind: "unchanged"; readonly reason: string };

/** late: some proxy did not acknowledge. */
export type Agreement = "unknown" | "agreed" | "late";

/** What is known of the record as it is stored. */
export interface Knowledge {
  /** Whether all proxies route by the slots of this record, and by its pins. */
  readonly slots: Agreement;
  readonly pins: Agreement;
  /** What the last part under this record came to. */
  readonly outcome: { readonly part: Part["name"]; readonly result: Outcome } | null;
  /** Large keys that a pass has met, not pinned yet. */
  readonly bigKeys: readonly PinnedKey[];
  /** Why the last attempt was given up, if it was: a pause is due before the next one. */
  readonly setback: string;
  /** Attempts in a row that failed. */
  readonly failures: number;
}

export const FRESH: Knowledge = {
  slots: "unknown",
  pins: "unknown",
  outcome: null,
  bigKeys: [],
  setback: "",
  failures: 0,
};

export interface StepContext {
  /** The operator has paused the migration, or one of the groups changes its master. */
  readonly isPaused: boolean;
  /** One of the groups changes its master: nobody begins to hold its slots. */
  readonly isChanging?: boolean;
}

export type Step =
  /**
   * Stores the job. `split` is a part of its slots that goes on under a number of its own (the 0
   * in it is replaced); it is stored first. A setback makes a pause due.
   */
  | {
      readonly kind: "store";
      readonly job: MigrationJob;
      readonly split?: MigrationJob;
      readonly setback?: string;
    }
  /** Tells the proxies of the pins, and then, unless `pinsOnly`, of the slots. */
  | { readonly kind: "push"; readonly pinsOnly: boolean; readonly isHold: boolean }
  | { readonly kind: "run"; readonly part: Part }
  /** Waits longer each time, then forgets what failed. */
  | { readonly kind: "retry"; readonly reason: string }
  /** Nothing to do before something changes. */
  | { readonly kind: "wait" }
  /** The slots belong to the group and are idle; the job is gone, or goes on without them. */
  | { readonly kind: "arrive"; readonly groupId: number; readonly rest?: MigrationJob }
  /** The slots wait for a better time as pending actions; the job is gone. */
  | { readonly kind: "postpone"; readonly reason: string }
  | { readonly kind: "remove" };

/** The source may be dead for good, and what is left there then cannot be seen by anybody. */
const MAX_AUDITS = 3;

/** For the target of a cancelled job by replication, which may be dead for good as well. */
const MAX_DETACHES = 5;

export function nextStep(job: MigrationJob, known: Knowledge, context: StepContext): Step {
  switch (job.state) {
    case "preparing":
      return preparing(job, known, context);
    case "holding":
      return holding(job, known);
    case "migrating":
      return migrating(job, known, context);
    case "finishing":
      return finishing(job, known, context);
    case "reversing":
      return reversing(job, known);
    case "switching":
      return switching(job, known);
    case "promoted":
      return promoted(job, known);
    case "trimming":
      return trimming(known, context);
    default:
      return unreachable(job.state);
  }
}

/** The knowledge after a store: what is not about the new record is forgotten. */
export function afterStore(
  before: MigrationJob,
  step: Extract<Step, { kind: "store" }>,
  known: Knowledge,
): Knowledge {
  const { job, setback = "" } = step;
  // Slots that left the job are told of by the job that has them now.
  const isSameState = before.state === job.state && before.epoch === job.epoch;
  const isSameRoute = isSameState || job.state === "switching";
  const isForward = setback === "" && !isSameState;
  return {
    ...FRESH,
    slots: isSameRoute ? known.slots : "unknown",
    pins: before.pins === job.pins ? known.pins : "unknown",
    bigKeys: job.state === "migrating" ? known.bigKeys.filter((key) => !has(job.pins, key)) : [],
    setback,
    failures: isForward ? 0 : known.failures,
  };
}

/** The knowledge after the pause that a `retry` asks for. */
export function afterRetry(known: Knowledge): Knowledge {
  return {
    ...known,
    slots: known.slots === "late" ? "unknown" : known.slots,
    pins: known.pins === "late" ? "unknown" : known.pins,
    outcome: null,
    setback: "",
    failures: known.failures + 1,
  };
}

/** The map leads to the source: nothing has happened to the slots, and the job may still vanish. */
function preparing(job: MigrationJob, known: Knowledge, context: StepContext): Step {
  const isReplica = job.method === "replica";
  const failed = failureOf(known);
  if (known.slots !== "agreed") return tell(known, false);
  if (job.cancelled && !isReplica) return { kind: "arrive", groupId: job.source_id };
  if (job.cancelled || job.in_doubt) return detaching(job, known, context);
  if (failed !== "") return { kind: isReplica ? "retry" : "postpone", reason: failed };
  if (context.isPaused) return { kind: "wait" };
  // Slots that were offline have no keys to bring along.
  if (job.source_id === 0) return { kind: "store", job: { ...job, state: "finishing" } };
  const part = isReplica ? "attach" : "prepare";
  const result = resultOf(known, part);
  if (result?.kind !== "done") return run(part);
  const pins = (result.bigKeys ?? []).map((key) => ({ ...key, state: "pinned" as const }));
  const { targetLife: target_life } = result;
  const next = { ...job, state: "holding", epoch: job.epoch + 1, pins, target_life } as const;
  return { kind: "store", job: next };
}

/** The target becomes an empty master. The slots do not need it, so a dead one is left alone. */
function detaching(job: MigrationJob, known: Knowledge, context: StepContext): Step {
  const arrive: Step = { kind: "arrive", groupId: job.source_id };
  const failed = failureOf(known);
  if (isDone(known, "detach")) {
    if (job.cancelled) return arrive;
    const { in_doubt: _, ...next } = job;
    return { kind: "store", job: next };
  }
  if (failed !== "" && job.cancelled && known.failures + 1 >= MAX_DETACHES) return arrive;
  if (failed !== "") return { kind: "retry", reason: failed };
  return context.isPaused && !job.cancelled ? { kind: "wait" } : run("detach");
}

/** No proxy sends a request for the slots before all hold; none may have switched. */
function holding(job: MigrationJob, known: Knowledge): Step {
  const late = known.slots === "late" || known.pins === "late";
  if (late || job.cancelled) return release(job, late ? LATE : "");
  const failed = failureOf(known);
  if (failed !== "") return release(job, failed);
  if (known.slots !== "agreed") return tell(known, true);
  // A key that the target has wins, so none may have come back.
  if (job.method === "keys" && !isDone(known, "confirm")) return run("confirm");
  const state = job.method === "replica" ? "switching" : "migrating";
  return { kind: "store", job: { ...job, state } };
}

const LATE = "not every proxy could hold the slots in time";

/** Back to the source for everybody; under a new epoch, since the old one ends here. */
function release(job: MigrationJob, setback: string): Step {
  return {
    kind: "store",
    job: { ...job, state: "preparing", epoch: job.epoch + 1 },
    ...(setback === "" ? {} : { setback }),
  };
}

/** From the first proxy that may have switched there is no way back but `reversing`. */
function migrating(job: MigrationJob, known: Knowledge, context: StepContext): Step {
  const failed = failureOf(known);
  // After a reversal that was given up the proxies hold: they are let go before the next attempt.
  if (job.cancelled && !job.reversed && failed === "" && !context.isChanging) {
    return { kind: "store", job: { ...job, state: "reversing", epoch: job.epoch + 1 } };
  }
  if (known.slots !== "agreed") return tell(known, false);
  if (known.pins !== "agreed") return tell(known, false);
  if (failed !== "") return { kind: "retry", reason: failed };
  if (context.isPaused) return { kind: "wait" };
  if (job.pins.length > 0) return moveBigKey(job, known, job.pins);
  const pass = resultOf(known, "move");
  const clean = pass?.kind === "done" ? pass.clean : undefined;
  if (clean !== undefined && job.slots.some((slot) => clean.has(slot))) {
    return leaveClean(job, clean);
  }
  const [found] = known.bigKeys;
  // A proxy may have moved it already, so it cannot be kept at the source: it is held at once.
  if (found !== undefined) return withPins(job, [{ ...found, state: "held" }]);
  if (clean === undefined) return run("move");
  return { kind: "retry", reason: "keys are left on the source after a whole pass" };
}

/** One large key after the other: pinned → held → moved and released. */
function moveBigKey(job: MigrationJob, known: Knowledge, pins: readonly PinnedKey[]): Step {
  const [pin, ...others] = [...pins].sort((a, b) => urgency(a) - urgency(b));
  if (pin.state === "pinned") return withPins(job, [{ ...pin, state: "held" }, ...others]);
  if (!isDone(known, "moveKey")) return { kind: "run", part: { name: "moveKey", pin } };
  // Releases this key and holds the next one in a single push.
  const [next, ...later] = others;
  return withPins(job, next === undefined ? [] : [{ ...next, state: "held" }, ...later]);
}

function urgency(pin: PinnedKey): number {
  return pin.state === "pinned" ? 1 : 0;
}

function withPins(job: MigrationJob, pins: readonly PinnedKey[]): Step {
  return { kind: "store", job: { ...job, pins } };
}

/** Slots without keys on the source go on; the others stay for another pass. */
function leaveClean(job: MigrationJob, clean: ReadonlySet<number>): Step {
  const rest = job.slots.filter((slot) => !clean.has(slot));
  if (rest.length === 0) return { kind: "store", job: { ...job, state: "finishing" } };
  const done = job.slots.filter((slot) => clean.has(slot));
  return {
    kind: "store",
    job: { ...job, slots: rest },
    split: { ...job, id: 0, slots: done, pins: [], state: "finishing" },
  };
}

/** Old and new view are both right here: a proxy with the old one finds nothing on the source. */
function finishing(job: MigrationJob, known: Knowledge, context: StepContext): Step {
  if (known.slots !== "agreed") return tell(known, false);
  const arrive: Step = { kind: "arrive", groupId: job.target_id };
  if (job.source_id === 0 || isDone(known, "audit")) return arrive;
  const failed = failureOf(known);
  if (failed !== "" && known.failures + 1 >= MAX_AUDITS) return arrive;
  if (failed !== "") return { kind: "retry", reason: failed };
  return context.isPaused ? { kind: "wait" } : run("audit");
}

/** All hold. When no key is on both ends, source and target may change their parts. */
function reversing(job: MigrationJob, known: Knowledge): Step {
  const isLate = known.slots === "late" || known.pins === "late";
  const failed = isLate ? LATE : failureOf(known);
  if (failed !== "") {
    const forward = { ...job, state: "migrating", epoch: job.epoch + 1 } as const;
    return { kind: "store", job: forward, setback: failed };
  }
  if (known.slots !== "agreed") return tell(known, true);
  if (!isDone(known, "reconcile")) return run("reconcile");
  const { cancelled: _, ...rest } = job;
  return {
    kind: "store",
    job: {
      ...rest,
      state: "migrating",
      source_id: job.target_id,
      target_id: job.source_id,
      epoch: job.epoch + 1,
      // A key kept at the old source is where it belongs now.
      pins: [],
      reversed: true,
    },
  };
}

/**
 * All hold, so that the source has everything and nobody writes to the target, whatever it is:
 * until "promoted" is stored there is a way back. After a part whose outcome nobody knows the
 * target may be a master; it is emptied before it is attached again.
 */
function switching(job: MigrationJob, known: Knowledge): Step {
  const inDoubt = { ...job, in_doubt: true };
  if (known.slots === "late" || known.pins === "late") return release(inDoubt, LATE);
  if (known.slots !== "agreed") return tell(known, true);
  const result = resultOf(known, "promote");
  if (result === null) return run("promote");
  if (result.kind === "done") return { kind: "store", job: { ...job, state: "promoted" } };
  return release(result.kind === "unchanged" ? job : inDoubt, result.reason);
}

/** The source is history: only forward. */
function promoted(job: MigrationJob, known: Knowledge): Step {
  if (known.slots !== "agreed") return tell(known, false);
  return { kind: "arrive", groupId: job.target_id, rest: { ...job, state: "trimming" } };
}

function trimming(known: Knowledge, context: StepContext): Step {
  if (isDone(known, "trim")) return { kind: "remove" };
  const failed = failureOf(known);
  if (failed !== "") return { kind: "retry", reason: failed };
  return context.isPaused ? { kind: "wait" } : run("trim");
}

/** Pins come first: a proxy that knows a slot as migrating must know what not to move. */
function tell(known: Knowledge, isHold: boolean): Step {
  if (known.slots === "late" || known.pins === "late") {
    return { kind: "retry", reason: "not every proxy has acknowledged" };
  }
  return { kind: "push", pinsOnly: known.slots === "agreed", isHold };
}

function run(name: Exclude<Part["name"], "moveKey">): Step {
  return { kind: "run", part: { name } };
}

function resultOf(known: Knowledge, part: Part["name"]): Outcome | null {
  return known.outcome?.part === part ? known.outcome.result : null;
}

function isDone(known: Knowledge, part: Part["name"]): boolean {
  return resultOf(known, part)?.kind === "done";
}

/** Why something has to be tried again after a pause; "" when all is well. */
function failureOf(known: Knowledge): string {
  if (known.setback !== "") return known.setback;
  const result = known.outcome?.result;
  if (result === undefined || result.kind === "done") return "";
  assert(result.reason !== "", "a failure has its reason");
  return result.reason;
}

function has(pins: readonly PinnedKey[], key: PinnedKey): boolean {
  return pins.some((pin) => pin.db === key.db && pin.key === key.key);
}
