// Keys that the product keeps for itself at its servers: the fence set, copies of big keys that are
// not complete yet. They never move, and nobody counts them or gives them out.

export const OWN_KEY_PREFIX = "\0codis:";

const PREFIX = Buffer.from(OWN_KEY_PREFIX);

export function isOwnKey(key: Uint8Array): boolean {
  if (key.length < PREFIX.length || key[0] !== 0) return false;
  for (let i = 1; i < PREFIX.length; i++) if (key[i] !== PREFIX[i]) return false;
  return true;
}
