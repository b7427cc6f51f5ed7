/**
 * What one worker counts. Plain typed arrays indexed by command id, because they are touched for
 * every request; `worker.ts` turns them into a message when the parent asks.
 */
import { COMMAND_COUNT } from "./commands.ts";
import { HISTOGRAM_BUCKETS as BUCKETS, histogramBucket } from "./ipc.ts";

export class Stats {
  readonly calls = new Float64Array(COMMAND_COUNT);
  readonly usecs = new Float64Array(COMMAND_COUNT);
  /** Requests whose reply never reached the client. */
  readonly fails = new Float64Array(COMMAND_COUNT);
  /** Replies of type error, from servers and our own. */
  readonly errors = new Float64Array(COMMAND_COUNT);
  readonly histogram = new Float64Array(COMMAND_COUNT * BUCKETS);
  sessionsTotal = 0;
  sessionsAlive = 0;
  /** The limits that were hit, by name: see METRICS in metrics/registry.ts. */
  readonly counters = {
    rejectedMaxClients: 0,
    rejectedNotOnline: 0,
    closedProtocolError: 0,
    closedOutputLimit: 0,
    closedInputLimit: 0,
    closedSendTimeout: 0,
    closedIdle: 0,
    closedSlowRequest: 0,
    pausedPipeline: 0,
    pausedBackend: 0,
    heldRequests: 0,
    heldOverflow: 0,
    heldTooLong: 0,
    keysMoved: 0,
    moveBatches: 0,
    moveBusy: 0,
    moveFailed: 0,
    moveUnknown: 0,
    moveFences: 0,
    bigKeysMet: 0,
    backendConnects: 0,
    backendConnectFails: 0,
    backendLost: 0,
    backendTimeouts: 0,
    requestsRetried: 0,
    bytesIn: 0,
    bytesOut: 0,
  };

  /** A reply goes out: `elapsedUs` since its request came in. */
  record(command: number, elapsedUs: number, isError: boolean): void {
    this.calls[command]++;
    this.usecs[command] += elapsedUs;
    this.histogram[command * BUCKETS + histogramBucket(elapsedUs)]++;
    if (isError) this.errors[command]++;
  }

  reset(): void {
    this.calls.fill(0);
    this.usecs.fill(0);
    this.fails.fill(0);
    this.errors.fill(0);
    this.histogram.fill(0);
    this.sessionsTotal = this.sessionsAlive;
  }
}
