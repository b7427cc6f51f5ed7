// The real dashboard program for a test: on the filesystem coordinator in a directory of its own,
// called through its API as the command line does it, gone at the end of the block.
//
//   await using dashboard = await startDashboard();
//   await dashboard.put("createGroup", { gid: 1 });
//   const { stats } = await dashboard.overview();
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { callRoute } from "../../src/api/client.ts";
import { DASHBOARD_ROUTES, type TopomOverview } from "../../src/api/dashboard-routes.ts";
import { ChildProcess } from "../../src/lib/child-process.ts";
import { ownCommand } from "../../src/lib/own-command.ts";
import { newServer } from "../../src/model/group.ts";
import { encodeJson } from "../../src/model/json.ts";
import type { SlotMapping } from "../../src/model/slot-mapping.ts";
import { groupsPath } from "../../src/model/store-layout.ts";
import { xauthOf } from "../../src/model/xauth.ts";
import { started, TestProgram } from "./program.ts";
import { type Proxy, type ProxyOptions, startProxy } from "./proxy.ts";
import { until } from "./until.ts";

export interface DashboardOptions {
  /** Keys as in the TOML file, over the defaults of a test. */
  readonly config?: Readonly<Record<string, string | number | boolean>>;
  /** The directory of the coordinator; a dashboard that shares it stands by. */
  readonly root?: string;
  readonly args?: readonly string[];
  /** False does not wait until it leads. */
  readonly leads?: boolean;
}

type Route = keyof typeof DASHBOARD_ROUTES;

const READY_TIMEOUT_MS = 20_000;

export async function startDashboard(options: DashboardOptions = {}): Promise<Dashboard> {
  return await started(new Dashboard(options));
}

export class Dashboard extends TestProgram {
  readonly product: string;
  /** The directory of the filesystem coordinator. */
  readonly root: string;
  /** Variables for the next start. */
  env: Readonly<Record<string, string>> = {};
  readonly #options: DashboardOptions;

  constructor(options: DashboardOptions) {
    super("codis-dashboard");
    this.#options = options;
    this.product = String(options.config?.product_name ?? "test");
    this.root = options.root ?? join(this.dir, "coordinator");
  }

  get xauth(): string {
    return xauthOf(this.product);
  }

  async start(): Promise<void> {
    const config = {
      product_name: this.product,
      admin_addr: this.address,
      coordinator_name: "filesystem",
      coordinator_addr: this.root,
      ...this.#options.config,
    };
    const file = join(this.dir, "dashboard.toml");
    const lines = Object.entries(config).map(([key, value]) => `${key} = ${JSON.stringify(value)}`);
    writeFileSync(file, `${lines.join("\n")}\n`);
    const child = new ChildProcess({
      command: [...ownCommand(), "dashboard", "--config", file, ...(this.#options.args ?? [])],
      logFile: join(this.dir, "dashboard.log"),
      // With our process id there it ends when we are killed: see lib/launcher.ts.
      env: { PATH: process.env.PATH, CODIS_LAUNCHER_PID: String(process.pid), ...this.env },
    });
    const leads = this.#options.leads ?? true;
    const path = leads ? "/readyz" : "/livez";
    await this.runs(child).ready(() => this.#answers(path), READY_TIMEOUT_MS);
  }

  /** Waits until it leads, whoever led before. */
  async untilLeading(timeoutMs = READY_TIMEOUT_MS): Promise<void> {
    await until(() => this.#answers("/readyz"), { what: "the dashboard leads", timeoutMs });
  }

  url(path: string): string {
    return `http://${this.address}${path.replace(":xauth", this.xauth)}`;
  }

  /**
   * Calls a route by its name in the table; numbers are written out. Rejects with `RemoteError`,
   * whose message has the cause.
   */
  async call<R>(
    name: Route,
    params: Readonly<Record<string, string | number>> = {},
    body?: unknown,
  ): Promise<R> {
    const texts = Object.entries({ xauth: this.xauth, ...params }).map(([key, value]) => {
      return [key, String(value)] as const;
    });
    const options = { params: Object.fromEntries(texts), body };
    return (await callRoute(this.address, DASHBOARD_ROUTES[name], options as never)) as R;
  }

  /** A command, which answers nothing. */
  async put(
    name: Route,
    params: Readonly<Record<string, string | number>> = {},
    body?: unknown,
  ): Promise<void> {
    await this.call(name, params, body);
  }

  async overview(): Promise<TopomOverview> {
    return this.call<TopomOverview>("overview");
  }

  async slots(): Promise<readonly SlotMapping[]> {
    return (await this.overview()).stats.slots;
  }

  /** Gives a range of slots, both ends included, to a group at once. */
  async assign(from: number, to: number, group: number): Promise<void> {
    const slots = Array.from({ length: to - from + 1 }, (_, i) => ({
      id: from + i,
      group_id: group,
      action: {},
    }));
    await this.put(group === 0 ? "offlineSlots" : "assignSlots", {}, slots);
  }

  /** Groups 1, 2, …, each with these servers, master first; written to the store. */
  async storeGroups(groups: readonly (readonly string[])[]): Promise<void> {
    const folder = join(this.root, "data", groupsPath(this.product));
    mkdirSync(folder, { recursive: true });
    groups.forEach((servers, index) => {
      const group = {
        id: index + 1,
        servers: servers.map((server) => newServer(server, "")),
        promoting: {},
        out_of_sync: false,
      };
      const name = `group-${String(index + 1).padStart(4, "0")}`;
      writeFileSync(join(folder, name), encodeJson(group));
    });
    await this.put("reload");
  }

  /** A proxy of this product, taken in and online. */
  async startProxy(options: ProxyOptions = {}): Promise<Proxy> {
    const { productAuth = "" } = { productAuth: String(this.#options.config?.product_auth ?? "") };
    const config = { product_name: this.product, product_auth: productAuth, ...options.config };
    const proxy = await startProxy({ ...options, config, online: false });
    try {
      await this.put("createProxy", { addr: `127.0.0.1:${proxy.adminPort}` });
    } catch (error) {
      await proxy[Symbol.asyncDispose]();
      throw error;
    }
    return proxy;
  }

  async #answers(path: string): Promise<boolean> {
    try {
      const signal = AbortSignal.timeout(2_000);
      return (await fetch(`http://${this.address}${path}`, { signal })).ok;
    } catch {
      return false;
    }
  }
}
