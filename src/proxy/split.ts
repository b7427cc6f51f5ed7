/**
 * MGET, MSET, DEL, UNLINK, EXISTS and TOUCH over several servers.
 *
 *     MGET a b c d     a, c live on server 1; b, d on server 2
 *       part 1  MGET a c  ──▶ server 1  ──▶ *2 A C  ─┐
 *       part 2  MGET b d  ──▶ server 2  ──▶ *2 B D  ─┴▶  *4 A B C D   (order of the request)
 *
 * One part per connection, not per key. The client's own bytes are copied once, into the send
 * buffers of the servers. Keys of a slot that is held, offline or read from replicas make a part
 * of their own, which `forward.ts` handles like any request. A split command is not atomic, as in
 * every sharded Redis; but nothing of it is sent when one of its slots is offline. Called by
 * `special.ts`.
 */
import { roomFrom, takeRoom } from "../lib/lent.ts";
import { type Args, asBuffer } from "../resp/args.ts";
import { copyBytes } from "../resp/buffer.ts";
import { slotOf } from "../model/slot.ts";
import type { Backend } from "./backend.ts";
import type { Server } from "./backend-pool.ts";
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
  /** Where it is written: from `from` on, and `at` is where the next key goes. */
  target: Buffer | null = null;
  from = 0;
  at = 0;

  /** `request` asks the server for them. */
  constructor(public request: Request) {}
}

/** What a plan has room for at least. */
const MIN_KEYS = 256;

/**
 * The plan of the command being split: valid until the next one. `parts` are in the order of their
 * first key, `partOfKey[i]` belongs to the key at position i.
 */
const parts: Part[] = [];
let partCount = 0;
let partOfKey = new Uint16Array(MIN_KEYS);
/** Commands split so far: says whether the note on a server is of the present one. */
let splitNumber = 0;

/** Splits a request whose `keys` key positions are in `keyIndex`, and sends the parts. */
export function splitRequest(session: Session, command: Command, args: Args, keys: number): void {
  if (!plan(session, args, keys, widthOf(command))) {
    for (let i = 0; i < partCount; i++) freeRequest(parts[i].request);
    session.replyTo(command, E.slotOffline);
    return;
  }
  const { backend, request } = parts[0];
  if (partCount > 1 || backend === null) {
    takeSplit().begin(session, command, keys, args);
    return;
  }
  // All keys live on one server, which takes the command as it came.
  session.enqueue(request, command);
  session.context.router.context.traffic.enterAll(request);
  backend.push(request, asBuffer(args.bytes), args.from, args.to);
}

/** Groups the keys by where they go; false when a slot is offline. */
function plan(session: Session, args: Args, keys: number, width: number): boolean {
  const { plain, slots } = session.context.router;
  const { bytes, offsets } = args;
  if (keys > partOfKey.length) partOfKey = new Uint16Array(2 * keys);
  partCount = 0;
  splitNumber++;
  for (let i = 0; i < keys; i++) {
    const key = keyIndex[i];
    const id = slotOf(bytes, offsets[2 * key], offsets[2 * key + 1]);
    const server = plain[id];
    let index = 0;
    if (server !== null) {
      if (server.splitNumber !== splitNumber) addServer(server, session);
      index = server.splitPart;
      parts[index].request.addSlot(id);
    } else {
      const slot = slots[id];
      if (slot.master === null && !slot.isHeld) return false;
      index = partOfSlot(slot, slot.pins.size > 0 && isPin(session, slot, args, key));
    }
    const part = parts[index];
    part.keys++;
    part.bytes += offsets[2 * (key + width) - 1] - offsets[2 * key - 1];
    partOfKey[i] = index;
  }
  return true;
}

function isPin(session: Session, slot: Slot, args: Args, index: number): boolean {
  const key = asBuffer(args.bytes).subarray(args.start(index), args.end(index));
  return slot.pins.has(keyName(session.lane >> 1, key));
}

/** The part that takes keys of a slot that is not plain; a new one when there is none. */
function partOfSlot(slot: Slot, isPinned: boolean): number {
  for (let i = 0; i < partCount; i++) {
    if (parts[i].slot === slot && parts[i].isPinned === isPinned) return i;
  }
  return addPart(null, slot, isPinned);
}

function addPart(backend: Backend | null, slot: Slot | null, isPinned: boolean): number {
  const request = takeRequest();
  request.slot = slot?.id ?? NO_SLOT;
  if (partCount === parts.length) parts.push(new Part(request));
  const part = parts[partCount];
  part.request = request;
  part.backend = backend;
  part.slot = slot;
  part.isPinned = isPinned;
  part.keys = 0;
  part.bytes = 0;
  return partCount++;
}

function addServer(server: Server, session: Session): void {
  server.splitNumber = splitNumber;
  server.splitPart = addPart(server.lane(session.lane, session.id), null, false);
}

/** Copies the arguments of all parts to where they go. For MSET, each key brings its value. */
function writeKeys(args: Args, keys: number, width: number, places: Uint16Array): void {
  const source = asBuffer(args.bytes);
  const { offsets } = args;
  for (let i = 0; i < keys; i++) {
    const index = places[i];
    // A key is copied with its header, from behind the line end before it. Neighbours that go to
    // the same place are copied together.
    const from = offsets[2 * keyIndex[i] - 1] + 2;
    while (i + 1 < keys && places[i + 1] === index) i++;
    const to = offsets[2 * (keyIndex[i] + width) - 1] + 2;
    const part = parts[index];
    if (part.target !== null) part.at = copyBytes(source, from, to, part.target, part.at);
  }
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

/** Waits for the replies of all parts and makes one reply of them. Taken from a pool. */
class Split implements Owner {
  #session: Session | null = null;
  #whole: Request | null = null;
  #command: Command | null = null;
  /** By part, `#count` of them; each holds its reply until all are there. */
  readonly #requests: Request[] = [];
  #count = 0;
  /** The part that has the key at each position. */
  #partOfKey = new Uint16Array(MIN_KEYS);
  #keys = 0;
  #left = 0;

  /** Sends all parts. A part may be settled before this returns, but nothing new is read by it. */
  begin(session: Session, command: Command, keys: number, args: Args): void {
    const whole = takeRequest();
    whole.slot = NO_SLOT;
    session.enqueue(whole, command);
    this.#session = session;
    this.#whole = whole;
    this.#command = command;
    this.#keys = keys;
    this.#count = partCount;
    this.#left = partCount;
    for (let i = 0; i < partCount; i++) {
      const { request } = parts[i];
      request.owner = this;
      request.command = whole.command;
      request.lane = session.lane;
      request.seed = session.id;
      request.startedUs = whole.startedUs;
      this.#requests[i] = request;
    }
    // The plan is kept as it is: the next one is made in the array that was here.
    const places = partOfKey;
    partOfKey = this.#partOfKey;
    this.#partOfKey = places;
    this.#send(session, command, args);
  }

  /**
   * The last part may be settled, and this record be given back, at any of these calls: a server
   * that is down refuses at once. So what is needed until the end is taken before.
   */
  #send(session: Session, command: Command, args: Args): void {
    const { router } = session.context;
    const requests = this.#requests;
    const count = partCount;
    const keys = this.#keys;
    const places = this.#partOfKey;
    const width = widthOf(command);
    for (let i = 0; i < count; i++) {
      const part = parts[i];
      const head = headOf(command, part.keys * width + 1);
      const { backend } = part;
      if (backend === null) {
        part.target = takeRoom(head.length + part.bytes);
        part.from = roomFrom;
      } else {
        router.context.traffic.enterAll(requests[i]);
        part.target = backend.reserve(requests[i], head.length + part.bytes);
        part.from = backend.roomFrom;
      }
      if (part.target !== null) {
        part.at = copyBytes(head, 0, head.length, part.target, part.from);
      }
    }
    writeKeys(args, keys, width, places);
    for (let i = 0; i < count; i++) {
      const { backend, target, from, at } = parts[i];
      parts[i].target = null;
      if (backend === null) router.dispatch(requests[i], target!, from, at);
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
    const requests = this.#requests;
    // The client may have left meanwhile; then the place in its queue is gone as well.
    if (whole.owner !== null) {
      joinReplies(this.#command!, requests, this.#count, this.#partOfKey, this.#keys);
      session.settle(whole, joined.bytes, joined.from, joined.to);
    }
    for (let i = 0; i < this.#count; i++) freeRequest(requests[i]);
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
