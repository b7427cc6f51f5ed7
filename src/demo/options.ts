// The command line of `codis demo`, and what it leads to: the ports of everything that is started.
import { availableParallelism } from "node:os";
import { resolve } from "node:path";
import { parseArguments, usageText, type Program } from "../lib/args.ts";
import { UsageError } from "../lib/operator-error.ts";

export const DEFAULT_GROUPS = 2;
const MAX_GROUPS = 100;
const DEFAULT_PORT = 19000;
const DEFAULT_ADMIN_PORT = 11080;
/** The server of group N listens this far above the proxy, plus N. */
const SERVER_PORT_OFFSET = 100;

export interface DemoOptions {
  /** null: as many as last time, or the default. */
  readonly groups: number | null;
  readonly ncpu: number;
  readonly port: number;
  readonly adminPort: number;
  readonly dir: string;
}

const DEMO_PROGRAM: Program = {
  name: "codis demo",
  synopsis: ["[options]"],
  options: [
    {
      name: "groups",
      argument: "N",
      integerFrom: 1,
      doc: `Run N redis-servers, each with its share of the slots; default ${DEFAULT_GROUPS}.`,
    },
    {
      name: "ncpu",
      argument: "N",
      integerFrom: 1,
      doc: "Workers of the proxy; default one per CPU.",
    },
    {
      name: "port",
      argument: "PORT",
      integerFrom: 1,
      doc: `Where clients connect; default ${DEFAULT_PORT}. The servers listen from PORT+101 on.`,
    },
    {
      name: "admin-port",
      argument: "PORT",
      integerFrom: 1,
      doc: `The admin API of the proxy; default ${DEFAULT_ADMIN_PORT}.`,
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
    ncpu: given.integer("ncpu") ?? availableParallelism(),
    port: given.integer("port") ?? DEFAULT_PORT,
    adminPort: given.integer("admin-port") ?? DEFAULT_ADMIN_PORT,
    dir: resolve(given.text("dir") ?? ".codis-demo"),
  };
}

/** The port of the server of group `number`, counted from 1. */
export function serverPort(options: DemoOptions, number: number): number {
  return options.port + SERVER_PORT_OFFSET + number;
}
