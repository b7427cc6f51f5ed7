// `codis demo`: a whole product on one machine, to try things out. Starts redis-servers, a
// dashboard and proxies as programs of their own, does what an operator would do, keeps everything
// running, and stops it on Ctrl-C. Nothing here serves a request: it is the programs of production.
import { mkdirSync } from "node:fs";
import { join, relative } from "node:path";
import type { ChildProcess } from "../lib/child-process.ts";
import { codeOf, messageOf, OperatorError } from "../lib/operator-error.ts";
import { portOwner } from "../lib/port-owner.ts";
import { startDashboardProcess } from "./dashboard-process.ts";
import { KeptProgram, type Role } from "./keep-running.ts";
import { count, LiveFigures } from "./live-figures.ts";
import { Operator } from "./operator.ts";
import {
  DEFAULT_LAYOUT,
  type DemoOptions,
  type Layout,
  parseDemoOptions,
  PROXIES,
  serverPorts,
} from "./options.ts";
import { startProxyProcess } from "./proxy-process.ts";
import { showRebalance } from "./rebalance-show.ts";
import { startRedisServer } from "./redis-server.ts";
import { layoutOf, remember } from "./state.ts";

/** How long a program may take to end; a proxy waits for requests in flight. */
const STOP_GRACE_MS = 8000;
const HOST = "127.0.0.1";
const PRODUCT = "codis-demo";

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
  let isEnding = false;
  const end = (trouble: Error | null): void => {
    isEnding = true;
    ending.resolve(trouble);
  };
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const)
    process.on(signal, () => end(null));
  const demo = new Demo(options, end, () => isEnding);
  try {
    await demo.start();
    // It sees the end coming, and what it was starting must be known to stop().
    if (options.rebalance) await demo.rebalance();
    const trouble = await ending.promise;
    if (trouble !== null) throw trouble;
    demo.say("Stopping ...");
  } finally {
    await demo.stop();
  }
}

class Demo {
  readonly #options: DemoOptions;
  readonly #operator: Operator;
  #layout: Layout;
  #figures: LiveFigures | null = null;
  /** In stages, in the order of their start. */
  readonly #stages: { servers: KeptProgram[]; dashboards: KeptProgram[]; proxies: KeptProgram[] } =
    {
      servers: [],
      dashboards: [],
      proxies: [],
    };
  readonly #fail: (error: Error) => void;
  readonly #isEnding: () => boolean;

  constructor(options: DemoOptions, fail: (error: Error) => void, isEnding: () => boolean) {
    this.#options = options;
    this.#fail = fail;
    this.#isEnding = isEnding;
    const layout = layoutOf(options);
    this.#layout = layout;
    this.#operator = new Operator(`${HOST}:${layout.dashboardPort}`, PRODUCT);
    checkRedisServer();
    for (let i = 0; i < PROXIES; i++) {
      checkPort(layout.port + i, "--port");
      checkPort(layout.adminPort + i, "--admin-port");
    }
    checkPort(layout.dashboardPort, "--dashboard-port");
    const last = layout.groups + (options.rebalance ? 1 : 0);
    for (const number of numbers(last)) {
      for (const port of serverPorts(layout, number)) checkPort(port, "--port");
    }
    remember(options.dir, layout);
  }

  async start(): Promise<void> {
    const { servers, dashboards, proxies } = this.#stages;
    await allOf([
      ...this.#groupNumbers().flatMap((number) => {
        return this.#serverRoles(number).map((role) => this.#keep(role, servers));
      }),
      this.#keep(this.#dashboardRole(), dashboards),
      ...numbers(PROXIES).map((number) => this.#keep(this.#proxyRole(number), proxies)),
    ]);
    for (const number of this.#groupNumbers()) await this.#register(number);
    await this.#operator.orderReplication();
    await this.#operator.assignSlots(this.#groupNumbers());
    for (const number of numbers(PROXIES)) {
      await this.#operator.addProxy(`${HOST}:${this.#adminPort(number)}`);
    }
    process.stdout.write(await this.#introduction());
    this.#figures = new LiveFigures(numbers(PROXIES).map((number) => this.#adminPort(number)));
  }

  /** Whatever comes of it, the product goes on serving. */
  async rebalance(): Promise<void> {
    try {
      await showRebalance({
        operator: this.#operator,
        proxies: this.#proxyAddresses(),
        addGroup: () => this.#addGroup(),
        say: (line) => this.say(line),
        draw: (line) => this.#figures?.instead(line),
        isEnding: this.#isEnding,
      });
    } catch (error) {
      if (!this.#isEnding()) this.say(`The rebalance came to an end: ${messageOf(error)}.`);
    }
    if (!this.#isEnding()) this.say("It goes on serving; Ctrl-C stops everything.");
  }

  /** Proxies end before what they need, so that requests in flight still get their replies. */
  async stop(): Promise<void> {
    this.#figures?.[Symbol.dispose]();
    this.#figures = null;
    const { servers, dashboards, proxies } = this.#stages;
    for (const stage of [proxies, dashboards, servers]) {
      await Promise.all(stage.map((program) => program.stop(STOP_GRACE_MS)));
    }
  }

  say(line: string): void {
    if (this.#figures !== null) this.#figures.say(line);
    else process.stdout.write(`${line}\n`);
  }

  async #keep(role: Role, stage: KeptProgram[]): Promise<void> {
    const say = (line: string): void => this.say(line);
    stage.push(await KeptProgram.start(role, { say, fail: this.#fail }));
  }

  async #register(number: number): Promise<void> {
    await this.#operator.addGroup({ id: number, servers: this.#serverAddresses(number) });
  }

  /** One group more, from now on and at every later start. */
  async #addGroup(): Promise<number> {
    const number = this.#layout.groups + 1;
    await allOf(this.#serverRoles(number).map((role) => this.#keep(role, this.#stages.servers)));
    this.#layout = { ...this.#layout, groups: number };
    remember(this.#options.dir, this.#layout);
    await this.#register(number);
    await this.#operator.orderReplication();
    return number;
  }

  // ------------------------------------------------------------------------------- the programs

  #serverRoles(number: number): Role[] {
    return serverPorts(this.#layout, number).map((port, i) => {
      const dir = this.#subfolder(`group-${number}${i === 0 ? "" : "-replica"}`);
      // Its replica is a copy from the first second on: nothing else will want the same one.
      const noDelay = ["--repl-diskless-sync-delay", "0"];
      const args = ["--appendonly", "yes", "--save", "", ...noDelay];
      return {
        title: `The server ${HOST}:${port} of group ${number}`,
        start: () => startRedisServer({ port, dir, args, detached: true }),
      };
    });
  }

  #dashboardRole(): Role {
    const dir = this.#subfolder("dashboard");
    const port = this.#layout.dashboardPort;
    return {
      title: "The dashboard",
      start: () => startDashboardProcess({ dir, port, product: PRODUCT }),
    };
  }

  #proxyRole(number: number): Role {
    const dir = this.#subfolder(number === 1 ? "proxy" : `proxy-${number}`);
    const adminPort = this.#adminPort(number);
    const settings = {
      product_name: PRODUCT,
      proxy_addr: this.#proxyAddresses()[number - 1],
      admin_addr: `${HOST}:${adminPort}`,
    };
    const { ncpu } = this.#options;
    const start = (): Promise<ChildProcess> => {
      return startProxyProcess({ dir, adminPort, ncpu, settings, detached: true });
    };
    return { title: `Proxy ${number}`, start };
  }

  async #introduction(): Promise<string> {
    const { dir, ncpu } = this.#options;
    const { dashboardPort, port } = this.#layout;
    const { slots } = await this.#operator.stats();
    const groups = this.#groupNumbers().map((number) => {
      const own = slots.filter((slot) => slot.group_id === number).length;
      const [master, replica] = this.#serverAddresses(number);
      return `  group ${number}    ${master} and ${replica}, ${count(own, "slot")}`;
    });
    const proxies = this.#proxyAddresses().join(" and ");
    const admin =
      dashboardPort === DEFAULT_LAYOUT.dashboardPort ? "" : ` --dashboard=${HOST}:${dashboardPort}`;
    return `Codis runs: ${PROXIES} proxies, a dashboard, ${count(this.#layout.groups, "group")}.

  clients    ${proxies}, ${count(ncpu, "worker")} each
  dashboard  http://${HOST}:${dashboardPort}
${groups.join("\n")}
  data       ${shortPath(dir)} (kept for the next start)

Try in another terminal:
  redis-cli -p ${port} set greeting hello
  redis-benchmark -p ${port} -t set,get -n 200000 -r 100000 -P 16 -q
  bin/codis-admin status${admin}
  bin/codis-admin migrate 0-99 2 --watch${admin}
  bin/codis-admin rebalance --watch${admin}

Ctrl-C stops everything.
`;
  }

  #groupNumbers(): number[] {
    return numbers(this.#layout.groups);
  }

  #serverAddresses(number: number): string[] {
    return serverPorts(this.#layout, number).map((port) => `${HOST}:${port}`);
  }

  #proxyAddresses(): string[] {
    return numbers(PROXIES).map((number) => `${HOST}:${this.#layout.port + number - 1}`);
  }

  #adminPort(number: number): number {
    return this.#layout.adminPort + number - 1;
  }

  #subfolder(name: string): string {
    const path = join(this.#options.dir, name);
    mkdirSync(path, { recursive: true });
    return path;
  }
}

/** 1, 2, 3 ... */
function numbers(count: number): number[] {
  return Array.from({ length: count }, (_, i) => i + 1);
}

/** Waits for all, also when one fails: whoever stops the programs must know every one. */
async function allOf(starts: readonly Promise<void>[]): Promise<void> {
  const outcomes = await Promise.allSettled(starts);
  for (const outcome of outcomes) if (outcome.status === "rejected") throw outcome.reason;
}

/** Binding is the only question about a port that the kernel answers truly. */
function checkPort(port: number, option: string): void {
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
