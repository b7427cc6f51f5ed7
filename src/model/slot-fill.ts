// Reads and writes the Slot objects that a dashboard pushes to a proxy (contract 5.3). A list is
// taken whole or not at all: the original applies what it understood and turned a wrong `id` into
// slot 0, which emptied that slot.

import { parseAddress } from "../lib/address.ts";
import { describe, InvalidRecord, RecordReader } from "./json.ts";
import { ForwardMethod, SLOT_COUNT, type SlotFill } from "./slot.ts";
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
  const id = reader.requiredInteger("id", 0, SLOT_COUNT - 1);
  return normalizeSlotFill({
    id,
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
  });
}

/** The same slot with its fields in the order of the contract and without those that are zero. */
export function normalizeSlotFill(slot: SlotFill): SlotFill {
  const groups = slot.replica_groups ?? [];
  return {
    id: slot.id,
    ...(slot.locked ? { locked: true } : {}),
    ...(slot.backend_addr ? { backend_addr: slot.backend_addr } : {}),
    ...(slot.backend_addr_group_id ? { backend_addr_group_id: slot.backend_addr_group_id } : {}),
    ...(slot.migrate_from ? { migrate_from: slot.migrate_from } : {}),
    ...(slot.migrate_from_group_id ? { migrate_from_group_id: slot.migrate_from_group_id } : {}),
    ...(slot.forward_method ? { forward_method: slot.forward_method } : {}),
    ...(groups.length > 0 ? { replica_groups: groups } : {}),
    ...(slot.migrate_epoch ? { migrate_epoch: slot.migrate_epoch } : {}),
    ...(slot.migrate_durable ? { migrate_durable: true } : {}),
    ...(slot.revision ? { revision: slot.revision } : {}),
  };
}

function address(reader: RecordReader, name: string): string | undefined {
  const text = reader.text(name);
  if (text === undefined || text === "") return undefined;
  return checkAddress(text, `field "${name}" of ${reader.where}`);
}

/** The address that was found right last: a push names the same one for many slots. */
let lastChecked = "";

function checkAddress(text: string, what: string): string {
  if (text === lastChecked) return text;
  const parsed = parseAddress(text);
  const isUsable = parsed !== null && parsed.host !== "" && parsed.port > 0;
  if (!isUsable || /[\s\u0000-\u001f\u007f]/.test(text)) {
    throw new InvalidRecord(`${what} must be host:port, not ${describe(text)}`);
  }
  lastChecked = text;
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
