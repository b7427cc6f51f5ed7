// The operator's commands on slots (contract 6.3, 6.4): assigning at once, and orders to move. What
// carries the orders out is `jobs.ts`. A slot that is moving, or waits to, is never assigned: what
// has arrived of it, or stayed behind, could not be reached any more.

import { ApiError } from "../api/errors.ts";
import { type Group, masterOf } from "../model/group.ts";
import { SLOT_COUNT } from "../model/slot.ts";
import { idleMapping, type SlotMapping } from "../model/slot-mapping.ts";
import { jobsBySlot } from "./job-records.ts";
import type { Product, Records } from "./product.ts";

const MAX_INTERVAL_US = 1_000_000;

/** Gives slots to groups without moving keys. Resolves when all proxies know. */
export async function assignSlots(
  product: Product,
  mappings: readonly SlotMapping[],
): Promise<void> {
  const { groups } = product.records;
  const masters = new Set(mappings.map(({ group_id }) => masterOf(groups.get(group_id))));
  masters.delete(""); // such a group is refused below
  await Promise.all([...masters].map((master) => product.servers.claim(master)));
  return place(product, mappings, ({ records }, { group_id }) => {
    requireServers(records, group_id);
    requireNoCopy(records, group_id);
  });
}

/** Takes slots offline: requests for them get an error from then on. */
export function offlineSlots(product: Product, mappings: readonly SlotMapping[]): Promise<void> {
  return place(product, mappings, (_, { id, group_id }) => {
    if (group_id !== 0) throw refusal(`group of slot-[${id}] should be 0`);
  });
}

async function place(
  product: Product,
  mappings: readonly SlotMapping[],
  check: (product: Product, mapping: SlotMapping) => void,
): Promise<void> {
  if (mappings.length === 0) return;
  const marked = await product.exclusive(`assign ${mappings.length} slots`, async () => {
    const { records } = product;
    const isMoving = movingSlots(records);
    for (const mapping of mappings) {
      check(product, mapping);
      const { id, action } = mapping;
      if (action.state !== undefined) {
        throw refusal(`invalid slot-[${id}] action = ${action.state}`);
      }
      if (isMoving(id)) throw refusal(`slot-[${id}] action already exists, cancel it first`);
    }
    const groups = new Set(mappings.map(({ group_id }) => group_id));
    const inSync = [...records.groups.values()].filter((group) => {
      return groups.has(group.id) && !group.out_of_sync;
    });
    await records.save(...inSync.map((group) => ({ group: { ...group, out_of_sync: true } })), {
      slots: mappings.map(({ id, group_id }) => idleMapping(id, group_id)),
    });
    return inSync.map(({ id }) => id);
  });
  await product.fleet.resync(mappings.map(({ id }) => id));
  await product.exclusive("note that the proxies know", async () => {
    const { groups } = product.records;
    const synced = marked.map((id) => groups.get(id)).filter((group) => group !== undefined);
    await product.records.save(...synced.map((group) => ({ group: inSyncAgain(group) })));
  });
}

function inSyncAgain(group: Group): Group {
  return { ...group, out_of_sync: false };
}

// ------------------------------------------------------------------------------- orders to move

/** Orders one slot to move to a group. */
export function createSlotAction(product: Product, slot: number, group: number): Promise<void> {
  return order(product, `move slot ${slot} to group ${group}`, (records) => {
    requireServers(records, group);
    return [checkedMove(records, slot, group)];
  });
}

/** The first `count` slots of a group that have no order yet; fewer when there are no more. */
export function createSlotActionSome(
  product: Product,
  source: number,
  target: number,
  count: number,
): Promise<void> {
  return order(product, `move ${count} slots of group ${source} to ${target}`, (records) => {
    requireServers(records, target);
    if (count < 0) throw refusal("invalid num");
    if (source === target) throw refusal(`slots of group-[${source}] already in group-[${target}]`);
    const isMoving = movingSlots(records);
    return records.slots
      .filter(({ id, group_id }) => group_id === source && !isMoving(id))
      .slice(0, count)
      .map(({ id }) => ({ slot: id, group: target }));
  });
}

/** A range, both ends included; all or nothing. */
export function createSlotActionRange(
  product: Product,
  first: number,
  last: number,
  group: number,
): Promise<void> {
  return order(product, `move slots ${first} to ${last} to group ${group}`, (records) => {
    if (first < 0 || last >= SLOT_COUNT || first > last) {
      throw refusal(`invalid slot range [${first},${last}]`);
    }
    requireServers(records, group);
    const slots = Array.from({ length: last - first + 1 }, (_, i) => first + i);
    return slots.map((slot) => checkedMove(records, slot, group));
  });
}

/** Orders any slots to move, each to its group; used by rebalance. All or nothing. */
export function createSlotActions(product: Product, moves: readonly Move[]): Promise<void> {
  return order(product, `move ${moves.length} slots`, (records) =>
    moves.map(({ slot, group }) => {
      requireServers(records, group);
      return checkedMove(records, slot, group);
    }),
  );
}

/** Takes an order back that nobody has begun with. */
export async function removeSlotAction(product: Product, slot: number): Promise<void> {
  await product.exclusive(`forget the move of slot ${slot}`, async () => {
    const { records } = product;
    const mapping = requireSlot(records, slot);
    const { state } = mapping.action;
    const hasJob = jobsBySlot(records.jobs.values()).has(slot);
    if (state === undefined && !hasJob) throw refusal(`slot-[${slot}] action doesn't exist`);
    if (state !== "pending" || hasJob) throw refusal(`slot-[${slot}] action isn't pending`);
    await records.save({ slots: [idleMapping(slot, mapping.group_id)] });
  });
  product.jobs.wake();
}

export interface Move {
  readonly slot: number;
  readonly group: number;
}

async function order(
  product: Product,
  what: string,
  plan: (records: Records) => readonly Move[],
): Promise<void> {
  await product.exclusive(what, async () => {
    const { records } = product;
    const moves = plan(records);
    let index = highestIndex(records);
    const slots = moves.map(({ slot, group }) => ({
      id: slot,
      group_id: records.slots[slot].group_id,
      action: { index: ++index, state: "pending" as const, target_id: group },
    }));
    if (slots.length > 0) await records.save({ slots });
  });
  product.jobs.wake();
}

function checkedMove(records: Records, slot: number, group: number): Move {
  const mapping = requireSlot(records, slot);
  if (movingSlots(records)(slot)) throw refusal(`slot-[${slot}] action already exists`);
  if (mapping.group_id === group) throw refusal(`slot-[${slot}] already in group-[${group}]`);
  return { slot, group };
}

// -------------------------------------------------------------------------------- its settings

/** The pause between two steps of the migration, in microseconds; kept over restarts. */
export async function setSlotActionInterval(product: Product, us: number): Promise<void> {
  const migration_interval = Math.min(Math.max(us, 0), MAX_INTERVAL_US);
  await product.exclusive("set the interval", async () => {
    await product.records.save({ options: { ...product.records.options, migration_interval } });
  });
  product.jobs.wake();
}

export async function setSlotActionDisabled(product: Product, isDisabled: boolean): Promise<void> {
  await product.exclusive("pause or resume", async () => {
    const { options } = product.records;
    await product.records.save({ options: { ...options, migration_disabled: isDisabled } });
  });
  product.jobs.wake();
}

// -------------------------------------------------------------------------------------- checks

function requireSlot(records: Records, slot: number): SlotMapping {
  const mapping = records.slots.at(slot);
  if (slot < 0 || mapping === undefined) throw refusal(`slot-[${slot}] doesn't exist`);
  return mapping;
}

function requireServers(records: Records, groupId: number): void {
  const group = records.groups.get(groupId);
  if (group === undefined) throw refusal(`group-[${groupId}] doesn't exist`);
  if (group.servers.length === 0) throw refusal(`group-[${groupId}] is empty`);
}

/** A group that is being filled by replication has no master that would take a write. */
function requireNoCopy(records: Records, groupId: number): void {
  for (const { id, method, state, target_id } of records.jobs.values()) {
    if (method !== "replica" || state === "trimming" || target_id !== groupId) continue;
    throw refusal(`group-[${groupId}] is being filled by migration job ${id}: wait or cancel it`);
  }
}

/** Whether a slot moves, or waits to. */
function movingSlots(records: Records): (slot: number) => boolean {
  const jobs = jobsBySlot(records.jobs.values());
  return (slot) => records.slots[slot].action.state !== undefined || jobs.has(slot);
}

function highestIndex(records: Records): number {
  return records.slots.reduce((highest, { action }) => Math.max(highest, action.index ?? 0), 0);
}

function refusal(text: string): ApiError {
  return new ApiError("bad-request", text);
}
