// A group as the store keeps it (contract 5.3): servers[0] is the master, the others replicate it.

import { RecordReader } from "./json.ts";
import { MAX_GROUP_ID } from "./slot-mapping.ts";

export const SYNC_STATES = ["pending", "syncing", "synced", "synced_failed"] as const;
export type SyncState = (typeof SYNC_STATES)[number];

export const PROMOTING_STATES = ["preparing", "prepared", "finished"] as const;
export type PromotingState = (typeof PROMOTING_STATES)[number];

export interface GroupServer {
  /** host:port */
  readonly server: string;
  readonly datacenter: string;
  /** The order to make it replicate its master (or nobody, for the first). */
  readonly action: { readonly index?: number; readonly state?: SyncState };
  /** Reads may go to it. */
  readonly replica_group: boolean;
}

export interface Group {
  readonly id: number;
  readonly servers: readonly GroupServer[];
  /** `index` is the place of the server that becomes master. */
  readonly promoting: { readonly index?: number; readonly state?: PromotingState };
  /** The proxies do not know the newest replica groups or master yet. */
  readonly out_of_sync: boolean;
}

/** "" when the group has no server. */
export function masterOf(group: Group | undefined): string {
  return group?.servers[0]?.server ?? "";
}

export function newServer(server: string, datacenter: string): GroupServer {
  return { server, datacenter, action: {}, replica_group: false };
}

export function parseGroup(json: unknown, where: string): Group {
  const reader = new RecordReader(json, where);
  const servers = (reader.list("servers") ?? []).map((each, index) =>
    parseServer(each, `server ${index} of ${where}`),
  );
  const promoting = reader.record("promoting");
  const state = promoting?.choice("state", PROMOTING_STATES);
  const index = promoting?.integer("index", 0, 1_000_000) ?? 0;
  return {
    id: reader.requiredInteger("id", 1, MAX_GROUP_ID),
    servers,
    promoting: { ...(index > 0 ? { index } : {}), ...(state === undefined ? {} : { state }) },
    out_of_sync: reader.boolean("out_of_sync") ?? false,
  };
}

function parseServer(json: unknown, where: string): GroupServer {
  const reader = new RecordReader(json, where);
  const action = reader.record("action");
  const state = action?.choice("state", SYNC_STATES);
  const index = action?.integer("index", 0, Number.MAX_SAFE_INTEGER) ?? 0;
  return {
    server: reader.text("server") ?? "",
    datacenter: reader.text("datacenter") ?? "",
    action: { ...(index > 0 ? { index } : {}), ...(state === undefined ? {} : { state }) },
    replica_group: reader.boolean("replica_group") ?? false,
  };
}
