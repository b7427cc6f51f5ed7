// System tests run once with the proxy's own buffer sizes and once with tiny ones, which make it
// take every chunk apart and write in pieces: whatever depends on where a read ends shows itself
// there.
import type { ProxySettings } from "../../src/demo/proxy-process.ts";

export interface BufferSize {
  /** Completes the name of a test: "... with 512-byte buffers". */
  readonly name: string;
  readonly config: ProxySettings;
}

export const BUFFER_SIZES: readonly BufferSize[] = [
  { name: "default buffers", config: {} },
  {
    name: "512-byte buffers",
    config: {
      session_recv_bufsize: 512,
      session_send_bufsize: 512,
      backend_recv_bufsize: 512,
      backend_send_bufsize: 512,
    },
  },
];
