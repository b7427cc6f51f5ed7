/**
 * The commands of the original proxy that look behind it: INFO and PING for one server, SLOTSINFO,
 * SLOTSSCAN and SLOTSMAPPING. Whatever Redis would understand as its own command stays that:
 * `PING text` is an echo unless the text is the address of a server this proxy uses.
 */
import { parseAddress } from "../lib/address.ts";
import { SLOT_COUNT } from "../model/slot.ts";
import type { Args } from "../resp/args.ts";
import { ReplyWriter } from "../resp/write.ts";
import { E, badSlot, serverNotFound, wrongArity } from "./errors.ts";
import { answerInfo } from "./info-command.ts";
import { integerArgument } from "./local-numbers.ts";
import type {
  Deferred,
  LocalHandler,
  LocalSession,
  SlotView,
  WorkerServices,
} from "./local-types.ts";

const PONG = new TextEncoder().encode("+PONG\r\n");
/** No address is longer, so a longer argument is not looked up. */
const LONGEST_ADDRESS = 300;

/** Requests for servers are built here and copied out before the next. */
const request = new ReplyWriter(2);

export const SLOT_HANDLERS: ReadonlyMap<string, LocalHandler> = new Map<string, LocalHandler>([
  ["ping", answerPing],
  ["info", answerInfoOf],
  ["slotsinfo", answerSlotsInfo],
  ["slotsscan", answerSlotsScan],
  ["slotsmapping", answerSlotsMapping],
]);

/** PING [text], PING address [text]. */
function answerPing(
  session: LocalSession,
  args: Args,
  out: ReplyWriter,
  services: WorkerServices,
): void {
  if (args.count === 1) {
    out.raw(PONG);
    return;
  }
  if (args.count > 3) {
    out.raw(wrongArity("ping"));
    return;
  }
  if (wasSentToServer("PING", session, args, services)) return;
  if (args.count === 2) out.bulkRange(args.bytes, args.start(1), args.end(1));
  else out.raw(wrongArity("ping"));
}

/** INFO [section ...], INFO address [section ...]. */
function answerInfoOf(
  session: LocalSession,
  args: Args,
  out: ReplyWriter,
  services: WorkerServices,
): void {
  if (args.count > 1 && wasSentToServer("INFO", session, args, services)) return;
  answerInfo(session, args, out, services);
}

/** SLOTSINFO address: what a codis-server says of its slots in this session's database. */
function answerSlotsInfo(
  session: LocalSession,
  args: Args,
  out: ReplyWriter,
  services: WorkerServices,
): void {
  if (args.count !== 2) {
    out.raw(wrongArity("slotsinfo"));
    return;
  }
  if (wasSentToServer("SLOTSINFO", session, args, services)) return;
  out.raw(serverNotFound(args.text(1).slice(0, LONGEST_ADDRESS)));
}

/** SLOTSSCAN slot cursor [COUNT n], sent as it is to the master of the slot. */
function answerSlotsScan(
  session: LocalSession,
  args: Args,
  out: ReplyWriter,
  services: WorkerServices,
): void {
  if (args.count < 3) {
    out.raw(wrongArity("slotsscan"));
    return;
  }
  const slot = slotArgument(args, 1, out);
  if (slot === null) return;
  const bytes = requestOf("SLOTSSCAN", args, 1);
  if (!send(slot, bytes, session, services)) out.raw(E.slotOffline);
}

/** SLOTSMAPPING [slot]. */
function answerSlotsMapping(
  _session: LocalSession,
  args: Args,
  out: ReplyWriter,
  services: WorkerServices,
): void {
  if (args.count > 2) {
    out.raw(wrongArity("slotsmapping"));
    return;
  }
  if (args.count === 2) {
    const slot = slotArgument(args, 1, out);
    if (slot !== null) writeSlot(services.slotView(slot), out);
    return;
  }
  out.array(SLOT_COUNT);
  for (let slot = 0; slot < SLOT_COUNT; slot++) writeSlot(services.slotView(slot), out);
}

/** The four parts as the original has them: simple strings, and a null for no replica groups. */
function writeSlot(slot: SlotView, out: ReplyWriter): void {
  out.array(4);
  out.simple(String(slot.id));
  out.simple(slot.backend);
  out.simple(slot.migrateFrom);
  if (slot.replicaGroups.length === 0) {
    out.nullArray();
    return;
  }
  out.array(slot.replicaGroups.length);
  for (const group of slot.replicaGroups) {
    out.array(group.length);
    for (const address of group) out.simple(address);
  }
}

/** Null after it answered with an error itself. */
function slotArgument(args: Args, index: number, out: ReplyWriter): number | null {
  const slot = integerArgument(args, index);
  if (slot === null) out.raw(badSlot(args, index, "not an integer"));
  else if (slot < 0 || slot >= SLOT_COUNT) out.raw(badSlot(args, index, "out of range"));
  else return slot;
  return null;
}

/** Sends the command on, without argument 1, if that is the address of a server of this proxy. */
function wasSentToServer(
  name: string,
  session: LocalSession,
  args: Args,
  services: WorkerServices,
): boolean {
  if (args.end(1) - args.start(1) > LONGEST_ADDRESS) return false;
  const target = args.text(1);
  return parseAddress(target) !== null && send(target, requestOf(name, args, 2), session, services);
}

/** False, and nothing happened, when there is no such server. */
function send(
  target: string | number,
  bytes: Uint8Array,
  session: LocalSession,
  services: WorkerServices,
): boolean {
  const place = new LatePlace();
  if (!services.backendCommand(target, bytes, session.database, session.proto, place)) return false;
  place.take(session.defer());
  return true;
}

/**
 * Stands for a place in the order of replies that is taken only once the server is known to exist:
 * without one the command may still have an answer of its own. Both happen in the same call, so no
 * other reply gets in between.
 */
class LatePlace implements Deferred {
  #place: Deferred | null = null;
  #early: Uint8Array | null = null;

  get isOpen(): boolean {
    return this.#place === null || this.#place.isOpen;
  }

  finish(reply: Uint8Array): void {
    if (this.#place === null) this.#early = reply;
    else this.#place.finish(reply);
  }

  take(place: Deferred): void {
    this.#place = place;
    if (this.#early !== null) place.finish(this.#early);
  }
}

/** The command with the arguments from `firstArgument` on. */
function requestOf(name: string, args: Args, firstArgument: number): Uint8Array {
  request.array(1 + args.count - firstArgument);
  request.bulk(name);
  for (let i = firstArgument; i < args.count; i++) {
    request.bulkRange(args.bytes, args.start(i), args.end(i));
  }
  return request.take();
}
