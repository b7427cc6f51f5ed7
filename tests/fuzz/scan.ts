// The request reader finds the same requests however the bytes are cut, and what it would send on
// is always in canonical form. No servers take part.
import { asBuffer, EXPECTED_DOLLAR, type Args } from "../../src/resp/args.ts";
import { isLent, reclaim, roomFrom, takeRoom } from "../../src/lib/lent.ts";
import type { LargeRequest } from "../../src/resp/large.ts";
import { type RequestHandler, RequestReader } from "../../src/resp/reader.ts";
import type { Random } from "../harness/random.ts";
import { encode } from "../harness/resp-client.ts";
import { type Fuzzer, mustEqual, roundsOf } from "./fuzzer.ts";
import { arrayRequest, brokenStream, value } from "./wire-input.ts";

export const SCAN: Fuzzer = {
  name: "scan",
  about: "the request reader, fed in random pieces, finds what it finds in one piece",
  start: () => roundsOf(round),
};

function round(random: Random): void {
  const isRestricted = random.chance(0.1);
  const bytes = random.chance(0.9) ? smallStream(random) : largeStream(random);
  const expected = new Collector(null, isRestricted);
  expected.reader.feed(bytes);
  const collector = new Collector(random, isRestricted);
  for (const piece of random.cut(bytes)) {
    feedLent(collector.reader, piece, random);
    if (random.chance(0.5)) collector.goOn();
  }
  collector.goOn();
  mustEqual("what was found", collector.found.join("\n"), expected.found.join("\n"));
  const rest = (reader: RequestReader): string => `${reader.isInside} ${reader.isStopped}`;
  mustEqual("the state at the end", rest(collector.reader), rest(expected.reader));
}

/** As the poller does it: somewhere in memory that holds something else before and afterwards. */
function feedLent(reader: RequestReader, piece: Buffer, random: Random): void {
  takeRoom(random.below(100));
  const bytes = takeRoom(piece.length);
  const from = roomFrom;
  const to = from + piece.length;
  bytes.fill(random.pick(["\r\n", "$1*"]), to, Math.min(to + 100, bytes.length));
  piece.copy(bytes, from);
  reader.feed(bytes, from, to);
  if (isLent(bytes)) bytes.fill(0xdb, from, to);
  reclaim();
}

function smallStream(random: Random): Buffer {
  return brokenStream(random, () => words(random, 0));
}

/** Large values, without broken bytes: what is a value to one cut must not be a line to another. */
function largeStream(random: Random): Buffer {
  const count = 1 + random.below(3);
  const parts = Array.from({ length: count }, () => {
    return arrayRequest(random, words(random, 0.5));
  });
  if (random.chance(0.3)) parts.push(Buffer.from("*2\r\n:"), Buffer.from("\r\n"));
  return Buffer.concat(parts);
}

function words(random: Random, largeChance: number): (string | Buffer)[] {
  const list: (string | Buffer)[] = [random.pick(["GET", "set", "Mset", "x"])];
  const count = random.below(random.chance(0.1) ? 50 : 5);
  for (let i = 0; i < count; i++) {
    const isLarge = random.chance(largeChance);
    list.push(isLarge ? Buffer.alloc(60_000 + random.below(200_000), "large") : value(random));
  }
  return list;
}

/** Notes every request, and now and then stops the reader as a session with a full queue does. */
class Collector implements RequestHandler {
  readonly found: string[] = [];
  readonly reader = new RequestReader(this);
  #last: readonly Uint8Array[] = [];
  #isBroken = false;

  constructor(
    readonly random: Random | null,
    isRestricted: boolean,
  ) {
    this.reader.isRestricted = isRestricted;
  }

  /** Goes on after a stop, which may come again. */
  goOn(): void {
    while (this.reader.isStopped && !this.#isBroken) this.reader.resume();
  }

  onRequest(args: Args): void {
    this.#note(Array.from({ length: args.count }, (_, i) => args.copy(i)));
    const forwarded = asBuffer(args.bytes).subarray(args.from, args.to);
    this.#mustBeCanonical(forwarded);
    this.#stopPerhaps();
  }

  onLargeRequest(large: LargeRequest): void {
    const { count } = large.args;
    this.#note(Array.from({ length: count }, (_, i) => large.argument(i)));
    this.#mustBeCanonical(Buffer.concat(large.pieces));
    this.#stopPerhaps();
  }

  onBroken(code: number, badByte: number): void {
    this.#isBroken = true;
    this.found.push(`broken ${code} ${code === EXPECTED_DOLLAR ? badByte : ""}`);
  }

  #note(list: readonly Uint8Array[]): void {
    this.#last = list;
    this.found.push(JSON.stringify(list.map((each) => asBuffer(each).latin1Slice())));
  }

  #mustBeCanonical(forwarded: Buffer): void {
    const expected = encode(...this.#last).latin1Slice();
    mustEqual("the bytes for the server", forwarded.latin1Slice(), expected);
  }

  #stopPerhaps(): void {
    if (this.random?.chance(0.1)) this.reader.stop();
  }
}
