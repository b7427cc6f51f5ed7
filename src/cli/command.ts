// What a command of `codis admin` is: a row of the table in `commands.ts`, which the parser, the
// help, docs/admin.md and the shell completion read. And what a running command gets.

import type { Arguments, Option, Positional, Program } from "../lib/args.ts";
import { LOG_LEVELS } from "../lib/log.ts";
import { OperatorError } from "../lib/operator-error.ts";
import type { Coordinator } from "../coordinator/coordinator.ts";
import { openFrom, STORE_OPTIONS } from "./store-options.ts";
import { confirm } from "./confirm.ts";
import { DashboardLink, DEFAULT_DASHBOARD } from "./dashboard-link.ts";
import { stderr, stdout } from "./print.ts";

/** Whom a command talks to; decides which options it has. */
export type Reach = "dashboard" | "coordinator" | "proxy" | "nobody";

export interface Command {
  /** One or two words: "proxies add". */
  readonly name: string;
  /** One sentence for the list of commands. */
  readonly doc: string;
  /** More sentences, for its own help and docs/admin.md. */
  readonly details?: string;
  readonly reach: Reach;
  readonly positionals?: readonly Positional[];
  readonly options?: readonly Option[];
  /** Shows something: has --json and --watch. */
  readonly isView?: true;
  /** Asks before it acts: has --yes. */
  readonly asks?: true;
  readonly run: (call: Call) => Promise<void>;
}

export const DASHBOARD_OPTION: Option = {
  name: "dashboard",
  argument: "ADDR",
  doc:
    "The dashboard, or several with commas, of which the one that leads is taken; default " +
    `CODIS_DASHBOARD of the environment, or ${DEFAULT_DASHBOARD}.`,
};
export const AUTH_OPTION: Option = {
  name: "auth",
  short: "a",
  argument: "AUTH",
  doc: "The product_auth; default CODIS_PRODUCT_AUTH of the environment, or none.",
};
const JSON_OPTION: Option = { name: "json", doc: "Print JSON." };
const WATCH_OPTION: Option = { name: "watch", short: "w", doc: "Again every second." };
const YES_OPTION: Option = { name: "yes", short: "y", doc: "Do not ask." };
const VERBOSE_OPTION: Option = { name: "verbose", short: "v", doc: "Log every call." };

export const LEVEL: Positional = {
  name: "LEVEL",
  choices: LOG_LEVELS,
  doc: LOG_LEVELS.join(", "),
};

/** Which part of a whole is to be shown. */
export function partOf(choices: readonly string[]): Positional {
  return {
    name: "PART",
    choices,
    isOptional: true,
    doc: `${choices.join(", ")}; without it everything.`,
  };
}

/** All options of a command, in the order of its help. */
export function optionsOf(command: Command): Option[] {
  return [
    ...(command.options ?? []),
    ...(command.isView ? [JSON_OPTION, WATCH_OPTION] : []),
    ...(command.asks ? [YES_OPTION] : []),
    ...(command.reach === "dashboard" ? [DASHBOARD_OPTION] : []),
    ...(command.reach === "coordinator" ? STORE_OPTIONS : []),
    ...(command.reach === "proxy" ? [AUTH_OPTION] : []),
    VERBOSE_OPTION,
  ];
}

/** The command as the parser of `lib/args.ts` takes it. */
export function programOf(command: Command): Program {
  const words = (command.positionals ?? []).map(({ name, isOptional }) => {
    return isOptional ? `[${name}]` : name;
  });
  return {
    name: `codis admin ${command.name}`,
    synopsis: [[...words, "[options]"].join(" ")],
    options: optionsOf(command),
    positionals: command.positionals ?? [],
  };
}

/** One run of a command: what was typed, and the ways to the programs it is about. */
export class Call {
  readonly out = stdout;
  /** For words that are not the data that was asked for. */
  readonly notes = stderr;
  #link: DashboardLink | null = null;

  constructor(readonly given: Arguments) {}

  /** The connection is made at the first call. */
  async dashboard(): Promise<DashboardLink> {
    const address = this.given.text("dashboard") ?? (process.env.CODIS_DASHBOARD || null);
    this.#link ??= await DashboardLink.openLeader(address ?? DEFAULT_DASHBOARD);
    return this.#link;
  }

  async coordinator(): Promise<Coordinator> {
    return await openFrom(this.given);
  }

  /** The product whose records are meant. */
  get product(): string {
    const product = this.given.text("product");
    if (product === null) throw new OperatorError("say which product: --product=NAME");
    if (!/^\w[\w.-]*$/.test(product)) throw new OperatorError(`invalid product = ${product}`);
    return product;
  }

  get productAuth(): string {
    return this.given.text("auth") ?? process.env.CODIS_PRODUCT_AUTH ?? "";
  }

  /** Returns when whoever runs the command agrees. */
  async confirm(question: string): Promise<void> {
    await confirm(question, this.given.has("yes"));
  }

  /** A sentence about what was done; scripts that want JSON get none. */
  done(sentence: string): void {
    if (!this.given.has("json")) this.notes.line(sentence);
  }
}
