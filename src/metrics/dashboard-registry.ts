// Every metric of the dashboard, declared once, as `registry.ts` does it for the proxy. No label
// ever holds anything a client sent.

import { metric } from "./registry.ts";

export const DASHBOARD_METRICS = {
  buildInfo: metric(
    "gauge",
    "codis_dashboard_build_info",
    "Always 1; the labels tell what is running.",
    ["version", "runtime"],
  ),
  leads: metric(
    "gauge",
    "codis_dashboard_leads",
    "1 while this dashboard leads its product, 0 while it stands by. The metrics about the " +
      "product below are there only while it leads.",
  ),
  term: metric("counter", "codis_dashboard_terms_total", "How many leaders the product has had.", [
    "product",
  ]),
  proxyUp: metric(
    "gauge",
    "codis_dashboard_proxy_up",
    "1 when the proxy answered the last poll and is online, else 0.",
    ["addr", "token"],
  ),
  proxyFenced: metric(
    "gauge",
    "codis_dashboard_proxy_fenced",
    "1 while the proxy is shut out of the servers because it could not be reached.",
    ["addr", "token"],
  ),
  groupOutOfSync: metric(
    "gauge",
    "codis_dashboard_group_out_of_sync",
    "1 while the proxies do not know the newest state of the group.",
    ["group"],
  ),
  serverUp: metric(
    "gauge",
    "codis_dashboard_server_up",
    "1 when the server answered the last poll, else 0.",
    ["group", "addr", "role"],
  ),
  serverMemory: metric(
    "gauge",
    "codis_dashboard_server_memory_bytes",
    "Memory that the server uses, by its own account.",
    ["group", "addr", "role"],
  ),
  slots: metric("gauge", "codis_dashboard_slots", "Slots by the state of their action.", ["state"]),
  migrationPaused: metric(
    "gauge",
    "codis_dashboard_migration_paused",
    "1 while the operator has paused the migration.",
  ),
  jobKeys: metric(
    "gauge",
    "codis_dashboard_job_keys_moved",
    "Keys that a migration job has moved so far.",
    ["job", "source", "target"],
  ),
  jobBytes: metric(
    "gauge",
    "codis_dashboard_job_bytes_moved",
    "Bytes that a migration job has moved so far.",
    ["job", "source", "target"],
  ),
  jobSlots: metric(
    "gauge",
    "codis_dashboard_job_slots",
    "Slots of a migration job that have not arrived yet.",
    ["job", "source", "target"],
  ),
  jobFailing: metric(
    "gauge",
    "codis_dashboard_job_failing",
    "1 while the last step of a migration job has failed.",
    ["job", "source", "target"],
  ),
  cpu: metric(
    "counter",
    "process_cpu_seconds_total",
    "Processor time of the program, user and system together.",
  ),
  memory: metric("gauge", "process_resident_memory_bytes", "Resident memory of the program."),
} as const;
