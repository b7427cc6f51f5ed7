// Every state with everything that may be known of it. What it adds up to over time is played in
// tests/migration/model.test.ts.
import { describe, expect, test } from "bun:test";
import {
  JOB_METHODS,
  JOB_STATES,
  type JobState,
  type MigrationJob,
  type PinnedKey,
} from "../model/migration-job.ts";
import {
  afterRetry,
  afterStore,
  type Agreement,
  FRESH,
  type Knowledge,
  nextStep,
  type Outcome,
  type Part,
  type Step,
} from "./next-step.ts";

const PIN: PinnedKey = { db: 0, key: "a2V5", state: "pinned" };
const AGREEMENTS: readonly Agreement[] = ["unknown", "agreed", "late"];
const PARTS = [
  ...(["prepare", "confirm", "attach", "detach", "move", "moveKey"] as const),
  ...(["reconcile", "promote", "audit", "trim"] as const),
];
const RESULTS: readonly Outcome[] = [
  { kind: "done" },
  { kind: "done", clean: new Set([1]), bigKeys: [PIN] },
  { kind: "done", clean: new Set([1, 2, 3]) },
  { kind: "failed", reason: "it failed" },
  { kind: "unchanged", reason: "too slow" },
];

const WHILE_HELD = ["confirm", "reconcile", "promote", "detach"] as const;

/** The way a job may take: from each state to these and no others. */
const WAYS: Readonly<Record<JobState, readonly JobState[]>> = {
  preparing: ["holding", "finishing"],
  holding: ["preparing", "migrating", "switching"],
  migrating: ["migrating", "finishing", "reversing"],
  finishing: [],
  reversing: ["migrating"],
  switching: ["preparing", "promoted"],
  promoted: ["trimming"],
  trimming: [],
};

function jobIn(state: JobState, fields: Partial<MigrationJob> = {}): MigrationJob {
  return {
    id: 7,
    method: "keys",
    source_id: 1,
    target_id: 2,
    epoch: 10,
    state,
    slots: [1, 2, 3],
    pins: [],
    started: 0,
    ...fields,
  };
}

interface Situation {
  readonly job: MigrationJob;
  readonly known: Knowledge;
  readonly isPaused: boolean;
  readonly step: Step;
}

function* everything(): Generator<Situation> {
  for (const state of JOB_STATES) {
    for (const job of jobsIn(state)) {
      for (const known of knowledges()) {
        for (const isPaused of [false, true]) {
          yield { job, known, isPaused, step: nextStep(job, known, { isPaused }) };
        }
      }
    }
  }
}

function* jobsIn(state: JobState): Generator<MigrationJob> {
  for (const method of JOB_METHODS) {
    for (const flags of [{}, { cancelled: true }, { reversed: true }]) {
      for (const pins of [[], [PIN], [PIN, { ...PIN, key: "aw==", state: "held" as const }]]) {
        for (const source_id of [0, 1]) yield jobIn(state, { method, pins, source_id, ...flags });
      }
    }
  }
}

function* knowledges(): Generator<Knowledge> {
  const outcomes = [null, ...PARTS.flatMap((part) => RESULTS.map((result) => ({ part, result })))];
  for (const slots of AGREEMENTS) {
    for (const pins of AGREEMENTS) {
      for (const outcome of outcomes) {
        for (const setback of ["", "given up"]) {
          for (const bigKeys of [[], [PIN]]) {
            yield { ...FRESH, slots, pins, outcome, setback, bigKeys, failures: 1 };
          }
        }
      }
    }
  }
}

const all = [...everything()];

function broken(rule: (situation: Situation) => boolean): string[] {
  return all
    .filter((each) => !rule(each))
    .map((each) => JSON.stringify(each))
    .slice(0, 3);
}

const isCalled = (step: Step, ...parts: Part["name"][]): boolean =>
  step.kind === "run" && parts.includes(step.part.name);

describe("whatever is known", () => {
  test("a job goes only to the states that may follow", () => {
    const wrong = broken(({ job, step }) => {
      if (step.kind !== "store") return true;
      return step.job.state === job.state
        ? ["migrating", "preparing"].includes(job.state)
        : WAYS[job.state].includes(step.job.state);
    });
    expect(wrong).toEqual([]);
  });

  test("the epoch rises with every hold and every way back, and with nothing else", () => {
    const wrong = broken(({ job, step }) => {
      if (step.kind !== "store") return true;
      const isWayBack = WAYS.holding[0] === step.job.state || job.state === "reversing";
      const rises = ["holding", "reversing"].includes(step.job.state) || isWayBack;
      return step.job.epoch === job.epoch + (rises ? 1 : 0);
    });
    expect(wrong).toEqual([]);
  });

  test("nothing that needs all proxies begins before they have agreed", () => {
    const wrong = broken(({ known, step }) => {
      const mayBegin = known.slots === "agreed";
      if (step.kind === "run" && step.part.name !== "trim") return mayBegin;
      if (step.kind === "arrive" || step.kind === "postpone") return mayBegin;
      if (step.kind !== "store") return true;
      const needsAll = ["migrating", "switching", "promoted", "finishing"];
      const isFirst = step.job.epoch === 10 && needsAll.includes(step.job.state);
      return isFirst ? mayBegin : true;
    });
    expect(wrong).toEqual([]);
  });

  test("source and target change their parts only when nothing is on both ends", () => {
    const wrong = broken(({ job, known, step }) => {
      if (step.kind !== "store" || step.job.source_id === job.source_id) return true;
      const { outcome } = known;
      const isClean = outcome?.part === "reconcile" && outcome.result.kind === "done";
      return job.state === "reversing" && isClean && step.job.target_id === job.source_id;
    });
    expect(wrong).toEqual([]);
  });

  test("a large key is moved only while every proxy holds it", () => {
    const wrong = broken(({ known, step }) => {
      if (step.kind !== "run" || step.part.name !== "moveKey") return true;
      return step.part.pin.state !== "pinned" && known.pins === "agreed";
    });
    expect(wrong).toEqual([]);
  });

  test("each part runs only in the states and for the methods that it is for", () => {
    const places: Readonly<Record<Part["name"], readonly JobState[]>> = {
      prepare: ["preparing"],
      confirm: ["holding"],
      attach: ["preparing"],
      detach: ["preparing"],
      move: ["migrating"],
      moveKey: ["migrating"],
      reconcile: ["reversing"],
      promote: ["switching"],
      audit: ["finishing"],
      trim: ["trimming"],
    };
    const wrong = broken(({ job, step }) => {
      if (step.kind !== "run") return true;
      const isForReplica = isCalled(step, "attach", "detach");
      const isRight = !["attach", "detach", "prepare"].includes(step.part.name);
      return (
        places[step.part.name].includes(job.state) &&
        (isRight || isForReplica === (job.method === "replica"))
      );
    });
    expect(wrong).toEqual([]);
  });

  test("keys move to a target only when it is still what was purged", () => {
    const wrong = broken(({ job, known, step }) => {
      if (job.state !== "holding" || job.method !== "keys") return true;
      if (step.kind !== "store" || step.job.state !== "migrating") return true;
      return known.outcome?.part === "confirm" && known.outcome.result.kind === "done";
    });
    expect(wrong).toEqual([]);
    const known: Knowledge = { ...FRESH, slots: "agreed", pins: "agreed" };
    const failed = { part: "confirm", result: { kind: "failed", reason: "it is new" } } as const;
    const step = nextStep(jobIn("holding"), { ...known, outcome: failed }, { isPaused: false });
    expect(step).toMatchObject({ job: { state: "preparing", epoch: 11 }, setback: "it is new" });
  });

  test("a pause stops every part but those that run while requests are held", () => {
    const wrong = broken(({ isPaused, step }) => {
      return !isPaused || step.kind !== "run" || isCalled(step, ...WHILE_HELD);
    });
    expect(wrong).toEqual([]);
  });

  test("a dashboard that has just taken over tells the proxies before anything else", () => {
    for (const { job, known, step } of all) {
      if (known.slots !== "unknown" || known.outcome !== null || known.setback !== "") continue;
      if (job.state === "trimming" || known.pins === "late") continue;
      if (step.kind === "push") expect(step.pinsOnly).toBe(false);
      else expect(["holding", "migrating"]).toContain(job.state);
      if (step.kind !== "push") expect(job.cancelled).toBe(true);
    }
  });
});

describe("a cancelled job", () => {
  const context = { isPaused: false };
  const agreed: Knowledge = { ...FRESH, slots: "agreed", pins: "agreed" };

  test("vanishes when nothing has moved", () => {
    const job = jobIn("preparing", { cancelled: true });
    expect(nextStep(job, agreed, context)).toEqual({ kind: "arrive", groupId: 1 });
  });

  test("holds nothing while a group changes its master", () => {
    const changing = { isPaused: true, isChanging: true };
    const job = jobIn("migrating", { cancelled: true });
    expect(nextStep(job, agreed, changing)).toEqual({ kind: "wait" });
  });

  test("turns back when proxies may have switched, and only once", () => {
    const job = jobIn("migrating", { cancelled: true });
    expect(nextStep(job, agreed, context)).toMatchObject({
      job: { state: "reversing", epoch: 11 },
    });
    const back = { ...job, reversed: true };
    expect(nextStep(back, agreed, context)).toEqual({ kind: "run", part: { name: "move" } });
  });

  test("goes on when it has arrived", () => {
    const job = jobIn("finishing", { cancelled: true });
    expect(nextStep(job, agreed, context)).toEqual({ kind: "run", part: { name: "audit" } });
  });
});

describe("what is known afterwards", () => {
  test("a store forgets the proxies unless the slots are told the same", () => {
    const job = jobIn("migrating", { pins: [PIN] });
    const known: Knowledge = { ...FRESH, slots: "agreed", pins: "agreed", failures: 3 };
    const pinned = { kind: "store", job: { ...job, pins: [] } } as const;
    expect(afterStore(job, pinned, known)).toMatchObject({ slots: "agreed", pins: "unknown" });
    const done = { kind: "store", job: { ...job, state: "finishing" } } as const;
    const after = afterStore(job, done, known);
    expect(after).toMatchObject({ slots: "unknown", pins: "agreed", failures: 0 });
  });

  test("a pause clears what failed and counts it", () => {
    const failed = { part: "move", result: { kind: "failed", reason: "no" } } as const;
    const known: Knowledge = { ...FRESH, slots: "agreed", pins: "late", outcome: failed };
    const after = afterRetry(known);
    expect(after).toMatchObject({ slots: "agreed", pins: "unknown", outcome: null, failures: 1 });
  });
});
