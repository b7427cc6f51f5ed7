/**
 * Integers in arguments, as strictly as Redis reads them: no sign but '-', no leading zeros, no
 * spaces, within 64 bits.
 */
import type { Args } from "../resp/args.ts";

const INTEGER = /^(?:0|-?[1-9][0-9]{0,18})$/;
const INT64_MAX = 2n ** 63n - 1n;
const INT64_MIN = -(2n ** 63n);
/** A text of this length may lie outside 64 bits. */
const LONGEST_SAFE = 18;
/** No integer is longer, so longer arguments are not even copied. */
const LONGEST = 20;

/** Null when the argument is no integer. Beyond 2^53 the value is rounded, never wrapped. */
export function integerArgument(args: Args, index: number): number | null {
  if (args.end(index) - args.start(index) > LONGEST) return null;
  const text = args.text(index);
  if (!INTEGER.test(text)) return null;
  if (text.length > LONGEST_SAFE) {
    const exact = BigInt(text);
    if (exact > INT64_MAX || exact < INT64_MIN) return null;
  }
  return Number(text);
}
