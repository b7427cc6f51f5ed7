// What a proxy says of itself, as the dashboard stores it and the admin API shows it.

import { InvalidRecord, RecordReader } from "./json.ts";

export interface ProxyModel {
  /** Given by the dashboard; absent in the proxy's own copy. */
  readonly id?: number;
  readonly token: string;
  readonly start_time: string;
  readonly admin_addr: string;
  readonly proto_type: string;
  readonly proxy_addr: string;
  readonly jodis_path?: string;
  readonly product_name: string;
  readonly pid: number;
  readonly pwd: string;
  readonly sys: string;
  readonly hostname: string;
  readonly datacenter: string;
  /** Ours: it asks servers whether it is fenced, and knows revisions. Originals do neither. */
  readonly fencing?: true;
  /** Ours: it could not be reached and is shut out of the servers until it has the slots again. */
  readonly fenced?: true;
}

/** What a dashboard says of itself; a proxy that registers needs the product's name. */
export interface TopomModel {
  readonly token: string;
  readonly start_time: string;
  readonly admin_addr: string;
  readonly product_name: string;
  readonly pid: number;
  readonly pwd: string;
  readonly sys: string;
}

/** The sentinels of a product, as pushed to a proxy. */
export interface SentinelModel {
  readonly servers?: readonly string[];
  readonly out_of_sync: boolean;
}

/** Reads what a proxy of any make, or the store, says of a proxy. */
export function parseProxyModel(json: unknown, where: string): ProxyModel {
  const reader = new RecordReader(json, where);
  const id = reader.integer("id", 0, Number.MAX_SAFE_INTEGER) ?? 0;
  const jodisPath = reader.text("jodis_path") ?? "";
  return {
    ...(id > 0 ? { id } : {}),
    token: reader.text("token") ?? "",
    start_time: reader.text("start_time") ?? "",
    admin_addr: reader.text("admin_addr") ?? "",
    proto_type: reader.text("proto_type") ?? "",
    proxy_addr: reader.text("proxy_addr") ?? "",
    ...(jodisPath === "" ? {} : { jodis_path: jodisPath }),
    product_name: reader.text("product_name") ?? "",
    pid: reader.integer("pid", 0, Number.MAX_SAFE_INTEGER) ?? 0,
    pwd: reader.text("pwd") ?? "",
    sys: reader.text("sys") ?? "",
    hostname: reader.text("hostname") ?? "",
    datacenter: reader.text("datacenter") ?? "",
    ...(reader.boolean("fencing") ? { fencing: true } : {}),
    ...(reader.boolean("fenced") ? { fenced: true } : {}),
  };
}

export function parseTopomModel(json: unknown): TopomModel {
  const reader = new RecordReader(json, "the dashboard's model");
  return {
    token: reader.text("token") ?? "",
    start_time: reader.text("start_time") ?? "",
    admin_addr: reader.text("admin_addr") ?? "",
    product_name: reader.text("product_name") ?? "",
    pid: reader.integer("pid", 0, Number.MAX_SAFE_INTEGER) ?? 0,
    pwd: reader.text("pwd") ?? "",
    sys: reader.text("sys") ?? "",
  };
}

export function parseSentinelModel(json: unknown): SentinelModel {
  const reader = new RecordReader(json, "the sentinels");
  const servers = (reader.list("servers") ?? []).map((server, index) => {
    if (typeof server === "string" && server !== "") return server;
    throw new InvalidRecord(`element ${index} of field "servers" must be an address`);
  });
  return {
    ...(servers.length > 0 ? { servers } : {}),
    out_of_sync: reader.boolean("out_of_sync") ?? false,
  };
}
