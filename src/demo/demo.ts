// `codis demo`: a product on one machine, to try things out. Starts redis-servers and the proxy as
// programs of their own, keeps them running, and stops everything on Ctrl-C. Nothing here serves a
// request: clients talk to the same proxy that runs in production.
import { mkdirSync } from "node:fs";
import { join, relative } from "node:path";
import type { ChildProcess } from "../lib/child-process.ts";
import { codeOf, OperatorError } from "../lib/operator-error.ts";
import { portOwner } from "../lib/port-owner.ts";
import { SLOT_COUNT } from "../model/slot.ts";
import { KeptProgram, type Role } from "./keep-running.ts";
import { count, LiveFigures } from "./live-figures.ts";
import { parseDemoOptions, serverPort, type DemoOptions } from "./options.ts";
import { spreadSlots, startProxyProcess } from "./proxy-process.ts";
import { startRedisServer } from "./redis-server.ts";
import { claimDirectory } from "./state.ts";

/** How long a program may take to end; a proxy waits for requests in flight. */
const STOP_GRACE_MS = 8000;
const HOST = "127.0.0.1";

/**
 * Runs until a signal asks for the end. Throws when something cannot be started or kept running.
 */
export async function runDemo(argv: readonly string[]): Promise<void> {
  const options = parseDemoOptions(argv);
  if (typeof options === "string") {
    process.stdout.write(options);
    return;
  }
  // Signals count from the very start: Ctrl-C during the start must leave nothing behind.
  const ending = Promise.withResolvers<Error | null>();
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    process.on(signal, () => ending.resolve(null));
  }
  const demo = new Demo(options, ending.resolve);
  try {
    await demo.start();
    const trouble = await ending.promise;
    if (trouble !== null) throw trouble;
    demo.say("Stopping ...");
  } finally {
    await demo.stop();
  }
}

class Demo {
  #options: DemoOptions;
  #groups: number;
  #figures: LiveFigures | null = null;
  #programs: KeptProgram[] = []; // in the order of their start
  #fail: (error: Error) => void;

  constructor(options: DemoOptions, fail: (error: Error) => void) {
    this.#options = options;
    this.#fail = fail;
    checkRedisServer();
    this.#checkPort(options.port, "--port");
    this.#checkPort(options.adminPort, "--admin-port");
    this.#groups = claimDirectory(options.dir, options.groups);
    for (const number of this.#groupNumbers()) {
      this.#checkPort(serverPort(options, number), "--port");
    }
  }

  async start(): Promise<void> {
    const servers = this.#groupNumbers().map((number) => this.#serverRole(number));
    // All of them are waited for, also when one fails: stop() must know every program.
    const started = await Promise.allSettled(servers.map((role) => this.#keep(role)));
    for (const outcome of started) if (outcome.status === "rejected") throw outcome.reason;
    await this.#keep(this.#proxyRole());
    process.stdout.write(this.#introduction());
    this.#figures = new LiveFigures(this.#options.adminPort);
  }

  /** The proxy ends before its servers, so that requests in flight still get their replies. */
  async stop(): Promise<void> {
    this.#figures?.[Symbol.dispose]();
    this.#figures = null;
    for (const program of this.#programs.reverse()) await program.stop(STOP_GRACE_MS);
  }

  say(line: string): void {
    if (this.#figures !== null) this.#figures.say(line);
    else process.stdout.write(`${line}\n`);
  }

  async #keep(role: Role): Promise<void> {
    const say = (line: string): void => this.say(line);
    this.#programs.push(await KeptProgram.start(role, { say, fail: this.#fail }));
  }

  #serverRole(number: number): Role {
    const dir = this.#subfolder(`group-${number}`);
    return {
      title: `The server of group ${number}`,
      start: () =>
        startRedisServer({
          port: serverPort(this.#options, number),
          dir,
          args: ["--appendonly", "yes", "--save", ""],
          detached: true,
        }),
    };
  }

  #proxyRole(): Role {
    const { port, adminPort, ncpu } = this.#options;
    const dir = this.#subfolder("proxy");
    const start = (): Promise<ChildProcess> =>
      startProxyProcess({
        dir,
        adminPort,
        ncpu,
        settings: {
          product_name: "codis-demo",
          proxy_addr: `${HOST}:${port}`,
          admin_addr: `${HOST}:${adminPort}`,
        },
        slots: spreadSlots(this.#groupNumbers().map((number) => this.#serverAddress(number))),
        detached: true,
      });
    return { title: "The proxy", start };
  }

  #introduction(): string {
    const { port, adminPort, ncpu, dir } = this.#options;
    const slots = spreadSlots(this.#groupNumbers().map(String));
    const groups = this.#groupNumbers().map((number) => {
      const own = slots.filter((slot) => slot.backend_addr_group_id === number);
      const range = `slots ${own[0]?.id} to ${own.at(-1)?.id}`;
      return `  group ${number}    ${this.#serverAddress(number)}, ${range}`;
    });
    return `Codis runs: ${SLOT_COUNT} slots on ${count(this.#groups, "redis-server")}.

  clients    ${HOST}:${port}, ${count(ncpu, "worker")}
  admin API  http://${HOST}:${adminPort}
${groups.join("\n")}
  data       ${shortPath(dir)} (kept for the next start)

Try in another terminal:
  redis-cli -p ${port} set greeting hello
  redis-benchmark -p ${port} -t set,get -n 200000 -P 16 -q
  curl -s http://${HOST}:${adminPort}/proxy/stats

Ctrl-C stops everything.
`;
  }

  #groupNumbers(): number[] {
    return Array.from({ length: this.#groups }, (_, i) => i + 1);
  }

  #serverAddress(number: number): string {
    return `${HOST}:${serverPort(this.#options, number)}`;
  }

  #subfolder(name: string): string {
    const path = join(this.#options.dir, name);
    mkdirSync(path, { recursive: true });
    return path;
  }

  /** Binding is the only question about a port that the kernel answers truly. */
  #checkPort(port: number, option: string): void {
    try {
      Bun.listen({ hostname: HOST, port, socket: { data() {} } }).stop(true);
    } catch (error) {
      if (codeOf(error) !== "EADDRINUSE") throw error;
      const owner = portOwner(port) || "another program";
      throw new OperatorError(
        `port ${port} is taken by ${owner}: stop that, or choose other ports with ${option}`,
      );
    }
  }
}

/** As a person in this directory would type it. */
function shortPath(path: string): string {
  const inside = relative(process.cwd(), path);
  return inside.startsWith("..") ? path : `./${inside}`;
}

function checkRedisServer(): void {
  if (Bun.which("redis-server") !== null) return;
  throw new OperatorError(
    "redis-server is not installed here (on Debian or Ubuntu: sudo apt-get install redis-server)",
  );
}
