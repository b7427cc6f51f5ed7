// The hash slots of a product: how a key finds its slot, and what a dashboard pushes to a proxy
// about one slot. Both planes use this file; it does no input or output.

export const SLOT_COUNT = 1024;

/**
 * How a slot that has `migrate_from` gets its keys over before it forwards a request. SYNC and
 * SEMI_ASYNC use the commands of codis-server. MIGRATE is ours and works with any server; original
 * proxies refuse it.
 */
export const ForwardMethod = { SYNC: 0, SEMI_ASYNC: 1, MIGRATE: 2 } as const;

/** A revision is the term of the leader who gave it, times this, and a counter of its own. */
export const REVISIONS_PER_TERM = 2 ** 32;

export function termOf(revision: number): number {
  return Math.floor(revision / REVISIONS_PER_TERM);
}

/** What the control protocol says of a slot, but for its number. An absent field is zero. */
export interface SlotPlace {
  readonly locked?: boolean;
  readonly backend_addr?: string;
  readonly backend_addr_group_id?: number;
  readonly migrate_from?: string;
  readonly migrate_from_group_id?: number;
  readonly forward_method?: number;
  readonly replica_groups?: readonly (readonly string[])[];
  /** Ours: the epoch of the migration under way; what is known of moved keys ends with it. */
  readonly migrate_epoch?: number;
  /** Ours: a key leaves `migrate_from` only when the backend has made sure that it keeps it. */
  readonly migrate_durable?: boolean;
  /** Ours: rises with every push; a record that comes late does not undo a newer one. */
  readonly revision?: number;
}

/** The Slot object of the control protocol, as pushed and as listed. */
export interface SlotFill extends SlotPlace {
  readonly id: number;
}

const CRC32_POLYNOMIAL = 0xedb88320; // IEEE 802.3, reflected

/** A step is `crc = crc32Table[(crc ^ byte) & 255] ^ (crc >>> 8)`; from -1, inverted at the end. */
const crc32Table: Int32Array = buildCrc32Table();

function buildCrc32Table(): Int32Array {
  const table = new Int32Array(256);
  for (let byte = 0; byte < 256; byte++) {
    let value = byte;
    for (let bit = 0; bit < 8; bit++) {
      value = value & 1 ? (value >>> 1) ^ CRC32_POLYNOMIAL : value >>> 1;
    }
    table[byte] = value;
  }
  return table;
}

const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;
/** A bit above those of a slot. */
const HAS_BRACE = 1024;
/** Longer keys are rare, and take one step after the other. */
const SHORT_BYTES = 64;

/**
 * A CRC is linear: that of a key is the XOR of a share of each byte, by its distance from the end,
 * and of one for the length. So no step waits for the one before it. Kept are the bits that make
 * the slot, at `256 * distance + byte`; `{` has HAS_BRACE as well, so that one pass finds both.
 */
const shares = new Int32Array(256 * SHORT_BYTES);
const lengthShares = new Int32Array(SHORT_BYTES + 1);
buildShares();

function buildShares(): void {
  for (let byte = 0; byte < 256; byte++) {
    let crc = crc32Table[byte];
    for (let distance = 0; distance < SHORT_BYTES; distance++) {
      const share = crc & (SLOT_COUNT - 1);
      shares[256 * distance + byte] = byte === OPEN_BRACE ? share | HAS_BRACE : share;
      crc = crc32Table[crc & 255] ^ (crc >>> 8);
    }
  }
  let crc = -1;
  for (let length = 0; length <= SHORT_BYTES; length++) {
    lengthShares[length] = ~crc & (SLOT_COUNT - 1);
    crc = crc32Table[crc & 255] ^ (crc >>> 8);
  }
}

/**
 * The slot of the key `bytes[from, to)`. Only the hash tag counts when the key has one: what stands
 * between the first `{` and the first `}` after it, even when that is nothing.
 */
export function slotOf(bytes: Uint8Array, from: number, to: number): number {
  const length = to - from;
  if (length > SHORT_BYTES) return slotOfTagged(bytes, from, to);
  let slot = lengthShares[length];
  let row = 256 * (length - 1);
  let seen = 0;
  let i = from;
  for (; i + 3 < to; i += 4, row -= 1024) {
    const a = shares[row + bytes[i]];
    const b = shares[row - 256 + bytes[i + 1]];
    const c = shares[row - 512 + bytes[i + 2]];
    const d = shares[row - 768 + bytes[i + 3]];
    slot ^= a ^ b ^ c ^ d;
    seen |= a | b | c | d;
  }
  for (; i < to; i++, row -= 256) {
    const share = shares[row + bytes[i]];
    slot ^= share;
    seen |= share;
  }
  return seen < HAS_BRACE ? slot : slotOfTagged(bytes, from, to);
}

/** The same for a long key, or one with a brace. */
function slotOfTagged(bytes: Uint8Array, from: number, to: number): number {
  let open = from;
  while (open < to && bytes[open] !== OPEN_BRACE) open++;
  let close = open + 1;
  while (close < to && bytes[close] !== CLOSE_BRACE) close++;
  const hasTag = close < to;
  const end = hasTag ? close : to;
  let crc = -1;
  for (let i = hasTag ? open + 1 : from; i < end; i++) {
    crc = crc32Table[(crc ^ bytes[i]) & 255] ^ (crc >>> 8);
  }
  return ~crc & (SLOT_COUNT - 1);
}

/** The slot of a whole key; for callers that are not on the hot path. */
export function slotOfKey(key: Uint8Array | string): number {
  const bytes = typeof key === "string" ? Buffer.from(key) : key;
  return slotOf(bytes, 0, bytes.length);
}
