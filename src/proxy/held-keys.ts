/**
 * Reads of keys that are being copied to the target: the copy is made in pieces and takes its name
 * in one step, then the source's key is deleted. Until that moment the source has the value, from
 * then on the target. One transaction at the source asks for the key and reads it:
 *
 *     MULTI · EXISTS key · GET key · EXEC   ──▶  1: the reply that came with it
 *                                                0: the read is sent to the target
 */
import { encodeCommand } from "../redis/encode.ts";
import { parseInteger } from "../resp/args.ts";
import { askBytes } from "./ask.ts";
import { E } from "./errors.ts";
import { nameBytes } from "./pins.ts";
import { freeRequest, type Request } from "./request.ts";
import type { Router } from "./router.ts";
import type { HeldRequest, Moving } from "./slot.ts";
import { answer } from "./waiting.ts";

const MULTI = encodeCommand(["MULTI"]);
const EXEC = encodeCommand(["EXEC"]);
const MINUS = 45;
/** What EXEC answers before the reply of EXISTS. */
const HEAD = Buffer.from("*2\r\n:");

/** All keys of the request are held; it only reads. */
export function followKeys(moving: Moving, held: HeldRequest, router: Router): void {
  const { request, pieces } = held;
  const { traffic } = router.context;
  const backend = moving.source.lane(request.lane, request.seed);
  const keys = held.keys?.names ?? [];
  // The slot stays as it is until the request is answered or on its way to the target.
  traffic.enter(moving.slot);
  let refusal: Buffer | null = null;
  const watch = (reply: Buffer): void => {
    if (reply[0] === MINUS) refusal ??= Buffer.from(reply);
  };
  askBytes(backend, MULTI, watch);
  askBytes(backend, encodeCommand(["EXISTS", ...keys.map(nameBytes)]), watch);
  askBytes(backend, Buffer.concat(pieces), watch, request);
  askBytes(backend, EXEC, (reply) => {
    const end = reply.indexOf("\r\n", HEAD.length);
    const isWhole = reply.subarray(0, HEAD.length).equals(HEAD);
    const found = isWhole ? parseInteger(reply, HEAD.length, end) : NaN;
    if (found === 0) router.send(moving.target, request, pieces);
    else if (found === keys.length) settle(request, reply, end + 2);
    else if (found > 0) answer(request, E.keysApart);
    else answer(request, refusal ?? Buffer.from(reply));
    traffic.leave(moving.slot);
  });
}

function settle(request: Request, reply: Buffer, from: number): void {
  if (request.owner === null) freeRequest(request);
  else request.owner.settle(request, reply, from, reply.length);
}
