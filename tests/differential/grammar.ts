// Command templates, written like Redis' own documentation, and what makes commands of them.
//
//     set <str> <value> [nx|xx] [get]     a word · a placeholder · perhaps · one of these
//     sadd <set> <member>+                one to four times
//     (lpush|rpush) <list> (<value> x)+   groups, which may be repeated too
//
// A placeholder is a kind of word that the vocabulary knows; "<@set>" is a key with the sequence's
// hash tag, so that several of them are in one slot.
import type { Random } from "../harness/random.ts";

/** Words as latin-1 text, or bytes. */
export type Word = string | Buffer;

/** Makes a word of the named kind. */
export type Vocabulary = (kind: string, random: Random) => Word;

export interface Template {
  readonly text: string;
  /** All its keys carry the same tag. */
  readonly isTagged: boolean;
  readonly root: Choice;
}

/** One of several sequences is taken. */
type Choice = readonly (readonly Item[])[];

interface Item {
  readonly kind: "word" | "placeholder" | "group";
  readonly text: string;
  readonly choice: Choice;
  readonly isOptional: boolean;
  readonly isRepeated: boolean;
}

/** One template a line. */
export function readTemplates(text: string): Template[] {
  const lines = text.split("\n").map((line) => line.trim());
  return lines.filter((line) => line !== "").map(readTemplate);
}

function readTemplate(text: string): Template {
  const tokens = text.match(/\)\+|\]\+|[()[\]|]|<[@\w]+>\+?|[^\s()[\]|<>]+/g) ?? [];
  const at = { next: 0 };
  const root = readChoice(tokens, at);
  if (at.next !== tokens.length) throw new Error(`a bracket too many in "${text}"`);
  return { text, isTagged: text.includes("<@"), root };
}

function readChoice(tokens: readonly string[], at: { next: number }): Choice {
  const choice: Item[][] = [[]];
  for (; at.next < tokens.length; at.next++) {
    const token = tokens[at.next];
    if (/^[)\]]/.test(token)) break;
    if (token === "|") choice.push([]);
    else choice[choice.length - 1].push(readItem(tokens, at));
  }
  return choice;
}

function readItem(tokens: readonly string[], at: { next: number }): Item {
  const token = tokens[at.next];
  const item = { text: token, choice: [], isOptional: false, isRepeated: token.endsWith(">+") };
  if (token.startsWith("<")) {
    return { ...item, kind: "placeholder", text: token.replace(/[<>+]/g, "") };
  }
  if (token !== "(" && token !== "[") return { ...item, kind: "word" };
  at.next++;
  const choice = readChoice(tokens, at);
  const isRepeated = tokens[at.next]?.endsWith("+") ?? false;
  return { kind: "group", text: "", choice, isOptional: token === "[", isRepeated };
}

/** One command of the template, with words that fit. */
export function expand(template: Template, vocabulary: Vocabulary, random: Random): Word[] {
  const words: Word[] = [];
  expandChoice(template.root, vocabulary, random, words);
  return words;
}

function expandChoice(choice: Choice, vocabulary: Vocabulary, random: Random, words: Word[]): void {
  for (const item of random.pick(choice)) {
    if (item.isOptional && random.chance(0.5)) continue;
    const times = item.isRepeated ? 1 + random.below(4) : 1;
    for (let i = 0; i < times; i++) {
      if (item.kind === "word") words.push(item.text);
      else if (item.kind === "placeholder") words.push(vocabulary(item.text, random));
      else expandChoice(item.choice, vocabulary, random, words);
    }
  }
}
