// `npm run bench`: our proxy next to other proxies under the same load, in one run on one machine.
// Absolute figures depend on the machine and on what else it does; the ratios are the result.
import { mkdtempSync, rmSync } from "node:fs";
import { cpus, release, tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { freePort } from "../tests/harness/ports.ts";
import { fill } from "./fill.ts";
import { measure, type Sample } from "./measure.ts";
import { bind, layout, type Layout } from "./pin.ts";
import { Machinery, versions, type Peer } from "./peers.ts";
import { summary, workloadTable, type WorkloadResult } from "./report.ts";
import { WORKLOADS, type Workload } from "./workloads.ts";

const NAMES = WORKLOADS.map((workload) => workload.name);

const USAGE = `Usage: npm run bench -- [options]
  --rounds=N             rounds over everything, with the peers in changing order (9)
  --seconds=N            about how long one measurement takes (1.5)
  --requests=N           instead: so many requests of each command, the same for every peer
  --only=NAME,NAME       some workloads only: ${NAMES.join(", ")}
  --servers=PORT,PORT    where the two redis-servers listen (any free ports)
  --peer=NAME:PORT:PID   one more proxy, started by hand for the servers named with --servers;
                         may be given several times
  --pin, --no-pin        servers and proxies on one processor, the load on the others; or anything
                         anywhere. With two processors the first is the default, else the second
  --json=FILE            write all samples there, with machine, versions and command line
`;

interface Options {
  readonly rounds: number;
  readonly seconds: number;
  readonly requests: number; // 0: as many as fit into `seconds`
  readonly workloads: readonly Workload[];
  readonly servers: readonly number[];
  readonly peers: readonly Peer[];
  readonly layout: Layout;
  readonly json: string; // "": none
}

function readOptions(args: string[]): Options {
  const { values } = parseArgs({
    args,
    allowNegative: true,
    options: {
      rounds: { type: "string", default: "9" },
      seconds: { type: "string", default: "1.5" },
      requests: { type: "string", default: "0" },
      only: { type: "string", default: NAMES.join(",") },
      servers: { type: "string" },
      peer: { type: "string", multiple: true, default: [] },
      pin: { type: "boolean", default: cpus().length === 2 },
      json: { type: "string", default: "" },
    },
  });
  const servers = values.servers?.split(",").map(Number) ?? [freePort(), freePort()];
  if (servers.length !== 2) throw new Error("--servers needs two ports");
  return {
    rounds: positive("rounds", values.rounds),
    seconds: positive("seconds", values.seconds),
    requests: Number(values.requests),
    workloads: values.only.split(",").map(workloadNamed),
    servers,
    peers: values.peer.map(parsePeer),
    layout: layout(values.pin),
    json: values.json,
  };
}

function positive(name: string, text: string): number {
  const value = Number(text);
  if (value > 0) return value;
  throw new Error(`--${name} needs a number above zero, not "${text}"`);
}

function workloadNamed(name: string): Workload {
  const found = WORKLOADS.find((workload) => workload.name === name);
  if (found === undefined) throw new Error(`no workload "${name}"; there are ${NAMES.join(", ")}`);
  return found;
}

function parsePeer(text: string): Peer {
  const [name, port, pid] = text.split(":");
  if (pid === undefined) throw new Error(`--peer needs NAME:PORT:PID, not "${text}"`);
  return { name, port: Number(port), pid: Number(pid) };
}

type SamplesByPeer = Map<string, Sample[]>;

async function run(options: Options): Promise<WorkloadResult[]> {
  const dir = mkdtempSync(join(tmpdir(), "codis-bench-"));
  for (const { pid } of [process, ...options.peers]) bind(pid, options.layout.proxies);
  try {
    await using machinery = new Machinery(dir);
    await machinery.startAll(options.servers, options.peers);
    for (const peer of machinery.peers) await fill(peer.port);
    const results: WorkloadResult[] = [];
    for (const workload of options.workloads) {
      await machinery.renewTwemproxy();
      const samples = await compare(machinery.peers, workload, options);
      const result = { workload, samples };
      results.push(result);
      print(workloadTable(result));
    }
    return results;
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

/**
 * All rounds of one workload, close together in time: a machine gets slower and faster by the hour.
 */
async function compare(
  peers: readonly Peer[],
  workload: Workload,
  options: Options,
): Promise<SamplesByPeer> {
  const samples: SamplesByPeer = new Map(peers.map((peer) => [peer.name, []]));
  const requests = new Map<string, number>();
  const { load } = options.layout;
  for (const peer of peers) requests.set(peer.name, await requestCount(peer, workload, options));
  for (let round = 0; round < options.rounds; round++) {
    for (let i = 0; i < peers.length; i++) {
      const peer = peers[(round + i) % peers.length];
      const sample = await measure(peer, workload, requests.get(peer.name) ?? 0, load);
      samples.get(peer.name)?.push(sample);
      progress(workload.name, round, peer.name, sample);
    }
  }
  return samples;
}

/**
 * How many requests of each command take the time that one measurement should; warms the peer up.
 */
async function requestCount(peer: Peer, workload: Workload, options: Options): Promise<number> {
  const inFlight = workload.clients * workload.pipeline;
  const { load } = options.layout;
  const warmUp = await measure(peer, workload, Math.max(10_000, 20 * inFlight), load);
  if (options.requests > 0) return options.requests;
  const wanted = (warmUp.requestsPerSecond * options.seconds) / workload.commands.length;
  return Math.max(1, Math.round(wanted / inFlight)) * inFlight;
}

function progress(workload: string, round: number, peer: string, sample: Sample): void {
  const rate = Math.round(sample.requestsPerSecond);
  const cpu = sample.cpuMicroseconds?.toFixed(2) ?? "-";
  const text = `${workload} round ${round + 1} ${peer}: ${rate}/s, ${cpu} µs`;
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${text}`);
}

function machineLines({ proxies, load }: Layout): string[] {
  const processors = cpus();
  return [
    `${processors.length} × ${processors[0]?.model ?? "unknown CPU"}, Linux ${release()}`,
    `servers and proxies on processor ${proxies}, the load on ${load}`,
    ...versions(),
  ];
}

async function writeJson(options: Options, results: readonly WorkloadResult[]): Promise<void> {
  const record = {
    date: new Date().toISOString(),
    command: ["npm run bench --", ...process.argv.slice(2)].join(" "),
    machine: machineLines(options.layout),
    workloads: results.map(({ workload, samples }) => ({
      name: workload.name,
      title: workload.title,
      samples: Object.fromEntries(samples),
    })),
  };
  await Bun.write(options.json, `${JSON.stringify(record, null, 2)}\n`);
}

function print(text: string): void {
  if (process.stderr.isTTY) process.stderr.write("\r\x1b[K");
  process.stdout.write(`${text}\n`);
}

if (process.argv.includes("--help")) {
  process.stdout.write(USAGE);
  process.exit(0);
}
try {
  const options = readOptions(process.argv.slice(2));
  for (const line of machineLines(options.layout)) print(line);
  print("");
  const results = await run(options);
  print(summary(results));
  if (options.json !== "") await writeJson(options, results);
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
}
