// The command line of `codis demo`, and what it leads to: the ports of everything that is started.
import { availableParallelism } from "node:os";
import { resolve } from "node:path";
import { parseArguments, usageText, type Program } from "../lib/args.ts";
import { UsageError } from "../lib/operator-error.ts";

export const PROXIES = 2;
const MAX_GROUPS = 100;
/** The servers of group N listen this far above the first proxy, plus ten times N. */
const SERVER_PORT_OFFSET = 100;

/** What was typed; null where nothing was, so that what the directory remembers counts. */
export interface DemoOptions {
  readonly groups: number | null;
  readonly port: number | null;
  readonly adminPort: number | null;
  readonly dashboardPort: number | null;
  readonly ncpu: number;
  readonly dir: string;
  /** Add a group and move slots to it while clients work. */
  readonly rebalance: boolean;
}

/** How large the product is and where it listens; the same at every start in a directory. */
export interface Layout {
  readonly groups: number;
  readonly port: number;
  readonly adminPort: number;
  readonly dashboardPort: number;
}

export const DEFAULT_LAYOUT: Layout = {
  groups: 2,
  port: 19000,
  adminPort: 11080,
  dashboardPort: 18080,
};

const DEMO_PROGRAM: Program = {
  name: "codis demo",
  synopsis: ["[options]"],
  options: [
    {
      name: "rebalance",
      doc: "Then add a group, and move slots to it while clients work.",
    },
    {
      name: "groups",
      argument: "N",
      integerFrom: 1,
      doc: `Run N groups of a master and a replica; default ${DEFAULT_LAYOUT.groups}.`,
    },
    {
      name: "ncpu",
      argument: "N",
      integerFrom: 1,
      doc: "Workers of each proxy; default one for every two CPUs.",
    },
    {
      name: "port",
      argument: "PORT",
      integerFrom: 1,
      doc:
        `Where clients connect; default ${DEFAULT_LAYOUT.port}. The second proxy has PORT+1, the ` +
        "servers of group N have PORT+100+10N and the next.",
    },
    {
      name: "admin-port",
      argument: "PORT",
      integerFrom: 1,
      doc:
        `The admin API of the first proxy; default ${DEFAULT_LAYOUT.adminPort}. The second has ` +
        "PORT+1.",
    },
    {
      name: "dashboard-port",
      argument: "PORT",
      integerFrom: 1,
      doc: `The dashboard; default ${DEFAULT_LAYOUT.dashboardPort}.`,
    },
    { name: "dir", argument: "DIR", doc: "Where data and logs are kept; default ./.codis-demo." },
  ],
};

/** The options, or the usage text when that is what was asked for. */
export function parseDemoOptions(argv: readonly string[]): DemoOptions | string {
  const given = parseArguments(DEMO_PROGRAM, argv);
  if (given.has("help")) return usageText(DEMO_PROGRAM);
  const groups = given.integer("groups");
  if (groups !== null && groups > MAX_GROUPS) {
    throw new UsageError(`--groups is at most ${MAX_GROUPS} here`, usageText(DEMO_PROGRAM));
  }
  return {
    groups,
    port: given.integer("port"),
    adminPort: given.integer("admin-port"),
    dashboardPort: given.integer("dashboard-port"),
    ncpu: given.integer("ncpu") ?? Math.max(1, Math.floor(availableParallelism() / PROXIES)),
    dir: resolve(given.text("dir") ?? ".codis-demo"),
    rebalance: given.has("rebalance"),
  };
}

/** The ports of the servers of group `number`, counted from 1: master and replica at first. */
export function serverPorts(layout: Layout, number: number): [first: number, second: number] {
  const port = layout.port + SERVER_PORT_OFFSET + 10 * number;
  return [port, port + 1];
}
