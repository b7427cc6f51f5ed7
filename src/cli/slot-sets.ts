// Sets of slots as people write them: "0-99,200", "all".

import { OperatorError } from "../lib/operator-error.ts";
import { SLOT_COUNT } from "../model/slot.ts";

/** The ids, ascending, each once. Throws `OperatorError` when the text is none. */
export function parseSlots(text: string): number[] {
  if (text === "all") return Array.from({ length: SLOT_COUNT }, (_, id) => id);
  const ids = new Set<number>();
  for (const part of text.split(",")) {
    const match = /^(\d{1,4})(?:-(\d{1,4}))?$/.exec(part.trim());
    const from = Number(match?.[1] ?? -1);
    const to = Number(match?.[2] ?? from);
    if (match === null || from > to || to >= SLOT_COUNT) {
      throw new OperatorError(
        `'${part}' is no slot and no range of slots: write 17, 0-99 or 0-99,200-299, ` +
          `from 0 to ${SLOT_COUNT - 1}, or all`,
      );
    }
    for (let id = from; id <= to; id++) ids.add(id);
  }
  return [...ids].sort((a, b) => a - b);
}
