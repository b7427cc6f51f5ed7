import { expect, test } from "bun:test";
import { Poller } from "../net/poller.ts";
import { type TurnClient, Turn } from "./turn.ts";

/** A client that would wait for `patience` turns. */
class Client implements TurnClient {
  isTouched = false;
  countedIn = -1;
  flushes = 0;
  owned = 0;

  constructor(public patience: number) {}

  postpone(): boolean {
    return this.patience-- > 0;
  }

  own(): void {
    this.owned++;
  }

  flush(): void {
    this.flushes++;
  }
}

function turnOf(...clients: Client[]): Poller {
  const poller = new Poller();
  const turn = new Turn(poller);
  poller.isInTurn = true;
  for (const client of clients) turn.touchSession(client);
  return poller;
}

test("replies that wait leave when they have waited long enough, others at once", () => {
  const [patient, plain] = [new Client(2), new Client(0)];
  const poller = turnOf(patient, plain);
  const left = Array.from({ length: 4 }, () => {
    poller.onTurn();
    return [patient.flushes, plain.flushes];
  });
  expect(left).toEqual([
    [0, 1],
    [0, 1],
    [1, 1],
    [1, 1],
  ]);
  expect([patient.isTouched, plain.isTouched]).toEqual([false, false]);
});

test("replies that wait leave as soon as nothing else is to be done", () => {
  const patient = new Client(100);
  const poller = turnOf(patient);
  poller.onTurn();
  expect([patient.flushes, patient.isTouched]).toEqual([0, true]);
  poller.onPause();
  expect([patient.flushes, patient.isTouched]).toEqual([1, false]);
});

test("what waits while lent memory is used again becomes the client's own", () => {
  const [patient, plain] = [new Client(100), new Client(0)];
  const poller = turnOf(patient, plain);
  poller.onTurn();
  poller.onReclaim();
  expect([patient.owned, plain.owned]).toEqual([1, 0]);
});
