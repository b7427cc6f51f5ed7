// Reports that are sent away on a period (contract 2.12): the overview as JSON to an HTTP server,
// and fourteen figures to InfluxDB or to a statsd. Each has its own clock from the start of the
// process on, also while the proxy waits; after a failure it pauses 1, 2, 4 … 15 seconds. A
// receiver that is slow or gone costs nothing but its own report, and one log line per change of
// fortune.

import { createSocket } from "node:dgram";
import { parseAddress } from "../lib/address.ts";
import { log } from "../lib/log.ts";
import { messageOf } from "../lib/operator-error.ts";

const MIN_PERIOD_MS = 1_000;
const FIRST_PAUSE_MS = 1_000;
const MAX_PAUSE_MS = 15_000;
const SEND_TIMEOUT_MS = 5_000;

/** statsd packets stay below the usual MTU. */
const MAX_PACKET_BYTES = 1440;

/** What is reported; read anew for every report. */
export interface PushSource {
  overviewJson(): Promise<string>;
  fields(): Promise<PushFields>;
  readonly tags: Readonly<Record<string, string>>;
}

/** Figures by the names of the original. */
export interface PushFields {
  readonly ops_total: number;
  readonly ops_fails: number;
  readonly ops_redis_errors: number;
  readonly ops_qps: number;
  readonly sessions_total: number;
  readonly sessions_alive: number;
  readonly rusage_mem: number;
  readonly rusage_cpu: number;
  readonly runtime_gc_num: number;
  readonly runtime_gc_total_pausems: number;
  readonly runtime_num_procs: number;
  readonly runtime_num_goroutines: number;
  readonly runtime_num_cgo_call: number;
  readonly runtime_num_mem_offheap: number;
}

export interface PushSettings {
  readonly metricsReportServer: string;
  readonly metricsReportPeriodMs: number;
  readonly metricsReportInfluxdbServer: string;
  readonly metricsReportInfluxdbPeriodMs: number;
  readonly metricsReportInfluxdbUsername: string;
  readonly metricsReportInfluxdbPassword: string;
  readonly metricsReportInfluxdbDatabase: string;
  readonly metricsReportStatsdServer: string;
  readonly metricsReportStatsdPeriodMs: number;
  readonly metricsReportStatsdPrefix: string;
}

/** Starts the reporters that have a server; the result stops them. */
export function startReporters(settings: PushSettings, source: PushSource): () => void {
  const stops: (() => void)[] = [];
  if (settings.metricsReportServer !== "") {
    const post = (): Promise<void> => postJson(settings.metricsReportServer, source);
    stops.push(startReporter("HTTP", settings.metricsReportPeriodMs, post));
  }
  if (settings.metricsReportInfluxdbServer !== "") {
    const write = (): Promise<void> => writeInflux(settings, source);
    stops.push(startReporter("InfluxDB", settings.metricsReportInfluxdbPeriodMs, write));
  }
  if (settings.metricsReportStatsdServer !== "") {
    const send = (): Promise<void> => sendStatsd(settings, source);
    stops.push(startReporter("statsd", settings.metricsReportStatsdPeriodMs, send));
  }
  return () => {
    for (const stop of stops) stop();
  };
}

/** Calls `report` every period, never twice at a time. */
function startReporter(name: string, periodMs: number, report: () => Promise<void>): () => void {
  let timer: ReturnType<typeof setTimeout> | undefined;
  let isStopped = false;
  let pauseMs = 0;
  const run = async (): Promise<void> => {
    try {
      await report();
      if (pauseMs > 0) log.info(`metrics are reported to ${name} again`);
      pauseMs = 0;
    } catch (error) {
      if (pauseMs === 0) log.warn(`metrics cannot be reported to ${name}: ${messageOf(error)}`);
      pauseMs = Math.min(MAX_PAUSE_MS, Math.max(FIRST_PAUSE_MS, pauseMs * 2));
    }
    schedule();
  };
  const schedule = (): void => {
    if (isStopped) return;
    timer = setTimeout(run, Math.max(MIN_PERIOD_MS, periodMs) + pauseMs);
  };
  schedule();
  return () => {
    isStopped = true;
    clearTimeout(timer);
  };
}

async function postJson(url: string, source: PushSource): Promise<void> {
  const body = await source.overviewJson();
  const headers = { "Content-Type": "application/json" };
  const response = await send(url, { method: "POST", body, headers });
  if (response.status !== 200) throw new Error(`the server answers with status ${response.status}`);
}

async function writeInflux(settings: PushSettings, source: PushSource): Promise<void> {
  const base = settings.metricsReportInfluxdbServer.replace(/\/+$/, "");
  const database = encodeURIComponent(settings.metricsReportInfluxdbDatabase);
  const user = settings.metricsReportInfluxdbUsername;
  const login = `${user}:${settings.metricsReportInfluxdbPassword}`;
  const headers = new Headers();
  if (user !== "") headers.set("Authorization", `Basic ${Buffer.from(login).toString("base64")}`);
  const url = `${base}/write?consistency=&db=${database}&precision=ns&rp=`;
  const body = influxLine(source.tags, await source.fields(), Date.now());
  const response = await send(url, { method: "POST", body, headers });
  if (!response.ok) throw new Error(`the server answers with status ${response.status}`);
}

/** The text of an error of `fetch` may hold the URL, and the URL a password. */
async function send(url: string, init: RequestInit): Promise<Response> {
  try {
    const signal = AbortSignal.timeout(SEND_TIMEOUT_MS);
    const response = await fetch(url, { ...init, signal });
    await response.arrayBuffer();
    return response;
  } catch (error) {
    throw new Error(messageOf(error).replaceAll(url, "the server"));
  }
}

/** One measurement in the line protocol: integers with an `i`, tags and fields sorted. */
export function influxLine(
  tags: Readonly<Record<string, string>>,
  fields: PushFields,
  atMs: number,
): string {
  const escape = (text: string): string => text.replace(/[,= \\]/g, "\\$&").replace(/\n/g, " ");
  const tagText = Object.keys(tags)
    .sort()
    .filter((name) => tags[name] !== "")
    .map((name) => `,${name}=${escape(tags[name])}`)
    .join("");
  const fieldText = Object.entries(fields)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, value]) => `${name}=${influxValue(name, value)}`)
    .join(",");
  return `codis_usage${tagText} ${fieldText} ${atMs}000000\n`;
}

function influxValue(name: string, value: number): string {
  // The original writes this one as a text, and a database keeps the type it saw first.
  if (name === "runtime_gc_total_pausems") return `"${value}"`;
  return name === "rusage_cpu" ? String(value) : `${Math.round(value)}i`;
}

async function sendStatsd(settings: PushSettings, source: PushSource): Promise<void> {
  const address = parseAddress(settings.metricsReportStatsdServer);
  if (address === null) throw new Error("metrics_report_statsd_server must be host:port");
  const prefix = statsdPrefix(settings.metricsReportStatsdPrefix, source.tags);
  const packets = statsdPackets(prefix, await source.fields());
  const isIpv6 = address.host.includes(":");
  const socket = createSocket(isIpv6 ? "udp6" : "udp4");
  socket.on("error", () => {}); // nobody listens there; the next report tries again
  try {
    for (const packet of packets) {
      await new Promise<void>((resolve, reject) => {
        const done = (error: Error | null): void => (error === null ? resolve() : reject(error));
        socket.send(packet, address.port, address.host, (error) => done(error ?? null));
      });
    }
  } finally {
    socket.close();
  }
}

/** "pre.lab.127_0_0_1_11080.127_0_0_1_19000"; an empty prefix leaves the leading dot. */
export function statsdPrefix(prefix: string, tags: Readonly<Record<string, string>>): string {
  const flat = (address: string): string => address.replace(/[.:]/g, "_");
  return [prefix, tags.product_name, flat(tags.admin_addr), flat(tags.proxy_addr)].join(".");
}

/** Gauges, several to a packet, separated by line feeds. */
export function statsdPackets(prefix: string, fields: PushFields): string[] {
  const packets: string[] = [];
  let packet = "";
  for (const [name, value] of Object.entries(fields)) {
    const gauge = `${prefix}.${name}:${value}|g`;
    if (packet !== "" && packet.length + 1 + gauge.length > MAX_PACKET_BYTES) {
      packets.push(packet);
      packet = "";
    }
    packet += packet === "" ? gauge : `\n${gauge}`;
  }
  if (packet !== "") packets.push(packet);
  return packets;
}
