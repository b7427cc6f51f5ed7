// Asks before something that cannot be taken back, or that moves much. Scripts say --yes; without
// it and without a terminal nothing happens.

import { createInterface } from "node:readline/promises";
import { OperatorError } from "../lib/operator-error.ts";

/** Returns when the answer is yes; throws `OperatorError` otherwise. */
export async function confirm(question: string, isAgreed: boolean): Promise<void> {
  if (isAgreed) return;
  if (process.stdin.isTTY !== true) {
    throw new OperatorError(
      `${question} Nothing was done, because there is no terminal to ask at: add --yes`,
    );
  }
  // On stderr, so that what is redirected stays data.
  const dialogue = createInterface({ input: process.stdin, output: process.stderr });
  try {
    const answer = await dialogue.question(`${question} [y/N] `);
    if (/^y(es)?$/i.test(answer.trim())) return;
  } finally {
    dialogue.close();
  }
  throw new OperatorError("nothing was done");
}
