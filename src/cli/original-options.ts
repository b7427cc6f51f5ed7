// The options of the original codis-admin, with what each is for.

import type { Option } from "../lib/args.ts";
import { STORE_OPTIONS } from "./store-options.ts";

/** Whom a line of flags is about. */
export type Target = "proxy" | "dashboard" | "coordinator";

function flag(name: string, doc: string): Option {
  return { name, doc };
}

function text(name: string, argument: string, doc: string): Option {
  return { name, argument, doc };
}

function number(name: string, argument: string, doc: string): Option {
  return { name, argument, integerFrom: 0, doc };
}

export const ORIGINAL_OPTIONS: readonly Option[] = [
  text("proxy", "ADDR", "A proxy, by its admin address."),
  { ...text("auth", "AUTH", "The product_auth of that proxy."), short: "a" },
  text("dashboard", "ADDR", "A dashboard."),
  flag("start", "Put the proxy online."),
  flag("shutdown", "End the proxy, or the dashboard."),
  flag("reset-stats", "Set its counters to zero."),
  flag("forcegc", "Collect its garbage now."),
  text("log-level", "LEVEL", "Set the log level of the proxy, or of the dashboard."),
  text("fillslots", "FILE", "Give the proxy the slots in this file."),
  flag("locked", "Hold the requests of these slots."),
  flag("reload", "Read everything from the coordinator again."),
  flag("slots-status", "Print the slots as proxies get them."),
  flag("slots-assign", "Give slots to a group without moving keys; prints them without --confirm."),
  flag("offline", "Take them offline."),
  flag("list-proxy", "Print the records of the proxies."),
  flag("create-proxy", "Take a new proxy into the product."),
  flag("online-proxy", "Take a proxy into the product, or a known one back."),
  flag("remove-proxy", "Shut a proxy down and forget it."),
  flag("reinit-proxy", "Send a proxy everything again."),
  flag("proxy-status", "Print a line for each proxy."),
  flag("list-group", "Print the records of the groups."),
  flag("create-group", "Add an empty group."),
  flag("remove-group", "Remove an empty group."),
  flag("resync-group", "Send the slots of a group to all proxies."),
  flag("group-add", "Add a server to a group."),
  flag("group-del", "Remove a server from a group."),
  flag("group-status", "Print a line for each server."),
  flag("replica-groups", "Let reads go to a server, or not."),
  flag("enable", "Let them."),
  flag("disable", "Do not."),
  flag("promote-server", "Make a replica the master of its group."),
  flag("sync-action", "Order a server to replicate its master, or forget that."),
  flag("slot-action", "Order slots to move."),
  flag("create", "The order."),
  flag("remove", "Take it back."),
  flag("create-some", "Some slots of a group."),
  flag("create-range", "A range of slots."),
  flag("rebalance", "Print an even distribution of slots; with --confirm order it."),
  flag("sentinel-add", "Add a sentinel."),
  flag("sentinel-del", "Remove a sentinel."),
  flag("sentinel-resync", "Tell sentinels and proxies about each other."),
  flag("remove-lock", "Remove the lock of a dashboard that was killed."),
  flag("config-dump", "Print the records of a product."),
  { ...flag("old", "The product is of codis 1 or 2."), short: "1" },
  text("config-convert", "FILE", "Turn a dump of codis 1 into one of codis 3."),
  text("config-restore", "FILE", "Check a dump; with --confirm write it."),
  flag("dashboard-list", "Print the products and their dashboards."),
  { ...text("addr", "ADDR", "A proxy, server or sentinel."), short: "x" },
  { ...text("token", "TOKEN", "A proxy, by its token."), short: "t" },
  number("pid", "ID", "A proxy, by its number."),
  flag("all", "All of them."),
  { ...number("gid", "ID", "A group."), short: "g" },
  text("datacenter", "NAME", "Where the server stands."),
  number("sid", "ID", "A slot."),
  number("beg", "ID", "The first slot."),
  number("end", "ID", "The last slot."),
  number("gid-from", "ID", "The group that they are in."),
  number("gid-to", "ID", "The group that they go to."),
  number("num-slots", "N", "How many."),
  number("interval", "VALUE", "The pause between two steps of the migration, in microseconds."),
  number("disabled", "VALUE", "1 pauses the migration, 0 lets it go on."),
  flag("force", "Also when it does not answer."),
  flag("confirm", "Do it."),
  ...STORE_OPTIONS,
  { ...flag("verbose", "Log every call."), short: "v" },
];
