/**
 * A product's records as one JSON file, and back: the dump of the original (slots, group, proxy),
 * with the sentinels that it forgot and the options of ours. Also reads the dumps of codis 1, which
 * are a tree by path. Pure: texts and records, no coordinator.
 */
import type { ProductDump } from "../api/dashboard-routes.ts";
import { OperatorError } from "../lib/operator-error.ts";
import { type Group, newServer, parseGroup } from "../model/group.ts";
import { InvalidRecord, RecordReader } from "../model/json.ts";
import { type ProxyModel, parseProxyModel, parseSentinelModel } from "../model/proxy.ts";
import { SLOT_COUNT } from "../model/slot.ts";
import {
  idleMapping,
  MAX_GROUP_ID,
  parseSlotMapping,
  type SlotMapping,
} from "../model/slot-mapping.ts";

/** Reads a dump, of ours or of the original, and checks that it can be restored. */
export function parseDump(json: unknown, file: string): ProductDump {
  try {
    const reader = new RecordReader(json, `the dump ${file}`);
    const rows = <T>(name: string, parse: (row: unknown, where: string) => T): T[] => {
      return (reader.list(name) ?? []).map((row, i) => parse(row, `element ${i} of ${name}`));
    };
    const dump = {
      slots: rows("slots", parseSlotMapping),
      group: rows("group", parseGroup),
      proxy: rows("proxy", parseProxyModel),
    };
    checkProxies(dump.proxy);
    checkGroups(dump.group);
    checkSlots(dump.slots, dump.group);
    const options = plainRecord(json, "options");
    const sentinel = plainRecord(json, "sentinel");
    return withoutEmpty({
      ...dump,
      ...(sentinel === undefined ? {} : { sentinel: parseSentinelModel(sentinel) }),
      ...(options === undefined ? {} : { options }),
    });
  } catch (error) {
    if (error instanceof InvalidRecord) throw new OperatorError(error.message);
    throw error;
  }
}

/** As the original, whose dumps have no field for what there is none of. */
export function withoutEmpty(dump: ProductDump): ProductDump {
  const isKept = ([, value]: [string, unknown]): boolean => {
    return !Array.isArray(value) || value.length > 0;
  };
  return Object.fromEntries(Object.entries(dump).filter(isKept));
}

/** A field that is an object, as it is. */
function plainRecord(json: unknown, name: string): Record<string, unknown> | undefined {
  const value: unknown = Object(json)[name];
  return typeof value === "object" && value !== null ? { ...value } : undefined;
}

function checkProxies(proxies: readonly ProxyModel[]): void {
  const tokens = new Set<string>();
  for (const { token } of proxies) {
    if (tokens.has(token)) refuse(`proxy-${token} already exists`);
    tokens.add(token);
  }
}

function checkGroups(groups: readonly Group[]): void {
  const ids = new Set<number>();
  const addresses = new Set<string>();
  for (const group of groups) {
    const name = `group-${String(group.id).padStart(4, "0")}`;
    if (ids.has(group.id)) refuse(`${name} already exists`);
    ids.add(group.id);
    if (group.promoting.state !== undefined) refuse(`${name} is promoting`);
    for (const { server } of group.servers) {
      if (addresses.has(server)) refuse(`server ${server} already exists`);
      addresses.add(server);
    }
  }
}

/** Unlike the original we take slots without a group: a dump has all 1024. */
function checkSlots(slots: readonly SlotMapping[], groups: readonly Group[]): void {
  const ids = new Set<number>();
  for (const slot of slots) {
    const name = `slot-${String(slot.id).padStart(4, "0")}`;
    if (ids.has(slot.id)) refuse(`${name} already exists`);
    ids.add(slot.id);
    if (slot.action.state !== undefined) {
      refuse(`${name} action is not empty: it was moving when the dump was made`);
    }
    const group = groups.find((each) => each.id === slot.group_id);
    if (slot.group_id !== 0 && (group === undefined || group.servers.length === 0)) {
      refuse(`${name} with group-${slot.group_id} doesn't exist or empty`);
    }
  }
}

function refuse(what: string): never {
  throw new OperatorError(`the dump cannot be used: ${what}`);
}

// ------------------------------------------------------------------------------ dumps of codis 1

/** Slots that are online, and servers by group, masters first. */
export function convertOldDump(json: unknown, file: string): ProductDump {
  try {
    const isTree = typeof json === "object" && json !== null && !Array.isArray(json);
    const tree = isTree ? json : refuse(`${file} is no tree of nodes`);
    const slots = childrenOf(tree, "slots")
      .map(oldSlot)
      .filter((slot) => slot !== null);
    const twice = slots.find((slot, i) => slots.findIndex((each) => each.id === slot.id) < i);
    if (twice !== undefined) refuse(`slot-${twice.id} already exists`);
    return withoutEmpty({
      slots: slots.sort((a, b) => a.id - b.id),
      group: oldGroups(tree),
    });
  } catch (error) {
    if (error instanceof InvalidRecord) throw new OperatorError(error.message);
    throw error;
  }
}

/** The nodes below a node, each with its name. */
function childrenOf(node: unknown, name: string): [name: string, node: unknown][] {
  return Object.entries(plainRecord(node, name) ?? {});
}

function oldSlot([name, node]: [string, unknown]): SlotMapping | null {
  const reader = new RecordReader(node, name);
  const id = reader.requiredInteger("id", 0, SLOT_COUNT - 1);
  const group = reader.integer("group_id", 0, MAX_GROUP_ID) ?? 0;
  const status = reader.record("state")?.text("status");
  if (status === "offline") return null;
  if (status === "online") return idleMapping(id, group);
  throw new OperatorError(
    `${reader.where} has the status '${status ?? ""}': only online and offline can be converted, ` +
      "so let its migration finish first",
  );
}

function oldGroups(tree: unknown): Group[] {
  const servers = childrenOf(tree, "servers").flatMap(([, group]) => {
    const rows = Object.entries(Object(group));
    return rows.map(([name, node]) => new RecordReader(node, `server ${name}`));
  });
  const groups = new Map<number, Group>();
  for (const server of servers) {
    const id = server.requiredInteger("group_id", 1, MAX_GROUP_ID);
    const added = newServer(server.text("addr") ?? "", "");
    const known = groups.get(id)?.servers ?? [];
    const isMaster = server.text("type") === "master";
    const all = isMaster ? [added, ...known] : [...known, added];
    groups.set(id, { id, servers: all, promoting: {}, out_of_sync: false });
  }
  return [...groups.values()].sort((a, b) => a.id - b.id);
}
