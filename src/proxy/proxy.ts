// The parent process of codis-proxy and the public face of this folder: `runProxy` is the program.
// It binds both ports, works out who it is, starts the workers (`workers.ts`), serves the admin API
// (`admin.ts`), and ends everything in order. It never touches a client's bytes.
//
//   waiting ──start──▶ online ──SIGTERM, shutdown──▶ closed          There is no way back.
//      └────────────────SIGTERM, shutdown──────────────▲

import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { ApiError } from "../api/errors.ts";
import { PROXY_ROUTES } from "../api/routes.ts";
import { ApiServer } from "../api/server.ts";
import { parseAddress } from "../lib/address.ts";
import { type LogLevel, log } from "../lib/log.ts";
import { messageOf, OperatorError } from "../lib/operator-error.ts";
import { ownCommand } from "../lib/own-command.ts";
import { removePidFile, writePidFile } from "../lib/pid-file.ts";
import { COMPILE, VERSION } from "../lib/version.ts";
import { startReporters } from "../metrics/push.ts";
import { decodeJson, encodeJson } from "../model/json.ts";
import type { PinTable } from "../model/key-pin.ts";
import type { ProxyModel, SentinelModel } from "../model/proxy.ts";
import { StatsFlag } from "../model/proxy-stats.ts";
import type { SlotFill } from "../model/slot.ts";
import { parseSlotFills } from "../model/slot-fill.ts";
import { secretsEqual, xauthOf } from "../model/xauth.ts";
import { type ProxyControl, proxyHandlers } from "./admin.ts";
import { JodisEntry } from "./announce.ts";
import { checkDescriptorLimit } from "./descriptor-limit.ts";
import { Failover } from "./failover.ts";
import type { ProxyFlags } from "./flags.ts";
import { proxyModel } from "./identity.ts";
import { type ParentAnswers, type ParentQuestion, WORKER_ARGUMENT } from "./ipc.ts";
import { type ListenSockets, openListenSockets } from "./listen-fd.ts";
import { dashboardSource } from "./find-dashboard.ts";
import { register } from "./registration.ts";
import { rehearseTable } from "./rehearse.ts";
import { ProxyReport } from "./report.ts";
import { ResourceMeter } from "./rusage.ts";
import { SessionBoard } from "./session-board.ts";
import {
  describeProxyConfig,
  loadProxyConfig,
  type ProxyConfig,
  proxyConfigJson,
  proxySecrets,
} from "./settings.ts";
import { Workers } from "./workers.ts";

const METER_PERIOD_MS = 1_000;

/** While nobody puts the proxy online, the log says so now and then. */
const WAITING_REMINDER_MS = 60_000;

/** Runs the proxy until it is told to end. Throws `OperatorError` when it cannot start. */
export async function runProxy(flags: ProxyFlags): Promise<void> {
  const { config, warnings } = loadProxyConfig(flags);
  log.hideSecrets([...proxySecrets(config), flags.coordinator?.auth ?? ""]);
  log.setLevel(flags.logLevel);
  if (flags.logFile !== null) log.open(flags.logFile);
  log.info(`codis-proxy ${VERSION} ${COMPILE} starts (process ${process.pid})`);
  for (const warning of [...flags.warnings, ...warnings]) log.warn(warning);
  const changes = describeProxyConfig(config);
  if (changes !== "") log.info(`settings that are not at their default: ${changes}`);
  checkDescriptorLimit(flags.ulimit, config.proxyMaxClients, flags.workers);
  const proxy = await Proxy.open(flags, config);
  await proxy.run();
}

/** What `Proxy.open` has bound and found out. */
interface Opened {
  readonly flags: ProxyFlags;
  readonly config: ProxyConfig;
  readonly sockets: ListenSockets;
  readonly admin: ApiServer;
  readonly adminAddress: string;
  readonly model: ProxyModel;
}

class Proxy implements ProxyControl {
  readonly model: ProxyModel;
  readonly report: ProxyReport;
  readonly configJson: Readonly<Record<string, unknown>>;
  readonly #opened: Opened;
  readonly #workers: Workers;
  readonly #board: SessionBoard;
  readonly #meter = new ResourceMeter();
  readonly #xauth: string;
  readonly #end = Promise.withResolvers<void>();
  readonly #failover: Failover;
  readonly #jodis: JodisEntry | null;
  #isClosed = false;
  #wasToldToEnd = false;

  private constructor(opened: Opened) {
    const { flags, config, sockets, model } = opened;
    const startedMs = Date.now();
    this.#opened = opened;
    this.model = model;
    this.configJson = proxyConfigJson(config);
    this.#xauth = xauthOf(config.productName, config.productAuth, model.token);
    this.#board = SessionBoard.create(flags.workers);
    this.#workers = new Workers({
      count: flags.workers,
      command: [...ownCommand(), WORKER_ARGUMENT, String(process.pid)],
      fdsOf: (index) => [sockets.fds[index], this.#board.fd],
      setup: {
        config,
        token: model.token,
        startedMs,
        secrets: proxySecrets(config),
        logFile: flags.logFile ?? "",
      },
      logLevel: flags.logLevel,
      answer: (question) => this.#answer(question),
      onAccepting: (index) => sockets.raiseBacklog(index),
      onDead: (index) => this.#board.set(index, 0),
    });
    this.#failover = new Failover({
      product: config.productName,
      username: config.productUsername,
      password: config.productAuth,
      sentinelLogin: { username: config.sentinelUsername, password: config.sentinelAuth },
      slots: () => this.#workers.table.list(),
      fill: (slots) => this.#workers.fill(slots),
      abandon: (address) => this.#workers.abandon(address),
    });
    this.#jodis = JodisEntry.of(config, model);
    this.report = new ProxyReport({
      workers: this.#workers,
      meter: this.#meter,
      startedMs,
      primaryOnly: config.backendPrimaryOnly,
      configFile: flags.configFile === null ? "" : resolve(flags.configFile),
      port: parseAddress(sockets.address)?.port ?? 0,
      isClosed: () => this.#isClosed,
      sentinels: () => this.#failover.figures,
    });
  }

  /** Binds both ports and finds out who we are; nothing is served yet. */
  static async open(flags: ProxyFlags, config: ProxyConfig): Promise<Proxy> {
    const sockets = await openListenSockets(config.protoType, config.proxyAddr, flags.workers);
    const admin = new ApiServer();
    try {
      const adminAddress = await admin.listenAt(config.adminAddr);
      const bound = { proxy: sockets.address, admin: adminAddress };
      const model = await proxyModel(config, bound, flags);
      return new Proxy({ flags, config, sockets, admin, adminAddress, model });
    } catch (error) {
      sockets.close();
      admin.close();
      throw error;
    }
  }

  /** Resolves when the proxy has ended in order. */
  async run(): Promise<void> {
    const { flags, admin, adminAddress, model, sockets } = this.#opened;
    const meter = setInterval(() => this.#meter.sample(this.#workers.pids), METER_PERIOD_MS);
    const stopSignals = this.#onSignals();
    let stopReporters = (): void => {};
    writePidFile(flags.pidFile);
    try {
      log.info(`token ${model.token}, clients at ${sockets.address}, admin at ${adminAddress}`);
      const started = this.#workers.start();
      rehearseTable();
      await Promise.race([started, this.#end.promise]);
      this.#meter.sample(this.#workers.pids);
      admin.serve({
        routes: PROXY_ROUTES,
        handlers: proxyHandlers(this),
        authorize: (xauth) => this.#authorize(xauth),
      });
      stopReporters = this.#startReporters();
      if (!this.#isClosed) this.#getOnline();
      await this.#end.promise;
      removePidFile(flags.pidFile);
    } catch (error) {
      this.#workers.killAll();
      throw error;
    } finally {
      this.#isClosed = true;
      stopReporters();
      stopSignals();
      clearInterval(meter);
      sockets.close();
      await this.#workers.shutdown(0);
      admin.close();
      this.#board.close();
    }
    log.info("codis-proxy has ended");
  }

  // ------------------------------------------------------------------------------- going online

  /** By the option that says how; a failure ends the program. */
  #getOnline(): void {
    const { flags, config } = this.#opened;
    const isWaiting = (): boolean => !this.#isClosed && !this.#workers.isOnline;
    const source = dashboardSource(flags, config.productName);
    let way: Promise<void>;
    if (flags.fillSlots !== null) way = this.#fillFromFile(flags.fillSlots);
    else if (source !== null) {
      way = register({
        source,
        productName: config.productName,
        adminAddr: this.model.admin_addr,
        isWanted: isWaiting,
      });
    } else {
      this.#remindWhile(isWaiting);
      return;
    }
    way.catch((error: unknown) => this.#end.reject(error));
  }

  async #fillFromFile(file: string): Promise<void> {
    await this.fillSlots(readSlotsFile(file));
    await this.goOnline();
  }

  #remindWhile(isWaiting: () => boolean): void {
    if (!isWaiting()) return;
    log.info("the proxy waits for a dashboard to fill its slots and put it online");
    setTimeout(() => this.#remindWhile(isWaiting), WAITING_REMINDER_MS).unref();
  }

  // --------------------------------------------------------------------- what the admin API calls

  #authorize(xauth: string): void {
    if (!secretsEqual(xauth, this.#xauth)) {
      throw new ApiError("not-authorized", "invalid xauth, please check product name & auth");
    }
    if (this.#isClosed) throw new ApiError("closed", "use of closed proxy");
  }

  slots(): readonly SlotFill[] {
    return this.#workers.table.list();
  }

  refresh(): Promise<void> {
    return this.#workers.refresh();
  }

  async fillSlots(slots: readonly SlotFill[]): Promise<void> {
    this.#failover.onFilled(slots);
    await this.#workers.fill(slots);
    log.info(`${slots.length} slots filled, revision ${this.#workers.table.revision}`);
  }

  async setPins(pins: PinTable): Promise<void> {
    await this.#workers.setPins(pins);
    log.info(`${pins.pins.length} keys are pinned or held, revision ${pins.revision}`);
  }

  async goOnline(): Promise<void> {
    const wasOnline = this.#workers.isOnline;
    await this.#workers.goOnline();
    if (wasOnline || this.#isClosed) return;
    log.info("the proxy is online");
    this.#jodis?.open();
  }

  resetStats(): Promise<void> {
    return this.#workers.resetStats();
  }

  async collectGarbage(): Promise<void> {
    Bun.gc(true);
    await this.#workers.collectGarbage();
  }

  async setLogLevel(level: LogLevel): Promise<void> {
    log.setLevel(level);
    await this.#workers.setLogLevel(level);
  }

  setSentinels({ servers = [] }: SentinelModel): void {
    this.#failover.setSentinels(servers);
    log.info(`${servers.length} sentinels are to be watched`);
  }

  rewatchSentinels(): void {
    this.#failover.rewatch();
  }

  abandonServer(address: string): Promise<void> {
    log.warn(`requests that wait for ${address} are given up: the dashboard calls it dead`);
    return this.#workers.abandon(address);
  }

  notReadyBecause(): string {
    if (this.#isClosed) return "the proxy is closing";
    if (!this.#workers.haveAllStarted) return "the proxy waits to be put online";
    if (!this.#workers.areAllServing) return "not every worker serves by the newest slots";
    const [fencedBy] = this.report.fencedBy();
    return fencedBy === undefined ? "" : `the proxy is fenced by ${fencedBy}`;
  }

  async #answer(question: ParentQuestion): Promise<ParentAnswers[keyof ParentAnswers]> {
    switch (question.kind) {
      case "clients":
        return this.#workers.clients(question.filter);
      case "kill":
        return this.#workers.kill(question.filter);
      case "info":
        await this.refresh();
        return this.report.figures();
    }
  }

  #startReporters(): () => void {
    const { config } = this.#opened;
    return startReporters(config, {
      overviewJson: async () => {
        await this.refresh();
        const stats = this.report.stats(StatsFlag.RUNTIME);
        const head = { version: VERSION, compile: COMPILE, config: this.configJson };
        return encodeJson({ ...head, model: this.model, stats });
      },
      fields: async () => {
        await this.refresh();
        return this.report.pushFields();
      },
      tags: {
        admin_addr: this.model.admin_addr,
        hostname: this.model.hostname,
        product_name: this.model.product_name,
        proxy_addr: this.model.proxy_addr,
        token: this.model.token,
      },
    });
  }

  // ------------------------------------------------------------------------------------- the end

  shutdown(): void {
    // The answer to the call that ordered this goes out first.
    setImmediate(() => void this.#close("the admin API ordered it"));
  }

  /**
   * The first signal closes in order, a second one at once. A fault of ours that nobody caught is
   * logged and survived: without this process the workers would have to end as well.
   */
  #onSignals(): () => void {
    const onFault = (error: unknown): void => log.error("a fault in the parent process", error);
    const faults = ["uncaughtException", "unhandledRejection"] as const;
    for (const fault of faults) process.on(fault, onFault);
    const onSignal = (signal: NodeJS.Signals): void => {
      if (this.#wasToldToEnd) this.#workers.killAll();
      void this.#close(`it got ${signal}`);
    };
    const signals = ["SIGTERM", "SIGINT", "SIGHUP"] as const;
    for (const signal of signals) process.on(signal, onSignal);
    return () => {
      for (const signal of signals) process.off(signal, onSignal);
      for (const fault of faults) process.off(fault, onFault);
    };
  }

  /** Nobody new comes in, requests in flight finish, the workers exit, then `run` goes on. */
  async #close(why: string): Promise<void> {
    if (this.#wasToldToEnd) return;
    this.#wasToldToEnd = true;
    this.#isClosed = true;
    log.info(`the proxy closes because ${why}`);
    const { sockets, config } = this.#opened;
    // First clients stop to find this proxy, then they cannot connect any more.
    await this.#jodis?.close();
    sockets.close();
    this.#failover.close();
    await this.#workers.shutdown(config.shutdownTimeoutMs);
    this.#end.resolve();
  }
}

function readSlotsFile(file: string): SlotFill[] {
  try {
    return parseSlotFills(decodeJson(readFileSync(file, "utf8")));
  } catch (error) {
    throw new OperatorError(`cannot load the slots of ${file}: ${messageOf(error)}`);
  }
}
