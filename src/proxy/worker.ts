/**
 * One worker process: an event loop with its own listener, sessions, router and connections.
 *
 * `runWorker` is what the hidden argument `__worker` starts. The parent tells it everything over
 * IPC (`worker-link.ts`): the configuration once, then slot tables, questions and the end. This
 * file builds the parts and translates between them and the parent's messages; it decides nothing
 * about requests.
 */
import { log } from "../lib/log.ts";
import type { PinTable } from "../model/key-pin.ts";
import type { SlotFill } from "../model/slot.ts";
import { ReplyWriter } from "../resp/write.ts";
import type { BackendContext } from "./backend-context.ts";
import type { Server } from "./backend-pool.ts";
import { COMMANDS } from "./commands.ts";
import { descriptorLimit, SPARE_DESCRIPTORS } from "./descriptor-limit.ts";
import { DirectedReply } from "./directed.ts";
import {
  type BackendStats,
  type CommandStats,
  HISTOGRAM_BUCKETS,
  type WorkerSetup,
  type WorkerStats,
} from "./ipc.ts";
import { FenceMemory } from "./fence-memory.ts";
import { killClients, listClients } from "./local-clients.ts";
import { libc, PR_SET_PDEATHSIG } from "../lib/libc.ts";
import { Poller } from "../net/poller.ts";
import { askForBatches, askForShortRests } from "./scheduling.ts";
import { Listener } from "./listener.ts";
import type {
  ClientFilter,
  ClientRow,
  Deferred,
  LocalQuestion,
  LocalSession,
  SlotView,
  WorkerServices,
} from "./local-types.ts";
import { rehearseRouting } from "./rehearse.ts";
import { Router } from "./router.ts";
import { SessionBoard } from "./session-board.ts";
import type { SessionContext } from "./session-context.ts";
import type { ProxyConfig } from "./settings.ts";
import { Stats } from "./stats.ts";
import { SlotTraffic } from "./traffic.ts";
import { Turn } from "./turn.ts";
import { linkToParent, type ParentLink, type WorkerControl } from "./worker-link.ts";

/** The clock of deadlines. */
const TICK_MS = 100;
/** Every so many ticks the sessions are looked through. */
const TICKS_PER_SWEEP = 10;
const SHUTDOWN_POLL_MS = 10;
/** A client that never pauses between its requests is not read any more after so long. */
const LAST_REQUESTS_MS = 1_000;

const SIGKILL = 9;

/** `parent` is the process id of the one that has started us. */
export function runWorker(parent: number): void {
  endWithParent(parent);
  askForBatches();
  askForShortRests();
  const worker = new Worker();
  worker.link = linkToParent(worker);
}

/**
 * A parent that is started again has the same token and tells the dashboard what its own workers
 * do. One of its predecessor's that lived on, or slept, would write by the old table meanwhile, and
 * nobody would know. So the kernel ends us with our parent. One that was gone before this call has
 * left us to another process: we hold a listening socket of the port, and clients that the kernel
 * gives to it would wait for ever.
 */
function endWithParent(parent: number): void {
  libc.prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
  if (process.ppid !== parent) process.exit(1);
}

class Worker implements WorkerControl, WorkerServices {
  link: ParentLink | null = null;
  readonly #poller = new Poller();
  readonly #turn = new Turn(this.#poller);
  readonly #stats = new Stats();
  #parts: { config: ProxyConfig; router: Router; listener: Listener } | null = null;
  #isOnline = false;
  #ticks = 0;

  get #running(): { config: ProxyConfig; router: Router; listener: Listener } {
    if (this.#parts === null) throw new Error("a worker is configured before anything else");
    return this.#parts;
  }

  get config(): ProxyConfig {
    return this.#running.config;
  }

  // ---------------------------------------------------------------- orders of the parent

  configure(setup: WorkerSetup): void {
    const { config } = setup;
    const context = backendContext(setup, this.#turn, this.#poller, this.#stats);
    const router = new Router(
      {
        primaryOnly: config.backendPrimaryOnly,
        primaryParallel: config.backendPrimaryParallel,
        replicaParallel: config.backendReplicaParallel,
        holdMaxRequests: config.slotHoldMaxRequests,
        holdMaxBytes: config.slotHoldMaxBufferBytes,
        holdTimeoutMs: config.slotHoldTimeoutMs,
        migrateTimeoutMs: config.migrationOnDemandTimeoutMs,
        bigKeyBytes: config.migrationBigKeyBytes,
      },
      context,
    );
    rehearseRouting(router);
    const listener = this.#createListener(setup, router);
    this.#parts = { config, router, listener };
    setInterval(() => this.#tick(), TICK_MS);
    this.#poller.start();
  }

  #createListener(setup: WorkerSetup, router: Router): Listener {
    const { config } = setup;
    const board = SessionBoard.inherit(setup.workers);
    const maxDescriptors = descriptorLimit() - SPARE_DESCRIPTORS;
    const maxClients = config.proxyMaxClients;
    const worker = this;
    const session: SessionContext = {
      settings: sessionSettings(config),
      turn: this.#turn,
      poller: this.#poller,
      stats: this.#stats,
      router,
      services: this,
      writer: new ReplyWriter(2),
      onSessionClosed: (closed) => listener.forget(closed),
    };
    const listener = new Listener(
      session,
      {
        get isOnline(): boolean {
          return worker.#isOnline;
        },
        set isOnline(_value: boolean) {},
        hasRoom: (alive) =>
          alive < maxDescriptors && (maxClients === 0 || board.total() < maxClients),
        onCount: (alive) => board.set(setup.index, alive),
      },
      setup.sessionIdBase,
    );
    return listener;
  }

  fillSlots(slots: readonly SlotFill[], pins: PinTable | null, done: () => void): void {
    this.#running.router.fill(slots, pins, done);
  }

  /** Also the word of a dashboard that we are shut out of no server any more. */
  start(): void {
    this.#isOnline = true;
    this.#running.router.context.fences.letIn();
  }

  accept(): void {
    this.#running.listener.accept();
  }

  clients(filter: ClientFilter): readonly ClientRow[] {
    return listClients(this.sessions(), filter, performance.now());
  }

  kill(filter: ClientFilter): number {
    return killClients(this.sessions(), filter);
  }

  abandon(address: string): void {
    const { router } = this.#running;
    for (const pool of [router.masters, router.replicas]) {
      for (const backend of pool.backends()) {
        if (backend.address === address) backend.abandon();
      }
    }
  }

  shutdown(timeoutMs: number, done: () => void): void {
    if (this.#parts === null) return done();
    const { listener } = this.#parts;
    const begunMs = performance.now();
    listener.stop();
    const poll = (): void => {
      const spentMs = performance.now() - begunMs;
      if (spentMs >= LAST_REQUESTS_MS) listener.stopReading();
      if (listener.closeIdle() === 0 || spentMs >= timeoutMs) done();
      else setTimeout(poll, SHUTDOWN_POLL_MS);
    };
    // Not at once: requests that have arrived but are not read yet belong to those in flight.
    setTimeout(poll, SHUTDOWN_POLL_MS);
  }

  #tick(): void {
    const { router, listener } = this.#running;
    this.#turn.onTick(performance.now());
    router.onTick(this.#turn.nowMs);
    if (++this.#ticks % TICKS_PER_SWEEP === 0) listener.onSweep(this.#turn.nowMs);
  }

  // ---------------------------------------------------------------- what local commands ask

  sessions(): Iterable<LocalSession> {
    return this.#running.listener.sessions.values();
  }

  session(id: number): LocalSession | undefined {
    return this.#running.listener.sessions.get(id);
  }

  askParent(question: LocalQuestion, done: (answer: unknown) => void): void {
    if (this.link === null) done(null);
    else this.link.ask(question, done);
  }

  slotView(id: number): SlotView {
    const { fill } = this.#running.router.slots[id];
    return {
      id,
      backend: fill.backend_addr ?? "",
      migrateFrom: fill.migrate_from ?? "",
      replicaGroups: fill.replica_groups ?? [],
    };
  }

  #serverOf(target: string | number): Server | null {
    const { router } = this.#running;
    return typeof target === "number" ? router.slots[target].master : (router.find(target) ?? null);
  }

  hasServer(target: string | number): boolean {
    return this.#serverOf(target) !== null;
  }

  backendCommand(
    target: string | number,
    request: Uint8Array,
    database: number,
    proto: 2 | 3,
    deferred: Deferred,
  ): boolean {
    const server = this.#serverOf(target);
    if (server === null) return false;
    new DirectedReply(deferred).send(
      this.#running.router,
      server,
      Buffer.from(request),
      database,
      proto,
    );
    return true;
  }

  // ---------------------------------------------------------------- figures

  resetStats(): void {
    this.#stats.reset();
  }

  stats(): WorkerStats {
    const stats = this.#stats;
    const usage = process.cpuUsage();
    return {
      opsTotal: sum(stats.calls) + sum(stats.fails),
      opsFails:
        sum(stats.fails) + stats.counters.rejectedMaxClients + stats.counters.rejectedNotOnline,
      redisErrors: sum(stats.errors),
      sessionsTotal: stats.sessionsTotal,
      sessionsAlive: stats.sessionsAlive,
      commands: commandStats(stats),
      counters: { ...stats.counters },
      backends: this.#backendStats(),
      rssBytes: process.memoryUsage.rss(),
      cpuSeconds: (usage.user + usage.system) / 1e6,
      fencedBy: this.#fencedBy(),
      bigKeys: this.#parts?.router.movers.bigKeys() ?? [],
    };
  }

  #fencedBy(): string[] {
    if (this.#parts === null) return [];
    const { masters, replicas } = this.#parts.router;
    const backends = [...masters.backends(), ...replicas.backends()];
    return [...new Set(backends.filter((each) => each.isFenced).map((each) => each.address))];
  }

  #backendStats(): BackendStats[] {
    if (this.#parts === null) return [];
    const { router } = this.#parts;
    const rows: BackendStats[] = [];
    for (const pool of [router.masters, router.replicas]) {
      for (const backend of pool.backends()) {
        rows.push({
          addr: backend.address,
          state: backend.state === "ready" ? "connected" : backend.state,
          database: backend.database,
          proto: backend.proto,
          inflight: backend.inflight,
          isReplica: backend.isReplica,
          silentMs: Math.round(backend.silentMs),
        });
      }
    }
    return rows;
  }
}

function commandStats(stats: Stats): CommandStats[] {
  const rows: CommandStats[] = [];
  for (const command of COMMANDS) {
    const { id } = command;
    if (stats.calls[id] === 0 && stats.fails[id] === 0) continue;
    rows.push({
      name: id === 0 ? "unknown" : command.name,
      calls: stats.calls[id],
      usecs: Math.round(stats.usecs[id]),
      fails: stats.fails[id],
      errors: stats.errors[id],
      histogram: Array.from(
        stats.histogram.subarray(id * HISTOGRAM_BUCKETS, (id + 1) * HISTOGRAM_BUCKETS),
      ),
    });
  }
  return rows;
}

function backendContext(
  { config, token }: WorkerSetup,
  turn: Turn,
  poller: Poller,
  stats: Stats,
): BackendContext {
  return {
    settings: {
      login: { password: config.productAuth, username: config.productUsername, token },
      connectTimeoutMs: config.backendConnectTimeoutMs,
      recvTimeoutMs: config.backendRecvTimeoutMs,
      sendTimeoutMs: config.backendSendTimeoutMs,
      keepaliveMs: config.backendKeepalivePeriodMs,
      pingPeriodMs: config.backendPingPeriodMs,
      recvBytes: config.backendRecvBufsizeBytes,
      sendBytes: config.backendSendBufsizeBytes,
      maxPipeline: config.backendMaxPipeline,
    },
    turn,
    poller,
    stats,
    traffic: new SlotTraffic(),
    fences: new FenceMemory(),
    log: (text) => log.warn(text),
  };
}

function sessionSettings(config: ProxyConfig): SessionContext["settings"] {
  return {
    auth: config.sessionAuth,
    recvBytes: config.sessionRecvBufsizeBytes,
    sendBytes: config.sessionSendBufsizeBytes,
    recvTimeoutMs: config.sessionRecvTimeoutMs,
    sendTimeoutMs: config.sessionSendTimeoutMs,
    keepaliveMs: config.sessionKeepalivePeriodMs,
    maxPipeline: config.sessionMaxPipeline,
    maxInputBytes: config.sessionMaxInputBufferBytes,
    maxOutputBytes: config.sessionMaxOutputBufferBytes,
    breakOnFailure: config.sessionBreakOnFailure,
  };
}

function sum(cells: Float64Array): number {
  let total = 0;
  for (const cell of cells) total += cell;
  return total;
}
