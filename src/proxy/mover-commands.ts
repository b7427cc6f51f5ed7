/**
 * What a mover says to the servers, and what their replies mean. Pure; used by `mover.ts`.
 *
 * Keys are moved without REPLACE: a key that the target has is the newer one, because nothing is
 * carried out there before the source has given the key up (ARCHITECTURE.md, "A slot that moves").
 */
import { textOf } from "./ask.ts";
import type { Login } from "./handshake.ts";
import { parseTarget } from "./target.ts";

export type Command = (string | number | Uint8Array)[];

/** Where to, and how. */
export interface Errand {
  /** Address of the target as the slot table has it. */
  readonly target: string;
  readonly database: number;
  readonly timeoutMs: number;
  /** Keys stay at the source as well. */
  readonly isCopy: boolean;
  /** Null: the source cannot log in anywhere. */
  readonly login: Login | null;
}

/** What an element counts for where nobody can say how much memory a key takes. */
const ELEMENT_BYTES = 200;

/**
 * Moves KEYS unless one of them is larger than the limit; then the answer is the list of those. One
 * script, so that a key cannot be asked about by one connection and moved by another in between.
 * Servers before Redis 4 have no MEMORY; there the size is guessed by the number of elements.
 * ARGV: limit, host, port, database, timeout, and then AUTH or AUTH2 with what belongs to it.
 */
const GUARDED = `
if redis.replicate_commands then redis.replicate_commands() end
local limit, big = tonumber(ARGV[1]), {}
local lengths = {string = 'STRLEN', list = 'LLEN', hash = 'HLEN', set = 'SCARD', zset = 'ZCARD'}
local function sizeOf(key)
  local size = redis.pcall('MEMORY', 'USAGE', key, 'SAMPLES', '1')
  if type(size) ~= 'table' then return size end
  local kind = redis.call('TYPE', key).ok
  if lengths[kind] == nil then return false end
  return redis.call(lengths[kind], key) * (kind == 'string' and 1 or ${ELEMENT_BYTES})
end
for _, key in ipairs(KEYS) do
  local size = sizeOf(key)
  if size and size > limit then big[#big + 1] = key end
end
if #big > 0 then return big end
local words = {'MIGRATE', ARGV[2], ARGV[3], '', ARGV[4], ARGV[5]}
for i = 6, #ARGV do words[#words + 1] = ARGV[i] end
words[#words + 1] = 'KEYS'
for _, key in ipairs(KEYS) do words[#words + 1] = key end
return redis.pcall(unpack(words))`.trim();

/** With a limit in bytes, or 0 for a server that refuses the script. */
export function moveCommand(errand: Errand, keys: readonly Buffer[], bigBytes: number): Command {
  const { host, port } = parseTarget(errand.target);
  const place = [host, port];
  const copy = errand.isCopy ? ["COPY"] : [];
  const rest = [errand.database, errand.timeoutMs, ...copy, ...authWords(errand.login)];
  if (bigBytes === 0) return ["MIGRATE", ...place, "", ...rest, "KEYS", ...keys];
  return ["EVAL", GUARDED, keys.length, ...keys, bigBytes, ...place, ...rest];
}

function authWords(login: Login | null): string[] {
  if (login === null || login.password === "") return [];
  const { username, password } = login;
  return username === "" ? ["AUTH", password] : ["AUTH2", username, password];
}

/** Codis' own command; it takes all keys with the same tag along and replaces what it finds. */
export function tagCommand(errand: Errand, key: Buffer): Command {
  const { host, port } = parseTarget(errand.target);
  return ["SLOTSMGRTTAGONE", host, port, TAG_TIMEOUT_MS, key];
}

/** As in the original. */
const TAG_TIMEOUT_MS = 3000;

/**
 * moved: none of the keys is at the source any more. busy: the target has some of them already; the
 * others were moved. big: nothing was moved, the reply lists the large ones. unguarded: the source
 * does not run the script. loginless: it is older than 4.0.7, whose MIGRATE knows no password.
 * unknown: any of the keys may be at one side or at both, and a copy may still be under way.
 * refused: nothing happened, for a reason that may pass.
 */
export type Outcome = "moved" | "busy" | "big" | "unguarded" | "loginless" | "unknown" | "refused";

const NO_SCRIPT = /unknown command|NOPERM|not allowed from script|Unknown Redis command|can't run/i;

export function outcomeOf(reply: Buffer, wasGuarded: boolean): Outcome {
  const text = textOf(reply, 400);
  if (text.startsWith("+OK") || text.startsWith("+NOKEY")) return "moved";
  if (text.startsWith("*")) return "big";
  if (text.includes("BUSYKEY")) return "busy";
  if (text.startsWith("-IOERR")) return "unknown";
  if (text.startsWith("-ERR syntax error")) return "loginless";
  if (wasGuarded && NO_SCRIPT.test(text) && !text.includes("Target instance")) return "unguarded";
  return "refused";
}

/** The same for `SLOTSMGRTTAGONE`, which answers with the number of keys that it has moved. */
export function tagOutcomeOf(reply: Buffer): Outcome {
  const text = textOf(reply, 400);
  if (text.startsWith(":")) return "moved";
  return /IOERR|migration failed/.test(text) ? "unknown" : "refused";
}

/** The words of an error, for the log and for clients. */
export function causeOf(reply: Buffer): string {
  return textOf(reply, 300).replace(/^-/, "").trim();
}

/** Lines of CLIENT LIST that are a transfer of keys, perhaps one that nobody waits for any more. */
export function transfersIn(clientList: string, source: string): string[] {
  const ids: string[] = [];
  const { host } = parseTarget(source);
  for (const line of clientList.split("\n")) {
    const id = /\bid=(\d+)/.exec(line)?.[1];
    const command = /\bcmd=(\S+)/.exec(line)?.[1].toLowerCase() ?? "";
    if (id === undefined || !/\bname= /.test(line)) continue;
    // One that has not come to its RESTORE yet could be anybody's, so it must be from there.
    const isFresh = FRESH.has(command) && isFrom(line, host);
    if (RESTORES.has(command) || isFresh) ids.push(id);
  }
  return ids;
}

const RESTORES = new Set(["restore", "restore-asking", "slotsrestore"]);
const FRESH = new Set(["null", "auth", "select"]);

/** A host that is no number may be any. */
function isFrom(line: string, host: string): boolean {
  return !/^[\d.]+$|:/.test(host) || line.includes(` addr=${host}:`) || line.includes(`[${host}]`);
}
