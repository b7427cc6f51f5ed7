// The end of every reply is found, whatever is nested in it and however the bytes are cut. No
// servers take part: replies are made up, of all types of both protocols.
import { BROKEN, MORE, ReplyCursor, scanReply } from "../../src/resp/reply.ts";
import { decode } from "../../src/resp/value.ts";
import type { Random } from "../harness/random.ts";
import { type Fuzzer, mustEqual, roundsOf } from "./fuzzer.ts";

export const REPLY: Fuzzer = {
  name: "reply",
  about: "the ends of generated replies of both protocols are found in random pieces",
  start: () => roundsOf(round),
};

function round(random: Random): void {
  const replies = Array.from({ length: 1 + random.below(20) }, () => reply(random, 0));
  for (const each of replies) {
    if (decode(each)?.end !== each.length) throw new Error("the fuzzer made up a wrong reply");
  }
  let end = 0;
  const expected = replies.map((each) => (end += each.length));
  const bytes = Buffer.concat(replies);
  mustEqual("ends in one piece", endsIn([bytes]).join(), expected.join());
  mustEqual("ends in pieces", endsIn(random.cut(bytes)).join(), expected.join());
  mustStopOnGarbage(random, bytes);
}

/** Takes chunks as a backend does: the short way first, the cursor for what is cut. */
function endsIn(chunks: readonly Buffer[]): number[] {
  const ends: number[] = [];
  const cursor = new ReplyCursor();
  let before = 0;
  for (const chunk of chunks) {
    let pos = 0;
    while (pos < chunk.length) {
      let end = cursor.isInside ? MORE : scanReply(chunk, pos, chunk.length);
      if (end === MORE) end = cursor.advance(chunk, pos, chunk.length);
      if (end === BROKEN) throw new Error(`broken after ${ends.length} replies`);
      if (end === MORE) break;
      pos = end;
      ends.push(before + end);
    }
    before += chunk.length;
  }
  return ends;
}

/** Bytes that are no reply are found out, or wait for more; they never end before they began. */
function mustStopOnGarbage(random: Random, bytes: Buffer): void {
  const garbage = Buffer.from(bytes);
  for (let i = 0; i < 3; i++) garbage[random.below(garbage.length)] = random.below(256);
  const cursor = new ReplyCursor();
  for (let pos = 0; pos < garbage.length;) {
    const end = cursor.advance(garbage, pos, garbage.length);
    if (end < 0) return;
    if (end <= pos || end > garbage.length) throw new Error(`a reply from ${pos} ends at ${end}`);
    pos = end;
  }
}

const LINES = ["+OK", "+", "-ERR no", ":0", ":-17", ":9007199254740993", "_", "#t", "#f"];
const MORE_LINES = [",1.5", ",-inf", ",nan", "(123456789012345678901234567890", "$-1", "*-1"];

function reply(random: Random, depth: number): Buffer {
  const kind = random.below(depth > 4 ? 6 : 10);
  if (kind < 3) return Buffer.from(`${random.pick([...LINES, ...MORE_LINES])}\r\n`);
  if (kind === 3)
    return Buffer.from(`${random.pick(["+", "-ERR "])}${"text ".repeat(random.below(100))}\r\n`);
  if (kind < 6) return bulk(random);
  const count = random.below(random.chance(0.1) ? 40 : 5);
  const type = random.pick([..."**~>%|"]);
  const children = type === "%" || type === "|" ? 2 * count : count;
  const parts: Buffer[] = [Buffer.from(`${type}${count}\r\n`)];
  for (let i = 0; i < children; i++) parts.push(reply(random, depth + 1));
  // An attribute is followed by what it describes.
  if (type === "|") parts.push(reply(random, depth + 1));
  return Buffer.concat(parts);
}

function bulk(random: Random): Buffer {
  const length = random.below(random.chance(0.005) ? 200_000 : random.pick([1, 10, 100]));
  const bytes =
    length < 1000 && random.chance(0.3)
      ? random.bytes(length)
      : Buffer.alloc(length, "$3\r\n*2\r\n");
  const type = random.pick([..."$$$!="]);
  const body = type === "=" ? Buffer.concat([Buffer.from("txt:"), bytes]) : bytes;
  return Buffer.concat([Buffer.from(`${type}${body.length}\r\n`), body, Buffer.from("\r\n")]);
}
