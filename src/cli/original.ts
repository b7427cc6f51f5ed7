/**
 * The flags of the original codis-admin (contract 7): `codis-admin --dashboard=ADDR --create-group
 * --gid=1`. A row of the tables in `original-forms.ts` says what chooses a form, what it needs and
 * what it does; here the row is found and what was typed is checked against it.
 */
import { type Arguments, headOf, parseArguments, type Program } from "../lib/args.ts";
import { log } from "../lib/log.ts";
import { UsageError } from "../lib/operator-error.ts";
import { listing, wrapped } from "../lib/wrap.ts";
import { Call } from "./command.ts";
import { type Form, FORMS } from "./original-forms.ts";
import { ORIGINAL_OPTIONS, type Target } from "./original-options.ts";
import { DASHBOARD_PARTS } from "./one-dashboard.ts";
import { PROXY_PARTS } from "./one-proxy.ts";
import { stdout } from "./print.ts";
import { KINDS } from "./store-options.ts";

const STORE_NAMES = KINDS.flatMap((kind) => [kind, `${kind}-auth`]);

/** What every form of a target may have. */
const COMMON: Readonly<Record<Target, readonly string[]>> = {
  proxy: ["proxy", "auth", "verbose"],
  dashboard: ["dashboard", "verbose"],
  coordinator: ["product", ...STORE_NAMES, "verbose"],
};

/** What may be printed of a target. */
const PARTS: Readonly<Record<Target, readonly string[]>> = {
  proxy: PROXY_PARTS,
  dashboard: DASHBOARD_PARTS,
  coordinator: [],
};
const ALL_PARTS = [...new Set(Object.values(PARTS).flat())];

const PROGRAM: Program = {
  name: "codis-admin",
  synopsis: FORMS.map(synopsisOf),
  options: ORIGINAL_OPTIONS,
  positionals: [{ name: "PART", isOptional: true, choices: ALL_PARTS, doc: "What to print." }],
};

export async function runOriginal(argv: readonly string[]): Promise<void> {
  let given: Arguments;
  try {
    given = parseArguments(PROGRAM, argv);
  } catch (error) {
    throw error instanceof UsageError ? withHint(error.message) : error;
  }
  if (given.has("help")) return stdout.raw(originalUsage());
  if (given.has("verbose")) log.setLevel("debug");
  const form = chosenForm(given);
  check(form, given);
  await form.run(new Call(given));
}

/** The help of the flags, which is long: a mistake does not print it. */
export function originalUsage(): string {
  const forms = FORMS.flatMap((form) => wrapped(synopsisOf(form), "  codis-admin ", 8));
  const options = listing(ORIGINAL_OPTIONS.map((option) => [headOf(option), option.doc]));
  return `${["Usage:", ...forms, "", "Options:", ...options].join("\n")}\n`;
}

function targetOf(given: Arguments): Target {
  if (given.has("proxy")) return "proxy";
  return given.has("dashboard") ? "dashboard" : "coordinator";
}

/** The form with the most options among those that choose it. */
function chosenForm(given: Arguments): Form {
  const target = targetOf(given);
  const ofTarget = FORMS.filter((form) => form.target === target);
  const fitting = ofTarget.filter((form) => form.chosenBy.every((name) => given.has(name)));
  const best = fitting.reduce<Form | undefined>((most, form) => {
    return most === undefined || form.chosenBy.length > most.chosenBy.length ? form : most;
  }, undefined);
  if (best === undefined) {
    throw withHint("say which --proxy, which --dashboard or what to do at a coordinator");
  }
  // An option that only begins a form ("--slot-action") was not understood.
  const begun = ofTarget.find((form) => form.chosenBy.length > 1 && given.has(form.chosenBy[0]));
  if (begun !== undefined && best.chosenBy.length < 2) {
    const ways = ofTarget.filter((form) => form.chosenBy[0] === begun.chosenBy[0]);
    const words = ways.map((form) => `--${form.chosenBy[1]}`).join(", ");
    throw withHint(`--${begun.chosenBy[0]} needs one of ${words}`);
  }
  return best;
}

function check(form: Form, given: Arguments): void {
  const { target, chosenBy, needs = [], may = [] } = form;
  const name =
    chosenBy.length === 0 ? `--${target}` : chosenBy.map((each) => `--${each}`).join(" ");
  for (const need of needs) {
    const ways = typeof need === "string" ? [need] : need;
    const found = ways.filter((way) => given.has(way));
    const words = ways.map((way) => `--${way}`).join(", ");
    if (found.length === 0) {
      throw withHint(`${name} needs ${ways.length > 1 ? `one of ${words}` : words}`);
    }
    if (found.length > 1) throw withHint(`only one of ${words} is allowed`);
  }
  const known = [...COMMON[target], ...chosenBy, ...needs.flat(), ...may];
  const stray = given.names.find((each) => !known.includes(each));
  if (stray === "PART") throw withHint(`'${given.must("PART")}' is not expected with ${name}`);
  if (stray !== undefined) throw withHint(`--${stray} does not go with ${name}`);
  const part = given.text("PART");
  if (part !== null && !PARTS[target].includes(part)) {
    throw withHint(`of a ${target} one of ${PARTS[target].join(", ")} is printed, not ${part}`);
  }
}

function withHint(message: string): UsageError {
  return new UsageError(message, "codis-admin help flags prints all forms.\n");
}

/** "--dashboard=ADDR --create-group --gid=ID". */
function synopsisOf(form: Form): string {
  const { target, chosenBy, needs = [], may = [] } = form;
  const words = chosenBy.map(withArgument);
  for (const need of needs) {
    words.push(
      typeof need === "string" ? withArgument(need) : `(${need.map(withArgument).join("|")})`,
    );
  }
  const head = target === "coordinator" ? [] : [withArgument(target)];
  const optional = may.map(
    (name) => `[${name === "PART" ? PARTS[target].join("|") : withArgument(name)}]`,
  );
  return [...head, ...words, ...optional].join(" ");
}

function withArgument(name: string): string {
  const argument = ORIGINAL_OPTIONS.find((option) => option.name === name)?.argument;
  return argument === undefined ? `--${name}` : `--${name}=${argument}`;
}
