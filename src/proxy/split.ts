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
import { roomFrom, takeRoom } from "../lib/lent.ts";
import { type Args, asBuffer } from "../resp/args.ts";
import { copyBytes } from "../resp/buffer.ts";
import { slotOf } from "../model/slot.ts";
import type { Backend } from "./backend.ts";
import { keyIndex } from "./command-keys.ts";
import { type Command, Join } from "./commands.ts";
import { E } from "./errors.ts";
import { joined, joinReplies } from "./join.ts";
import { keyName } from "./pins.ts";
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
  /** Its keys are pinned: while the slot moves they are at one server and the others elsewhere. */
  isPinned = false;
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
  if (!plan(session, args, keys, widthOf(command))) {
    session.replyTo(command, E.slotOffline);
    return;
  }
  const { backend } = parts[0];
  const whole = takeRequest();
  whole.slot = NO_SLOT;
  session.enqueue(whole, command);
  if (partCount > 1 || backend === null) {
    takeSplit().begin(session, whole, command, keys, args);
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
    const isPinned = slot.pins.size > 0 && backend === null && isPin(session, slot, args, key);
    const index = partFor(backend, slot, isPinned);
    const part = parts[index];
    part.keys++;
    part.bytes += rawEnd(args, i, width) - rawStart(args, i);
    partOfKey[i] = index;
    slotOfKey[i] = slot.id;
  }
  return true;
}

function isPin(session: Session, slot: Slot, args: Args, index: number): boolean {
  const key = asBuffer(args.bytes).subarray(args.start(index), args.end(index));
  return slot.pins.has(keyName(session.lane >> 1, key));
}

/** The part that takes keys of this place; a new one when there is none. */
function partFor(backend: Backend | null, slot: Slot, isPinned: boolean): number {
  for (let i = 0; i < partCount; i++) {
    const part = parts[i];
    if (part.isPinned !== isPinned) continue;
    if (backend === null ? part.slot === slot : part.backend === backend) return i;
  }
  if (partCount === parts.length) parts.push(new Part());
  const part = parts[partCount];
  part.backend = backend;
  part.slot = backend === null ? slot : null;
  part.isPinned = isPinned;
  part.keys = 0;
  part.bytes = 0;
  return partCount++;
}

/**
 * Writes the command with the arguments of part `index` at `at`; returns where it ends. For MSET,
 * each key brings its value.
 */
function writePart(
  target: Buffer,
  at: number,
  command: Command,
  args: Args,
  index: number,
  keys: number,
): number {
  const width = widthOf(command);
  const head = headOf(command, parts[index].keys * width + 1);
  let to = copyBytes(head, 0, head.length, target, at);
  const source = asBuffer(args.bytes);
  for (let i = 0; i < keys; i++) {
    if (partOfKey[i] !== index) continue;
    // Neighbours that go to the same place are copied together.
    const from = rawStart(args, i);
    while (i + 1 < keys && partOfKey[i + 1] === index) i++;
    to = copyBytes(source, from, rawEnd(args, i, width), target, to);
  }
  return to;
}

/** Arguments per key. */
function widthOf(command: Command): number {
  return command.join === Join.ALL_OK ? 2 : 1;
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

/** Waits for the replies of all parts and makes one reply of them. Taken from a pool. */
class Split implements Owner {
  #session: Session | null = null;
  #whole: Request | null = null;
  #command: Command | null = null;
  /** By part; each holds its reply until all are there. */
  readonly #requests: Request[] = [];
  /** Which part has the key at each position. */
  #partOfKey = new Uint16Array(16);
  #keys = 0;
  #left = 0;

  /** Sends all parts. A part may be settled before this returns, but nothing new is read by it. */
  begin(session: Session, whole: Request, command: Command, keys: number, args: Args): void {
    this.#session = session;
    this.#whole = whole;
    this.#command = command;
    this.#keys = keys;
    this.#left = partCount;
    if (keys > this.#partOfKey.length) this.#partOfKey = new Uint16Array(2 * keys);
    let length = 0;
    for (let i = 0; i < partCount; i++) {
      this.#requests.push(this.#createPart(session, whole, parts[i]));
      length += headOf(command, parts[i].keys * widthOf(command) + 1).length + parts[i].bytes;
    }
    for (let i = 0; i < keys; i++) {
      const part = partOfKey[i];
      this.#partOfKey[i] = part;
      if (parts[part].backend !== null) this.#requests[part].addSlot(slotOfKey[i]);
    }
    this.#send(session, command, args, takeRoom(length), roomFrom);
  }

  #createPart(session: Session, whole: Request, part: Part): Request {
    const request = takeRequest();
    request.owner = this;
    request.command = whole.command;
    request.lane = session.lane;
    request.seed = session.id;
    request.startedUs = whole.startedUs;
    request.slot = part.slot?.id ?? NO_SLOT;
    return request;
  }

  /** Writes the parts into `bytes` from `start` on, and sends them. */
  #send(session: Session, command: Command, args: Args, bytes: Buffer, start: number): void {
    const { router } = session.context;
    // The last part may be settled, and this record be given back, before the loop ends.
    const count = partCount;
    const keys = this.#keys;
    let at = start;
    for (let i = 0; i < count; i++) {
      const request = this.#requests[i];
      const from = at;
      at = writePart(bytes, from, command, args, i, keys);
      const { backend } = parts[i];
      if (backend === null) {
        router.dispatch(request, bytes, from, at);
      } else {
        router.context.traffic.enterAll(request);
        backend.push(request, bytes, from, at);
      }
    }
  }

  settle(request: Request, bytes: Buffer, from: number, to: number): void {
    request.reply = bytes;
    request.replyFrom = from;
    request.replyTo = to;
    if (request.pieces !== null) request.joinPieces();
    const session = this.#session!;
    if (--this.#left > 0) {
      session.context.turn.keep(request);
      return;
    }
    const whole = this.#whole!;
    // The client may have left meanwhile; then the place in its queue is gone as well.
    if (whole.owner !== null) {
      joinReplies(this.#command!, this.#requests, this.#partOfKey, this.#keys);
      session.settle(whole, joined.bytes, joined.from, joined.to);
    }
    for (const part of this.#requests) freeRequest(part);
    this.#requests.length = 0;
    this.#session = null;
    this.#whole = null;
    if (this.#partOfKey.length <= KEPT_KEYS && pool.length < POOL_LIMIT) pool.push(this);
  }

  settlePiece(request: Request, bytes: Buffer, from: number, to: number): void {
    request.keep(bytes, from, to);
  }

  onCrowded(backend: Crowded): void {
    this.#session?.onCrowded(backend);
  }
}

/** A command with more keys leaves its memory to the collector. */
const KEPT_KEYS = 1024;
const POOL_LIMIT = 1024;
const pool: Split[] = [];

function takeSplit(): Split {
  return pool.pop() ?? new Split();
}
