// A failure that the person who runs the program can mend: a wrong option, a wrong setting, a port
// that is taken. `main.ts` prints its one sentence without a stack and ends with status 1. Anything
// else that reaches `main.ts` is a fault of ours and is printed with its stack.

export class OperatorError extends Error {
  override readonly name: string = "OperatorError";
}

/** A command line that cannot be understood; `usage` is printed under the sentence. */
export class UsageError extends OperatorError {
  override readonly name = "UsageError";

  constructor(
    message: string,
    readonly usage: string,
  ) {
    super(message);
  }
}

/** The sentence of an error of unknown make, for a log line or an operator. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** The stable code of a system error ("ENOENT", "EADDRINUSE"), or "" when it has none. */
export function codeOf(error: unknown): string {
  if (!(error instanceof Error) || !("code" in error)) return "";
  return typeof error.code === "string" ? error.code : "";
}

/** Why there is no connection. Bun's own words for the usual reason are advice for browsers. */
export function connectTrouble(error: unknown): string {
  return codeOf(error) === "ECONNREFUSED" ? "nothing listens there" : messageOf(error);
}
