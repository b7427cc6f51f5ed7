// A key that is too large to move in one step, as the dashboard tells proxies (ours; the original
// knows nothing of the kind). While it is pinned or held it is where its slot comes from.

import { RecordReader } from "./json.ts";
import { SLOT_COUNT } from "./slot.ts";

/**
 * pinned: every request for the key goes to the source. held: writes wait; reads go to the source
 * as long as the key is there, else to the target. A key that is in no list moves like any other.
 */
export const PIN_STATES = ["pinned", "held"] as const;
export type PinState = (typeof PIN_STATES)[number];

export interface KeyPin {
  readonly slot: number;
  readonly db: number;
  /** The bytes of the key in base64. */
  readonly key: string;
  readonly state: PinState;
}

/** All pins of the product; a push replaces the list that a proxy had. */
export interface PinTable {
  /** As in a Slot object: an older table does not replace a newer one. */
  readonly revision: number;
  readonly pins: readonly KeyPin[];
}

export function parsePinTable(json: unknown): PinTable {
  const reader = new RecordReader(json, "the pins");
  return {
    revision: reader.requiredInteger("revision", 0, Number.MAX_SAFE_INTEGER),
    pins: (reader.list("pins") ?? []).map((pin, index) => {
      const entry = new RecordReader(pin, `element ${index} of the pins`);
      return {
        slot: entry.requiredInteger("slot", 0, SLOT_COUNT - 1),
        db: entry.requiredInteger("db", 0, 1_000_000),
        key: entry.text("key") ?? "",
        state: entry.choice("state", PIN_STATES) ?? "pinned",
      };
    }),
  };
}
