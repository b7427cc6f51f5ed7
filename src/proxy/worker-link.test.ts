import { expect, test } from "bun:test";
import { log } from "../lib/log.ts";
import type { PinTable } from "../model/key-pin.ts";
import type { ToParent, ToWorker, WorkerSetup, WorkerStats } from "./ipc.ts";
import type { ClientFilter, ClientRow } from "./local-types.ts";
import { defaultProxyConfig } from "./settings.ts";
import { linkToParent, type WorkerChannel, type WorkerControl } from "./worker-link.ts";

const ALL: ClientFilter = {
  ids: null,
  address: null,
  localAddress: null,
  user: null,
  type: null,
  exceptId: null,
};

/** The two ends that a link connects, both in the hands of the test. */
class Ends implements WorkerChannel, WorkerControl {
  readonly sent: ToParent[] = [];
  readonly called: string[] = [];
  readonly exits: number[] = [];
  filled: (() => void)[] = [];
  ended: (() => void)[] = [];
  deliver: (message: ToWorker) => void = () => {};
  loseParent: () => void = () => {};
  terminate: () => void = () => {};

  send(message: ToParent): void {
    this.sent.push(message);
  }
  onMessage(listener: (message: ToWorker) => void): void {
    this.deliver = listener;
  }
  onDisconnect(listener: () => void): void {
    this.loseParent = listener;
  }
  onTerminate(listener: () => void): void {
    this.terminate = listener;
  }
  exit(status: number): void {
    this.exits.push(status);
  }

  configure(setup: WorkerSetup): void {
    this.called.push(`configure ${setup.index}`);
  }
  fillSlots(slots: readonly { id: number }[], _pins: PinTable | null, done: () => void): void {
    this.called.push(`fill ${slots.map((slot) => slot.id).join(" ")}`);
    this.filled.push(done);
  }
  start(): void {
    this.called.push("start");
  }
  accept(): void {
    throw new Error("the socket is gone");
  }
  stats(): WorkerStats {
    throw new Error("not asked for");
  }
  resetStats(): void {
    this.called.push("reset");
  }
  clients(): readonly ClientRow[] {
    return [{ id: 3, line: "id=3" }];
  }
  kill(): number {
    return 2;
  }
  abandon(address: string): void {
    this.called.push(`abandon ${address}`);
  }
  shutdown(timeoutMs: number, done: () => void): void {
    this.called.push(`shutdown ${timeoutMs}`);
    this.ended.push(done);
  }
}

const SETUP: WorkerSetup = {
  config: { ...defaultProxyConfig(), shutdownTimeoutMs: 77 },
  index: 4,
  workers: 5,
  sessionIdBase: 0,
  token: "",
  startedMs: 0,
  secrets: [],
  logFile: "",
  logLevel: "none",
};

test("orders are carried out in their order and confirmed with their results", () => {
  const ends = new Ends();
  linkToParent(ends, ends);
  ends.deliver({ kind: "order", id: 1, order: { kind: "configure", setup: SETUP } });
  ends.deliver({
    kind: "order",
    id: 2,
    order: { kind: "fill", slots: [{ ids: [7] }], pins: null },
  });
  ends.deliver({ kind: "order", id: 3, order: { kind: "start" } });
  ends.deliver({ kind: "order", id: 4, order: { kind: "clients", filter: ALL } });
  ends.deliver({ kind: "order", id: 5, order: { kind: "kill", filter: ALL } });
  ends.deliver({ kind: "order", id: 6, order: { kind: "log", level: "debug" } });
  expect(log.level).toBe("debug");
  log.setLevel("info");
  expect(ends.called).toEqual(["configure 4", "fill 7", "start"]);
  ends.filled[0]();
  expect(ends.sent).toEqual([
    { kind: "ready" },
    { kind: "done", id: 1, result: null },
    { kind: "done", id: 3, result: null },
    { kind: "done", id: 4, result: [{ id: 3, line: "id=3" }] },
    { kind: "done", id: 5, result: 2 },
    { kind: "done", id: 6, result: null },
    { kind: "done", id: 2, result: null },
  ]);
});

test("an order that fails is reported with its cause", () => {
  const ends = new Ends();
  log.setLevel("none");
  linkToParent(ends, ends);
  ends.deliver({ kind: "order", id: 9, order: { kind: "accept" } });
  log.setLevel("info");
  expect(ends.sent[1]).toEqual({ kind: "failed", id: 9, cause: "the socket is gone" });
});

test("a question is answered once, by its number", () => {
  const ends = new Ends();
  const link = linkToParent(ends, ends);
  const answers: unknown[] = [];
  link.ask({ kind: "info" }, (answer) => answers.push(["first", answer]));
  link.ask({ kind: "kill", filter: ALL }, (answer) => answers.push(["second", answer]));
  ends.deliver({ kind: "answer", id: 2, answer: 5 });
  ends.deliver({ kind: "answer", id: 1, answer: null });
  ends.deliver({ kind: "answer", id: 1, answer: "again" });
  expect(answers).toEqual([
    ["second", 5],
    ["first", null],
  ]);
  expect(ends.sent[1]).toEqual({ kind: "ask", id: 1, question: { kind: "info" } });
});

test("the parent's order and SIGTERM let requests finish before the exit", () => {
  const ends = new Ends();
  linkToParent(ends, ends);
  ends.deliver({ kind: "order", id: 1, order: { kind: "configure", setup: SETUP } });
  log.setLevel("none");
  ends.terminate();
  ends.deliver({ kind: "shutdown", timeoutMs: 5 });
  log.setLevel("info");
  expect(ends.called.slice(1)).toEqual(["shutdown 77", "shutdown 5"]);
  expect(ends.exits).toEqual([]);
  ends.ended[0]();
  expect(ends.exits).toEqual([0]);
});

test("a worker that has lost its parent ends at once, whatever it was doing", () => {
  const ends = new Ends();
  linkToParent(ends, ends);
  ends.deliver({ kind: "order", id: 1, order: { kind: "configure", setup: SETUP } });
  log.setLevel("none");
  ends.loseParent();
  log.setLevel("info");
  expect(ends.exits).toEqual([1]);
  expect(ends.called).toEqual(["configure 4"]);
});
