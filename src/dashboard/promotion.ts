/**
 * The steps of a promotion as pure functions over the stored group; `promote.ts` performs them.
 *
 *   none ──begun──▶ preparing ──held──▶ prepared ──switched──▶ finished ──ended──▶ none
 *                       │                  │
 *                       └───────given up───┘        From "finished" on only forward.
 *
 *   preparing   it is known who shall be master; sentinels and jobs let go of the group
 *   prepared    every proxy holds the slots of the group, or is being told to: nobody writes to
 *               either master, so that the replica can get everything before it takes over
 *   finished    the order of the servers has changed: the proxies are told, others re-pointed
 *
 * A state is stored before anything is done under it, and everything that is done may be done
 * again. So whoever reads the record after a crash goes on with the step of its state.
 */
import { assert, unreachable } from "../lib/assert.ts";
import type { Group, GroupServer } from "../model/group.ts";

/** settle: wait for the work that must not go on. hold, switch, release: see above. */
export type PromotionStep = "settle" | "switch" | "release";

/** What to do next for a group; null when it is not being promoted. */
export function promotionStep(group: Group): PromotionStep | null {
  const { state } = group.promoting;
  switch (state) {
    case undefined:
      return null;
    case "preparing":
      return "settle";
    case "prepared":
      return "switch";
    case "finished":
      return "release";
    default:
      return unreachable(state);
  }
}

/** Who is to become master, as long as the order has not changed. */
export function candidateOf(group: Group): GroupServer {
  const candidate = group.servers[group.promoting.index ?? 0];
  assert(candidate !== undefined, "a promotion names a server of its group");
  return candidate;
}

export function begun(group: Group, index: number): Group {
  assert(group.promoting.state === undefined, "a group has one promotion at a time");
  assert(index > 0 && index < group.servers.length, "only a replica can be promoted");
  return { ...group, promoting: { index, state: "preparing" } };
}

export function held(group: Group): Group {
  assert(group.promoting.state === "preparing", "slots are held after preparing");
  return { ...group, promoting: { ...group.promoting, state: "prepared" } };
}

/**
 * The new order: the promoted server first, the others as they were, the old master last. All but
 * the first have an order to replicate it, numbered from `nextIndex`, so that one that cannot be
 * reached now is re-pointed when it comes back.
 */
export function switched(group: Group, nextIndex: number): Group {
  assert(group.promoting.state === "prepared", "the order changes while the slots are held");
  const candidate = candidateOf(group);
  const [master, ...others] = group.servers;
  const followers = [...others.filter((each) => each !== candidate), master];
  return {
    ...group,
    servers: [
      { ...candidate, action: {} },
      ...followers.map((each, at) => ({
        ...each,
        action: { index: nextIndex + at, state: "pending" as const },
      })),
    ],
    promoting: { state: "finished" },
    out_of_sync: true,
  };
}

/** The proxies know the new master; of its replicas they are told next. */
export function ended(group: Group): Group {
  assert(group.promoting.state === "finished", "a promotion ends after its switch");
  return { ...group, promoting: {} };
}

/**
 * Everything as it was. A candidate that may have stopped to replicate is ordered to do so again.
 */
export function givenUp(group: Group, nextIndex: number, wasTold: boolean): Group {
  const { state } = group.promoting;
  assert(state === "preparing" || state === "prepared", "after the switch there is no way back");
  const candidate = candidateOf(group);
  const action = { index: nextIndex, state: "pending" as const };
  return {
    ...group,
    servers: group.servers.map((each) =>
      each === candidate && wasTold ? { ...each, action } : each,
    ),
    promoting: {},
  };
}

/** What sentinels do on their own: the new master changes places with the old one. */
export function swapped(group: Group, index: number): Group {
  assert(index > 0 && index < group.servers.length, "a master changes places with a replica");
  const servers = [...group.servers];
  [servers[0], servers[index]] = [{ ...servers[index], action: {} }, servers[0]];
  return { ...group, servers, out_of_sync: true };
}
