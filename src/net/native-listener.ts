/**
 * Accepts connections from a listening descriptor in a `Poller`. Closing it closes our copy of the
 * descriptor; while another process holds one, clients go on queueing there.
 */
import { easeLoopback } from "./native-socket.ts";
import { type Polled, type Poller, READABLE } from "./poller.ts";
import { addressText } from "./socket-address.ts";
import { permanent, SOCK_FLAGS, sys } from "./syscalls.ts";

/** So many per turn at most, as in Redis. */
const MAX_ACCEPTS = 1000;
/** When accepting failed so often in a row we are out of descriptors: a pause, or we would spin. */
const MAX_FAILURES = 100;
const PAUSE_MS = 50;

const address = permanent(32);
const addressLength = permanent(1);
const addressBytes = new Uint8Array(address.view.buffer);

export class NativeListener implements Polled {
  #isOpen = true;
  #failures = 0;

  constructor(
    readonly poller: Poller,
    readonly fd: number,
    readonly onAccept: (fd: number, peer: string) => void,
  ) {
    poller.add(this, READABLE);
  }

  close(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.poller.remove(this);
    this.poller.close(this.fd);
  }

  onEvents(): void {
    for (let i = 0; i < MAX_ACCEPTS && this.#isOpen; i++) {
      addressLength.view[0] = addressBytes.length;
      addressBytes[0] = 0;
      const fd = sys.accept4(this.fd, address.at, addressLength.at, SOCK_FLAGS);
      if (fd < 0) return this.#onFailure(i);
      easeLoopback(fd, addressBytes);
      this.onAccept(fd, addressText(addressBytes));
    }
  }

  /** Nobody is left in the queue; or we are out of descriptors, and the queue stays as it is. */
  #onFailure(acceptedBefore: number): void {
    this.#failures = acceptedBefore > 0 ? 0 : this.#failures + 1;
    if (this.#failures < MAX_FAILURES) return;
    this.#failures = 0;
    this.poller.remove(this);
    setTimeout(() => {
      if (this.#isOpen) this.poller.add(this, READABLE);
    }, PAUSE_MS);
  }
}

/** The address under which a connection reached us. */
export function localAddressOf(fd: number): string {
  addressLength.view[0] = addressBytes.length;
  if (sys.getsockname(fd, address.at, addressLength.at) !== 0) return "unix:0";
  return addressText(addressBytes);
}
