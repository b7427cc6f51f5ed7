/**
 * MGET, MSET, DEL, UNLINK, EXISTS and TOUCH over several servers.
 *
 *     MGET a b c d     a, c live on server 1; b, d on server 2
 *       part 1  MGET a c  ──▶ server 1  ──▶ *2 A C  ─┐
 *       part 2  MGET b d  ──▶ server 2  ──▶ *2 B D  ─┴▶  *4 A B C D   (order of the request)
 *
 * One part per connection, not per key. The arguments of a part are the client's own bytes; keys of
 * a slot that is held, offline or read from replicas make a part of their own, which `forward.ts`
 * handles like any request. A split command is not atomic, as in every sharded Redis; but nothing
 * of it is sent when one of its slots is offline. Called by `special.ts`.
 */
import { type Args, asBuffer } from "../resp/args.ts";
import { slotOf } from "../model/slot.ts";
import type { Backend } from "./backend.ts";
import { keyIndex } from "./command-keys.ts";
import { type Command, Join } from "./commands.ts";
import { E } from "./errors.ts";
import { joinReplies } from "./join.ts";
import {
  type Crowded,
  freeRequest,
  NO_SLOT,
  type Owner,
  type Request,
  takeRequest,
} from "./request.ts";
import type { Session } from "./session.ts";
import type { Slot } from "./slot.ts";

/** The keys that go to one place. */
class Part {
  /** The connection, or null when the slot decides. */
  backend: Backend | null = null;
  slot: Slot | null = null;
  /** How many keys, and how many bytes their arguments take with headers and line ends. */
  keys = 0;
  bytes = 0;
}

/**
 * The plan of the command being split: valid until the next one. `parts` are in the order of their
 * first key, `partOfKey[i]` and `slotOfKey[i]` belong to the key at position i.
 */
const parts: Part[] = [];
let partCount = 0;
let partOfKey = new Uint16Array(256);
let slotOfKey = new Int32Array(256);

/** Splits a request whose `keys` key positions are in `keyIndex`, and sends the parts. */
export function splitRequest(session: Session, command: Command, args: Args, keys: number): void {
  const width = command.join === Join.ALL_OK ? 2 : 1;
  if (!plan(session, args, keys, width)) {
    session.replyTo(command, E.slotOffline);
    return;
  }
  const { backend } = parts[0];
  const whole = takeRequest();
  whole.slot = NO_SLOT;
  session.enqueue(whole, command);
  if (partCount > 1 || backend === null) {
    new Split(session, whole, command, keys).send(args, width);
    return;
  }
  // All keys live on one server, which takes the command as it came.
  for (let i = 0; i < keys; i++) whole.addSlot(slotOfKey[i]);
  session.context.router.context.traffic.enterAll(whole);
  backend.push(whole, asBuffer(args.bytes), args.from, args.to);
}

/** Groups the keys by where they go; false when a slot is offline. */
function plan(session: Session, args: Args, keys: number, width: number): boolean {
  const { slots } = session.context.router;
  if (keys > partOfKey.length) {
    partOfKey = new Uint16Array(2 * keys);
    slotOfKey = new Int32Array(2 * keys);
  }
  partCount = 0;
  for (let i = 0; i < keys; i++) {
    const key = keyIndex[i];
    const slot = slots[slotOf(args.bytes, args.start(key), args.end(key))];
    if (slot.master === null && !slot.isHeld) return false;
    const backend = slot.isPlain ? slot.master!.lane(session.lane, session.id) : null;
    const index = partFor(backend, slot);
    const part = parts[index];
    part.keys++;
    part.bytes += rawEnd(args, i, width) - rawStart(args, i);
    partOfKey[i] = index;
    slotOfKey[i] = slot.id;
  }
  return true;
}

/** The part that takes keys of this place; a new one when there is none. */
function partFor(backend: Backend | null, slot: Slot): number {
  for (let i = 0; i < partCount; i++) {
    const part = parts[i];
    if (backend === null ? part.slot === slot : part.backend === backend) return i;
  }
  if (partCount === parts.length) parts.push(new Part());
  const part = parts[partCount];
  part.backend = backend;
  part.slot = backend === null ? slot : null;
  part.keys = 0;
  part.bytes = 0;
  return partCount++;
}

/** The command with the arguments of part `index`: for MSET, each key brings its value. */
function encodePart(
  command: Command,
  args: Args,
  index: number,
  keys: number,
  width: number,
): Buffer {
  const part = parts[index];
  const head = headOf(command, part.keys * width + 1);
  const bytes = Buffer.allocUnsafe(head.length + part.bytes);
  let at = head.copy(bytes, 0);
  const source = asBuffer(args.bytes);
  for (let i = 0; i < keys; i++) {
    if (partOfKey[i] !== index) continue;
    // Neighbours that go to the same place are copied together.
    const from = rawStart(args, i);
    while (i + 1 < keys && partOfKey[i + 1] === index) i++;
    at += source.copy(bytes, at, from, rawEnd(args, i, width));
  }
  return bytes;
}

/** `*3\r\n$4\r\nmget\r\n` by command and number of arguments. */
const heads: Buffer[][] = [];
const HEADS_KEPT = 64;

function headOf(command: Command, count: number): Buffer {
  const row = (heads[command.id] ??= []);
  const { name } = command;
  const head = row[count] ?? Buffer.from(`*${count}\r\n$${name.length}\r\n${name}\r\n`);
  if (count < HEADS_KEPT) row[count] = head;
  return head;
}

/** Where the header of the key at this position begins: behind the line end before it. */
function rawStart(args: Args, key: number): number {
  return args.end(keyIndex[key] - 1) + 2;
}

/** Behind the line end of the last argument that belongs to this key. */
function rawEnd(args: Args, key: number, width: number): number {
  return args.end(keyIndex[key] + width - 1) + 2;
}

/** Waits for the replies of all parts and makes one reply of them. */
class Split implements Owner {
  /** By part; each holds its reply until all are there. */
  readonly #requests: Request[] = [];
  readonly #partOfKey: Uint16Array;
  #left = partCount;

  constructor(
    readonly session: Session,
    readonly whole: Request,
    readonly command: Command,
    readonly keys: number,
  ) {
    this.#partOfKey = partOfKey.slice(0, keys);
    for (let i = 0; i < partCount; i++) {
      const request = takeRequest();
      request.owner = this;
      request.command = whole.command;
      request.lane = session.lane;
      request.seed = session.id;
      request.startedUs = whole.startedUs;
      request.slot = parts[i].slot?.id ?? NO_SLOT;
      this.#requests.push(request);
    }
    for (let i = 0; i < keys; i++) {
      const part = partOfKey[i];
      if (parts[part].backend !== null) this.#requests[part].addSlot(slotOfKey[i]);
    }
  }

  /** Sends all parts. A part may be settled before this returns, but nothing new is read by it. */
  send(args: Args, width: number): void {
    const { router } = this.session.context;
    for (let i = 0; i < this.#requests.length; i++) {
      const request = this.#requests[i];
      const bytes = encodePart(this.command, args, i, this.keys, width);
      const { backend } = parts[i];
      if (backend === null) {
        router.dispatch(request, bytes, 0, bytes.length);
      } else {
        router.context.traffic.enterAll(request);
        backend.push(request, bytes, 0, bytes.length);
      }
    }
  }

  settle(request: Request, bytes: Buffer, from: number, to: number): void {
    request.reply = bytes;
    request.replyFrom = from;
    request.replyTo = to;
    if (request.pieces !== null) request.joinPieces();
    if (--this.#left > 0) return;
    // The client may have left meanwhile; then the place in its queue is gone as well.
    if (this.whole.owner !== null) {
      const joined = joinReplies(this.command, this.#requests, this.#partOfKey);
      this.session.settle(this.whole, joined, 0, joined.length);
    }
    for (const part of this.#requests) freeRequest(part);
  }

  settlePiece(request: Request, bytes: Buffer, from: number, to: number): void {
    request.keep(bytes, from, to);
  }

  onCrowded(backend: Crowded): void {
    this.session.onCrowded(backend);
  }
}
