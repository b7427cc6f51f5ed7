/**
 * Requests of the proxy's own to a server, in the same queues as those of clients: what moves keys,
 * asks a server whether it is alive, and the like. The answer comes to a function.
 */
import { own } from "../lib/lent.ts";
import { encodeCommand } from "../redis/encode.ts";
import type { Backend } from "./backend.ts";
import {
  type Crowded,
  freeRequest,
  NO_SLOT,
  type Owner,
  type Request,
  takeRequest,
} from "./request.ts";

/** `isLost`: the reply is our own error, and whether the server has carried it out is unknown. */
export type OnAnswer = (reply: Buffer, isLost: boolean) => void;

class Ask implements Owner {
  constructor(
    readonly onAnswer: OnAnswer,
    readonly asker: Request | null,
  ) {}

  settle(request: Request, bytes: Buffer, from: number, to: number): void {
    request.reply = bytes;
    request.replyFrom = from;
    request.replyTo = to;
    // Whoever asks several servers waits with one answer for the others: see lib/lent.ts.
    const whole = request.wholeReply();
    const reply = own(whole, 0, whole.length);
    const isLost = request.isLost || OWN_ERROR.test(textOf(reply, 32));
    freeRequest(request);
    this.onAnswer(reply, isLost);
  }

  settlePiece(request: Request, bytes: Buffer, from: number, to: number): void {
    request.keep(bytes, from, to);
  }

  /** Called while the command is handed over: the asker is still the same request. */
  onCrowded(backend: Crowded): void {
    this.asker?.owner?.onCrowded(backend);
  }
}

/** What `errors.ts` says when a request was not, or perhaps, sent. */
const OWN_ERROR = /^-ERR (handle re|the proxy is fenced)/;

/** The beginning of a reply: most of what there is to know about it. */
export function textOf(reply: Buffer, length: number): string {
  return reply.latin1Slice(0, Math.min(length, reply.length));
}

/** Sends a command. Whoever needs the slots of its keys to stay where they are sees to it. */
export function ask(
  backend: Backend,
  command: readonly (string | number | Uint8Array)[],
  onAnswer: OnAnswer,
): void {
  askBytes(backend, encodeCommand(command), onAnswer);
}

/**
 * The same for a command as it is on the wire. `asker` is the client's request for which it is
 * sent: its session waits when the connection is crowded.
 */
export function askBytes(
  backend: Backend,
  bytes: Buffer,
  onAnswer: OnAnswer,
  asker: Request | null = null,
): void {
  const request = takeRequest();
  request.owner = new Ask(onAnswer, asker);
  request.command = 0;
  request.slot = NO_SLOT;
  request.startedUs = backend.context.turn.nowUs;
  // The backend counts it out.
  backend.context.traffic.enter(NO_SLOT);
  backend.push(request, bytes, 0, bytes.length);
}

/** Sends one or more commands; all answers come at once, in order, `isLost` if any of them was. */
export function askAll(
  backend: Backend,
  commands: readonly (readonly (string | number | Uint8Array)[])[],
  onAnswers: (replies: readonly Buffer[], isLost: boolean) => void,
): void {
  const replies: Buffer[] = [];
  let left = commands.length;
  let isAnyLost = false;
  commands.forEach((command, index) => {
    ask(backend, command, (reply, isLost) => {
      replies[index] = reply;
      if (isLost) isAnyLost = true;
      left--;
      if (left === 0) onAnswers(replies, isAnyLost);
    });
  });
}
