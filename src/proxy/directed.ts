/**
 * A request the proxy sends for a client to a server of its choice (`INFO addr`, `SLOTSSCAN`): it
 * travels like any other, but its reply fills a place that was reserved. Used by `worker.ts`.
 */
import { laneOf, type Server } from "./backend-pool.ts";
import type { Deferred } from "./local-types.ts";
import { freeRequest, NO_SLOT, type Owner, type Request, takeRequest } from "./request.ts";
import type { Router } from "./router.ts";

export class DirectedReply implements Owner {
  constructor(readonly deferred: Deferred) {}

  send(router: Router, server: Server, bytes: Buffer, database: number, proto: 2 | 3): void {
    const request = takeRequest();
    request.owner = this;
    request.slot = NO_SLOT;
    request.lane = laneOf(database, proto);
    request.startedUs = router.context.turn.nowUs;
    router.send(server, request, [bytes]);
  }

  settle(request: Request, bytes: Buffer, from: number, to: number): void {
    request.reply = bytes;
    request.replyFrom = from;
    request.replyTo = to;
    this.deferred.finish(request.wholeReply());
    freeRequest(request);
  }

  settlePiece(request: Request, bytes: Buffer, from: number, to: number): void {
    request.keep(bytes, from, to);
  }

  onCrowded(): void {}
}
