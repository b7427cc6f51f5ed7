/**
 * The first changes of slots, before anybody waits for them.
 *
 * Requests are held while a dashboard changes slots, and code that has never run takes ten times as
 * long as later: 6 ms for all slots in place of 0.5. So a new worker first plays through what a
 * migration does with slots. Servers are named, and as no request goes to them, none is connected
 * to; at the end all slots are as they were. `worker.ts` calls it before it takes orders.
 */
import { splitFills } from "../model/merged-fill.ts";
import { ForwardMethod, SLOT_COUNT } from "../model/slot.ts";
import type { Router } from "./router.ts";

const IDS: readonly number[] = Array.from({ length: SLOT_COUNT }, (_, id) => id);
const [HERE, THERE] = ["127.0.0.1:1", "127.0.0.1:2"];
const MOVES = { backend_addr: THERE, migrate_from: HERE, forward_method: ForwardMethod.MIGRATE };
const STEPS = [
  { backend_addr: HERE, replica_groups: [[THERE]] },
  { ...MOVES, locked: true },
  MOVES,
  { backend_addr: THERE },
];
const ROUNDS = 3;

export function rehearse(router: Router): void {
  const done = (): void => {};
  for (let round = 0; round < ROUNDS; round++) {
    for (const step of STEPS) router.fill(splitFills([{ ids: IDS, ...step }]), null, done);
  }
  router.fill(splitFills([{ ids: IDS }]), null, done);
}
