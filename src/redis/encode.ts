// A command as the bytes that clients send: an array of bulk strings.

export function encodeCommand(command: readonly (string | number | Uint8Array)[]): Buffer {
  const args = command.map((argument) => {
    return argument instanceof Uint8Array ? argument : String(argument);
  });
  let size = HEAD_BYTES;
  for (const arg of args)
    size += HEAD_BYTES + (typeof arg === "string" ? 3 * arg.length : arg.length);
  const bytes = Buffer.allocUnsafe(size);
  let at = writeHead(bytes, 0, STAR, args.length);
  for (const arg of args) {
    if (typeof arg === "string") {
      at = writeHead(bytes, at, DOLLAR, Buffer.byteLength(arg));
      at += bytes.write(arg, at);
    } else {
      at = writeHead(bytes, at, DOLLAR, arg.length);
      bytes.set(arg, at);
      at += arg.length;
    }
    bytes[at++] = CR;
    bytes[at++] = LF;
  }
  return bytes.subarray(0, at);
}

const STAR = 0x2a;
const DOLLAR = 0x24;
const ZERO = 0x30;
const CR = 13;
const LF = 10;
/** A head, and the line end after an argument. */
const HEAD_BYTES = 24;

/** "*12\r\n" or "$12\r\n". Returns where it ends. */
function writeHead(bytes: Uint8Array, from: number, mark: number, value: number): number {
  bytes[from] = mark;
  let digits = 1;
  for (let rest = value; rest >= 10; rest = Math.floor(rest / 10)) digits++;
  let left = value;
  for (let at = from + digits; at > from; at--) {
    bytes[at] = ZERO + (left % 10);
    left = Math.floor(left / 10);
  }
  bytes[from + digits + 1] = CR;
  bytes[from + digits + 2] = LF;
  return from + digits + 3;
}
