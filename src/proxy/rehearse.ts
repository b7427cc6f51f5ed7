/**
 * The first changes of slots, before anybody waits for them.
 *
 * Requests are held while a dashboard changes slots, and code that has never run takes up to ten
 * times as long as later: 6 ms for all slots in a worker, in place of 0.5. So a new process first
 * plays through what a migration does with slots. In a worker servers are named, and as no request
 * goes to them, none is connected to; at the end all slots are as they were.
 */
import { mergeFills, parseMergedFills, splitFills } from "../model/merged-fill.ts";
import { ForwardMethod, SLOT_COUNT } from "../model/slot.ts";
import type { Router } from "./router.ts";
import { SlotTable } from "./slot-table.ts";

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

/** For a worker, before it takes orders. */
export function rehearseRouting(router: Router): void {
  const done = (): void => {};
  for (let round = 0; round < ROUNDS; round++) {
    for (const step of STEPS) router.fill(splitFills([{ ids: IDS, ...step }]), null, done);
  }
  router.fill(splitFills([{ ids: IDS }]), null, done);
}

/** For the parent, while its workers start: what comes between the dashboard and a worker. */
export function rehearseTable(): void {
  const table = new SlotTable();
  for (let round = 0; round < ROUNDS; round++) {
    for (const step of STEPS) {
      const { revision } = table;
      table.fill(splitFills(parseMergedFills([{ ids: IDS, ...step }])));
      JSON.stringify(mergeFills(table.changedSince(revision)));
    }
  }
}
