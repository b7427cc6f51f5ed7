// The program codis-dashboard and the public face of this folder: `runDashboard` is the program. It
// binds the admin port, then leads its product or stands by until it can, and ends in order.
//
//   standing by ──lead()──▶ leading (a `Topom`) ──lead lost──▶ standing by
//        └───────────────────────┴──SIGTERM, shutdown──▶ ended              status 0

import { setTimeout as pause } from "node:timers/promises";
import { DASHBOARD_ROUTES } from "../api/dashboard-routes.ts";
import { ApiError } from "../api/errors.ts";
import { ApiServer } from "../api/server.ts";
import type { Coordinator, Leadership } from "../coordinator/coordinator.ts";
import { openCoordinator } from "../coordinator/open.ts";
import { log } from "../lib/log.ts";
import { hardwareAddresses, publishedAddress, socketText, systemText } from "../lib/machine.ts";
import { messageOf } from "../lib/operator-error.ts";
import { removePidFile, writePidFile } from "../lib/pid-file.ts";
import { COMPILE, VERSION } from "../lib/version.ts";
import { decodeJson, encodeJson } from "../model/json.ts";
import { parseTopomModel, type TopomModel } from "../model/proxy.ts";
import { leaderPath } from "../model/store-layout.ts";
import { timeText } from "../model/time.ts";
import { secretsEqual, tokenOf, xauthOf } from "../model/xauth.ts";
import type { DashboardFlags } from "./flags.ts";
import { type DashboardControl, dashboardHandlers } from "./handlers.ts";
import {
  type DashboardConfig,
  dashboardConfigJson,
  dashboardSecrets,
  describeDashboardConfig,
  loadDashboardConfig,
} from "./settings.ts";
import { Topom } from "./topom.ts";

const STOP_TIMEOUT_MS = 10_000;

/** After the lead was lost, or could not be had because of trouble with the coordinator. */
const STEP_BACK_MS = 2_000;

/** Runs the dashboard until it is told to end. Throws `OperatorError` when it cannot start. */
export async function runDashboard(flags: DashboardFlags): Promise<void> {
  const { config, warnings } = loadDashboardConfig(flags);
  log.hideSecrets(dashboardSecrets(config));
  log.setLevel(flags.logLevel);
  if (flags.logFile !== null) log.open(flags.logFile);
  log.info(`codis-dashboard ${VERSION} ${COMPILE} starts (process ${process.pid})`);
  for (const warning of [...flags.warnings, ...warnings]) log.warn(warning);
  const changes = describeDashboardConfig(config);
  if (changes !== "") log.info(`settings that are not at their default: ${changes}`);
  const admin = new ApiServer();
  const coordinator = openCoordinator({
    name: config.coordinatorName,
    address: config.coordinatorAddr,
    auth: config.coordinatorAuth,
    tls: {
      ca: config.coordinatorTlsCa,
      cert: config.coordinatorTlsCert,
      key: config.coordinatorTlsKey,
    },
  });
  try {
    const bound = await admin.listenAt(config.adminAddr);
    const model = await topomModel(config, bound, flags.hostAdmin);
    const dashboard = new Dashboard(flags, config, { admin, coordinator, model });
    await dashboard.run();
  } finally {
    admin.close();
    await coordinator.close();
  }
  log.info("codis-dashboard has ended");
}

/** What is open before the product is led. */
interface Opened {
  readonly admin: ApiServer;
  readonly coordinator: Coordinator;
  readonly model: TopomModel;
}

class Dashboard implements DashboardControl {
  readonly model: TopomModel;
  readonly configJson: Readonly<Record<string, unknown>>;
  readonly #xauth: string;
  readonly #end = new AbortController();
  #topom: Topom | null = null;
  #standsByBecause = "the dashboard is starting";

  constructor(
    private readonly flags: DashboardFlags,
    private readonly config: DashboardConfig,
    private readonly opened: Opened,
  ) {
    this.model = opened.model;
    this.configJson = dashboardConfigJson(config);
    this.#xauth = xauthOf(config.productName);
  }

  /** Resolves when the dashboard has ended in order. */
  async run(): Promise<void> {
    const { admin, model } = this.opened;
    const stopSignals = this.#onSignals();
    writePidFile(this.flags.pidFile);
    try {
      admin.serve({
        routes: DASHBOARD_ROUTES,
        handlers: dashboardHandlers(this),
        authorize: (xauth) => this.#authorize(xauth),
      });
      log.info(`product ${model.product_name}, token ${model.token}, API at ${model.admin_addr}`);
      if (this.flags.removeLock) await this.#removeLock();
      while (!this.#end.signal.aborted) await this.#leadOnce();
    } finally {
      stopSignals();
      removePidFile(this.flags.pidFile);
    }
  }

  // ------------------------------------------------------------------------------------- leading

  /** Leads until the lead is lost or the program ends; trouble is logged and tried again. */
  async #leadOnce(): Promise<void> {
    try {
      const leadership = await this.#awaitLead();
      await this.#leadWith(leadership);
    } catch (error) {
      if (this.#end.signal.aborted) return;
      this.#standsByBecause = messageOf(error);
      log.error("the product cannot be led, this will be tried again", error);
      await this.#stepBack();
    }
  }

  /** A part that does not end must not keep the program, or the lead, for ever. */
  async #stop(topom: Topom): Promise<void> {
    const late = new AbortController();
    const patience = pause(STOP_TIMEOUT_MS, "late", { signal: late.signal }).catch(() => "");
    const outcome = await Promise.race([topom.stop(), patience]);
    late.abort();
    if (outcome === "late") log.error(`some part has not stopped in ${STOP_TIMEOUT_MS} ms`);
  }

  async #stepBack(): Promise<void> {
    await pause(STEP_BACK_MS, undefined, { signal: this.#end.signal }).catch(() => {});
  }

  #awaitLead(): Promise<Leadership> {
    const path = leaderPath(this.config.productName);
    return this.opened.coordinator.lead(path, encodeJson(this.model), {
      ttlMs: this.config.leaseTimeoutMs,
      signal: this.#end.signal,
      onWaiting: (data) => {
        this.#standsByBecause = `${leaderName(data)} leads the product`;
        log.info(`standing by: ${this.#standsByBecause}`);
      },
    });
  }

  async #leadWith(leadership: Leadership): Promise<void> {
    try {
      const topom = await Topom.open(this.config, this.opened.coordinator, leadership);
      log.info(`leading product ${this.config.productName}, fence ${leadership.fence}`);
      this.#topom = topom;
      topom.start();
      const why = await Promise.race([leadership.lost, this.#ended()]);
      this.#topom = null;
      this.#standsByBecause = why;
      if (!this.#end.signal.aborted) log.warn(`the lead is lost: ${why}`);
      await this.#stop(topom);
      // Whoever took it from us, by --remove-lock for instance, shall come first.
      if (!this.#end.signal.aborted) await this.#stepBack();
    } finally {
      this.#topom = null;
      if (leadership.isHeld) await leadership.release();
    }
  }

  #ended(): Promise<string> {
    const { signal } = this.#end;
    if (signal.aborted) return Promise.resolve(String(signal.reason));
    return new Promise((resolve) => {
      signal.addEventListener("abort", () => resolve(String(signal.reason)), { once: true });
    });
  }

  async #removeLock(): Promise<void> {
    const path = leaderPath(this.config.productName);
    const data = await this.opened.coordinator.read(path);
    if (data === null) return;
    log.warn(`--remove-lock: the lock of ${leaderName(data)} is removed`);
    await this.opened.coordinator.remove(path);
  }

  // --------------------------------------------------------------------------- what the API calls

  get leading(): Topom | null {
    return this.#topom;
  }

  topom(): Topom {
    if (this.#end.signal.aborted) throw new ApiError("closed", "use of closed topom");
    if (this.#topom === null) throw new ApiError("not-ready", "topom is not online");
    return this.#topom;
  }

  notReadyBecause(): string {
    if (this.#end.signal.aborted) return "the dashboard is closing";
    return this.#topom === null ? this.#standsByBecause : "";
  }

  shutdown(): void {
    // The answer to the call that ordered this goes out first.
    setImmediate(() => this.#close("the API ordered it"));
  }

  #authorize(xauth: string): void {
    if (secretsEqual(xauth, this.#xauth)) return;
    throw new ApiError("not-authorized", "invalid xauth, please check product name & auth");
  }

  // ------------------------------------------------------------------------------------- the end

  #close(why: string): void {
    if (this.#end.signal.aborted) return;
    log.info(`the dashboard closes because ${why}`);
    this.#end.abort(why);
  }

  /** A fault of ours that nobody caught is logged and survived. */
  #onSignals(): () => void {
    const onFault = (error: unknown): void => log.error("a fault in the dashboard", error);
    const onSignal = (signal: NodeJS.Signals): void => this.#close(`it got ${signal}`);
    const faults = ["uncaughtException", "unhandledRejection"] as const;
    const signals = ["SIGTERM", "SIGINT", "SIGHUP"] as const;
    for (const fault of faults) process.on(fault, onFault);
    for (const signal of signals) process.on(signal, onSignal);
    return () => {
      for (const signal of signals) process.off(signal, onSignal);
      for (const fault of faults) process.off(fault, onFault);
    };
  }
}

async function topomModel(
  config: DashboardConfig,
  bound: string,
  hostAdmin: string | null,
): Promise<TopomModel> {
  const what = { program: "dashboard", options: "--host-admin" };
  return {
    token: tokenOf(hardwareAddresses(), config.productName, socketText("tcp", bound)),
    start_time: timeText(Date.now(), performance.now() / 1000),
    admin_addr: await publishedAddress("tcp", bound, hostAdmin, what),
    product_name: config.productName,
    pid: process.pid,
    pwd: process.cwd(),
    sys: systemText(),
  };
}

/** Who wrote that node, in words. */
function leaderName(data: string): string {
  try {
    const { admin_addr, pid } = parseTopomModel(decodeJson(data));
    return `the dashboard at ${admin_addr} (process ${pid})`;
  } catch {
    return "another dashboard";
  }
}
