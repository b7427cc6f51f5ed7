// Many slots in one record. A push of all slots names the same two or three places a thousand
// times, and requests wait while both sides write, read and check that. Programs of ours merge the
// records of slots that are alike.

import { describe, InvalidRecord, RecordReader } from "./json.ts";
import { SLOT_COUNT, type SlotFill, type SlotPlace } from "./slot.ts";
import { fillAs, normalizePlace, readPlace } from "./slot-fill.ts";

/** The record of slots that differ in nothing but their number. */
export interface MergedFill extends SlotPlace {
  readonly ids: readonly number[];
}

/** What `splitFills` makes the same slots of, in another order. */
export function mergeFills(slots: readonly SlotFill[]): MergedFill[] {
  const groups: { readonly first: SlotFill; readonly ids: number[] }[] = [];
  let group = groups[0];
  for (const slot of slots) {
    // Slots beside each other are mostly alike.
    if (group === undefined || !areAlike(group.first, slot)) {
      group = groups.find(({ first }) => areAlike(first, slot)) ?? { first: slot, ids: [] };
      if (group.ids.length === 0) groups.push(group);
    }
    group.ids.push(slot.id);
  }
  return groups.map(({ first, ids }) => ({ ids, ...normalizePlace(first) }));
}

/** The slots one by one. */
export function splitFills(merged: readonly MergedFill[]): SlotFill[] {
  const slots: SlotFill[] = [];
  for (const fill of merged) for (const id of fill.ids) slots.push(fillAs(id, fill));
  return slots;
}

/** Reads the body of a merged fill. Throws `InvalidRecord` naming element and field. */
export function parseMergedFills(json: unknown): MergedFill[] {
  return RecordReader.elements(json, "the body").map((element, index) => {
    const where = `element ${index} of the slots`;
    const reader = new RecordReader(element, where);
    const ids = reader.list("ids");
    if (ids === undefined) {
      throw new InvalidRecord(`field "ids" of ${where} must be a list of numbers, not nothing`);
    }
    return { ids: ids.map((id) => parseId(id, where)), ...readPlace(reader) };
  });
}

function parseId(id: unknown, where: string): number {
  if (typeof id === "number" && Number.isInteger(id) && id >= 0 && id < SLOT_COUNT) return id;
  const wanted = `integers from 0 to ${SLOT_COUNT - 1}`;
  throw new InvalidRecord(`field "ids" of ${where} must have ${wanted}, not ${describe(id)}`);
}

function areAlike(one: SlotFill, other: SlotFill): boolean {
  return (
    one.backend_addr === other.backend_addr &&
    one.backend_addr_group_id === other.backend_addr_group_id &&
    one.migrate_from === other.migrate_from &&
    one.migrate_from_group_id === other.migrate_from_group_id &&
    one.forward_method === other.forward_method &&
    one.migrate_epoch === other.migrate_epoch &&
    one.migrate_durable === other.migrate_durable &&
    one.revision === other.revision &&
    one.locked === other.locked &&
    areListsAlike(one.replica_groups, other.replica_groups)
  );
}

function areListsAlike(
  one: SlotFill["replica_groups"],
  other: SlotFill["replica_groups"],
): boolean {
  // Slots of one view, or of one record, share the list.
  return one === other || JSON.stringify(one) === JSON.stringify(other);
}
