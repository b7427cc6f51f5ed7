/**
 * The keys of a request that is on its way, read from its bytes once more. Only slots whose keys
 * move need them; everywhere else the slot is enough. Called by `moving.ts`.
 */
import { Args, asBuffer } from "../resp/args.ts";
import { scanRequest } from "../resp/scan.ts";
import { findKeys, keyIndex } from "./command-keys.ts";
import { COMMANDS, Join, KeyRule, PLAIN_KEY, Route } from "./commands.ts";
import { keyName } from "./pins.ts";
import type { Request } from "./request.ts";
import type { RequestKeys } from "./slot.ts";

const args = new Args();

/** The names of the keys (`keyName`), each once; none for a command without keys. */
export function keysOf(request: Request, pieces: readonly Buffer[]): RequestKeys {
  const command = COMMANDS[request.command];
  const database = request.lane >> 1;
  const plain = PLAIN_KEY[command.id];
  scanRequest(args, pieces[0], 0, pieces[0].length);
  // The key of a large request stands before its large value, in the first piece.
  if (plain > 0 && args.count > plain) return one(nameAt(plain, database));
  if (pieces.length > 1) {
    const whole = Buffer.concat(pieces);
    scanRequest(args, whole, 0, whole.length);
  }
  if (plain > 0) return one(nameAt(plain, database));
  const names = new Set<string>();
  if (command.route === Route.SPLIT) {
    const step = command.join === Join.ALL_OK ? 2 : 1;
    for (let i = 1; i < args.count; i += step) names.add(nameAt(i, database));
    return { names: [...names], isOpen: false };
  }
  // Whoever is splitting a command now still needs the places of its keys.
  const saved = keyIndex.slice();
  const found = Math.max(0, findKeys(command, args));
  let isOpen = false;
  for (let i = 0; i < found; i++) {
    names.add(nameAt(keyIndex[i], database));
    if (i > 0 && command.keyRule === KeyRule.SORT) isOpen ||= args.text(keyIndex[i]).includes("*");
  }
  keyIndex.set(saved);
  return { names: [...names], isOpen };
}

function one(name: string): RequestKeys {
  return { names: [name], isOpen: false };
}

function nameAt(index: number, database: number): string {
  return keyName(database, asBuffer(args.bytes).subarray(args.start(index), args.end(index)));
}

/** How many arguments the request has, and where the first one's header begins. */
export function headOf(pieces: readonly Buffer[]): { count: number; from: number } {
  scanRequest(args, pieces[0], 0, pieces[0].length);
  return { count: args.expected, from: pieces[0].indexOf("\n") + 1 };
}
