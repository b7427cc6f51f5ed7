/**
 * Which slots to move where, so that every group has its share. Pure: mappings and groups in, moves
 * out; the same functions print a plan and order it.
 *
 * By slots it is the algorithm of the original, move for move (contract 6.5). By keys or memory
 * every slot has a weight, which `slot-weights.ts` measures. Either way a slot with an action
 * counts where it is going and is left alone, and a drained group gives all of its slots away.
 */
import type { RebalanceOrder, RebalancePlan } from "../api/dashboard-routes.ts";
import { OperatorError } from "../lib/operator-error.ts";
import type { Group } from "../model/group.ts";
import { SLOT_COUNT } from "../model/slot.ts";
import type { SlotMapping } from "../model/slot-mapping.ts";

export type SlotMove = RebalancePlan["moves"][number];

/** Loads that differ by less than this share of the average group count as even. */
const TOLERANCE = 0.02;
/** A slot below this share of the average slot evens out nothing and is moved only by a drain. */
const LEAST_SHARE = 0.05;
/** What an empty slot counts of an average one, so that empty slots are spread as well. */
const EMPTY_SHARE = 0.001;

/**
 * Plans what `order` asks for. `weights` has the measure of each slot by id; by slots it is not
 * looked at. Throws `OperatorError` when the order cannot be carried out.
 */
export function planRebalance(
  slots: readonly SlotMapping[],
  groups: ReadonlyMap<number, Group>,
  order: Pick<RebalanceOrder, "by" | "drain">,
  weights: ArrayLike<number>,
): RebalancePlan {
  const drain = order.drain ?? 0;
  const takers = takersOf(slots, groups, drain);
  const isBySlots = order.by === "slots";
  const moves = isBySlots
    ? evenMoves(slots, takers, drain)
    : weightedMoves(slots, takers, drain, weights);
  const measure = isBySlots ? slots.map(() => 1) : weights;
  const shown = drain === 0 ? takers : [...takers, drain].sort((a, b) => a - b);
  return { moves, shares: sharesOf(slots, shown, moves, measure) };
}

/** The groups that may have slots afterwards: those with a server that are not drained. */
function takersOf(
  slots: readonly SlotMapping[],
  groups: ReadonlyMap<number, Group>,
  drain: number,
): number[] {
  const isTaker = (group: Group): boolean => group.id !== drain && group.servers.length > 0;
  const takers = [...groups.values()].filter(isTaker).map((group) => group.id);
  if (drain !== 0) {
    if (!groups.has(drain)) throw new OperatorError(`group-[${drain}] doesn't exist`);
    if (takers.length === 0) {
      throw new OperatorError(`no other group has a server that could take over from ${drain}`);
    }
    const arriving = slots.filter((slot) => slot.action.target_id === drain);
    if (arriving.length > 0) {
      throw new OperatorError(
        `${arriving.length} slots are on their way to group-[${drain}]: ` +
          "wait for them or cancel them",
      );
    }
  }
  if (takers.length === 0) throw new OperatorError("no valid group could be found");
  return takers.sort((a, b) => a - b);
}

// ------------------------------------------------------------------------------------- by slots

/** What the original counts of one group. */
interface Account {
  readonly id: number;
  /** Slots that stay here, or are on their way here. */
  assigned: number;
  /** Slots beyond the least number, which may be given away; ascending. */
  readonly pending: number[];
  /** How many to give away; negative: how many to take. */
  moveOut: number;
}

function sizeOf(account: Account): number {
  return account.assigned + account.pending.length - account.moveOut;
}

/** By size, and by id among equals: smallest first. */
function bySize(a: Account, b: Account): number {
  return sizeOf(a) - sizeOf(b) || a.id - b.id;
}

/**
 * The original's distribution over `takers` (ascending ids). The slots of group `drain` count like
 * those without group (so with 0 there is no such group).
 */
export function evenMoves(
  slots: readonly SlotMapping[],
  takers: readonly number[],
  drain: number,
): SlotMove[] {
  const lower = Math.floor(SLOT_COUNT / takers.length);
  const accounts = new Map(takers.map((id) => [id, newAccount(id)]));
  for (const slot of slots) {
    if (isIdle(slot)) continue;
    const target = accounts.get(slot.action.target_id ?? 0);
    if (target !== undefined) target.assigned += 1;
  }
  const docking: number[] = [];
  for (const slot of slots) {
    const account = accounts.get(slot.group_id);
    if (!isIdle(slot) || account === undefined) continue;
    if (sizeOf(account) < lower) account.assigned += 1;
    else account.pending.push(slot.id);
  }
  for (const slot of slots) {
    if (!isHomeless(slot, drain)) continue;
    smallestOf(accounts.values()).moveOut -= 1;
    docking.push(slot.id);
  }
  evenOut([...accounts.values()], lower);
  return dock(slots, accounts, docking);
}

function newAccount(id: number): Account {
  return { id, assigned: 0, pending: [], moveOut: 0 };
}

function isIdle(slot: SlotMapping): boolean {
  return slot.action.state === undefined;
}

/** Needs a group: it has none, or one that is drained. */
function isHomeless(slot: SlotMapping, drain: number): boolean {
  return isIdle(slot) && (slot.group_id === 0 || slot.group_id === drain);
}

function smallestOf(accounts: Iterable<Account>): Account {
  return [...accounts].reduce((least, each) => (bySize(each, least) < 0 ? each : least));
}

/** Lets the largest group give to the smallest, slot by slot, until they are even. */
function evenOut(inPlay: Account[], lower: number): void {
  const upper = Math.ceil(SLOT_COUNT / inPlay.length);
  while (inPlay.length >= 2) {
    inPlay.sort(bySize);
    const from = inPlay[inPlay.length - 1];
    const dest = inPlay[0];
    if (from.pending.length === from.moveOut) {
      inPlay.pop();
      continue;
    }
    if (sizeOf(from) <= lower || sizeOf(dest) >= upper || sizeOf(from) - sizeOf(dest) <= 1) return;
    from.moveOut += 1;
    dest.moveOut -= 1;
  }
}

/** Gives the highest slots of those who have too many to those who have too few, in order. */
function dock(
  slots: readonly SlotMapping[],
  accounts: ReadonlyMap<number, Account>,
  docking: number[],
): SlotMove[] {
  for (const { pending, moveOut } of accounts.values()) {
    if (moveOut > 0) docking.push(...pending.slice(-moveOut));
  }
  docking.sort((a, b) => a - b);
  const moves: SlotMove[] = [];
  let next = 0;
  for (const { id, moveOut } of accounts.values()) {
    for (let n = moveOut; n < 0; n++) {
      const slot = docking[next++];
      moves.push({ slot, from: slots[slot].group_id, to: id });
    }
  }
  return moves.sort((a, b) => a.slot - b.slot);
}

// ---------------------------------------------------------------------------- by keys or memory

/** One group while the moves by weight are chosen. */
interface Load {
  readonly id: number;
  total: number;
  /** Idle slots that are here and may leave. */
  readonly movable: Set<number>;
}

/**
 * Few moves that make the loads of `takers` even: each time the heaviest group gives the lightest
 * the slot that fits best. With equal weights no smaller number of moves would do; in general the
 * best choice cannot be found in reasonable time.
 */
export function weightedMoves(
  slots: readonly SlotMapping[],
  takers: readonly number[],
  drain: number,
  measured: ArrayLike<number>,
): SlotMove[] {
  const weights = workingWeights(slots, measured);
  const average = weights.reduce((sum, weight) => sum + weight, 0) / SLOT_COUNT;
  const loads = new Map(takers.map((id) => [id, { id, total: 0, movable: new Set<number>() }]));
  const homeless: number[] = [];
  for (const slot of slots) {
    const place = loads.get(isIdle(slot) ? slot.group_id : (slot.action.target_id ?? 0));
    if (place !== undefined) place.total += weights[slot.id];
    if (isHomeless(slot, drain)) homeless.push(slot.id);
    else if (isIdle(slot) && weights[slot.id] >= average * LEAST_SHARE) {
      place?.movable.add(slot.id);
    }
  }
  const moves: SlotMove[] = [];
  const move = (slot: number, to: Load): void => {
    to.total += weights[slot];
    moves.push({ slot, from: slots[slot].group_id, to: to.id });
  };
  homeless.sort((a, b) => weights[b] - weights[a] || a - b);
  for (const slot of homeless) move(slot, lightestOf(loads.values()));
  for (const [from, to, slot] of evenLoads([...loads.values()], weights)) {
    from.total -= weights[slot];
    move(slot, to);
  }
  return moves.sort((a, b) => a.slot - b.slot);
}

/** Yields moves; whoever asks for the next one has booked the one before. */
function* evenLoads(all: readonly Load[], weights: readonly number[]): Generator<LoadMove> {
  const mean = all.reduce((sum, load) => sum + load.total, 0) / all.length;
  const inPlay = new Set(all);
  while (inPlay.size > 0) {
    const from = [...inPlay].reduce((most, each) => (each.total > most.total ? each : most));
    const to = lightestOf(all);
    const gap = from.total - to.total;
    if (gap <= mean * TOLERANCE) return;
    const wanted = Math.min(from.total - mean, mean - to.total);
    const slot = bestFit(from.movable, weights, wanted, gap);
    if (slot === null) {
      inPlay.delete(from);
      continue;
    }
    from.movable.delete(slot);
    yield [from, to, slot];
  }
}

type LoadMove = readonly [from: Load, to: Load, slot: number];

/** The highest slot among those whose weight is nearest to `wanted` and below `gap`. */
function bestFit(
  movable: ReadonlySet<number>,
  weights: readonly number[],
  wanted: number,
  gap: number,
): number | null {
  let best: number | null = null;
  for (const slot of movable) {
    if (weights[slot] >= gap) continue;
    const isBetter =
      best === null || Math.abs(weights[slot] - wanted) <= Math.abs(weights[best] - wanted);
    if (isBetter) best = slot;
  }
  return best;
}

function lightestOf(loads: Iterable<Load>): Load {
  return [...loads].reduce((least, each) => (each.total < least.total ? each : least));
}

/**
 * The weights to plan with: a slot that nobody serves yet counts as an average one, since it will
 * be filled; an empty one counts a little; in an empty product all are equal.
 */
function workingWeights(slots: readonly SlotMapping[], measured: ArrayLike<number>): number[] {
  const served = slots.filter((slot) => slot.group_id > 0);
  const total = served.reduce((sum, slot) => sum + measured[slot.id], 0);
  if (total <= 0) return slots.map(() => 1);
  const average = total / served.length;
  return slots.map((slot) => {
    return slot.group_id > 0 ? measured[slot.id] + average * EMPTY_SHARE : average;
  });
}

// --------------------------------------------------------------------------------------- shares

/** What each group has now, and will have when all actions and moves are done. */
function sharesOf(
  slots: readonly SlotMapping[],
  groups: readonly number[],
  moves: readonly SlotMove[],
  measure: ArrayLike<number>,
): RebalancePlan["shares"] {
  const shares = new Map(groups.map((id) => [id, { before: 0, after: 0 }]));
  const moved = new Map(moves.map((move) => [move.slot, move.to]));
  for (const slot of slots) {
    const now = shares.get(slot.group_id);
    if (now !== undefined) now.before += measure[slot.id];
    const arranged = isIdle(slot) ? slot.group_id : (slot.action.target_id ?? 0);
    const then = shares.get(moved.get(slot.id) ?? arranged);
    if (then !== undefined) then.after += measure[slot.id];
  }
  const rounded = [...shares].map(([id, share]) => {
    return [id, { before: Math.round(share.before), after: Math.round(share.after) }] as const;
  });
  return Object.fromEntries(rounded);
}
