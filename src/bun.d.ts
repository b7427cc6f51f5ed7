/** What Bun 1.4.5 can do and its types do not say (bun-notes 1 and 2, each verified there). */
import "bun";

declare module "bun" {
  interface TCPSocketListenOptions<Data> {
    /** Listens on an inherited descriptor; then hostname and port are not used. */
    fd?: number;
    reusePort?: boolean;
    ipv6Only?: boolean;
  }
  interface SocketListener<Data> {
    readonly fd: number;
  }
}

declare global {
  interface Buffer<TArrayBuffer extends ArrayBufferLike = ArrayBufferLike> {
    latin1Slice(start?: number, end?: number): string;
    /** Returns the number of bytes written. */
    latin1Write(text: string, offset?: number, length?: number): number;
  }
}
