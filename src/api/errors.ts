// The failures an admin API can answer with. Handlers throw `ApiError`; `server.ts` turns it into a
// status by the one table below, with the cause in the body and, because many clients show nothing
// else, in the reason phrase. Programs of the original know one status only.

import { OperatorError } from "../lib/operator-error.ts";
import { InvalidRecord } from "../model/json.ts";

const STATUS_OF = {
  "bad-request": 400,
  "not-authorized": 403,
  "not-found": 404,
  "too-large": 413,
  "not-ready": 503,
  closed: 503,
  "too-late": 504,
  internal: 500,
  "bad-gateway": 502,
} as const;

export type ApiErrorCode = keyof typeof STATUS_OF;

export class ApiError extends Error {
  override readonly name = "ApiError";

  constructor(
    readonly code: ApiErrorCode,
    message: string,
  ) {
    super(message);
  }

  get status(): number {
    return STATUS_OF[this.code];
  }
}

/**
 * What the caller is told about an error of any make. A fault of ours keeps its details to the log.
 */
export function toApiError(error: unknown): ApiError {
  if (error instanceof ApiError) return error;
  if (error instanceof InvalidRecord) return new ApiError("bad-request", error.message);
  if (error instanceof OperatorError) return new ApiError("bad-request", error.message);
  return new ApiError("internal", "the program failed on this call; its log says why");
}

const MAX_REASON_CHARS = 300;

/** The status of all failures of the original; its programs read the cause of no other one. */
const ORIGINAL_STATUS = 800;

/** What the programs of the original send as their `User-Agent`: the name of Go's own client. */
const ORIGINAL_CLIENT = /^Go-http-client\//;

export function statusFor(error: ApiError, userAgent: string): number {
  return ORIGINAL_CLIENT.test(userAgent) ? ORIGINAL_STATUS : error.status;
}

/** A cause as a reason phrase: one line of printable ASCII. */
export function reasonPhrase(cause: string): string {
  return cause.replace(/[^\x20-\x7e]+/g, "?").slice(0, MAX_REASON_CHARS);
}
