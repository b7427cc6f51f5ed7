// Bytes as clients might send them: requests in array form and inline, and what becomes of them
// when a client is broken.
import type { Random } from "../harness/random.ts";
import { encode } from "../harness/resp-client.ts";

/** So long a line may be anywhere without Redis losing patience; see `brokenStream`. */
const STREAM_BYTES = 50_000;

/** A value: mostly short, sometimes with bytes that mean something to RESP. */
export function value(random: Random): Buffer {
  const kind = random.below(10);
  if (kind < 5) return Buffer.from("v".repeat(random.below(20)));
  if (kind < 7) return random.bytes(random.below(40));
  if (kind < 9)
    return Buffer.from(random.pick(["\r\n", "$3\r\nGET\r\n", "*1\r\n", "+OK\r\n", "'", '"']));
  return Buffer.from("long".repeat(random.below(1000)));
}

/** A request in array form, now and then with line ends that only Redis takes. */
export function arrayRequest(random: Random, words: readonly (string | Buffer)[]): Buffer {
  const bytes = encode(...words);
  if (!random.chance(0.1)) return bytes;
  const oddEnd = (): string => (random.chance(0.3) ? `\r${random.pick(["x", "\r", " "])}` : "\r\n");
  const parts = [Buffer.from(`*${words.length}${oddEnd()}`)];
  for (const word of words) {
    const bulk = Buffer.from(word as string);
    const end = random.chance(0.3) ? "xy" : "\r\n";
    parts.push(Buffer.from(`$${bulk.length}${oddEnd()}`), bulk, Buffer.from(end));
  }
  return Buffer.concat(parts);
}

/** A line with quotes and escapes at random, closed or not. */
export function inlineRequest(random: Random, words: readonly string[]): Buffer {
  const blank = (): string => random.pick([" ", "  ", "\t", " \t "]);
  const quoted = words.map((word) => {
    const kind = random.below(8);
    if (kind === 0) return `"${word}"`;
    if (kind === 1) return `'${word}'`;
    if (kind === 2) return `"${word.replace(/[a-z]/g, escapeLetter)}"`;
    if (kind === 3 && random.chance(0.3))
      return random.pick([`"${word}`, `${word}'`, `'${word}'x`]);
    return word;
  });
  return Buffer.from(`${quoted.join(blank())}${random.pick(["\r\n", "\n", " \r\n", "\r\r\n"])}`);
}

function escapeLetter(letter: string): string {
  return `\\x${letter.charCodeAt(0).toString(16)}`;
}

/** Requests of a client that is not healthy: some are whole, then bytes go wrong. */
export function brokenStream(random: Random, next: () => readonly (string | Buffer)[]): Buffer {
  const parts: Buffer[] = [];
  const count = 1 + random.below(8);
  for (let i = 0; i < count; i++) {
    const words = next();
    const isText = words.every((word) => /^[\w:{}-]+$/.test(word.toString("latin1")));
    if (isText && random.chance(0.2)) parts.push(inlineRequest(random, words.map(String)));
    else parts.push(arrayRequest(random, words));
    if (random.chance(0.1)) parts.push(Buffer.from(random.pick(ODDITIES), "latin1"));
  }
  const bytes = Buffer.concat(parts).subarray(0, STREAM_BYTES);
  return random.chance(0.6) ? mutate(random, bytes) : bytes;
}

const ODDITIES = [
  "\r\n",
  "\n",
  "*0\r\n",
  "*-1\r\n",
  "*1\r\n$0\r\n\r\n",
  "*1\r\n$-1\r\n",
  "*2\r\n$4\r\nECHO\r\n:1\r\n",
  "*x\r\n",
  "*1048577\r\n",
  "*2147483648\r\n",
  "$5\r\nworld\r\n",
  "\0",
  "\xff\xfe\r\n",
  '"',
  "   ",
];

/** A few bytes changed, lost, doubled or put in; or the end missing. */
export function mutate(random: Random, bytes: Buffer): Buffer {
  let mutated = Buffer.from(bytes);
  const changes = 1 + random.below(4);
  for (let i = 0; i < changes && mutated.length > 0; i++) {
    const at = random.below(mutated.length);
    const kind = random.below(6);
    if (kind === 0) mutated[at] = random.below(256);
    else if (kind === 1) mutated[at] = random.pick([..."\r\n*$-0123456789 \0"]).charCodeAt(0);
    else if (kind === 2)
      mutated = Buffer.concat([mutated.subarray(0, at), mutated.subarray(at + 1)]);
    else if (kind === 3) mutated = mutated.subarray(0, at);
    else {
      const piece = mutated.subarray(at, at + 1 + random.below(20));
      mutated = Buffer.concat([mutated.subarray(0, at), piece, mutated.subarray(at)]);
    }
  }
  return mutated;
}
