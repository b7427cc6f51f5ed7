// Calls one route of an admin API of another program, ours or the original's. Failures are
// `RemoteError`s with one sentence; the xauth in the path never shows up in one.

import { connectTrouble } from "../lib/operator-error.ts";
import { encodeJson, RecordReader } from "../model/json.ts";
import type { AnyRoute, BodyOf, ParamsOf, PathOf, ReplyOf } from "./route.ts";

/** Longer than a fill of slots may take at the other end. */
const CALL_TIMEOUT_MS = 60_000;

/**
 * unreachable: there is no connection. late: there is one, but no answer in time. refused: the
 * other program answered, with an error.
 */
export type RemoteTrouble = "unreachable" | "late" | "refused";

/** The other program refused the call or could not be reached. */
export class RemoteError extends Error {
  override readonly name = "RemoteError";

  constructor(
    message: string,
    /** Of the answer; 0 when there was none. */
    readonly status = 0,
    /** What the other program, or the system, gave as the reason. */
    readonly reason = "",
    private readonly isLate = false,
  ) {
    super(message);
  }

  get trouble(): RemoteTrouble {
    if (this.status !== 0) return "refused";
    return this.isLate ? "late" : "unreachable";
  }
}

export interface CallOptions<R extends AnyRoute> {
  readonly params: Readonly<Record<ParamsOf<PathOf<R>>, string>>;
  readonly body?: BodyOf<R>;
  readonly timeoutMs?: number;
}

/** `address` is host:port. The reply is what the other program sent, unchecked. */
export async function callRoute<R extends AnyRoute>(
  address: string,
  route: R,
  options: CallOptions<R>,
): Promise<ReplyOf<R>> {
  const params = new Map<string, string>(Object.entries(options.params));
  const path = route.path.replace(/:(\w+)/g, (_, name: string) => {
    return encodeURIComponent(params.get(name) ?? "");
  });
  const shownPath = route.path.replace("/:xauth", "");
  let status = 0;
  let text = "";
  try {
    const response = await fetch(`http://${address}${path}`, {
      method: route.method,
      signal: AbortSignal.timeout(options.timeoutMs ?? CALL_TIMEOUT_MS),
      ...(options.body === undefined
        ? {}
        : { body: encodeJson(options.body), headers: { "Content-Type": "application/json" } }),
    });
    status = response.status;
    text = await response.text();
  } catch (error) {
    if (error instanceof Error && error.name === "TimeoutError") {
      const message = `${address} did not answer ${shownPath} in time`;
      throw new RemoteError(message, 0, error.message, true);
    }
    const reason = connectTrouble(error);
    throw new RemoteError(`${address} cannot be reached: ${reason}`, 0, reason);
  }
  if (status !== 200) {
    const reason = causeOf(text) || `status ${status}`;
    throw new RemoteError(`${address} refused ${shownPath}: ${reason}`, status, reason);
  }
  try {
    return JSON.parse(text) as ReplyOf<R>;
  } catch {
    const reason = "something that is not JSON";
    throw new RemoteError(`${address} answered ${shownPath} with ${reason}`, status, reason);
  }
}

function causeOf(text: string): string {
  try {
    return new RecordReader(JSON.parse(text), "the answer").text("cause") ?? "";
  } catch {
    return "";
  }
}
