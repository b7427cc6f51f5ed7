// What the store keeps about one slot (contract 5.3): its group, and the action that is moving it.

import { RecordReader } from "./json.ts";
import { SLOT_COUNT } from "./slot.ts";

export const MAX_GROUP_ID = 9999;

export const ACTION_STATES = ["pending", "preparing", "prepared", "migrating", "finished"] as const;
export type ActionState = (typeof ACTION_STATES)[number];

export interface SlotAction {
  /** Order of creation; lower ones go first. */
  readonly index?: number;
  /** Absent: the slot is idle. */
  readonly state?: ActionState;
  readonly target_id?: number;
}

export interface SlotMapping {
  readonly id: number;
  /** 0: offline. */
  readonly group_id: number;
  readonly action: SlotAction;
}

export function idleMapping(id: number, groupId: number): SlotMapping {
  return { id, group_id: groupId, action: {} };
}

/** Reads one stored or sent mapping. Throws `InvalidRecord` naming `where` and the field. */
export function parseSlotMapping(json: unknown, where: string): SlotMapping {
  const reader = new RecordReader(json, where);
  const id = reader.requiredInteger("id", 0, SLOT_COUNT - 1);
  const groupId = reader.integer("group_id", 0, MAX_GROUP_ID) ?? 0;
  const action = reader.record("action");
  if (action === undefined) return idleMapping(id, groupId);
  const index = action.integer("index", 0, Number.MAX_SAFE_INTEGER) ?? 0;
  const target = action.integer("target_id", 0, MAX_GROUP_ID) ?? 0;
  const state = action.choice("state", ACTION_STATES);
  return {
    id,
    group_id: groupId,
    action: {
      ...(index > 0 ? { index } : {}),
      ...(state === undefined ? {} : { state }),
      ...(target > 0 ? { target_id: target } : {}),
    },
  };
}

export function parseSlotMappings(json: unknown): SlotMapping[] {
  return RecordReader.elements(json, "the slot mappings").map((each, index) =>
    parseSlotMapping(each, `element ${index} of the slot mappings`),
  );
}
