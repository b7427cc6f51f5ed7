// The figures of the control plane for Prometheus, from what the parts know at this moment.

import { PrometheusText } from "../metrics/prometheus.ts";
import { DASHBOARD_METRICS as METRICS } from "../metrics/dashboard-registry.ts";
import { VERSION } from "../lib/version.ts";
import type { Topom } from "./topom.ts";

/** Null: another dashboard leads, and knows. */
export function prometheusText(topom: Topom | null): string {
  const text = new PrometheusText();
  const product = topom?.config.productName ?? "";
  text.add(METRICS.buildInfo, { version: VERSION, runtime: `bun ${process.versions.bun}` }, 1);
  text.add(METRICS.leads, {}, topom === null ? 0 : 1);
  text.add(METRICS.memory, {}, process.memoryUsage().rss);
  const { user, system } = process.cpuUsage();
  text.add(METRICS.cpu, {}, (user + system) / 1e6);
  if (topom === null) return text.toString();
  text.add(METRICS.term, { product }, topom.records.options.term);
  addProxies(text, topom);
  addServers(text, topom);
  addSlots(text, topom);
  return text.toString();
}

function addProxies(text: PrometheusText, { records, fleet }: Topom): void {
  const { polls } = fleet;
  for (const { token, admin_addr, fenced } of records.proxies.values()) {
    const stats = polls.get(token)?.stats;
    const labels = { addr: admin_addr, token };
    text.add(METRICS.proxyUp, labels, stats?.online ? 1 : 0);
    text.add(METRICS.proxyFenced, labels, fenced ? 1 : 0);
  }
}

function addServers(text: PrometheusText, { records, servers }: Topom): void {
  for (const { id, servers: members, out_of_sync } of records.groups.values()) {
    text.add(METRICS.groupOutOfSync, { group: String(id) }, out_of_sync ? 1 : 0);
    members.forEach(({ server }, index) => {
      const role = index === 0 ? "master" : "replica";
      const labels = { group: String(id), addr: server, role };
      const stats = servers.polls.get(server)?.stats;
      text.add(METRICS.serverUp, labels, stats === undefined ? 0 : 1);
      const memory = Number(stats?.used_memory);
      if (Number.isFinite(memory)) text.add(METRICS.serverMemory, labels, memory);
    });
  }
}

function addSlots(text: PrometheusText, { records, jobs }: Topom): void {
  const counts = new Map<string, number>();
  for (const { group_id, action } of records.slots) {
    const state = action.state ?? (group_id === 0 ? "offline" : "idle");
    counts.set(state, (counts.get(state) ?? 0) + 1);
  }
  for (const [state, count] of [...counts].sort()) text.add(METRICS.slots, { state }, count);
  text.add(METRICS.migrationPaused, {}, records.options.migration_disabled ? 1 : 0);
  for (const job of jobs.stats()) {
    const labels = {
      job: String(job.id),
      source: String(job.source_id),
      target: String(job.target_id),
    };
    text.add(METRICS.jobKeys, labels, job.keys_moved);
    text.add(METRICS.jobBytes, labels, job.bytes_moved);
    text.add(METRICS.jobSlots, labels, job.slots);
    text.add(METRICS.jobFailing, labels, job.error === "" ? 0 : 1);
  }
}
