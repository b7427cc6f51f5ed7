/**
 * Stand-ins for a session and its worker, for the tests of what the proxy answers itself. `ask`
 * treats a request as `special.ts` does (lookup, arity, authorisation) and gives it to `answer`; a
 * second worker's sessions may be added, as CLIENT LIST and CLIENT KILL would find them through the
 * parent.
 */
import { Args } from "../resp/args.ts";
import { scanRequest } from "../resp/scan.ts";
import { ReplyWriter } from "../resp/write.ts";
import { arityOk, type Command, Flag, lookup, lookupSub } from "./commands.ts";
import { E, unknownCommand, unknownSubcommand, wrongArity } from "./errors.ts";
import { answer } from "./local.ts";
import { killClients, listClients } from "./local-clients.ts";
import type {
  Deferred,
  LocalQuestion,
  LocalSession,
  ProxyFigures,
  SlotView,
  WorkerServices,
} from "./local-types.ts";
import { defaultProxyConfig, type ProxyConfig } from "./settings.ts";

/** One request in array form, of latin1 texts. */
export function requestBytes(words: readonly string[]): Buffer {
  const parts = words.map((word) => `$${word.length}\r\n${word}\r\n`);
  return Buffer.from(`*${words.length}\r\n${parts.join("")}`, "latin1");
}

export class FakeSession implements LocalSession {
  createdMs = performance.now();
  lastActiveMs = performance.now();
  address = "127.0.0.1:50001";
  localAddress = "127.0.0.1:19000";
  proto: 2 | 3 = 2;
  database = 0;
  isAuthorized = true;
  name = "";
  libName = "";
  libVersion = "";
  user = "default";
  noEvict = false;
  noTouch = false;
  lastCommand = "";
  commandsDone = 0;
  pendingInputBytes = 0;
  pendingOutputBytes = 0;
  /** What happened to the session, in order: "database 3", "proto 3", "close", ... */
  readonly events: string[] = [];
  /** The reply to the request under way, once it is there. */
  reply: string | null = null;
  readonly #out = new ReplyWriter(2);

  constructor(
    readonly id: number,
    readonly services: FakeServices,
  ) {
    this.isAuthorized = services.config.sessionAuth === "";
    services.own.push(this);
  }

  setDatabase(index: number): void {
    this.database = index;
    this.events.push(`database ${index}`);
  }

  setProtocol(proto: 2 | 3): void {
    this.proto = proto;
    this.events.push(`proto ${proto}`);
  }

  closeAfterReplies(): void {
    this.events.push("close after replies");
  }

  close(): void {
    this.events.push("close");
  }

  defer(): Deferred {
    this.reply = null;
    const session = this;
    return {
      get isOpen(): boolean {
        return session.reply === null;
      },
      finish(reply: Uint8Array): void {
        session.reply = Buffer.from(reply).toString("latin1");
      },
    };
  }

  /** The reply as latin1 text; null while it is owed by the parent or a server. */
  ask(...words: string[]): string | null {
    const args = new Args();
    const bytes = requestBytes(words);
    scanRequest(args, bytes, 0, bytes.length);
    const command = lookup(bytes, args.start(0), args.end(0));
    if (command === null) return unknownCommand(args).toString("latin1");
    const sub =
      command.subcommands !== null && args.count > 1
        ? lookupSub(command, bytes, args.start(1), args.end(1))
        : command;
    if (sub === null) return unknownSubcommand(args).toString("latin1");
    return this.#run(sub, args);
  }

  #run(command: Command, args: Args): string | null {
    this.lastCommand = command.name;
    if (!arityOk(command, args.count)) return wrongArity(command.name).toString("latin1");
    if (!this.isAuthorized && (command.flags & Flag.NO_AUTH) === 0) {
      return E.noAuth.toString("latin1");
    }
    this.reply = null;
    this.#out.proto = this.proto;
    answer(this, command, args, this.#out, this.services);
    return this.#out.length > 0 ? this.#out.take().toString("latin1") : this.reply;
  }
}

/** A request that was sent to a server, with the place its reply will go to. */
export interface SentRequest {
  readonly target: string | number;
  readonly request: string;
  readonly database: number;
  readonly proto: 2 | 3;
  readonly deferred: Deferred;
}

export class FakeServices implements WorkerServices {
  readonly config: ProxyConfig;
  readonly own: FakeSession[] = [];
  readonly otherWorker: FakeSession[] = [];
  /** Addresses of servers, and slots that have a master. */
  readonly servers = new Set<string | number>();
  readonly sent: SentRequest[] = [];
  /** False: questions wait in `questions` until the test answers them. */
  answersAtOnce = true;
  readonly questions: { question: LocalQuestion; done: (answer: unknown) => void }[] = [];
  figures: ProxyFigures = EMPTY_FIGURES;

  constructor(changes: Partial<ProxyConfig> = {}) {
    this.config = { ...defaultProxyConfig(), ...changes };
  }

  sessions(): Iterable<LocalSession> {
    return this.own;
  }

  session(id: number): LocalSession | undefined {
    return this.own.find((session) => session.id === id);
  }

  askParent(question: LocalQuestion, done: (answer: unknown) => void): void {
    if (this.answersAtOnce) done(this.answerOf(question));
    else this.questions.push({ question, done });
  }

  /** What the parent would say. */
  answerOf(question: LocalQuestion): unknown {
    if (question.kind === "info") return this.figures;
    const all = [...this.own, ...this.otherWorker];
    if (question.kind === "kill") return killClients(all, question.filter);
    return listClients(all, question.filter, performance.now());
  }

  slotView(id: number): SlotView {
    return {
      id,
      backend: this.servers.has(id) ? "127.0.0.1:6379" : "",
      migrateFrom: id === 7 ? "127.0.0.1:6380" : "",
      replicaGroups: id === 7 ? [["127.0.0.1:6381", "127.0.0.1:6382"], ["127.0.0.1:6383"]] : [],
    };
  }

  backendCommand(
    target: string | number,
    request: Uint8Array,
    database: number,
    proto: 2 | 3,
    deferred: Deferred,
  ): boolean {
    if (!this.servers.has(target)) return false;
    const text = Buffer.from(request).toString("latin1");
    this.sent.push({ target, request: text, database, proto, deferred });
    return true;
  }
}

export const EMPTY_FIGURES: ProxyFigures = {
  version: "4.0.0",
  runId: "0123456789abcdef0123456789abcdef01234567",
  parentPid: 4711,
  workers: 2,
  startedMs: Date.now(),
  port: 19000,
  executable: "/opt/codis/bin/codis-proxy",
  configFile: "",
  sessionsAlive: 0,
  sessionsTotal: 0,
  sessionsRejected: 0,
  maxInputBytes: 0,
  maxOutputBytes: 0,
  memoryBytes: 0,
  memoryPeakBytes: 0,
  cpuUserSeconds: 0,
  cpuSystemSeconds: 0,
  opsTotal: 0,
  opsPerSecond: 0,
  opsFailed: 0,
  redisErrors: 0,
  inputBytes: 0,
  outputBytes: 0,
  commands: [],
  errors: [],
};
