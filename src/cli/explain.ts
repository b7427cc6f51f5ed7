// Why a call failed, in one sentence, and what to do next.

import type { RemoteError } from "../api/client.ts";
import { OperatorError } from "../lib/operator-error.ts";

/** The begin of a reason → what to do about it. The first that fits counts. */
const NEXT_STEPS: readonly (readonly [RegExp, string])[] = [
  [/not online|not lead|does not lead/, "it waits for another dashboard or is starting: try again"],
  [/product name & auth/, "the product is another one, or --auth is not its product_auth"],
  [/group-\[\d+\] isn't empty/, "remove its servers first: codis admin servers remove ADDR"],
  [/can't remove master, still in use/, "move its slots away: codis admin rebalance --drain-group"],
  [/is promoting/, "wait until that is done: codis admin status --watch"],
  [/slots-migration is running/, "wait, or pause the migration: codis admin pause"],
  [/shutdown failed/, "if it is gone for good, add --force"],
  [/resync slots failed|fillslots failed/, "see which proxy does not answer: codis admin proxies"],
  [/doesn't exist|not found/, "codis admin status shows what there is"],
  [/action isn't pending/, "it has begun: codis admin cancel brings it back"],
  [/no valid group/, "add a server first: codis admin servers add GROUP ADDR"],
];

export function explain(
  program: "dashboard" | "proxy",
  address: string,
  error: RemoteError,
): OperatorError {
  if (error.status === 0) {
    const how = program === "dashboard" ? "--dashboard=HOST:PORT says where it is" : "";
    const check = `is codis-${program} running there?`;
    const why = error.trouble === "late" ? "it did not answer in time" : "no connection";
    return new OperatorError(
      `the ${program} at ${address} cannot be reached (${why}): ${[check, how].join(" ").trim()}`,
    );
  }
  if (error.status === 404 && error.reason === "status 404") {
    return new OperatorError(
      `the ${program} at ${address} does not know this call: it is of another version, or no ` +
        `codis-${program}`,
    );
  }
  const step = NEXT_STEPS.find(([pattern]) => pattern.test(error.reason))?.[1];
  const refused = `the ${program} at ${address} refused: ${error.reason}`;
  return new OperatorError(step === undefined ? refused : `${refused} (${step})`);
}
