// Reads and writes the Slot objects that a dashboard pushes to a proxy (contract 5.3). A list is
// taken whole or not at all: the original applies what it understood and turned a wrong `id` into
// slot 0, which emptied that slot.

import { parseAddress } from "../lib/address.ts";
import { describe, InvalidRecord, RecordReader } from "./json.ts";
import { ForwardMethod, SLOT_COUNT, type SlotFill, type SlotPlace } from "./slot.ts";
import { MAX_GROUP_ID } from "./slot-mapping.ts";

/** More servers than this in the replica groups of one slot is a mistake, not a product. */
const MAX_REPLICAS = 1024;

/** Reads the body of a fill request. Throws `InvalidRecord` naming element and field. */
export function parseSlotFills(json: unknown): SlotFill[] {
  if (!Array.isArray(json)) {
    throw new InvalidRecord(`the body must be a list of slots, not ${describe(json)}`);
  }
  return json.map((element, index) => parseSlotFill(element, `element ${index} of the slots`));
}

export function parseSlotFill(json: unknown, where: string): SlotFill {
  const reader = new RecordReader(json, where);
  return fillAs(reader.requiredInteger("id", 0, SLOT_COUNT - 1), readPlace(reader));
}

/** All fields but the number of the slot. */
export function readPlace(reader: RecordReader): SlotPlace {
  return {
    locked: reader.boolean("locked"),
    backend_addr: address(reader, "backend_addr"),
    backend_addr_group_id: reader.integer("backend_addr_group_id", 0, MAX_GROUP_ID),
    migrate_from: address(reader, "migrate_from"),
    migrate_from_group_id: reader.integer("migrate_from_group_id", 0, MAX_GROUP_ID),
    forward_method: reader.integer("forward_method", ForwardMethod.SYNC, ForwardMethod.MIGRATE),
    replica_groups: replicaGroups(reader),
    migrate_epoch: reader.integer("migrate_epoch", 0, Number.MAX_SAFE_INTEGER),
    migrate_durable: reader.boolean("migrate_durable"),
    revision: reader.integer("revision", 0, Number.MAX_SAFE_INTEGER),
  };
}

/** The same slot with its fields in the order of the contract and without those that are zero. */
export function normalizeSlotFill(slot: SlotFill): SlotFill {
  return fillAs(slot.id, slot);
}

/** The same for what is said of a slot without its number. */
export function normalizePlace(place: SlotPlace): SlotPlace {
  const { id: _, ...fill } = fillAs(0, place);
  return fill;
}

/** What `normalizeSlotFill` makes of it, for another slot. */
export function fillAs(id: number, slot: SlotPlace): SlotFill {
  // Without spreads: requests may wait while a thousand of these are made by a program that has
  // just begun.
  const fill: { -readonly [K in keyof SlotFill]: SlotFill[K] } = { id };
  if (slot.locked) fill.locked = true;
  if (slot.backend_addr) fill.backend_addr = slot.backend_addr;
  if (slot.backend_addr_group_id) fill.backend_addr_group_id = slot.backend_addr_group_id;
  if (slot.migrate_from) fill.migrate_from = slot.migrate_from;
  if (slot.migrate_from_group_id) fill.migrate_from_group_id = slot.migrate_from_group_id;
  if (slot.forward_method) fill.forward_method = slot.forward_method;
  const groups = slot.replica_groups ?? [];
  if (groups.length > 0) fill.replica_groups = groups;
  if (slot.migrate_epoch) fill.migrate_epoch = slot.migrate_epoch;
  if (slot.migrate_durable) fill.migrate_durable = true;
  if (slot.revision) fill.revision = slot.revision;
  return fill;
}

function address(reader: RecordReader, name: string): string | undefined {
  const text = reader.text(name);
  if (text === undefined || text === "") return undefined;
  return checkAddress(text, `field "${name}" of ${reader.where}`);
}

/** Addresses that were found right: a push names the same few for a thousand slots. */
const checked = new Set<string>();
const MOST_CHECKED = 1_000;

function checkAddress(text: string, what: string): string {
  if (checked.has(text)) return text;
  const parsed = parseAddress(text);
  const isUsable = parsed !== null && parsed.host !== "" && parsed.port > 0;
  if (!isUsable || /[\s\u0000-\u001f\u007f]/.test(text)) {
    throw new InvalidRecord(`${what} must be host:port, not ${describe(text)}`);
  }
  if (checked.size >= MOST_CHECKED) checked.clear();
  checked.add(text);
  return text;
}

function replicaGroups(reader: RecordReader): string[][] | undefined {
  const groups = reader.list("replica_groups");
  if (groups === undefined) return undefined;
  let count = 0;
  return groups.map((group, index) => {
    const what = `list ${index} in field "replica_groups" of ${reader.where}`;
    if (!Array.isArray(group)) {
      throw new InvalidRecord(`${what} must be a list of addresses, not ${describe(group)}`);
    }
    count += group.length;
    if (count > MAX_REPLICAS)
      throw new InvalidRecord(`${what} has more than ${MAX_REPLICAS} servers`);
    return group.map((server: unknown) => {
      if (typeof server === "string") return checkAddress(server, `a server of ${what}`);
      throw new InvalidRecord(`a server of ${what} must be a text, not ${describe(server)}`);
    });
  });
}
