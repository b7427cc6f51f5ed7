// Sends one generated sequence of commands, pipelined, to a real Redis and to the proxy, and
// compares the replies byte for byte.
import type { Random } from "../harness/random.ts";
import type { Redis } from "../harness/redis.ts";
import { connect, encode, type RespClient } from "../harness/resp-client.ts";
import { FAMILIES } from "./families.ts";
import { expand, type Template, type Word } from "./grammar.ts";
import { junk, PRIVATE_TYPES, taggedJunk, word } from "./vocabulary.ts";

/** Servers remember scripts even when their keys are gone. */
export async function forgetAll(servers: readonly Redis[]): Promise<void> {
  for (const server of servers) {
    await server.call("FLUSHALL");
    await server.call("SCRIPT", "FLUSH");
  }
}

export interface Sequence {
  readonly family: string;
  readonly proto: 2 | 3;
  readonly commands: number;
  /** Ports. */
  readonly redis: number;
  readonly proxy: number;
}

/** Throws at the first reply that differs. */
export async function compareSequence(sequence: Sequence, random: Random): Promise<void> {
  const templates = FAMILIES.get(sequence.family)!;
  const commands = Array.from({ length: sequence.commands }, () => nextCommand(templates, random));
  using theirs = await connect(sequence.redis);
  using ours = await connect(sequence.proxy);
  for (const client of [theirs, ours]) await client.call("HELLO", sequence.proto);
  const requests = commands.map((words) => encode(...words.map(bytesOf)));
  for (let from = 0; from < requests.length;) {
    const to = from + 1 + random.below(random.pick([1, 20, 500]));
    const bytes = Buffer.concat(requests.slice(from, to));
    theirs.send(bytes);
    // The proxy gets them in pieces that end anywhere.
    for (const piece of random.chance(0.5) ? [bytes] : random.cut(bytes)) ours.send(piece);
    await compareReplies(theirs, ours, commands.slice(from, to), from);
    from = to;
  }
}

async function compareReplies(
  theirs: RespClient,
  ours: RespClient,
  commands: readonly Word[][],
  before: number,
): Promise<void> {
  for (let i = 0; i < commands.length; i++) {
    const expected = await theirs.readRaw();
    const actual = await ours.readRaw();
    if (actual === expected) continue;
    const command = commands[i].map((each) => show(bytesOf(each).latin1Slice())).join(" ");
    throw new Error(
      `command ${before + i + 1}, ${command}: ${show(actual)} and not ${show(expected)}`,
    );
  }
}

function nextCommand(templates: readonly Template[], random: Random): Word[] {
  if (random.chance(0.02)) return ["select", word("db", random)];
  const template = random.pick(templates);
  const words = expand(template, word, random);
  if (random.chance(0.1)) spoil(template, words, random);
  if (random.chance(0.3)) words[0] = String(words[0]).toUpperCase();
  return words;
}

/**
 * A mistake: an argument is missing, too much or nonsense. Where keys must stay together, what is
 * added carries their tag; what is private to a type stays as it is meant.
 */
function spoil(template: Template, words: Word[], random: Random): void {
  const kind = random.below(3);
  if (kind === 0 || isPrivate(template)) words.pop();
  else if (template.isTagged) words.push(taggedJunk(random));
  else if (kind === 1) words.push(junk(random));
  // The key stays: another one might hold something without a fixed order.
  else if (words.length > 2) words[random.between(2, words.length - 1)] = junk(random);
  if (words.length === 0) words.push("ping");
}

function isPrivate(template: Template): boolean {
  return PRIVATE_TYPES.some((type) => template.text.includes(`${type}>`));
}

function bytesOf(each: Word): Buffer {
  return typeof each === "string" ? Buffer.from(each, "latin1") : each;
}

function show(text: string): string {
  return JSON.stringify(text.length < 300 ? text : `${text.slice(0, 300)}... (${text.length})`);
}
