/**
 * The semi-async forward method of codis-server: the source carries a command out as long as it has
 * the key. `SLOTSMGRT-EXEC-WRAPPER key command` answers with two elements, of which the first is
 *
 *     0  the key is not here: the command is sent to the target
 *     1  the key is on its way and the command would change it: to be tried again
 *     2  carried out here; the second element is the reply
 *
 * Only for commands with one key; those with several have their keys moved first, like sync ones.
 */
import { scanReply } from "../resp/reply.ts";
import { askBytes, textOf } from "./ask.ts";
import { badWrapperReply } from "./errors.ts";
import { causeOf } from "./mover-commands.ts";
import { nameBytes } from "./pins.ts";
import { freeRequest, type Request } from "./request.ts";
import { headOf } from "./request-keys.ts";
import type { Router } from "./router.ts";
import type { HeldRequest, Moving, Slot } from "./slot.ts";
import { answer, hold } from "./waiting.ts";

const STAR = 42;
const COLON = 58;
const LINE = "\r\n";

/** The waits of the original: five tries at once, then 5, 6 ... 19 ms, then 20. */
function delayMs(tries: number): number {
  if (tries <= 5) return 0;
  return Math.min(20, tries - 1);
}

type Retry = (slot: Slot, moving: Moving, router: Router) => void;

/** `retry` lets what is parked in the slot try again. */
export function wrap(
  slot: Slot,
  moving: Moving,
  held: HeldRequest,
  router: Router,
  retry: Retry,
): void {
  const { request } = held;
  const { seed } = request;
  const { traffic } = router.context;
  moving.wrapped.add(held);
  // The slot stays as it is until it is known what became of the request.
  traffic.enter(moving.slot);
  const backend = moving.source.lane(request.lane, request.seed);
  const onAnswer = (reply: Buffer, isLost: boolean): void => {
    moving.wrapped.delete(held);
    const code = isLost ? -1 : codeOf(reply);
    if (isLost) answer(request, Buffer.from(reply));
    else if (code === 2) settleElement(request, reply);
    else if (code === 0) sendTo(router, moving, held);
    else if (code === 1) {
      held.tries++;
      hold(slot, moving, held);
      scheduleRetry(slot, moving, router, retry, delayMs(held.tries));
    } else answer(request, badWrapperReply(causeOf(reply)));
    const isAwaited = moving.parked.some((each) => each.request.seed === seed);
    if (code !== 1 && isAwaited) retry(slot, moving, router);
    traffic.leave(moving.slot);
  };
  askBytes(backend, wrapped(held), onAnswer, request);
}

/**
 * The key is not remembered to be gone: a proxy of the original carries out commands with several
 * keys at the source that may make it there.
 */
function sendTo(router: Router, { target }: Moving, { request, pieces }: HeldRequest): void {
  if (request.owner === null) freeRequest(request);
  else router.send(target, request, pieces);
}

/** The client's own bytes behind two arguments of ours. */
function wrapped({ keys, pieces }: HeldRequest): Buffer {
  const key = nameBytes(keys!.names[0]);
  const { count, from } = headOf(pieces);
  const head = `*${count + 2}${LINE}$22${LINE}SLOTSMGRT-EXEC-WRAPPER${LINE}$${key.length}${LINE}`;
  const [first, ...others] = pieces;
  return Buffer.concat([
    Buffer.from(head),
    key,
    Buffer.from(LINE),
    first.subarray(from),
    ...others,
  ]);
}

/** The first element; -1 for anything that is not such an answer. */
function codeOf(reply: Buffer): number {
  const text = textOf(reply, 8);
  return text.startsWith(`*2${LINE}:`) ? Number(/^[0-2]/.exec(text.slice(5))?.[0] ?? -1) : -1;
}

function settleElement(request: Request, reply: Buffer): void {
  const from = reply.indexOf(LINE, 4) + 2;
  const isOne = reply[0] === STAR && reply[4] === COLON;
  if (!isOne || scanReply(reply, from, reply.length) !== reply.length) {
    answer(request, badWrapperReply("it has no second element"));
  } else if (request.owner === null) freeRequest(request);
  else request.owner.settle(request, reply, from, reply.length);
}

/** One timer for all that are parked in the slot. */
function scheduleRetry(
  slot: Slot,
  moving: Moving,
  router: Router,
  retry: Retry,
  afterMs: number,
): void {
  moving.retry ??= setTimeout(() => {
    moving.retry = null;
    retry(slot, moving, router);
  }, afterMs);
}
