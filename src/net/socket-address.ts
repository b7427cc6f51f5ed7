// Socket addresses as the kernel spells them, from and to text. Linux.

const AF_UNIX = 1;
const AF_INET = 2;
const AF_INET6 = 10;

export interface SocketAddress {
  readonly family: number;
  readonly bytes: Uint8Array;
}

/** `host` is an IP address in text. */
export function inetAddress(host: string, port: number): SocketAddress | null {
  const v4 = v4Bytes(host);
  if (v4 !== null) {
    const bytes = new Uint8Array(16);
    new DataView(bytes.buffer).setUint16(0, AF_INET, true);
    new DataView(bytes.buffer).setUint16(2, port);
    bytes.set(v4, 4);
    return { family: AF_INET, bytes };
  }
  const v6 = v6Bytes(host);
  if (v6 === null) return null;
  const bytes = new Uint8Array(28);
  new DataView(bytes.buffer).setUint16(0, AF_INET6, true);
  new DataView(bytes.buffer).setUint16(2, port);
  bytes.set(v6, 8);
  return { family: AF_INET6, bytes };
}

export function unixAddress(path: string): SocketAddress {
  const name = Buffer.from(path);
  const bytes = new Uint8Array(3 + name.length);
  new DataView(bytes.buffer).setUint16(0, AF_UNIX, true);
  bytes.set(name, 2);
  return { family: AF_UNIX, bytes };
}

/** Is it an address of this very machine: 127.0.0.0/8, in either form, or ::1? */
export function isLoopback(bytes: Uint8Array): boolean {
  const family = bytes[0];
  if (family === AF_INET) return bytes[4] === 127;
  if (family !== AF_INET6) return false;
  if (bytes.subarray(8, 18).some((byte) => byte !== 0)) return false;
  if (bytes[18] === 255) return bytes[19] === 255 && bytes[20] === 127;
  return bytes.subarray(18, 23).every((byte) => byte === 0) && bytes[23] === 1;
}

/** "1.2.3.4:5", "::1:5" as Redis prints peers, "unix:0". */
export function addressText(bytes: Uint8Array): string {
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  const family = view.getUint16(0, true);
  if (family === AF_INET) return `${bytes.subarray(4, 8).join(".")}:${view.getUint16(2)}`;
  if (family === AF_INET6) return `${v6Text(bytes.subarray(8, 24))}:${view.getUint16(2)}`;
  return "unix:0";
}

function v4Bytes(host: string): number[] | null {
  const parts = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/.exec(host)?.slice(1).map(Number);
  return parts !== undefined && parts.every((part) => part < 256) ? parts : null;
}

function v6Bytes(host: string): Uint8Array | null {
  if (!/^[0-9a-f:.]+$/i.test(host) || !host.includes(":")) return null;
  let text = host;
  const v4 = /^(.*:)(\d+\.\d+\.\d+\.\d+)$/.exec(host);
  if (v4 !== null) {
    const tail = v4Bytes(v4[2]);
    if (tail === null) return null;
    const word = (high: number, low: number): string => ((high << 8) | low).toString(16);
    text = `${v4[1]}${word(tail[0], tail[1])}:${word(tail[2], tail[3])}`;
  }
  const [head, rest, ...more] = text.split("::");
  if (more.length > 0) return null;
  const words = (part: string): string[] => (part === "" ? [] : part.split(":"));
  const [left, right] = [words(head), words(rest ?? "")];
  const missing = 8 - left.length - right.length;
  if (missing < 0 || (rest === undefined && missing !== 0)) return null;
  const all = [...left, ...Array<string>(missing).fill("0"), ...right];
  if (!all.every((word) => /^[0-9a-f]{1,4}$/i.test(word))) return null;
  return Uint8Array.from(
    all.flatMap((word) => [parseInt(word, 16) >> 8, parseInt(word, 16) & 255]),
  );
}

function v6Text(bytes: Uint8Array): string {
  const isMapped = bytes.subarray(0, 10).every((byte) => byte === 0) && bytes[10] === 255;
  if (isMapped && bytes[11] === 255) return bytes.subarray(12).join(".");
  const words = Array.from({ length: 8 }, (_, i) => {
    return ((bytes[2 * i] << 8) | bytes[2 * i + 1]).toString(16);
  });
  // The longest run of zeros is left out, the first of several.
  const runs = words.join(":").match(/\b0(?::0)+\b/g) ?? [];
  const longest = runs.reduce((best, run) => (run.length > best.length ? run : best), "");
  if (longest === "") return words.join(":");
  const [head, tail] = splitAt(words.join(":"), longest);
  return `${head.replace(/:$/, "")}::${tail.replace(/^:/, "")}`;
}

function splitAt(text: string, part: string): [string, string] {
  const at = text.search(new RegExp(`\\b${part}\\b`));
  return [text.slice(0, at), text.slice(at + part.length)];
}
